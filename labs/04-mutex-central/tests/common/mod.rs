//! What the tests of this lab share.
#![allow(dead_code, reason = "each test program uses a part of it")]

use labs::faults::Plan;
use labs::lab::{Lab, Place};
use labs::process::Process;
use labs::simulate::{Ended, Limits, Network, Simulation};
use labs::testing::Program;
use labs::trace::Recorder;
use labs::verdict::{Judge, Spec, Verdict};
use mutex_central::broken::{Broken, BrokenMutex};
use mutex_central::lab::{MutexCentralLab, Options};
use mutex_central::mutex::Mutex;

/// The coordinator and its clients.
pub(crate) fn all(processes: u32, options: &Options) -> Vec<Mutex> {
    let place = |rank| Place::simulated(rank, processes);
    (0..processes).map(|rank| MutexCentralLab::process(options, &place(rank))).collect()
}

pub(crate) fn all_broken(processes: u32, options: &Options, how: Broken) -> Vec<BrokenMutex> {
    all(processes, options).into_iter().map(|p| MutexCentralLab::broken(p, &how)).collect()
}

pub(crate) fn specs(processes: u32, options: &Options) -> Vec<Spec> {
    MutexCentralLab::properties(options, processes)
}

/// A simulated run under a plan of faults that comes to rest, judged: its verdicts and its counts.
pub(crate) fn simulate<P: Process>(
    seed: u64,
    network: Network,
    all: Vec<P>,
    specs: &[Spec],
    plan: &str,
) -> (Vec<Verdict>, Judge) {
    let processes = all.len() as u32;
    let plan: Plan = plan.parse().unwrap();
    let recorder = Recorder::new(processes, Judge::new(specs, processes));
    let mut simulation = Simulation::new(seed, network, all, recorder)
        .and_then(|simulation| simulation.with_faults(&plan, seed))
        .unwrap();
    let ended = simulation.run(Limits { events: 1_000_000, ..Limits::default() });
    assert_eq!(ended, Ended::Quiet, "seed {seed}, {plan}");
    let judge = simulation.into_observer().finish().unwrap();
    (judge.verdicts(&ended.end()), judge)
}

/// The lab's program.
pub(crate) const PROGRAM: Program = Program(env!("CARGO_BIN_EXE_mutex-central"));
