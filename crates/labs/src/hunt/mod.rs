//! Hunting: many short simulated runs in which everything is drawn that the algorithm must bear.
//!
//! One run shows one fate. A [`Case`] is the command line of one run of `simulate`, drawn from dice:
//! how many processes there are, the lab's own options, how messages travel and what goes wrong. It is
//! *swarm testing* (Groce and others, ISSTA 2012): each case leaves most kinds of trouble out, chosen anew,
//! for trouble of one kind often hides that of another. Nothing is drawn that takes away an
//! [`Assumption`](crate::faults::Assumption) of the algorithm, so a correct one is never accused.
//!
//! Run *k* depends on the seed and on *k* alone. What shows a violation is [shrunk](shrink()): as long as the
//! same property is violated, processes, faults and options are left out, or made smaller.
//!
//! Everything here is pure: the driver that runs the cases stands in [`cli`](crate::cli).

mod case;
mod dice;
mod grounds;
mod shrink;
mod swarm;
#[cfg(test)]
mod tests;

pub use self::case::{Case, Weather};
pub use self::dice::Dice;
pub use self::grounds::{Dial, Grounds, Values};
pub use self::shrink::{Hunted, TRIES_MAX, shrink};
pub use self::swarm::{Fixed, Scene, draw_options, draw_trouble};
