//! Missteps: what a handler does that no algorithm may do, in any world.
//!
//! | misstep | property | noticed by |
//! | --- | --- | --- |
//! | it panics | "no panic" | [`panics`] |
//! | it does not return | "every handler returns" | [`watchdog`] |
//! | from one state, the same event leads to two outcomes | "deterministic" | [`rehearsal`] |
//!
//! A process that has taken one is out of the run, and the run ends: what comes after it would say nothing about the
//! algorithm. In a trace it stands in the `crash` of the process, so that the file says it too. All other properties
//! are unknown then, unless an event had broken them before.

pub mod panics;
pub mod rehearsal;
pub mod watchdog;

use std::fmt::{self, Debug};

use crate::process::{Event, EventOf, Kind, Process, ProcessId};
use crate::trace::Noted as _;
use crate::trace::note::TimerName;
pub use crate::verdict::{Misstep, Wrong};

/// Which event a handler was called for: enough to name it, and little enough to keep for each step. Timers are of type
/// `T`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Occasion<T = String> {
    /// It started.
    Init,
    /// The application asked for something of this kind.
    Request(&'static str),
    /// A message of this kind came.
    Message(ProcessId, &'static str),
    /// This timer ran out.
    Timeout(T),
}

impl<T: Clone + Debug> Occasion<T> {
    /// That of this event.
    pub fn of<P: Process<Timer = T>>(event: &EventOf<P>) -> Self {
        match event {
            Event::Init => Self::Init,
            Event::Request(request) => Self::Request(Kind::kind(request)),
            Event::Message { from, message } => Self::Message(*from, Kind::kind(message)),
            Event::Timeout(timer) => Self::Timeout(timer.clone()),
        }
    }

    /// The same, where the type of timers is not known.
    pub fn named(&self) -> Occasion {
        match self {
            Self::Init => Occasion::Init,
            Self::Request(kind) => Occasion::Request(kind),
            Self::Message(from, kind) => Occasion::Message(*from, kind),
            Self::Timeout(timer) => Occasion::Timeout(TimerName(timer).text()),
        }
    }
}

/// As it stands in a sentence: "when TOKEN came from p0".
impl fmt::Display for Occasion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Init => write!(f, "when it started"),
            Self::Request(kind) => write!(f, "when it was asked for {kind}"),
            Self::Message(from, kind) => write!(f, "when {kind} came from {from}"),
            Self::Timeout(timer) => write!(f, "when its timer {timer} ran out"),
        }
    }
}

/// What is wrong where a process sends to one that does not exist.
pub fn sends_to_nobody(to: ProcessId, processes: usize) -> Misstep {
    let what = format!("it sends to {to}, which is not one of the {processes} processes");
    Misstep::panics("in a step", what)
}

#[cfg(test)]
mod tests;
