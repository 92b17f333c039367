//! Whether a run without end comes back to where it began to repeat.

use super::Replayed;
use crate::process::ProcessId;
use crate::trace::{TraceEvent, What};

/// The states of all processes at both ends of the events that repeat for ever.
pub struct Round {
    line: u64,
    begin: Option<Vec<Option<String>>>,
    end: Option<Vec<Option<String>>>,
}

impl Round {
    /// The events from this line on repeat.
    pub fn new(line: u64) -> Self {
        Self { line, begin: None, end: None }
    }

    /// The event in this line comes next.
    pub fn look(&mut self, line: u64, event: &TraceEvent, processes: u32, replay: &dyn Replayed) {
        let states = || (0..processes).map(|rank| replay.state(ProcessId(rank))).collect();
        if line == self.line {
            self.begin = Some(states());
        }
        if self.end.is_none() && matches!(event.what, What::Stop(_)) {
            self.end = Some(states());
        }
    }

    /// What is not the same at both ends.
    pub fn difference(self) -> Option<String> {
        let (Some(begin), Some(end)) = (self.begin, self.end) else {
            return Some("the cycle that its header names does not begin and end in it".to_owned());
        };
        let mut both = (0..).map(ProcessId).zip(begin.into_iter().zip(end));
        let (process, (begin, end)) = both.find(|(_, (begin, end))| begin != end)?;
        let said = |state: Option<String>| state.unwrap_or_else(|| "not known".to_owned());
        Some(format!(
            "the cycle does not close: {process} is `{}` at its beginning, and `{}` at its end",
            said(begin),
            said(end)
        ))
    }
}
