//! What the tests of this lab share.
#![allow(dead_code, reason = "each test program uses a part of it")]

use chang_roberts::election::Elect;
use chang_roberts::identities::{Identities, Order};
use chang_roberts::lab::ChangRobertsLab;
use labs::lab::Verb;
use labs::overlay::ring::Closing;
use labs::simulate::Ended;
use labs::testing::{Program, Simulated, System};

pub(crate) const CLOSINGS: [Closing; 2] = [Closing::Forward, Closing::First];

pub(crate) const ELECTS: [Elect; 2] = [Elect::Max, Elect::Min];

/// Random identities, all initiating, the greatest elected.
pub(crate) fn random(processes: u32, seed: u64) -> System<ChangRobertsLab> {
    System::planned(Verb::Simulate, processes, seed, "")
}

/// These identities, that of p0 first.
pub(crate) fn given(
    given: &[u64],
    initiators: u32,
    elect: Elect,
    closing: Closing,
) -> ChangRobertsLab {
    let (processes, order) = (given.len() as u32, Order::File("given".into()));
    let identities = Identities { processes, order, given: given.to_vec(), initiators, seed: 1 };
    ChangRobertsLab { identities, elect, closing, sweep: None }
}

/// These identities, that of p0 first; all initiate.
pub(crate) fn all_of(identities: &[u64]) -> System<ChangRobertsLab> {
    let initiators = identities.len() as u32;
    System::new(given(identities, initiators, Elect::Max, Closing::Forward))
}

/// A simulated run that comes to rest.
pub(crate) fn simulate(system: &System<ChangRobertsLab>, seed: u64) -> Simulated<ChangRobertsLab> {
    let run = system.simulate(seed);
    assert_eq!(run.ended, Ended::Quiet);
    run
}

/// The lab's program.
pub(crate) const PROGRAM: Program = Program(env!("CARGO_BIN_EXE_chang-roberts"));
