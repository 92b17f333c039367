//! Processes in virtual time: one thread, no sockets, and the same seed gives the same run.
//!
//! A [`Simulation`] keeps what is still to happen in order of time, lets the next thing happen to its
//! process by [`step`](crate::process::step), and schedules what the process asked for: each message
//! after a latency drawn from the seed. Nothing else enters, so a run is reproduced by its seed, on any
//! machine and for ever, byte by byte; an [`Observer`](crate::trace::Observer) sees it and cannot
//! disturb it.
//!
//! Cost: constant time an event, through a timing wheel; no allocation for an event but what
//! the algorithm itself allocates; a million processes in one program.
//!
//! Left out: clocks that drift, and links whose latency depends on their load.

mod latency;
mod network;
mod regions;
mod simulation;
#[cfg(test)]
mod tests;
mod wheel;

pub use self::latency::LATENCY_MAX;
pub(crate) use self::latency::{latency, milliseconds};
pub use self::network::{Mishaps, Network, NetworkError, Slow};
pub use self::regions::{FILE_MAX, Regions, Way};
pub(crate) use self::simulation::choices;
pub use self::simulation::{Ended, Limits, PROCESSES_MAX, Simulation, SimulationError};
pub use crate::chance::{Chance, ChanceError};
