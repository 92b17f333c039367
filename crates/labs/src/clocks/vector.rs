//! The vector clock of Fidge (1988) and Mattern (*Virtual time and global states of distributed
//! systems*, 1989).
//!
//! Entry *i* counts the events of process *i* that are in the causal past. So *a* happened before
//! *b* exactly if every entry of *a*'s stamp is at most *b*'s and one is smaller.

use serde::{Deserialize, Serialize};

use super::Causality;
use crate::process::ProcessId;

/// A count of known events for each process.
///
/// Entries beyond the end are zero: a clock of no entries is the clock before any event.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Vector(Vec<u64>);

impl Vector {
    /// The clock of `processes` processes before any event.
    pub fn new(processes: u32) -> Self {
        Self(vec![0; processes as usize])
    }

    /// An event of `me`'s own. Returns its number, counted from 1.
    pub fn tick(&mut self, me: ProcessId) -> u64 {
        if self.0.len() <= me.index() {
            self.0.resize(me.index() + 1, 0);
        }
        self.0[me.index()] += 1;
        self.0[me.index()]
    }

    /// A message brought `other`: each entry becomes the greater of the two. The receipt itself is
    /// an event: tick too.
    pub fn merge(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine = (*mine).max(*theirs);
        }
    }

    /// How this stamp stands to `other`.
    pub fn compare(&self, other: &Self) -> Causality {
        Causality::from_at_most(self.at_most(other), other.at_most(self))
    }

    /// How many events of `process` are in the past.
    pub fn of(&self, process: ProcessId) -> u64 {
        self.0.get(process.index()).copied().unwrap_or(0)
    }

    /// The entries, in the order of the ranks.
    pub fn entries(&self) -> &[u64] {
        &self.0
    }

    fn at_most(&self, other: &Self) -> bool {
        self.0.iter().enumerate().all(|(i, &mine)| mine <= other.0.get(i).copied().unwrap_or(0))
    }
}

impl From<Vec<u64>> for Vector {
    fn from(entries: Vec<u64>) -> Self {
        Self(entries)
    }
}
