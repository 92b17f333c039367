//! The general properties, each as one call: what a lab writes.

use super::{Property, PropertyKind};
use crate::verdict::pattern::{Pattern, Times};

use PropertyKind::{Liveness, Safety};

impl Property {
    /// FIFO: no message overtakes another on its channel.
    pub fn fifo() -> Self {
        Self::general("FIFO", Safety, Pattern::Fifo)
    }

    /// Every message that is sent arrives, and none arrives twice.
    pub fn exactly_once() -> Self {
        Self::general("exactly-once delivery", Liveness, Pattern::ExactlyOnce)
    }

    /// No process says this.
    pub fn never(name: &str, says: &str) -> Self {
        Self::general(name, Safety, Pattern::Never { says: says.into() })
    }

    /// A process says this only after it said `after`, and before it said `until`. If `until` is what it says, it
    /// says it once for each `after`.
    pub fn between(name: &str, says: &str, after: &str, until: &str) -> Self {
        let (after, until) = (after.into(), until.into());
        Self::general(name, Safety, Pattern::Between { says: says.into(), after, until })
    }

    /// Whenever a process says `then`, some process had said `first`, and that happened before.
    pub fn precedes(name: &str, first: &str, then: &str) -> Self {
        let (first, then) = (first.into(), then.into());
        Self::general(name, Safety, Pattern::Precedes { first, then })
    }

    /// A process that says `asked` says `served` in the end, unless it dies.
    pub fn responds(name: &str, asked: &str, served: &str) -> Self {
        let (asked, served) = (asked.into(), served.into());
        Self::general(name, Liveness, Pattern::Responds { asked, served, within_timeouts: None })
    }

    /// Each process says this so many times.
    pub fn each(name: &str, says: &str, times: Times) -> Self {
        Self::general(name, Liveness, Pattern::Each { says: says.into(), times })
    }

    /// One process at most says this.
    pub fn one(name: &str, says: &str) -> Self {
        Self::general(name, Safety, Pattern::One { says: says.into() })
    }

    /// All processes that say this say the same value with it.
    pub fn agree(name: &str, says: &str) -> Self {
        Self::general(name, Safety, Pattern::Agree { says: says.into() })
    }

    /// Of any two intervals of any processes, each from an indication `enter` to the `exit` after it, one
    /// ended before the other began. For critical sections that is mutual exclusion.
    pub fn pairwise_ordered(name: &str, enter: &str, exit: &str) -> Self {
        let (enter, exit) = (enter.into(), exit.into());
        Self::general(name, Safety, Pattern::PairwiseOrdered { enter, exit })
    }

    /// The processes form one ring, in which each has two neighbours: these messages go round it, all the
    /// same way.
    pub fn one_ring(messages: &[&str]) -> Self {
        let messages = messages.iter().map(|&kind| kind.into()).collect();
        let pattern = Pattern::OneRing { messages };
        Self::general("one ring, two neighbours each", Safety, pattern)
    }
}
