//! Simulated runs and traces, judged.

use std::path::Path;

use crate::process::Process;
use crate::simulate::{Ended, Limits, Network, Simulation};
use crate::trace::Recorder;
use crate::trace::format::Reader;
use crate::verdict::{End, Judge, Spec, StreamJudge, Verdict};

/// A simulated run that has ended.
#[derive(Debug)]
pub struct Simulated {
    /// How it ended.
    pub ended: Ended,
    /// What became of each property.
    pub verdicts: Vec<Verdict>,
    /// Who judged it, with the counts of its messages.
    pub judge: Judge,
}

/// A run of these processes from this seed, judged by these properties.
///
/// # Panics
///
/// If the network is impossible.
pub fn simulate<P: Process>(
    seed: u64,
    network: Network,
    all: Vec<P>,
    specs: &[Spec],
    limits: Limits,
) -> Simulated {
    let processes = all.len() as u32;
    let recorder = Recorder::new(processes, Judge::new(specs, processes));
    let simulation = Simulation::new(seed, network, all, recorder);
    let mut simulation = simulation.expect("the network is possible");
    let ended = simulation.run(limits);
    let judge = simulation.into_observer().finish().expect("nothing is written that could fail");
    Simulated { ended, verdicts: judge.verdicts(&ended.end()), judge }
}

/// The names of the properties that do not hold.
pub fn violated(verdicts: &[Verdict]) -> Vec<&str> {
    let broken = verdicts.iter().filter(|verdict| verdict.holds == Some(false));
    broken.map(|verdict| verdict.name.as_str()).collect()
}

/// The verdicts on a complete run, from its trace file alone.
///
/// # Panics
///
/// If the file cannot be read, or is not the trace of a run.
pub fn judged_again(trace: &Path) -> Vec<Verdict> {
    let text = std::fs::read(trace).expect("the trace can be read");
    let mut reader = Reader::new(text.as_slice()).expect("the trace has a header");
    let header = reader.header().clone();
    let mut judge = StreamJudge::new(&header.properties, header.processes);
    for event in &mut reader {
        judge.observe(&event.expect("a line is an event")).expect("the event can happen here");
    }
    judge.judge().verdicts(&End::Complete)
}
