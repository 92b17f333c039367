//! What the tests of this lab share.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::time::Duration;

use failure_detector::broken::{Broken, BrokenTwoLevels};
use failure_detector::lab::{FailureDetectorLab, Options};
use failure_detector::two_levels::{Settings, TwoLevels};
use labs::lab::{Lab, Place};
use labs::process::Process;
use labs::simulate::{Ended, Limits, Network};
use labs::testing::{Program, simulate_with_faults};
use labs::verdict::{Judge, Spec, Verdict};

pub(crate) const STRONG_COMPLETENESS: &str = "strong completeness";
pub(crate) const EVENTUAL_ACCURACY: &str = "eventual accuracy";
pub(crate) const LISTS_AGREE: &str = "the lists agree when quiet";
pub(crate) const ONE_LIST: &str = "every process is on exactly one list";

/// The lab's program.
pub(crate) const PROGRAM: Program = Program(env!("CARGO_BIN_EXE_failure-detector"));

/// An interval of which nothing depends but the pace.
pub(crate) const INTERVAL: Duration = Duration::from_millis(100);

/// Detectors that must tell each other within ten rounds.
pub(crate) fn set(threshold: u32, rounds: u32) -> Options {
    Options::new(Settings { interval: INTERVAL, threshold, rounds }, 10)
}

/// As `check` has them: all has arrived in the end.
pub(crate) fn checked(threshold: u32, rounds: u32) -> Options {
    Options::new(Settings { interval: INTERVAL, threshold, rounds }, 0)
}

pub(crate) fn system(processes: u32, options: &Options) -> Vec<TwoLevels> {
    let place = |rank| Place::simulated(rank, processes);
    (0..processes).map(|rank| FailureDetectorLab::process(options, &place(rank))).collect()
}

pub(crate) fn broken_system(
    processes: u32,
    options: &Options,
    how: Broken,
) -> Vec<BrokenTwoLevels> {
    system(processes, options).into_iter().map(|p| FailureDetectorLab::broken(p, &how)).collect()
}

pub(crate) fn specs(processes: u32, options: &Options) -> Vec<Spec> {
    FailureDetectorLab::properties(options, processes)
}

/// A simulated run in which this goes wrong: its verdicts, its counts and its processes.
pub(crate) fn simulate<P: Process>(
    seed: u64,
    network: Network,
    faults: &str,
    all: Vec<P>,
    specs: &[Spec],
) -> (Vec<Verdict>, Judge, Vec<P>) {
    let run = simulate_with_faults(seed, network, faults, all, specs, Limits::default());
    // Who is stopped may never be continued.
    assert!(matches!(run.ended, Ended::Quiet | Ended::Stopped), "{faults}: {:?}", run.ended);
    (run.verdicts, run.judge, run.all)
}
