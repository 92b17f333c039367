//! What the launcher knows of one participant.
//!
//! A participant has a connection to the launcher from when it joins until it ends. That the
//! connection is gone is not yet why: what explains it best is kept ([`Loss`]), for the report says
//! it. One that is started again is a new member in the place of the old, from which it has the
//! journal and what was known of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::faults::Toll;
use crate::process::ProcessId;
use crate::run::wire::Hello;

/// How far a participant has come.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(in crate::run) enum Phase {
    Launching,
    /// Starting it reported its number on its machine.
    Launched(u32),
    Joined,
    /// All its connections are open.
    Ready,
    /// It has done all it has to do.
    Finished,
}

/// How a participant is gone; the later explains more.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
pub(in crate::run) enum Loss {
    /// Its machine could not be reached: nothing of it is there.
    Unreached,
    /// It could not be started, and something of it may be on its machine.
    NotStarted,
    /// It takes no part any more, but still answers.
    Talks,
    /// It does not answer.
    Silent,
    /// Its process has ended.
    Died,
}

/// How far the journal of a participant is handed over.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(in crate::run) enum Handing {
    NotAsked,
    Asked,
    /// It was asked, but seems to stand still. It is continued when the others have handed over
    /// theirs.
    Asleep,
    /// The journal is here.
    Collected {
        truncated: bool,
    },
}

/// How the plan of faults has struck a participant.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(in crate::run) struct Struck {
    /// How many times each rule struck there.
    pub(in crate::run) toll: Toll,
    /// The rules that struck before it was started again.
    pub(super) spent: Vec<usize>,
    /// It was sent SIGKILL.
    pub(in crate::run) is_doomed: bool,
}

/// What the launcher knows of one participant.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(in crate::run) struct Member {
    /// The place of its machine in the list.
    pub(in crate::run) host: usize,
    pub(in crate::run) phase: Phase,
    /// How it is gone, and why that is thought.
    pub(in crate::run) loss: Option<(Loss, String)>,
    pub(in crate::run) is_connected: bool,
    /// What it says of itself, or said before it was started again.
    pub(in crate::run) hello: Option<Hello>,
    pub(in crate::run) former: Option<Hello>,
    /// What it said of itself when it came first, if it was started again since.
    pub(in crate::run) first: Option<Hello>,
    /// When it died, or fell silent for good, counted from the start of the algorithm.
    pub(in crate::run) died_at: Option<Duration>,
    pub(in crate::run) struck: Struck,
    /// Which neighbours lost it, and how.
    pub(in crate::run) lost_by: Vec<(ProcessId, String)>,
    /// How many questions in a row it has left open.
    pub(super) unanswered: u32,
    /// How many bytes of its journal are here.
    pub(super) journal: u64,
    pub(in crate::run) handing: Handing,
}

impl Member {
    /// One that is to be started on this machine of the list.
    pub(in crate::run) fn new(host: usize) -> Self {
        Self {
            host,
            phase: Phase::Launching,
            loss: None,
            is_connected: false,
            hello: None,
            former: None,
            first: None,
            died_at: None,
            struck: Struck::default(),
            lost_by: Vec::new(),
            unanswered: 0,
            journal: 0,
            handing: Handing::NotAsked,
        }
    }

    /// How it is gone, if it is.
    pub(in crate::run) fn loss(&self) -> Option<Loss> {
        self.loss.as_ref().map(|(loss, _)| *loss)
    }

    pub(in crate::run) fn has_died(&self) -> bool {
        self.loss() == Some(Loss::Died)
    }

    /// It can still tell what it knows, even if it failed or its neighbours lost it.
    pub(super) fn answers(&self) -> bool {
        self.loss() <= Some(Loss::Talks)
    }

    /// It has left two questions open, and so has said nothing for a second.
    pub(super) fn is_deaf(&self) -> bool {
        self.unanswered > 2
    }

    /// Its journal is here, or is not to be had.
    pub(super) fn owes_nothing(&self) -> bool {
        matches!(self.handing, Handing::NotAsked | Handing::Collected { .. }) || !self.answers()
    }

    /// It was started again, and does not take part yet.
    pub(super) fn is_starting_again(&self) -> bool {
        self.former.is_some() && self.phase < Phase::Ready && self.loss.is_none()
    }

    /// Its number on its machine, or that which it had there before it died; 0 if it was never
    /// there.
    pub(in crate::run) fn pid(&self) -> u32 {
        match self.phase {
            Phase::Launched(pid) => pid,
            _ => self.known().map_or(0, |hello| hello.pid),
        }
    }

    /// What is known of it, or was before it died.
    pub(in crate::run) fn known(&self) -> Option<&Hello> {
        self.hello.as_ref().or(self.former.as_ref())
    }

    /// It is dead, and not there again.
    pub(in crate::run) fn is_dead(&self) -> bool {
        self.has_died() || self.hello.is_none() && self.former.is_some()
    }
}
