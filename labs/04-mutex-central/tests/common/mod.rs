//! What the tests of this lab share.
#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod role;

use labs::lab::Verb;
use labs::simulate::{Ended, Limits};
use labs::testing::{Program, Simulated, System};
use mutex_central::lab::MutexCentralLab;

/// The coordinator and its clients. Each of these enters so many times; the times are in milliseconds.
pub(crate) fn all(
    processes: u32,
    entries: u64,
    [work, lease, retry]: [u64; 3],
) -> System<MutexCentralLab> {
    let options = format!("--entries {entries} --work {work} --lease {lease} --retry {retry}");
    System::typed(processes, &options).within(Limits { events: 1_000_000, ..Limits::default() })
}

/// The same, as `check` plans them: no time passes.
pub(crate) fn unclocked(
    processes: u32,
    entries: u64,
    [work, lease, retry]: [u64; 3],
) -> System<MutexCentralLab> {
    let options = format!("--entries {entries} --work {work} --lease {lease} --retry {retry}");
    System::planned(Verb::Check, processes, 1, &options)
}

/// A simulated run that comes to rest.
pub(crate) fn simulate(system: &System<MutexCentralLab>, seed: u64) -> Simulated<MutexCentralLab> {
    let run = system.simulate(seed);
    assert_eq!(run.ended, Ended::Quiet, "seed {seed}");
    run
}

/// The lab's program.
pub(crate) const PROGRAM: Program = Program(env!("CARGO_BIN_EXE_mutex-central"));
