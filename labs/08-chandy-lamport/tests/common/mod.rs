//! What the tests of this lab share.
#![allow(dead_code, reason = "each test program uses a part of it")]

use chandy_lamport::broken::{Broken, BrokenSnapshot};
use chandy_lamport::checkpoint::Checkpoint;
use chandy_lamport::lab::{ChandyLamportLab, Options, Restored};
use chandy_lamport::snapshot::Snapshot;
use chandy_lamport::work::Work;
use clap::Parser;
use labs::lab::{Lab, Place, Verb};
use labs::process::Process;
use labs::simulate::{Ended, Limits, Network};
use labs::testing::{Program, simulate_with_faults};
use labs::verdict::{Judge, Spec, Verdict};

pub(crate) const CUT: &str = "consistent cut";
pub(crate) const CHANNELS: &str = "channel states are the messages in transit";
pub(crate) const TOTAL: &str = "the total is conserved";
pub(crate) const MARKERS: &str = "one marker a channel and wave";
pub(crate) const EVERY_WAVE: &str = "every wave is recorded by all";
pub(crate) const BLOCKED: &str = "no application message while blocked";

#[derive(Debug, Parser)]
struct CommandLine {
    #[command(flatten)]
    options: Options,
}

/// The options that these words mean, as a model takes them.
pub(crate) fn options(words: &str, verb: Verb, processes: u32) -> Options {
    let line = std::iter::once("lab").chain(words.split_whitespace());
    let mut options = CommandLine::try_parse_from(line).unwrap().options;
    ChandyLamportLab::prepare(&mut options, verb, processes).unwrap();
    options
}

pub(crate) fn all(processes: u32, options: &Options) -> Vec<Snapshot<Work>> {
    let place = |rank| Place::simulated(rank, processes);
    (0..processes).map(|rank| ChandyLamportLab::process(options, &place(rank))).collect()
}

/// Makes the options those of a run that goes on from these checkpoints, and the processes with it.
pub(crate) fn resumed(options: &mut Options, checkpoints: Vec<Checkpoint>) -> Vec<Snapshot<Work>> {
    let first = &checkpoints[0];
    options.restored = Some(Restored {
        from: "nowhere".into(),
        in_place: true,
        wave: first.wave,
        execution: first.execution.clone(),
        processes: first.processes,
        total: checkpoints.iter().map(Checkpoint::worth).sum(),
        first: first.wave.number + 1,
        discarded: Vec::new(),
    });
    checkpoints.into_iter().map(|checkpoint| options.resumed(checkpoint)).collect()
}

pub(crate) fn broken(processes: u32, options: &Options, how: Broken) -> Vec<BrokenSnapshot> {
    all(processes, options).into_iter().map(|p| ChandyLamportLab::broken(p, &how)).collect()
}

pub(crate) fn specs(processes: u32, options: &Options) -> Vec<Spec> {
    ChandyLamportLab::properties(options, processes)
}

/// A simulated run that comes to rest, with faults, judged: its verdicts and its counts.
pub(crate) fn simulate<P: Process>(
    seed: u64,
    network: Network,
    faults: &str,
    all: Vec<P>,
    specs: &[Spec],
) -> (Vec<Verdict>, Judge) {
    let run = simulate_with_faults(seed, network, faults, all, specs, Limits::default());
    assert_eq!(run.ended, Ended::Quiet, "seed {seed}, {faults}");
    (run.verdicts, run.judge)
}

/// Whether all properties hold.
pub(crate) fn hold(verdicts: &[Verdict]) -> bool {
    !verdicts.is_empty() && verdicts.iter().all(|verdict| verdict.holds == Some(true))
}

/// What became of the property of this name.
pub(crate) fn of<'a>(verdicts: &'a [Verdict], name: &str) -> &'a Verdict {
    verdicts.iter().find(|verdict| verdict.name == name).unwrap()
}

/// The lab's program.
pub(crate) const PROGRAM: Program = Program(env!("CARGO_BIN_EXE_chandy-lamport"));
