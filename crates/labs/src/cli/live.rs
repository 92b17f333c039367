//! `run --view`: the space-time diagram of a run in the browser, as it grows.
//!
//! The launcher follows the journals of the participants, as it does for a screen, and hands every event to a
//! [`Feed`], which a [`Server`] shows to browsers on this machine. When the run has ended and was judged, the page gets what only the
//! launcher knows: which processes died, and how the run ended. The page stays until Ctrl-C.

pub mod feed;
pub mod open;
pub mod serve;
pub mod until;

use std::cell::RefCell;
use std::rc::Rc;

use anyhow::Context as _;

pub use self::feed::Feed;
pub use self::serve::Server;
use crate::logs::Placing;
use crate::process::ProcessId;
use crate::said::say;
use crate::trace::{Header, TraceEvent, What};
use crate::view::Entry;

/// The page of a run in progress. Copies are the same page.
#[derive(Clone, Debug)]
pub(super) struct Live {
    feed: Feed,
    server: Rc<Server>,
    told: Rc<RefCell<Told>>,
}

/// What the page was told.
#[derive(Debug)]
struct Told {
    /// The number of the last event of each process.
    last: Vec<u64>,
    /// How many events.
    all: u64,
    /// It can be told nothing more.
    is_over: bool,
    /// What was logged, by process.
    logs: Vec<Placing>,
    /// It can be told no more lines of logs.
    is_full: bool,
}

impl Live {
    /// Serves the page of a run that is about to begin on this port of 127.0.0.1 (0: any that is free), says
    /// where, and opens it if there is a browser.
    ///
    /// # Errors
    ///
    /// If the port is taken, or the run has too many processes to be drawn.
    pub(super) fn start(header: Header, port: u16) -> anyhow::Result<Self> {
        let last = vec![0; header.processes as usize];
        let logs = last.iter().map(|_| Placing::default()).collect();
        let feed = Feed::new(header).context("--view")?;
        let server = Server::start(port, feed.clone()).with_context(|| {
            format!("--view cannot listen on 127.0.0.1:{port}: name another port, or none")
        })?;
        let is_shown = open::open(&server.url());
        let hint = if is_shown { "" } else { ": open it in a browser" };
        say(&format!("the run is shown at {}{hint}", server.url()));
        let told = Told { last, all: 0, is_over: false, logs, is_full: false };
        Ok(Self { feed, server: Rc::new(server), told: Rc::new(RefCell::new(told)) })
    }

    /// Shows an event of a run in progress. The stop of a process is shown later, when the end of the run is known.
    pub(super) fn on_event(&self, event: &TraceEvent) {
        if !matches!(event.what, What::Stop(_)) {
            self.tell(event);
        }
    }

    /// An event of the run as it was judged: what was not told before is told now.
    pub(super) fn on_judged(&self, event: &TraceEvent) {
        self.tell(event);
    }

    /// A process logged these lines.
    pub(super) fn on_log(&self, process: ProcessId, lines: &str) {
        let told = &mut *self.told.borrow_mut();
        let Some(log) = told.logs.get_mut(process.index()) else { return };
        let placed = lines.lines().flat_map(|line| log.take(line)).collect();
        self.log(process, placed, &mut told.is_full);
    }

    fn log(&self, process: ProcessId, lines: Vec<(u64, String)>, is_full: &mut bool) {
        let fits = |(lamport, text): &(u64, String)| self.feed.log(process, *lamport, text);
        if !*is_full && !lines.iter().all(fits) {
            *is_full = true;
            say("the page shows no more of the logs: `labs logs` does");
        }
    }

    /// Shows what was told.
    pub(super) fn publish(&self) {
        self.feed.publish(None);
    }

    /// Nothing more will be told.
    pub(super) fn end(&self) {
        let told = &mut *self.told.borrow_mut();
        for (process, log) in (0..).map(ProcessId).zip(&mut told.logs) {
            self.log(process, log.finish(), &mut told.is_full);
        }
        if let Err(error) = self.feed.end(None, told.all + 1) {
            say(&format!("the page does not show the end of the run: {error}"));
        }
    }

    /// Where the page is.
    pub(super) fn url(&self) -> String {
        self.server.url()
    }

    fn tell(&self, event: &TraceEvent) {
        let told = &mut *self.told.borrow_mut();
        let Some(last) = told.last.get_mut(event.process.index()) else { return };
        if told.is_over || event.n <= *last {
            return;
        }
        *last = event.n;
        told.all += 1;
        let entry = Entry { event: event.clone(), state: None };
        // The header would be the first line.
        if let Err(error) = self.feed.push(entry, told.all + 1) {
            told.is_over = true;
            say(&format!("the page shows no more of the run: {error}"));
        }
    }
}
