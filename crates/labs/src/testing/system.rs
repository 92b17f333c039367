//! A system of processes of one lab, to be run in the worlds without sockets, and judged.
//!
//! A test reads as its claim: `System::<TokenRing>::typed(5, "--laps 3").broken(m).simulate(seed)`.

use std::time::Duration;

use clap::{Args, FromArgMatches};

use super::FileInMemory;
use crate::check::{Counterexample, Options as Search, Outcome, check};
use crate::faults::Plan;
use crate::lab::{Lab, Place, RequestOf, Verb, World};
use crate::mutant::Mutant;
use crate::process::ProcessId;
use crate::record::Recorder;
use crate::simulate::{Ended, Limits, Network, Simulation};
use crate::trace::format::Reader;
use crate::trace::{Header, Identity};
use crate::verdict::{End, Judge, Property, StreamJudge, Verdict};

/// The process of a lab, with a mistake or without.
pub type ProcessOf<L> = Mutant<<L as Lab>::Process, <L as Lab>::Mistake>;

/// A system of processes of one lab.
#[derive(Clone, Debug)]
pub struct System<L: Lab> {
    /// The lab.
    pub lab: L,
    /// What is demanded.
    pub properties: Vec<Property>,
    mistake: Option<L::Mistake>,
    network: Network,
    faults: String,
    limits: Limits,
}

/// A simulated run that has ended.
#[derive(Debug)]
pub struct Simulated<L: Lab> {
    /// How it ended.
    pub ended: Ended,
    /// What became of each property.
    pub verdicts: Vec<Verdict>,
    /// Its judge, with the counts of its messages.
    pub judge: Judge,
    /// How long the slowest message was under way.
    pub slowest: Duration,
    /// The processes at its end.
    pub all: Vec<ProcessOf<L>>,
}

impl<L: Lab> System<L> {
    /// The processes of a lab, and what it demands.
    pub fn new(lab: L) -> Self {
        Self {
            properties: lab.demanded(),
            lab,
            mistake: None,
            network: Network::default(),
            faults: String::new(),
            limits: Limits::default(),
        }
    }

    /// So many processes, as `simulate` makes them from options that are typed so.
    ///
    /// # Panics
    ///
    /// If the lab refuses them.
    pub fn typed(processes: u32, options: &str) -> Self {
        Self::planned(Verb::Simulate, processes, 1, options)
    }

    /// So many processes, as this world makes them from a seed and options that are typed so.
    ///
    /// # Panics
    ///
    /// If the lab refuses them.
    pub fn planned(verb: Verb, processes: u32, seed: u64, options: &str) -> Self {
        let world = World { verb, processes: Some(processes), seed };
        Self::new(plan(options, &world).unwrap_or_else(|error| panic!("{options}: {error}")))
    }

    /// With a mistake.
    #[must_use]
    pub fn broken(self, mistake: L::Mistake) -> Self {
        Self { mistake: Some(mistake), ..self }
    }

    /// On this network, in `simulate`.
    #[must_use]
    pub fn on(self, network: Network) -> Self {
        Self { network, ..self }
    }

    /// With these faults, in `simulate`, written as `--faults` takes them.
    #[must_use]
    pub fn suffering(self, faults: &str) -> Self {
        Self { faults: faults.to_owned(), ..self }
    }

