//! Which events of a run are missing in its trace.
//!
//! If the cable of a machine is cut, the launcher cannot fetch the events of its processes. They are missing in the
//! trace, and the others are there, with receipts of messages whose sending is missing. Three signs show this, and
//! need no word in the header:
//!
//! * a process receives a message that its sender, as far as the file knows it, has not sent yet;
//! * other processes ended with the run, and this one neither ended nor crashed;
//! * all others crashed, and this one did not.
//!
//! Only the end of a process can be missing: events of one process are numbered without gaps.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{MessageId, TraceEvent, What};
use crate::process::ProcessId;
use crate::text::counted;

/// How many processes a sentence names; of more it says how many there are.
const NAMED_MAX: usize = 3;

/// The events of one process that are missing.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Gap {
    /// Whose events they are.
    pub process: ProcessId,
    /// The number of the first of them.
    pub from: u64,
}

/// As it stands in a sentence: `p1`, or `p1 from its event 8 on`.
impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.from {
            1 => write!(f, "{}", self.process),
            from => write!(f, "{} from its event {from} on", self.process),
        }
    }
}

/// The sentence that says what is missing; none if nothing is.
pub fn sentence(gaps: &[Gap]) -> Option<String> {
    let named: Vec<_> = gaps.iter().take(NAMED_MAX).map(Gap::to_string).collect();
    let more = match gaps.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!(" and of {}", counted(more as u64, "more process")),
    };
    let named = named.join(", of ");
    (!gaps.is_empty()).then(|| format!("the trace lacks the events of {named}{more}"))
}

impl Attended {
    /// How many of its events are surely what they are numbered as. Who writes down the crash of a process whose
    /// last events are lost numbers it as if there had been none.
    fn known(&self) -> u64 {
        self.events - u64::from(self.has_crashed)
    }
}

/// What the events so far tell of those that are not there.
#[derive(Clone, Debug, Default)]
pub struct Attendance {
    processes: Vec<Attended>,
    /// Of each process that somebody heard of further than the file knows it, the first event that is missing.
    heard_of: BTreeMap<ProcessId, u64>,
    /// Whether some process ended with the run.
    is_over: bool,
}

/// How far one process is known.
#[derive(Clone, Copy, Debug, Default)]
struct Attended {
    /// How many of its events the file has.
    events: u64,
    /// Its last event is that it ended with the run.
    has_stopped: bool,
    /// Its last event is its crash.
    has_crashed: bool,
}

impl Attendance {
    /// Before the first event of a run of so many processes.
    pub fn new(processes: u32) -> Self {
        Self { processes: vec![Attended::default(); processes as usize], ..Self::default() }
    }

    /// How many events of this process there were; none of one that the run does not have.
    pub fn events(&self, process: ProcessId) -> u64 {
        self.processes.get(process.index()).map_or(0, |attended| attended.events)
    }

    /// Whether events of this process must be missing, because somebody heard of them.
    pub fn is_heard_of(&self, process: ProcessId) -> bool {
        self.heard_of.contains_key(&process)
    }

    /// Whether somebody received a message whose sending is missing.
    pub fn lacks_sendings(&self) -> bool {
        !self.heard_of.is_empty()
    }

    /// Whether the sending of this message may be missing: its sender is not known so far, and had not ended.
    pub fn may_lack(&self, id: MessageId) -> bool {
        self.processes
            .get(id.process.index())
            .is_some_and(|sender| id.n > sender.known() && !sender.has_stopped)
    }

    /// The next event.
    pub fn observe(&mut self, event: &TraceEvent) {
        if let What::Receive { message, .. } = &event.what
            && message.id.process != event.process
            && self.may_lack(message.id)
        {
            let sender = message.id.process;
            let from = self.processes[sender.index()].known() + 1;
            self.heard_of.entry(sender).or_insert(from);
        }
        let has_stopped = matches!(event.what, What::Stop(_));
        self.is_over |= has_stopped;
        if let Some(attended) = self.processes.get_mut(event.process.index()) {
            // The network may lose what a process sent before it died.
            let is_drop = matches!(event.what, What::Drop { .. });
            let has_crashed =
                matches!(event.what, What::Crash(_)) || is_drop && attended.has_crashed;
            *attended = Attended { events: attended.events + 1, has_stopped, has_crashed };
        }
    }

    /// What is missing, once the last event was seen.
    pub fn gaps(&self) -> Vec<Gap> {
        let mut known = self.processes.iter().filter(|attended| attended.events > 0).peekable();
        let is_over = self.is_over || (known.peek().is_some() && known.all(|who| who.has_crashed));
        let gap = |(process, attended): (ProcessId, &Attended)| {
            let has_ended = attended.has_stopped || attended.has_crashed;
            let from = self.heard_of.get(&process).copied();
            let from = from.or((is_over && !has_ended).then_some(attended.events + 1));
            from.map(|from| Gap { process, from })
        };
        (0..).map(ProcessId).zip(&self.processes).filter_map(gap).collect()
    }
}

#[cfg(test)]
mod tests;
