//! Where a run is to stop, and how it ended.

use std::time::Duration;

use crate::process::ProcessId;
use crate::text::counted;
use crate::verdict::End;

/// Where a run is to stop, if it does not come to rest by itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Nothing later than this happens, in virtual time.
    pub time: Duration,
    /// After so many events nothing more happens; counted from the start of the simulation.
    pub events: u64,
}

impl Default for Limits {
    /// No limit.
    fn default() -> Self {
        Self { time: Duration::MAX, events: u64::MAX }
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ended {
    /// Nothing is left that could happen.
    Quiet,
    /// What is left lies beyond the limit of virtual time.
    TimeLimit(Duration),
    /// The limit of events is reached.
    EventLimit(u64),
    /// What is left waits for processes that stand still and are not continued.
    Stopped,
    /// A handler did what none may do: see [`misstep`](crate::misstep).
    Misstep(ProcessId),
}

impl Ended {
    /// The same for the verdicts: only a run that came to rest is complete.
    pub fn end(self) -> End {
        match self {
            Self::Quiet => End::Complete,
            Self::TimeLimit(time) => End::CutShort(format!("the run ended after {time:?}")),
            Self::EventLimit(events) => {
                End::CutShort(format!("the run ended after {}", counted(events, "event")))
            }
            Self::Misstep(process) => End::CutShort(broken_off(process)),
            Self::Stopped => {
                End::CutShort("what is left waits for a process that stands still".to_owned())
            }
        }
    }
}

/// Why a run ends in which this process took a misstep.
pub(super) fn broken_off(process: ProcessId) -> String {
    format!("a handler of {process} did what none may do")
}
