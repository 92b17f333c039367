//! What the tests of this lab share.
#![allow(dead_code, reason = "each test program uses a part of it")]

use chandy_lamport::checkpoint::Checkpoint;
use chandy_lamport::lab::{ChandyLamportLab, Options, Restored};
use chandy_lamport::snapshot::Snapshot;
use chandy_lamport::work::Work;
use clap::{Args, FromArgMatches};
use labs::lab::{Verb, World};
use labs::simulate::Ended;
use labs::testing::{Program, Simulated, System};
use labs::verdict::Verdict;

pub(crate) const CUT: &str = "consistent cut";
pub(crate) const CHANNELS: &str = "channel states are the messages in transit";
pub(crate) const TOTAL: &str = "the total is conserved";
pub(crate) const MARKERS: &str = "one marker a channel and wave";
pub(crate) const EVERY_WAVE: &str = "every wave is recorded by all";
pub(crate) const TICKS: &str = "one message a tick, in order";
pub(crate) const BLOCKED: &str = "no application message while blocked";

pub(crate) type Recording = System<ChandyLamportLab>;

/// A system of so many processes in `check`.
pub(crate) fn checked(processes: u32, options: &str) -> Recording {
    System::planned(Verb::Check, processes, 1, options)
}

/// A simulated run of a system, which must come to rest.
pub(crate) fn at_rest(system: &Recording, seed: u64) -> Simulated<ChandyLamportLab> {
    let run = system.simulate(seed);
    assert_eq!(run.ended, Ended::Quiet, "seed {seed}");
    run
}

/// A lab of processes that go on from these checkpoints, and the processes.
pub(crate) fn resumed(
    verb: Verb,
    options: &str,
    checkpoints: Vec<Checkpoint>,
) -> (ChandyLamportLab, Vec<Snapshot<Work>>) {
    let first = &checkpoints[0];
    let restored = Restored {
        from: "nowhere".into(),
        in_place: true,
        wave: first.wave,
        execution: first.execution.clone(),
        processes: first.processes,
        total: checkpoints.iter().map(Checkpoint::worth).sum(),
        first: first.wave.number + 1,
        discarded: Vec::new(),
    };
    let command = Options::augment_args(clap::Command::new("lab").no_binary_name(true));
    let matches = command.get_matches_from(options.split_whitespace());
    let options = Options::from_arg_matches(&matches).unwrap();
    let world = World { verb, processes: None, seed: 1 };
    let lab = ChandyLamportLab::planned(options, Some(restored), None, &world).unwrap();
    let all = checkpoints.into_iter().map(|checkpoint| lab.resumed(checkpoint)).collect();
    (lab, all)
}

/// Whether all properties hold.
pub(crate) fn hold(verdicts: &[Verdict]) -> bool {
    !verdicts.is_empty() && verdicts.iter().all(|verdict| verdict.holds() == Some(true))
}

/// What became of the property of this name.
pub(crate) fn of<'a>(verdicts: &'a [Verdict], name: &str) -> &'a Verdict {
    verdicts.iter().find(|verdict| verdict.name == name).unwrap()
}

/// The lab's program.
pub(crate) const PROGRAM: Program = Program(env!("CARGO_BIN_EXE_chandy-lamport"));
