//! What has happened so far in a run in progress, for whoever looks at it.
//!
//! One writer appends events. Readers take what is new to them, and wait for more. Every reader gets all chunks
//! from the first on, so a browser that comes late, or was cut off, sees the whole run.
//!
//! The events of a run that goes on may come from several machines, and a receipt before its sending.
//! The feed holds such an event, and what follows it at its process, until the sending has come: what
//! leaves it is in an order that respects causality. A sending may never come, because the machine of its sender
//! is cut off. What still waits when the run has ended is let go then.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::process::ProcessId;
use crate::trace::{Header, MessageId, What};
use crate::verdict::{CycleJudge, StreamJudge, Verdict};
use crate::view::{EVENTS_MAX, Encoder, Entry, PROCESSES_MAX, Page, Status, ViewError};

/// The events of a run in progress. Copies share them.
#[derive(Clone, Debug)]
pub struct Feed {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    header: Header,
    state: Mutex<State>,
    news: Condvar,
}

#[derive(Debug)]
struct State {
    encoder: Encoder,
    judge: StreamJudge,
    /// Goes along if the run goes round for ever.
    cycle: Option<CycleJudge>,
    /// What waits for a sending, by process.
    held: Vec<VecDeque<Entry>>,
    /// The processes at which something waits.
    waiting: BTreeSet<usize>,
    sent: BTreeSet<MessageId>,
    /// The processes that have stopped or crashed.
    over: BTreeSet<u32>,
    /// Whether some process has stopped, which it does when the run has ended.
    has_stopped: bool,
    chunks: Vec<Arc<str>>,
    /// The status, and how often it has changed.
    status: (u64, Arc<str>),
    ended: bool,
    /// How many events it was given, those that wait among them.
    pushed: usize,
}

/// What is new to a reader.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct News {
    /// Chunks of events, in JSON.
    pub chunks: Vec<Arc<str>>,
    /// The status, in JSON, if it is another.
    pub status: Option<Arc<str>>,
    /// Whether nothing more will follow.
    pub ended: bool,
}

/// How far a reader has come.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Place {
    chunks: usize,
    status: u64,
}

impl Feed {
    /// A run of which nothing has happened yet.
    ///
    /// # Errors
    ///
    /// If it has too many processes to be drawn.
    pub fn new(header: Header) -> Result<Self, ViewError> {
        if header.processes > PROCESSES_MAX {
            return Err(ViewError::TooManyProcesses(header.processes));
        }
        let judge = StreamJudge::new(&header.properties, header.processes);
        let state = State {
            cycle: header.cycle_from.clone().map(CycleJudge::new),
            encoder: Encoder::new(),
            judge,
            held: vec![VecDeque::new(); header.processes as usize],
            waiting: BTreeSet::new(),
            sent: BTreeSet::new(),
            over: BTreeSet::new(),
            has_stopped: false,
            chunks: Vec::new(),
            status: (0, Arc::from("")),
            ended: false,
            pushed: 0,
        };
        let feed = Self {
            shared: Arc::new(Shared { header, state: Mutex::new(state), news: Condvar::new() }),
        };
        feed.publish(None);
        Ok(feed)
    }

    /// The page that follows this feed, as a file: it has the header, and asks for the events.
    pub(super) fn page(&self) -> io::Result<Vec<u8>> {
        let header = self.shared.header.clone();
        let meaning = crate::view::meaning::of(&header);
        let status = Status::default();
        let mut page = Vec::new();
        Page { meaning, header, status, chunks: Vec::new(), live: true }.write(&mut page)?;
        Ok(page)
    }

    /// The next event of some process; those of one process come in order. Nobody sees it before
    /// [`publish`](Self::publish).
    ///
    /// # Errors
    ///
    /// If no run has such an event at this place, or there are too many to be drawn. `line` is named then.
    pub fn push(&self, entry: Entry, line: u64) -> Result<(), ViewError> {
        let mut state = self.lock();
        if state.pushed == EVENTS_MAX {
            return Err(ViewError::TooManyEvents);
        }
        state.pushed += 1;
        state.has_stopped |= matches!(entry.event.what, What::Stop(_));
        let process = entry.event.process.index();
        if process >= state.held.len() || state.held[process].is_empty() && !state.must_wait(&entry)
        {
            return state.accept(entry, line);
        }
        state.held[process].push_back(entry);
        state.waiting.insert(process);
        Ok(())
    }

    /// A line of the log of a process, which belongs to its event of this Lamport time, or else to the last
    /// before. Nobody sees it before [`publish`](Self::publish). Returns whether there was room for it.
    pub fn log(&self, process: ProcessId, lamport: u64, text: &str) -> bool {
        self.lock().encoder.log(process, lamport, text)
    }

    /// Shows readers what was pushed. Once all processes have stopped or crashed, nothing more is
    /// expected.
    ///
    /// `verdicts` are those of another judge, who knows more of the properties.
    pub fn publish(&self, verdicts: Option<Vec<Verdict>>) {
        self.publish_and(false, verdicts);
    }

    /// Whether all processes have stopped or crashed.
    pub fn is_over(&self) -> bool {
        self.lock().is_over()
    }

    /// Whether the run has ended for some process, so that it has for all.
    pub fn is_ending(&self) -> bool {
        let state = self.lock();
        state.has_stopped && !state.ended
    }

