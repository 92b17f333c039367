//! Overlays: which processes are connected.
//!
//! Before a run starts, each process is given the addresses that its overlay grants it, connects to
//! them, and waits for those who shall connect to it ([`Links`]). What an overlay still lacks then, it
//! works out by messages, as an algorithm like any other: a chain of processes becomes a ring in
//! [`ring`].
//!
//! | overlay | connections | opened by |
//! |---|---|---|
//! | [`Overlay::Ring`] | N | each process to its parent; then the ring is closed, see [`ring`] |
//! | [`Overlay::Star`] | N−1 | everyone to p0 |
//! | [`Overlay::Complete`] | N(N−1)/2 | the higher rank to the lower |
//! | [`Overlay::TwoLevels`] | N−1 | p1 to p0, the others to p0 or p1 |
//!
//! In all of them the processes wait for each other behind the launcher's barrier: nobody starts before
//! everyone is connected.

pub mod ring;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};

use self::ring::Closing;
use crate::process::ProcessId;

/// Which processes are connected.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Overlay {
    /// A chain of processes, each launched after its parent, that closes into a ring.
    Ring(Closing),
    /// p0 in the middle.
    Star,
    /// Everyone with everyone.
    Complete,
    /// p0 and p1 with each other, and each with half of the others: p0 with those of even rank, p1 with
    /// those of odd rank.
    TwoLevels,
}

/// The connections that one process makes before the start.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Links {
    /// Those to which it connects.
    pub opens: Vec<ProcessId>,
    /// How many connect to it.
    pub accepts: u32,
}

impl Overlay {
    /// The connections that `me` makes before the start, among `processes` processes.
    pub fn links(self, me: ProcessId, processes: u32) -> Links {
        match self {
            Self::Ring(closing) => ring::links(closing, me, processes),
            Self::Star if me.0 == 0 => Links { opens: Vec::new(), accepts: processes - 1 },
            Self::Star => Links { opens: vec![ProcessId(0)], accepts: 0 },
            Self::Complete => {
                Links { opens: (0..me.0).map(ProcessId).collect(), accepts: processes - 1 - me.0 }
            }
            Self::TwoLevels => Links {
                opens: above(me).into_iter().collect(),
                accepts: self.below(me, processes).count() as u32,
            },
        }
    }

    /// The processes that `me` starts if each starts those below it. In a ring each starts the next;
    /// in a star and a complete graph p0 starts all; in two levels p0 starts p1, and each of them its
    /// half.
    pub fn below(self, me: ProcessId, processes: u32) -> impl Iterator<Item = ProcessId> {
        let is_below = move |other: &ProcessId| match self {
            Self::Ring(_) => other.0 == me.0 + 1,
            Self::Star | Self::Complete => me.0 == 0,
            Self::TwoLevels => above(*other) == Some(me),
        };
        (1..processes).map(ProcessId).filter(is_below)
    }
}

/// The process to which another belongs in [`Overlay::TwoLevels`].
fn above(process: ProcessId) -> Option<ProcessId> {
    match process.0 {
        0 => None,
        1 => Some(ProcessId(0)),
        rank => Some(ProcessId(rank % 2)),
    }
}

/// A process and where it can be reached: what a process must know to open a connection.
///
/// To an algorithm the address is a word that it passes on. In the simulator it is empty.
#[derive(Clone, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Contact {
    /// The process.
    pub process: ProcessId,
    /// Its address, as text: `10.0.0.7:40123`.
    pub address: String,
}

/// `p3`, or `p3 at 10.0.0.7:40123`.
impl fmt::Debug for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address.as_str() {
            "" => write!(f, "{}", self.process),
            address => write!(f, "{} at {address}", self.process),
        }
    }
}
