//! Simulated runs and traces, judged.

use std::cell::RefCell;
use std::io::{self, Write};
use std::path::Path;
use std::rc::Rc;

use crate::check::{Counterexample, Options, check};
use crate::faults::Plan;
use crate::process::Process;
use crate::simulate::{Ended, Limits, Network, Simulation};
use crate::trace::event::FORMAT;
use crate::trace::format::Reader;
use crate::trace::{Header, Recorder};
use crate::verdict::{End, Judge, Spec, StreamJudge, Verdict};

/// A simulated run that has ended.
#[derive(Debug)]
pub struct Simulated<P> {
    /// How it ended.
    pub ended: Ended,
    /// What became of each property.
    pub verdicts: Vec<Verdict>,
    /// Who judged it, with the counts of its messages.
    pub judge: Judge,
    /// The processes at its end.
    pub all: Vec<P>,
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
) -> Simulated<P> {
    simulate_with_faults(seed, network, "", all, specs, limits)
}

/// The same run with these faults, written as `--faults` takes them; what they leave to chance is drawn
/// from the seed.
///
/// # Panics
///
/// If the network or the plan is impossible.
pub fn simulate_with_faults<P: Process>(
    seed: u64,
    network: Network,
    faults: &str,
    all: Vec<P>,
    specs: &[Spec],
    limits: Limits,
) -> Simulated<P> {
    let processes = all.len() as u32;
    let plan: Plan = faults.parse().expect("the faults are a plan");
    let recorder = Recorder::new(processes, Judge::new(specs, processes));
    let simulation = Simulation::new(seed, network, all, recorder)
        .and_then(|simulation| simulation.with_faults(&plan, seed));
    let mut simulation = simulation.expect("the network and the plan are possible");
    let ended = simulation.run(limits);
    let all = simulation.processes().to_vec();
    let judge = simulation.into_observer().finish().expect("nothing is written that could fail");
    Simulated { ended, verdicts: judge.verdicts(&ended.end()), judge, all }
}

/// The names of the properties that do not hold.
pub fn violated(verdicts: &[Verdict]) -> Vec<&str> {
    let broken = verdicts.iter().filter(|verdict| verdict.holds == Some(false));
    broken.map(|verdict| verdict.name.as_str()).collect()
}

/// The one property of this name.
///
/// # Panics
///
/// If there is none, or more than one.
pub fn only(property: &str, demanded: Vec<Spec>, processes: u32) -> Vec<Spec> {
    let name = |spec: &Spec| {
        let judge = Judge::new(std::slice::from_ref(spec), processes);
        judge.verdicts(&End::Complete).remove(0).name
    };
    let one: Vec<_> = demanded.into_iter().filter(|spec| name(spec) == property).collect();
    assert_eq!(one.len(), 1, "{property}");
    one
}

/// The shortest run of processes that nobody asks for anything, in which a property is violated.
///
/// # Panics
///
/// If none is found.
pub fn counterexample<P>(all: Vec<P>, demanded: &[Spec], search: &Options) -> Counterexample<P>
where
    P: Process<Request: Send + Sync, Message: Send + Sync, Timer: Send + Sync> + Send + Sync,
{
    let requests = vec![Vec::new(); all.len()];
    let outcome = check(all, requests, demanded, search, |_| ());
    assert_eq!(outcome.holds(), Some(false), "{demanded:?}");
    outcome.counterexample.expect("what does not hold has a counterexample")
}

/// Saves a counterexample as a trace: from the file alone, the same property must be violated.
///
/// # Panics
///
/// If it is not.
pub fn assert_saved_trace_shows_it<P: Process>(
    counterexample: &Counterexample<P>,
    processes: u32,
    demanded: &[Spec],
) {
    let header = Header {
        trace: FORMAT,
        lab: "any".to_owned(),
        verb: "check".to_owned(),
        run: "checked".to_owned(),
        processes,
        seed: 0,
        arguments: Vec::new(),
        clocks: true,
        properties: demanded.to_vec(),
    };
    let file = SharedFile::default();
    counterexample.save(&header, Box::new(file.clone())).expect("memory can be written to");
    let verdicts = judged(&file.0.borrow());
    let broken = violated(&verdicts);
    assert!(broken.contains(&counterexample.property.as_str()), "{counterexample}: {verdicts:?}");
}

/// A file in memory that can be looked at after it was given away.
#[derive(Clone, Default)]
struct SharedFile(Rc<RefCell<Vec<u8>>>);

impl Write for SharedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The verdicts on a complete run, from its trace file alone.
///
/// # Panics
///
/// If the file cannot be read, or is not the trace of a run.
pub fn judged_again(trace: &Path) -> Vec<Verdict> {
    judged(&std::fs::read(trace).expect("the trace can be read"))
}

fn judged(text: &[u8]) -> Vec<Verdict> {
    let mut reader = Reader::new(text).expect("the trace has a header");
    let header = reader.header().clone();
    let mut judge = StreamJudge::new(&header.properties, header.processes);
    for event in &mut reader {
        judge.observe(&event.expect("a line is an event")).expect("the event can happen here");
    }
    judge.judge().verdicts(&End::Complete)
}
