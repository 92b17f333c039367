//! What the two detectors tell each other: who is suspected, and who is no longer.
//!
//! The state of a process is what its own detector says of it. Its changes are numbered, those of
//! each process by themselves, and a message tells the last one: *the fifth change of p3 was that I
//! suspect it*. The other detector keeps, for each process, the change with the greatest number. So
//! it does not matter how often a message comes, nor in which order: in the end both hold the same,
//! which is the last change.
//!
//! **A lost message must not leave the lists disagreeing for ever.** A change stays *open* until the other
//! detector has noted it, and open changes are told again in every round. What was overtaken by a
//! newer change of the same process is not told again, so never more than one change is open for
//! each process.

use std::collections::BTreeMap;

use labs::process::ProcessId;
use serde::{Deserialize, Serialize};

/// A change of one process.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Change {
    /// Whose change.
    pub process: ProcessId,
    /// The how-many-eth, from 1.
    pub number: u32,
}

/// The changes of the processes that a detector watches.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Told {
    /// Of each process that ever changed, its last change, and whether the other detector has noted
    /// it.
    last: BTreeMap<ProcessId, Last>,
}

#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Last {
    number: u32,
    is_noted: bool,
}

impl Told {
    /// A process changes: the change that must be told.
    pub fn change(&mut self, process: ProcessId) -> Change {
        let last = self.last.entry(process).or_default();
        *last = Last { number: last.number.saturating_add(1), is_noted: false };
        Change { process, number: last.number }
    }

    /// The other detector has noted a change. That of an older one closes nothing.
    pub fn note(&mut self, change: Change) {
        if let Some(last) = self.last.get_mut(&change.process)
            && last.number == change.number
        {
            last.is_noted = true;
        }
    }

    /// The changes that must be told again.
    pub fn open(&self) -> impl Iterator<Item = Change> + '_ {
        let open = self.last.iter().filter(|(_, last)| !last.is_noted);
        open.map(|(&process, last)| Change { process, number: last.number })
    }
}

/// What a detector has heard of the processes that the other one watches.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Heard {
    /// Of each process that ever changed, the greatest number, and whether it was suspected by it.
    last: BTreeMap<ProcessId, (u32, bool)>,
}

impl Heard {
    /// Hears of a change. Returns whether it is news.
    pub fn hear(&mut self, change: Change, suspected: bool) -> bool {
        let known = self.last.get(&change.process).map_or(0, |&(number, _)| number);
        let is_news = change.number > known;
        if is_news {
            self.last.insert(change.process, (change.number, suspected));
        }
        is_news
    }

    /// Whether a process is suspected, as far as was heard.
    pub fn is_suspected(&self, process: ProcessId) -> bool {
        self.last.get(&process).is_some_and(|&(_, suspected)| suspected)
    }
}

#[cfg(test)]
mod tests;
