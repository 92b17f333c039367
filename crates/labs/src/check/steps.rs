//! The steps of a run, in the notation that logs and scripts use.

use std::fmt;

use crate::process::{Process, ProcessId};

/// One thing that can happen next.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Step<P: Process> {
    /// A process starts.
    Start { process: ProcessId, choices: Vec<usize> },
    /// The application asks for something.
    Request { process: ProcessId, request: P::Request, choices: Vec<usize> },
    /// A timer runs out.
    Timeout { process: ProcessId, timer: P::Timer, choices: Vec<usize> },
    /// A message arrives: that at `index` among all those under way.
    Deliver { index: u32, from: ProcessId, to: ProcessId, message: P::Message, choices: Vec<usize> },
    /// A message arrives, and a copy of it stays under way.
    Double { index: u32, from: ProcessId, to: ProcessId, message: P::Message, choices: Vec<usize> },
    /// A message is lost.
    Lose { index: u32, from: ProcessId, to: ProcessId, message: P::Message },
    /// A process dies.
    Crash { process: ProcessId },
}

impl<P: Process> Step<P> {
    /// The same step, with what its handler chooses.
    pub(crate) fn choosing(&self, taken: Vec<usize>) -> Self {
        let mut step = self.clone();
        match &mut step {
            Self::Start { choices, .. }
            | Self::Request { choices, .. }
            | Self::Timeout { choices, .. }
            | Self::Deliver { choices, .. }
            | Self::Double { choices, .. } => *choices = taken,
            Self::Lose { .. } | Self::Crash { .. } => {}
        }
        step
    }

    /// What its handler chose.
    pub(crate) fn chosen(&self) -> &[usize] {
        match self {
            Self::Start { choices, .. }
            | Self::Request { choices, .. }
            | Self::Timeout { choices, .. }
            | Self::Deliver { choices, .. }
            | Self::Double { choices, .. } => choices,
            Self::Lose { .. } | Self::Crash { .. } => &[],
        }
    }
}

impl<P: Process> fmt::Display for Step<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start { process, .. } => write!(f, "{process} starts"),
            Self::Request { process, request, .. } => write!(f, "{process} ? {request:?}"),
            Self::Timeout { process, timer, .. } => write!(f, "{process} ⏰ {timer:?}"),
            Self::Deliver { from, to, message, .. } => write!(f, "{from} → {to} {message:?}"),
            Self::Double { from, to, message, .. } => {
                write!(f, "{from} → {to} {message:?}, and a copy stays under way")
            }
            Self::Lose { from, to, message, .. } => write!(f, "{from} ⇥ {to} {message:?}"),
            Self::Crash { process } => write!(f, "{process} crashes"),
        }?;
        match self.chosen() {
            [] => Ok(()),
            choices => write!(f, ", choosing {choices:?}"),
        }
    }
}