    /// Nothing more will follow. `verdicts` are those of another judge, who knows more of the properties.
    ///
    /// # Errors
    ///
    /// If what still waits for its sending can be the end of no run. `line` is named then.
    pub fn end(&self, verdicts: Option<Vec<Verdict>>, line: u64) -> Result<(), ViewError> {
        let released = self.lock().release(line);
        self.publish_and(true, verdicts);
        released
    }

    fn publish_and(&self, ends: bool, verdicts: Option<Vec<Verdict>>) {
        let mut state = self.lock();
        if let Some(chunk) = state.encoder.take() {
            state.chunks.push(json(&chunk));
        }
        state.ended |= ends || state.is_over();
        let mut status = Status::of(&state.judge, &state.encoder, !state.ended);
        if let Some(cycle) = state.cycle.clone().filter(|_| state.ended) {
            // `labs verify` says what is wrong with one that is none: without it the property is not judged.
            let _ = cycle.conclude(state.judge.judge(), &mut status.verdicts);
        }
        status.verdicts = verdicts.unwrap_or(status.verdicts);
        let status = json(&status);
        if *status != *state.status.1 {
            state.status = (state.status.0 + 1, status);
        }
        drop(state);
        self.shared.news.notify_all();
    }

    /// What a reader at `place` has not seen, and its new place. Waits for something up to `at_most`.
    pub fn news(&self, place: &mut Place, at_most: Duration) -> News {
        let state = self.lock();
        let (state, _) = self
            .shared
            .news
            .wait_timeout_while(state, at_most, |state| !state.ended && state.is_known(*place))
            .unwrap_or_else(PoisonError::into_inner);
        let chunks = state.chunks[place.chunks..].to_vec();
        let status = (state.status.0 != place.status).then(|| state.status.1.clone());
        *place = Place { chunks: state.chunks.len(), status: state.status.0 };
        News { chunks, status, ended: state.ended }
    }

    /// A thread that panicked has left whole events behind.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_over(&self) -> bool {
        self.over.len() == self.held.len()
    }

    fn is_known(&self, place: Place) -> bool {
        self.chunks.len() == place.chunks && self.status.0 == place.status
    }

    /// Whether the message that arrives was not sent yet.
    fn must_wait(&self, entry: &Entry) -> bool {
        match &entry.event.what {
            What::Receive { message, .. } | What::Drop { message, .. } => {
                !self.sent.contains(&message.id)
            }
            _ => false,
        }
    }

    fn accept(&mut self, entry: Entry, line: u64) -> Result<(), ViewError> {
        self.take_in(&entry, line)?;
        if !matches!(entry.event.what, What::Send { .. }) {
            return Ok(());
        }
        // A sending may end the waiting of others, and they that of more.
        while let Some(process) = self.ready() {
            self.let_go(process, line)?;
        }
        Ok(())
    }

    /// Lets go what waits for sendings that will not come. First those whose sender has nothing that waits itself:
    /// what it sent must be missing.
    fn release(&mut self, line: u64) -> Result<(), ViewError> {
        while let Some(process) = self.ready().or_else(|| self.waits_for_missing()) {
            self.let_go(process, line)?;
        }
        Ok(())
    }

    fn let_go(&mut self, process: usize, line: u64) -> Result<(), ViewError> {
        let Some(entry) = self.held[process].pop_front() else { return Ok(()) };
        if self.held[process].is_empty() {
            self.waiting.remove(&process);
        }
        self.take_in(&entry, line)
    }

    /// A process whose first event that waits is the receipt of a message from one of which nothing waits.
    fn waits_for_missing(&self) -> Option<usize> {
        let is_missing = |process: &usize| match self.held[*process].front().map(|e| &e.event.what)
        {
            Some(What::Receive { message, .. } | What::Drop { message, .. }) => {
                self.held.get(message.id.process.index()).is_none_or(VecDeque::is_empty)
            }
            _ => true,
        };
        // If all wait for each other, no run has these events: the judge says so.
        self.waiting.iter().copied().find(is_missing).or_else(|| self.waiting.first().copied())
    }

    fn take_in(&mut self, Entry { event, state }: &Entry, line: u64) -> Result<(), ViewError> {
        if let Some(cycle) = &mut self.cycle {
            let looked_at = cycle.observe(line, event, self.judge.judge());
            looked_at.map_err(|error| ViewError::Cycle { line, error })?;
        }
        self.judge.observe(event).map_err(|error| ViewError::Stream { line, error })?;
        match &event.what {
            What::Send { message, .. } => _ = self.sent.insert(message.id),
            What::Stop(_) | What::Crash(_) => _ = self.over.insert(event.process.0),
            What::Recover => _ = self.over.remove(&event.process.0),
            _ => {}
        }
        self.encoder.push(event, state.as_deref());
        Ok(())
    }

    /// A process whose first event that waits need not wait any more.
    fn ready(&self) -> Option<usize> {
        let goes_on = |process: &usize| {
            self.held[*process].front().is_some_and(|entry| !self.must_wait(entry))
        };
        self.waiting.iter().copied().find(goes_on)
    }
}

fn json(value: &impl serde::Serialize) -> Arc<str> {
    serde_json::to_string(value).expect("strings and numbers always have a JSON form").into()
}

#[cfg(test)]
mod tests;