    /// Not longer than this, in `simulate`.
    #[must_use]
    pub fn within(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Judged by the one property of this name.
    ///
    /// # Panics
    ///
    /// If there is none, or more than one.
    #[must_use]
    pub fn judged_by(mut self, property: &str) -> Self {
        self.properties.retain(|demanded| demanded.name == property);
        assert_eq!(self.properties.len(), 1, "{property}");
        self
    }

    /// The processes, before a run.
    pub fn processes(&self) -> Vec<ProcessOf<L>> {
        let n = self.lab.processes();
        let process = |rank| self.lab.process(&Place::simulated(rank, n));
        (0..n).map(|rank| Mutant::new(process(rank), self.mistake.clone())).collect()
    }

    /// What the applications ask for.
    pub fn requests(&self) -> Vec<Vec<RequestOf<L>>> {
        (0..self.lab.processes()).map(|rank| self.lab.requests(ProcessId(rank))).collect()
    }

    /// A run in virtual time, from this seed.
    ///
    /// # Panics
    ///
    /// If the network or the plan of faults is impossible.
    pub fn simulate(&self, seed: u64) -> Simulated<L> {
        let n = self.lab.processes();
        let plan: Plan = self.faults.parse().expect("the faults are a plan");
        let recorder = Recorder::new(n, Judge::new(&self.properties, n));
        let simulation = Simulation::new(seed, self.network.clone(), self.processes(), recorder)
            .and_then(|simulation| simulation.with_faults(&plan, seed));
        let mut simulation = simulation.expect("the network and the plan are possible");
        for (rank, requests) in (0..).zip(self.requests()) {
            for request in requests {
                simulation.request_at(Duration::ZERO, ProcessId(rank), request);
            }
        }
        let ended = simulation.run(self.limits);
        let all = simulation.processes().to_vec();
        let slowest = simulation.observer().slowest();
        let judge = simulation.into_observer().finish().expect("nothing is written");
        Simulated { ended, verdicts: judge.verdicts(&ended.end()), judge, slowest, all }
    }

    /// Every order. Where orders are left out that lead to the same, and where several threads search, the
    /// verdicts and the shortest run must be the same. Beside a violation, one search may get further than the other:
    /// it has as many more states as it took before.
    ///
    /// # Panics
    ///
    /// If they are not.
    pub fn check(&self, search: &Search) -> Outcome<ProcessOf<L>> {
        let check = |search: &Search| {
            check(self.processes(), self.requests(), &self.properties, search, |_| ())
        };
        let outcome = check(search);
        let reduced = check(&Search { reduction: true, threads: 2, ..search.clone() });
        let found = |outcome: &Outcome<ProcessOf<L>>| {
            let found = outcome.counterexample.as_ref();
            found.map(|found| (found.property.clone(), found.steps.len()))
        };
        assert_eq!(found(&outcome), found(&reduced), "{:?}: with reduction", self.mistake);
        let is_whole = outcome.counterexample.is_none();
        for (verdict, other) in outcome.verdicts.iter().zip(&reduced.verdicts) {
            let (name, holds, again) = (&verdict.name, verdict.holds(), other.holds());
            let is_known = is_whole || holds.is_some() && again.is_some();
            assert!(!is_known || holds == again, "{:?}: {name} with reduction", self.mistake);
        }
        let sees_order = &outcome.sees_order;
        assert!(sees_order.is_empty(), "{:?}: {sees_order:?} see the order", self.mistake);
        outcome
    }

    /// The shortest run in which a property is violated, which its saved trace must show as well.
    ///
    /// # Panics
    ///
    /// If none is found.
    pub fn counterexample(&self, search: &Search) -> Counterexample<ProcessOf<L>> {
        let outcome = self.check(search);
        assert_eq!(outcome.holds(), Some(false), "{:?}: {:?}", self.mistake, outcome.verdicts);
        let found = outcome.counterexample.expect("what does not hold has a counterexample");
        self.assert_saved_trace_shows_it(&found);
        found
    }

    /// Saves a counterexample as a trace, which must show the same violation.
    fn assert_saved_trace_shows_it(&self, counterexample: &Counterexample<ProcessOf<L>>) {
        let identity = Identity {
            lab: L::NAME.to_owned(),
            verb: Verb::Check.name().to_owned(),
            run: "checked".to_owned(),
            processes: self.lab.processes(),
            seed: 0,
        };
        let properties = self.properties.clone();
        let header = Header::new(identity, Vec::new(), properties, self.lab.meaning());
        let file = FileInMemory::default();
        counterexample.save(&header, Box::new(file.clone())).expect("memory can be written to");
        let verdicts = judged(&file.take(), &self.properties);
        let broken = violated(&verdicts);
        let property = counterexample.property.as_str();
        let is_shown = broken.contains(&property) || property == "no panic";
        assert!(is_shown, "{counterexample}: {verdicts:?}");
    }
}

/// Runs all golden scripts in a folder. The pairs of a script's `start 3 laps=2` are the options of the lab;
/// where it says nothing, `usual` holds. `requests` are all requests that scripts may name.
///
/// # Panics
///
/// If a script leads to something else than what stands in it.
#[cfg(feature = "script")]
pub fn run_scripts<L: Lab>(folder: &str, usual: &str, requests: &[RequestOf<L>]) {
    let ran = crate::script::run_dir::<L::Process>(folder, requests, |opening| {
        let pairs = opening.arguments.iter().map(|(key, value)| format!(" --{key} {value}"));
        let options = usual.to_owned() + &pairs.collect::<String>();
        let (n, seed) = (opening.processes, 1);
        let world = World { verb: Verb::Check, processes: Some(n), seed };
        let lab: L = plan(&options, &world)?;
        let process = |rank| lab.process(&Place::simulated(rank, n));
        Ok(((0..n).map(process).collect(), lab.demanded()))
    });
    ran.unwrap_or_else(|error| panic!("{error}"));
}

/// What options mean that are typed so.
fn plan<L: Lab>(options: &str, world: &World) -> Result<L, String> {
    typed::<L>(options).and_then(|options| L::plan(options, world))
}

/// The options of a lab, as typed.
fn typed<L: Lab>(options: &str) -> Result<L::Options, String> {
    // Of an option that is given twice the last one counts.
    let usual = clap::Command::new(L::NAME).args_override_self(true);
    let command = L::Options::augment_args(usual.no_binary_name(true));
    let matches = command.try_get_matches_from(options.split_whitespace());
    let options = matches.and_then(|matches| L::Options::from_arg_matches(&matches));
    options.map_err(|error| error.to_string())
}

/// The names of the properties that do not hold.
pub fn violated(verdicts: &[Verdict]) -> Vec<&str> {
    let broken = verdicts.iter().filter(|verdict| verdict.is_violated());
    broken.map(|verdict| verdict.name.as_str()).collect()
}

fn judged(text: &[u8], properties: &[Property]) -> Vec<Verdict> {
    let mut reader = Reader::new(text).expect("the trace has a header");
    let demanded = &reader.header().properties;
    assert_eq!(demanded, properties, "the header says what is demanded");
    let mut judge = StreamJudge::new(properties, reader.header().processes);
    for event in &mut reader {
        judge.observe(&event.expect("a line is an event")).expect("the event can happen here");
    }
    judge.judge().verdicts(&End::Complete)
}
