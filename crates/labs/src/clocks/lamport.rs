//! The scalar clock of Lamport, *Time, clocks, and the ordering of events in a distributed system*,
//! CACM 21(7), 1978.

use serde::{Deserialize, Serialize};

/// One number: larger than that of every event that happened before.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(transparent)]
pub struct Lamport(pub u64);

impl Lamport {
    /// An event of one's own (rule IR1).
    pub fn tick(&mut self) -> Self {
        self.0 += 1;
        *self
    }

    /// A message brought `other` (rule IR2). The receipt itself is an event: tick after it.
    pub fn merge(&mut self, other: Self) {
        self.0 = self.0.max(other.0);
    }
}
