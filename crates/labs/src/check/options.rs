//! What the checker tries, and when it gives up.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::faults::{self, Assumption};
use crate::process::ProcessId;
use crate::verdict::{Pattern, Property};

/// How many states are visited at the most, unless asked otherwise. Each takes some 60 bytes, and what the threads
/// know besides some hundred megabytes: that is less than 2 GiB.
pub const STATES_MAX: usize = 20_000_000;

/// How long the search may take, unless asked otherwise.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// What the checker tries, and when it gives up.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Options {
    /// The order of deliveries.
    pub channels: Channels,
    /// How many messages may be lost in one run.
    pub losses: u32,
    /// On which channels; on all if none is named.
    pub lossy: Vec<faults::Channels>,
    /// How many messages may be doubled in one run.
    pub duplicates: u32,
    /// On which channels; on all if none is named.
    pub doubling: Vec<faults::Channels>,
    /// How many processes may crash in one run.
    pub crashes: u32,
    /// Which; any if none is named.
    pub mortal: BTreeSet<ProcessId>,
    /// How many times the timers of one process may run out in one run. Without a bound, a process
    /// that starts its timer again and again has no last state.
    pub timeouts: u32,
    /// How many states are visited at the most.
    pub states: usize,
    /// How long the search may take.
    pub time: Duration,
    /// How many threads search. More than one find the counterexample sooner, and then one of them looks
    /// for the shortest.
    pub threads: usize,
    /// Whether orders are left out that lead to the same.
    pub reduction: bool,
}

impl Default for Options {
    /// Reliable FIFO channels, no crash, two timeouts a process, one thread.
    fn default() -> Self {
        Self {
            channels: Channels::Fifo,
            losses: 0,
            lossy: Vec::new(),
            duplicates: 0,
            doubling: Vec::new(),
            crashes: 0,
            mortal: BTreeSet::new(),
            timeouts: 2,
            states: STATES_MAX,
            time: TIMEOUT,
            threads: 1,
            reduction: false,
        }
    }
}

impl Options {
    /// Whether it is these options themselves that break a property: then there is nothing to discover.
    pub fn take_away(&self, property: &Property) -> bool {
        match property.pattern {
            Some(Pattern::Fifo) => self.channels == Channels::Unordered,
            Some(Pattern::ExactlyOnce) => self.losses + self.duplicates + self.crashes > 0,
            _ => false,
        }
    }

    /// The assumptions that they take away.
    pub fn assumptions_taken(&self) -> Vec<Assumption> {
        [
            (Assumption::Fifo, self.channels == Channels::Unordered),
            (Assumption::Reliable, self.losses > 0),
            (Assumption::NoDuplicates, self.duplicates > 0),
            (Assumption::NoCrash, self.crashes > 0),
            // A timer may run out at any time, however quick the messages are that it waits for.
            (Assumption::BoundedDelay, self.timeouts > 0),
        ]
        .iter()
        .filter_map(|&(assumption, is_taken)| is_taken.then_some(assumption))
        .collect()
    }

    /// Whether messages of one process to another may be lost, as long as not too many are.
    pub(super) fn may_lose(&self, from: ProcessId, to: ProcessId) -> bool {
        is_named(&self.lossy, from, to)
    }

    /// Whether messages of one process to another may be doubled, as long as not too many are.
    pub(super) fn may_double(&self, from: ProcessId, to: ProcessId) -> bool {
        is_named(&self.doubling, from, to)
    }

    /// Whether a process may crash, as long as not too many do.
    pub(super) fn may_crash(&self, process: ProcessId) -> bool {
        self.mortal.is_empty() || self.mortal.contains(&process)
    }
}

fn is_named(channels: &[faults::Channels], from: ProcessId, to: ProcessId) -> bool {
    channels.is_empty() || channels.iter().any(|some| some.contain(from, to))
}

/// The order in which a channel delivers.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Channels {
    /// The messages of one process to another arrive in the order of their sending.
    Fifo,
    /// Any message that is under way may be the next.
    Unordered,
}
