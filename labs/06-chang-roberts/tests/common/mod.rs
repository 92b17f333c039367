//! What the tests of this lab share.
#![allow(dead_code, reason = "each test program uses a part of it")]

use chang_roberts::broken::{Broken, BrokenNumbering};
use chang_roberts::election::Elect;
use chang_roberts::identities::{Identities, Initiators, Order};
use chang_roberts::lab::{ChangRobertsLab, Options};
use chang_roberts::numbering::Numbering;
use labs::lab::{Lab, Place};
use labs::overlay::ring::Closing;
use labs::process::Process;
use labs::simulate::{Ended, Limits, Network};
use labs::testing::{self, Program};
use labs::verdict::{Judge, Spec, Verdict};

pub(crate) const CLOSINGS: [Closing; 2] = [Closing::Forward, Closing::First];

pub(crate) const ELECTS: [Elect; 2] = [Elect::Max, Elect::Min];

/// Random identities, all initiating, the greatest elected.
pub(crate) fn random(seed: u64) -> Options {
    let identities = Identities { seed, ..Identities::default() };
    Options::new(identities, Elect::Max, Closing::Forward)
}

/// These identities, that of p0 first.
pub(crate) fn given(
    given: Vec<u64>,
    initiators: Initiators,
    elect: Elect,
    closing: Closing,
) -> Options {
    let order = Order::File("given".into());
    Options::new(Identities { order, given, initiators, seed: 1 }, elect, closing)
}

/// These identities, that of p0 first; all initiate.
pub(crate) fn all_of(identities: &[u64]) -> Options {
    given(identities.to_vec(), Initiators::All, Elect::Max, Closing::Forward)
}

pub(crate) fn ring(processes: u32, options: &Options) -> Vec<Numbering> {
    let place = |rank| Place::simulated(rank, processes);
    (0..processes).map(|rank| ChangRobertsLab::process(options, &place(rank))).collect()
}

pub(crate) fn broken_ring(processes: u32, options: &Options, how: Broken) -> Vec<BrokenNumbering> {
    ring(processes, options).into_iter().map(|p| ChangRobertsLab::broken(p, &how)).collect()
}

pub(crate) fn specs(processes: u32, options: &Options) -> Vec<Spec> {
    ChangRobertsLab::properties(options, processes)
}

/// A simulated run that comes to rest, judged: its verdicts and its counts.
pub(crate) fn simulate<P: Process>(
    seed: u64,
    network: Network,
    all: Vec<P>,
    specs: &[Spec],
) -> (Vec<Verdict>, Judge) {
    let run = testing::simulate(seed, network, all, specs, Limits::default());
    assert_eq!(run.ended, Ended::Quiet);
    (run.verdicts, run.judge)
}

/// The lab's program.
pub(crate) const PROGRAM: Program = Program(env!("CARGO_BIN_EXE_chang-roberts"));
