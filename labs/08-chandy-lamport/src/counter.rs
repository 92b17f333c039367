//! The counter: processes that count their steps and tell each other.
//!
//! Nothing is conserved, so that a wrong global state does not show by a sum.

use serde::{Deserialize, Serialize};

use crate::pace::Pace;

/// One process that counts.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Counter {
    /// When it counts.
    pub pace: Pace,
    /// What it has counted.
    pub tally: Tally,
}

/// What a process has counted: the part of its state that is worth keeping.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
pub struct Tally {
    /// Its own steps.
    pub count: u64,
    /// The greatest count that it was told.
    pub greatest: u64,
}

/// The sender's count.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Count(pub u64);

impl Tally {
    /// Counts one step, to be told.
    pub fn step(&mut self) -> Count {
        self.count += 1;
        Count(self.count)
    }

    /// Hears what another has counted.
    pub fn hear(&mut self, Count(count): Count) {
        self.greatest = self.greatest.max(count);
    }
}
