//! What the checker tries, and when it gives up.

use std::time::Duration;

/// How many states are visited at the most, unless asked otherwise: each takes some hundred bytes
/// while it waits for its turn, so that this many fit into the memory of a lab machine.
pub const STATES_MAX: usize = 10_000_000;

/// How long the search may take, unless asked otherwise.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// What the checker tries, and when it gives up.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Options {
    /// The order of deliveries.
    pub channels: Channels,
    /// How many messages may be lost in one run.
    pub losses: u32,
    /// How many messages may be doubled in one run.
    pub duplicates: u32,
    /// How many processes may crash in one run.
    pub crashes: u32,
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
}

impl Default for Options {
    /// Reliable FIFO channels, no crash, two timeouts a process, one thread.
    fn default() -> Self {
        Self {
            channels: Channels::Fifo,
            losses: 0,
            duplicates: 0,
            crashes: 0,
            timeouts: 2,
            states: STATES_MAX,
            time: TIMEOUT,
            threads: 1,
        }
    }
}

/// The order in which a channel delivers.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Channels {
    /// The messages of one process to another arrive in the order of their sending.
    Fifo,
    /// Any message that is under way may be the next.
    Unordered,
}
