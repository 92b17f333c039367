//! What the tests of this lab share.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::time::Duration;

use failure_detector::lab::FailureDetectorLab;
use labs::lab::Verb;
use labs::simulate::Ended;
use labs::testing::{Program, Simulated, System};

pub(crate) const STRONG_COMPLETENESS: &str = "strong completeness";
pub(crate) const EVENTUAL_ACCURACY: &str = "eventual accuracy";
pub(crate) const LISTS_AGREE: &str = "the lists agree when quiet";
pub(crate) const ASKING: &str = "everyone is asked, everyone answers";
pub(crate) const ONE_LIST: &str = "every process is on exactly one list";

/// The lab's program.
pub(crate) const PROGRAM: Program = Program(env!("CARGO_BIN_EXE_failure-detector"));

/// An interval of which nothing depends but the pace.
pub(crate) const INTERVAL: Duration = Duration::from_millis(100);

/// So many processes, of which detectors must tell each other within ten rounds.
pub(crate) fn set(processes: u32, threshold: u32, rounds: u32) -> System<FailureDetectorLab> {
    planned(Verb::Simulate, processes, threshold, rounds)
}

/// As `check` has them: all has arrived in the end.
pub(crate) fn checked(processes: u32, threshold: u32, rounds: u32) -> System<FailureDetectorLab> {
    planned(Verb::Check, processes, threshold, rounds)
}

fn planned(verb: Verb, n: u32, threshold: u32, rounds: u32) -> System<FailureDetectorLab> {
    let (pace, all) = (INTERVAL.as_millis(), (INTERVAL * rounds).as_millis());
    let options = format!("--interval {pace}ms --duration {all}ms --threshold {threshold}");
    System::planned(verb, n, 1, &options)
}

/// A simulated run that comes to rest.
pub(crate) fn at_rest(
    system: &System<FailureDetectorLab>,
    seed: u64,
) -> Simulated<FailureDetectorLab> {
    let run = system.simulate(seed);
    // Who is stopped may never be continued.
    assert!(matches!(run.ended, Ended::Quiet | Ended::Stopped), "{:?}", run.ended);
    run
}
