//! What the tests of this lab share.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::path::Path;

use labs::lab::{Lab, Place};
use labs::overlay::ring::Closing;
use labs::process::Process;
use labs::simulate::{Ended, Limits, Network};
use labs::testing::{self, Program, Running, wait_until};
use labs::verdict::{Judge, Spec, Verdict};
use token_ring::broken::{Broken, BrokenTokenRing};
use token_ring::lab::{Options, TokenRingLab};
use token_ring::token_ring::TokenRing;

pub(crate) const CLOSINGS: [Closing; 2] = [Closing::Forward, Closing::First];

pub(crate) fn ring(processes: u32, options: &Options) -> Vec<TokenRing> {
    let place = |rank| Place::simulated(rank, processes);
    (0..processes).map(|rank| TokenRingLab::process(options, &place(rank))).collect()
}

pub(crate) fn broken_ring(processes: u32, options: &Options, how: Broken) -> Vec<BrokenTokenRing> {
    ring(processes, options).into_iter().map(|p| TokenRingLab::broken(p, &how)).collect()
}

pub(crate) fn specs(processes: u32, options: &Options) -> Vec<Spec> {
    TokenRingLab::properties(options, processes)
}

/// A simulated run, judged: its verdicts and its counts.
pub(crate) fn simulate<P: Process>(
    seed: u64,
    network: Network,
    all: Vec<P>,
    specs: &[Spec],
) -> (Vec<Verdict>, Judge) {
    // A token that doubled at every hop would never let the run come to rest.
    let limits = Limits { events: 20_000, ..Limits::default() };
    let run = testing::simulate(seed, network, all, specs, limits);
    assert!(matches!(run.ended, Ended::Quiet | Ended::EventLimit(_)));
    (run.verdicts, run.judge)
}

/// The lab's program.
pub(crate) const PROGRAM: Program = Program(env!("CARGO_BIN_EXE_token-ring"));

/// Starts a run that would last for minutes, and waits until the token circulates: until `file`, to
/// which the processes write, has some lines.
pub(crate) fn circulating(file: &Path, arguments: &[&str]) -> Running {
    let mut all = vec!["run", "--laps", "1000000", "--work", "1", "--timeout", "120", "--file"];
    all.push(file.to_str().unwrap());
    all.extend(arguments);
    let running = PROGRAM.start(&all);
    wait_until_circulating(file);
    // From now on it knows its name, whatever becomes of the processes.
    assert!(!running.run().is_empty());
    running
}

pub(crate) fn wait_until_circulating(file: &Path) {
    wait_until("the token circulates", || {
        std::fs::read_to_string(file).is_ok_and(|text| text.lines().count() > 20)
    });
}
