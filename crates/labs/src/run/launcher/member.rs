//! What the launcher knows of one participant.
//!
//! A participant has a connection to the launcher from when it joins until it ends. That the connection is gone
//! is not yet why: what explains it best is kept ([`Loss`]), for the report says it. One that is started again
//! is a new member in the place of the old, from which it has the journal and what was known of it.

use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use netkit::ConnectionId;

use super::now;
use crate::faults::Toll;
use crate::process::ProcessId;
use crate::run::journal::trace_name;
pub(in crate::run) use crate::run::wire::Hello;

/// What the launcher knows of one participant.
pub(in crate::run) struct Member {
    pub(in crate::run) host: usize,
    pub(in crate::run) connection: Option<ConnectionId>,
    /// Its name of its machine, its pid, address and log.
    pub(in crate::run) hello: Option<Hello>,
    /// The pid that starting it reported.
    pub(in crate::run) started: Option<u32>,
    pub(in crate::run) is_ready: bool,
    pub(in crate::run) is_finished: bool,
    /// Something of it may be on its machine: the launch got as far as starting it, or that is not
    /// known.
    pub(in crate::run) was_tried: bool,
    /// Why it takes no part any more.
    pub(in crate::run) gone: Option<String>,
    /// What is known of it from before it was started again, until it says so itself.
    pub(in crate::run) former: Option<Hello>,
    /// The plan sent it SIGKILL.
    pub(in crate::run) is_doomed: bool,
    /// How many times the rules of the plan struck there.
    pub(in crate::run) toll: Toll,
    /// The rules that struck it before it was started again.
    pub(super) spent: Vec<usize>,
    /// When it died, counted from the start of the algorithm.
    pub(in crate::run) died_at: Option<Duration>,
    /// How it is gone.
    pub(in crate::run) loss: Option<Loss>,
    /// It was asked for its journal.
    pub(in crate::run) is_asked: bool,
    /// Seems to stand still, and is to be continued when the others have handed over their journals.
    pub(super) sleeps: bool,
    /// Who lost it, and how.
    pub(in crate::run) lost_by: Vec<(ProcessId, String)>,
    pub(in crate::run) last_word: Instant,
    /// Where its journal is collected.
    pub(in crate::run) journal: Option<PathBuf>,
    pub(super) journal_file: Option<File>,
    pub(in crate::run) journal_length: u64,
    /// The beginning of a line of the journal whose end is not here yet.
    pub(super) half_line: Vec<u8>,
    pub(in crate::run) is_collected: bool,
    pub(in crate::run) truncated: bool,
}

/// How a participant is gone; the later explains more.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(in crate::run) enum Loss {
    /// It takes no part any more, but still answers.
    Talks,
    /// It does not answer.
    Silent,
    /// Its process has ended.
    Died,
}

impl Member {
    /// Its journal is here, or is not to be had.
    pub(super) fn owes_nothing(&self) -> bool {
        self.is_collected || !self.is_asked || self.loss > Some(Loss::Talks)
    }

    /// One that is to be started on this machine of the list.
    pub(in crate::run) fn new(host: usize) -> Self {
        Self {
            host,
            connection: None,
            hello: None,
            started: None,
            is_ready: false,
            is_finished: false,
            was_tried: true,
            gone: None,
            loss: None,
            is_asked: false,
            sleeps: false,
            lost_by: Vec::new(),
            last_word: now(),
            journal: None,
            journal_file: None,
            journal_length: 0,
            half_line: Vec::new(),
            died_at: None,
            former: None,
            is_doomed: false,
            toll: Toll::default(),
            spent: Vec::new(),
            is_collected: false,
            truncated: false,
        }
    }

    /// Its number on its machine, or that which it had there before it died; 0 if it was never there.
    pub(in crate::run) fn pid(&self) -> u32 {
        let pid = |hello: &Hello| hello.pid;
        let here = self.hello.as_ref().map(pid).or(self.started);
        here.or(self.former.as_ref().map(pid)).unwrap_or(0)
    }

    /// What is known of it, or was before it died.
    pub(in crate::run) fn known(&self) -> Option<&Hello> {
        self.hello.as_ref().or(self.former.as_ref())
    }

    /// It is dead, and not there again.
    pub(in crate::run) fn is_dead(&self) -> bool {
        self.loss == Some(Loss::Died) || self.hello.is_none() && self.former.is_some()
    }

    /// Where its trace is on its machine.
    pub(in crate::run) fn trace_path(&self, process: ProcessId) -> PathBuf {
        let log = self.known().map(|hello| hello.log.as_str()).unwrap_or_default();
        PathBuf::from(log).with_file_name(trace_name(process.0))
    }
}
