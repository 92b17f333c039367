//! A lab whose types nobody sees.
//!
//! Simulator and checker are made anew for the process of each lab, for they must be fast. What stands
//! around them (the command line, the launcher, reports, replays) is not, and meets every lab through two
//! traits: [`Course`] is a lab before its options are known, [`Planned`] what they came to, with the
//! mistake that was asked for. That keeps the programs of the labs small, and quick to build.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgMatches, Args, FromArgMatches, ValueEnum};
use serde_json::Value;

use crate::check::{self, Counterexample, ExploreError};
use crate::faults::{Assumption, Plan, Toll, kinds_of};
use crate::hunt::{Dice, Grounds};
use crate::lab::{
    Deployment, Findings, Lab, Launch, Place, Predictions, Remains, Runs, Screen, Summary, Tools,
    World,
};
use crate::misstep::watchdog::Whereabouts;
use crate::mutant::{Mistake as _, Mutant, Needs};
use crate::overlay::Overlay;
use crate::process::{Kind, Process, ProcessId};
use crate::record::Recorder;
use crate::replay::{Luck, Replay, Replayed};
use crate::run::wire::message_size;
use crate::simulate::{Ended, Limits, Mishaps, Network, Simulation, SimulationError};
use crate::trace::{Header, Meaning, Noted};
use crate::verdict::{Judge, Property, Verdict};

/// What is fixed of a lab.
#[derive(Clone, Copy)]
pub(crate) struct About {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) assumes: &'static [Assumption],
    pub(crate) varied: &'static [&'static str],
    pub(crate) usual: &'static [&'static str],
    pub(crate) hunt: Grounds,
    pub(crate) processes_min: u32,
    pub(crate) tools: Tools,
}

/// A lab, before its options are known.
pub(crate) trait Course: Sync {
    fn about(&self) -> About;

    /// Adds the lab's options, and `--broken`, to a verb.
    fn arguments(&self, verb: clap::Command) -> clap::Command;

    /// What the options of a verb mean.
    fn plan(&self, matches: &ArgMatches, world: &World) -> anyhow::Result<Box<dyn Planned>>;

    /// The lab's options alone.
    fn options(&self) -> clap::Command;

    /// The mistake that is asked for, and the options that it needs.
    fn needs(&self, matches: &ArgMatches) -> Option<(String, Needs)>;

    /// The lab, and the mistake, that [`Planned::written`] wrote.
    fn read(&self, lab: &Value, mistake: Option<&Value>) -> serde_json::Result<Box<dyn Planned>>;
}

/// A lab as its options mean it, with a mistake or without.
pub(crate) trait Planned {
    fn about(&self) -> About;
    fn processes(&self) -> u32;
    fn properties(&self) -> Vec<Property>;

    /// The properties but those that the options of a search break themselves.
    fn properties_but_for(&self, options: &check::Options) -> Vec<Property> {
        let mut properties = self.properties();
        properties.retain(|property| !options.take_away(property));
        properties
    }

    fn meaning(&self) -> Meaning;
    fn predicted(&self) -> Predictions;
    fn timeouts(&self) -> u32;
    fn lasts(&self) -> Option<Duration>;
    fn usual_faults(&self) -> String;
    fn delay_max(&self) -> Option<Duration>;

    /// The kinds of messages that there are, if that is known.
    fn kinds(&self) -> Option<BTreeSet<&'static str>>;
    fn findings(&self) -> Box<dyn Findings<dyn Noted>>;
    fn study(&self) -> Option<Runs>;

    /// The lab and the mistake as JSON.
    fn written(&self) -> serde_json::Result<(Value, Option<Value>)>;

    /// What `run` needs to know beforehand.
    fn deployed(&self) -> Deployed;

    /// Judges what a run left outside the program.
    fn remains(&self, remains: Remains) -> Vec<Verdict>;

    /// The mistake, if it shows only where a process dies and starts again.
    fn needs_restart(&self) -> Option<String>;

    /// Whether `check` has options of its own with which the mistake shows.
    fn shows_in_check(&self) -> bool;

    /// Whether something can notice the mistake, if there is one.
    fn shows_mistake(&self) -> Result<(), String>;

    /// Whether a process can start again where it died.
    fn recovers(&self, process: ProcessId) -> bool;

    /// A simulated run that is about to begin, with what its applications ask for.
    /// Applications ask at random times within `requests_within`, each in its order.
    fn simulate(
        &self,
        seed: u64,
        network: Network,
        requests_within: Duration,
        recorder: Recorder,
    ) -> Result<Box<dyn Simulated>, SimulationError>;

    /// Whether any application asks for anything.
    fn has_requests(&self) -> bool;

    /// Whether the algorithm goes on when this process dies for good, if it assumes no other.
    fn survives(&self, process: ProcessId) -> bool;

    /// Tries every order.
    fn check(&self, options: &check::Options, watch: check::Watch<'_>) -> Checked;

    /// Serves the states to a browser: see [`check::explore`].
    fn explore(
        &self,
        options: &check::Options,
        address: SocketAddr,
        ready: &mut dyn FnMut(),
    ) -> Result<(), ExploreError>;

    /// A run at these places that is gone through again.
    fn replay(&self, places: &[Place], luck: Luck, has_clock: bool) -> Box<dyn Replayed>;
}

/// What `run` needs to know of a lab beforehand: see [`Deployment`].
pub(crate) struct Deployed {
    pub(crate) overlay: Overlay,
    pub(crate) launch: Launch,
    pub(crate) survives_crashes: bool,
    pub(crate) files: Vec<PathBuf>,
    pub(crate) screen: Option<Box<dyn Screen>>,
}

/// The command line's view of the lab `L`.
pub(crate) struct CourseOf<L>(pub(crate) std::marker::PhantomData<fn() -> L>);

/// The name of the option that puts a mistake into the algorithm.
const BROKEN: &str = "broken";

impl<L: Lab> Course for CourseOf<L> {
    fn about(&self) -> About {
        about::<L>()
    }

    fn arguments(&self, verb: clap::Command) -> clap::Command {
        let verb = match L::Mistake::value_variants() {
            [] => verb,
            _ => verb.arg(
                clap::Arg::new(BROKEN)
                    .long(BROKEN)
                    .value_name("MISTAKE")
                    .help("Put a mistake into the algorithm, and see which property notices")
                    .value_parser(clap::value_parser!(L::Mistake)),
            ),
        };
        // What is said of the options in the source is not what the verb is about.
        let about = verb.get_about().cloned().unwrap_or_default();
        L::Options::augment_args(verb).about(about)
    }

    fn options(&self) -> clap::Command {
        self.arguments(clap::Command::new(L::NAME))
    }

    fn needs(&self, matches: &ArgMatches) -> Option<(String, Needs)> {
        let mistake = matches.try_get_one::<L::Mistake>(BROKEN).ok()??;
        Some((mistake.to_possible_value()?.get_name().to_owned(), mistake.needs()))
    }

    fn plan(&self, matches: &ArgMatches, world: &World) -> anyhow::Result<Box<dyn Planned>> {
        let options = L::Options::from_arg_matches(matches).map_err(usage)?;
        let mistake = matches.try_get_one::<L::Mistake>(BROKEN).ok().flatten().cloned();
        let lab = L::plan(options, world).map_err(anyhow::Error::msg)?;
        Ok(Box::new(PlannedLab { lab, mistake }))
    }

    fn read(&self, lab: &Value, mistake: Option<&Value>) -> serde_json::Result<Box<dyn Planned>> {
        Ok(Box::new(PlannedLab::<L>::read(lab, mistake)?))
    }
}

fn about<L: Lab>() -> About {
    About {
        name: L::NAME,
        about: L::ABOUT,
        assumes: L::ASSUMES,
        varied: L::VARIED,
        usual: L::USUAL,
        hunt: L::HUNT,
        processes_min: L::PROCESSES_MIN,
        tools: L::TOOLS,
    }
}

/// A lab and the mistake that is made in it.
pub(crate) struct PlannedLab<L: Lab> {
    pub(crate) lab: L,
    pub(crate) mistake: Option<L::Mistake>,
}

/// The stream of a seed from which the times of requests are drawn.
const REQUESTS: u64 = 0x7265_7175_6573_7473;

/// The process of a lab, in all worlds.
type ProcessOf<L> = Mutant<<L as Lab>::Process, <L as Lab>::Mistake>;

impl<L: Lab> PlannedLab<L> {
    /// What [`Planned::written`] wrote. By way of text: that is how values of traces are read, too, and so
    /// nothing is compiled for another way.
    pub(crate) fn read(lab: &Value, mistake: Option<&Value>) -> serde_json::Result<Self> {
        let mistake = mistake.map(mistake_named).transpose()?;
        Ok(Self { lab: serde_json::from_str(&lab.to_string())?, mistake })
    }

    fn process(&self, place: &Place) -> ProcessOf<L> {
        Mutant::new(self.lab.process(place), self.mistake.clone())
    }

    fn all(&self) -> Vec<ProcessOf<L>> {
        let n = self.lab.processes();
        (0..n).map(|rank| self.process(&Place::simulated(rank, n))).collect()
    }

    fn requests(&self) -> Vec<Vec<crate::lab::RequestOf<L>>> {
        (0..self.lab.processes()).map(|rank| self.lab.requests(ProcessId(rank))).collect()
    }
}

impl<L: Lab> Planned for PlannedLab<L> {
    fn about(&self) -> About {
        About { assumes: self.lab.assumes(), ..about::<L>() }
    }

    fn processes(&self) -> u32 {
        self.lab.processes()
    }

    fn properties(&self) -> Vec<Property> {
        self.lab.demanded()
    }

    fn meaning(&self) -> Meaning {
        self.lab.meaning()
    }

    fn predicted(&self) -> Predictions {
        self.lab.predicted()
    }

    fn timeouts(&self) -> u32 {
        self.lab.timeouts()
    }

    fn lasts(&self) -> Option<Duration> {
        self.lab.lasts()
    }

    fn usual_faults(&self) -> String {
        self.lab.usual_faults()
    }

    fn delay_max(&self) -> Option<Duration> {
        self.lab.delay_max()
    }

    fn kinds(&self) -> Option<BTreeSet<&'static str>> {
        kinds_of::<<L::Process as Process>::Message>()
    }

    fn findings(&self) -> Box<dyn Findings<dyn Noted>> {
        Box::new(FindingsOf(self.lab.findings()))
    }

    fn study(&self) -> Option<Runs> {
        self.lab.study()
    }

    fn written(&self) -> serde_json::Result<(Value, Option<Value>)> {
        let mistake = self.mistake.as_ref().and_then(L::Mistake::to_possible_value);
        let mistake = mistake.map(|mistake| mistake.get_name().into());
        Ok((parsed(serde_json::to_string(&self.lab)?)?, mistake))
    }

    fn deployed(&self) -> Deployed {
        let Deployment { overlay, launch, survives_crashes, files, screen, .. } =
            self.lab.deployment();
        Deployed { overlay, launch, survives_crashes, files, screen: screen(&self.lab) }
    }

    fn remains(&self, remains: Remains) -> Vec<Verdict> {
        (self.lab.deployment().remains)(&self.lab, remains)
    }

    fn needs_restart(&self) -> Option<String> {
        let mistake = self.mistake.as_ref().filter(|mistake| mistake.needs_restart())?;
        Some(mistake.to_possible_value()?.get_name().to_owned())
    }

    fn shows_in_check(&self) -> bool {
        self.mistake.as_ref().is_some_and(|mistake| !mistake.needs().check.is_empty())
    }

    fn shows_mistake(&self) -> Result<(), String> {
        self.mistake.as_ref().map_or(Ok(()), |mistake| self.lab.shows(mistake))
    }

    fn recovers(&self, process: ProcessId) -> bool {
        let place = Place::simulated(process.0, self.lab.processes());
        self.lab.process(&place).recovered().is_some()
    }

    fn simulate(
        &self,
        seed: u64,
        network: Network,
        requests_within: Duration,
        recorder: Recorder,
    ) -> Result<Box<dyn Simulated>, SimulationError> {
        let mut simulation = Simulation::new(seed, network, self.all(), recorder)?;
        let mut dice = Dice::new(seed, REQUESTS);
        for (rank, requests) in (0..).zip(self.requests()) {
            let mut times: Vec<_> =
                requests.iter().map(|_| dice.time(Duration::ZERO, requests_within)).collect();
            times.sort();
            for (request, time) in requests.into_iter().zip(times) {
                simulation.request_at(time, ProcessId(rank), request);
            }
        }
        Ok(Box::new(simulation))
    }

    fn has_requests(&self) -> bool {
        self.requests().iter().any(|requests| !requests.is_empty())
    }

    fn survives(&self, process: ProcessId) -> bool {
        self.lab.survives(process)
    }

    fn check(&self, options: &check::Options, watch: check::Watch<'_>) -> Checked {
        let properties = self.properties_but_for(options);
        let outcome = check::check_while(self.all(), self.requests(), &properties, options, watch);
        Checked {
            states: outcome.states,
            is_whole: outcome.is_whole,
            max_depth: outcome.max_depth,
            verdicts: outcome.verdicts,
            counterexample: outcome.counterexample.map(|found| Box::new(found) as _),
            sees_order: outcome.sees_order,
            also: outcome.also.into_iter().map(|found| Box::new(found) as _).collect(),
        }
    }

    fn explore(
        &self,
        options: &check::Options,
        address: SocketAddr,
        ready: &mut dyn FnMut(),
    ) -> Result<(), ExploreError> {
        let properties = self.properties_but_for(options);
        check::explore(self.all(), self.requests(), &properties, options, address, ready)
    }

    fn replay(&self, places: &[Place], luck: Luck, has_clock: bool) -> Box<dyn Replayed> {
        let all = places.iter().map(|place| self.process(place)).collect();
        Box::new(Replay::<ProcessOf<L>>::new(all, luck, has_clock))
    }
}

/// The mistake of this name, which is the one that is typed.
fn mistake_named<M: ValueEnum>(name: &Value) -> serde_json::Result<M> {
    let mistake = M::from_str(name.as_str().unwrap_or_default(), false);
    mistake.map_err(|_| serde::de::Error::custom(format!("there is no mistake {name}")))
}

fn parsed(json: String) -> serde_json::Result<Value> {
    serde_json::from_str(&json)
}

/// A usage error, as what the command line reports.
fn usage(error: clap::Error) -> anyhow::Error {
    error.into()
}

/// Findings that are told of noted values.
struct FindingsOf<I>(Box<dyn Findings<I>>);

impl<I: Kind> Findings<dyn Noted> for FindingsOf<I> {
    fn on_indication(&mut self, process: ProcessId, indication: &dyn Noted, at_us: u64) {
        // A value that was cut is not known: the result then says nothing of it.
        if let Ok(indication) = indication.get::<I>() {
            self.0.on_indication(process, &indication, at_us);
        }
    }

    fn on_crash(&mut self, process: ProcessId, at_us: u64) {
        self.0.on_crash(process, at_us);
    }

    fn lines(&self, summary: &Summary) -> Vec<String> {
        self.0.lines(summary)
    }

    fn json(&self, summary: &Summary) -> Value {
        self.0.json(summary)
    }

    fn of_process(&self, process: ProcessId) -> Vec<(&'static str, Value)> {
        self.0.of_process(process)
    }
}

/// A simulation of a process of any type, recorded.
pub(crate) trait Simulated {
    /// Sets what goes wrong, before it begins: by plan, and these processes at these times.
    fn suffer(
        self: Box<Self>,
        faults: &Plan,
        crashes: &[(u32, Duration)],
        seed: u64,
    ) -> Result<Box<dyn Simulated>, SimulationError>;

    /// Says before and after each step where it is.
    fn watched(self: Box<Self>, whereabouts: Whereabouts) -> Box<dyn Simulated>;

    /// Measures the size of each message.
    fn measure(self: Box<Self>) -> Box<dyn Simulated>;

    /// Lets things happen until a limit is reached. `findings` hears each indication.
    fn run(&mut self, limits: Limits, findings: &mut dyn Findings<dyn Noted>) -> Ended;

    fn events(&self) -> u64;

    /// Whether some event broke a property for good.
    fn is_violated(&self) -> bool;
    fn scheduled(&self) -> usize;
    fn now(&self) -> Duration;
    fn toll(&self) -> Toll;
    fn mishaps(&self) -> Mishaps;
    fn crashes(&self) -> &[(ProcessId, u64)];
    /// How long the slowest message was under way.
    fn slowest(&self) -> Duration;

    /// Ends it.
    fn finish(self: Box<Self>) -> io::Result<Judge>;
}

impl<P: Process> Simulated for Simulation<P, Recorder> {
    fn suffer(
        mut self: Box<Self>,
        faults: &Plan,
        crashes: &[(u32, Duration)],
        seed: u64,
    ) -> Result<Box<dyn Simulated>, SimulationError> {
        for &(process, at) in crashes {
            self.crash_at(at, ProcessId(process));
        }
        Ok(Box::new(self.with_faults(faults, seed)?))
    }

    fn watched(self: Box<Self>, whereabouts: Whereabouts) -> Box<dyn Simulated> {
        Box::new(Simulation::watched(*self, whereabouts))
    }

    fn measure(self: Box<Self>) -> Box<dyn Simulated> {
        Box::new(self.sizes(message_size))
    }

    fn run(&mut self, limits: Limits, findings: &mut dyn Findings<dyn Noted>) -> Ended {
        self.run_with(limits, |simulation, process, indication| {
            let at_us = simulation.now().as_micros().try_into().unwrap_or(u64::MAX);
            findings.on_indication(process, &indication, at_us);
        })
    }

    fn events(&self) -> u64 {
        self.events()
    }

    fn is_violated(&self) -> bool {
        self.observer().judge().is_violated()
    }

    fn scheduled(&self) -> usize {
        self.scheduled()
    }

    fn now(&self) -> Duration {
        self.now()
    }

    fn toll(&self) -> Toll {
        self.toll()
    }

    fn mishaps(&self) -> Mishaps {
        self.mishaps()
    }

    fn crashes(&self) -> &[(ProcessId, u64)] {
        self.observer().crashes()
    }

    fn slowest(&self) -> Duration {
        self.observer().slowest()
    }

    fn finish(self: Box<Self>) -> io::Result<Judge> {
        self.into_observer().finish()
    }
}

/// What a search found: see [`check::Outcome`].
pub(crate) struct Checked {
    pub(crate) states: usize,
    pub(crate) is_whole: bool,
    pub(crate) max_depth: usize,
    pub(crate) verdicts: Vec<Verdict>,
    pub(crate) counterexample: Option<Box<dyn Shortest>>,
    /// Runs that break liveness properties which that one does not break.
    pub(crate) also: Vec<Box<dyn Shortest>>,
    /// The properties whose verdicts depend on the order of independent steps.
    pub(crate) sees_order: BTreeSet<String>,
}

impl Checked {
    /// All runs that break a property.
    pub(crate) fn found(&self) -> impl Iterator<Item = &dyn Shortest> {
        self.counterexample.iter().chain(&self.also).map(|found| &**found)
    }
}

/// A shortest run that breaks a property, of a process of any type.
pub(crate) trait Shortest {
    /// The name of the property that it breaks.
    fn property(&self) -> &str;

    fn steps(&self) -> &[String];

    /// How many of the steps lead to where the run goes round for ever, if it does.
    fn cycle_from(&self) -> Option<usize>;

    /// The assumptions that it takes away.
    fn broken(&self) -> Vec<Assumption>;

    /// Writes it as a trace.
    fn save(&self, header: &Header, to: Box<dyn Write>) -> io::Result<()>;
}

impl<P: Process> Shortest for Counterexample<P> {
    fn property(&self) -> &str {
        &self.property
    }

    fn steps(&self) -> &[String] {
        &self.steps
    }

    fn cycle_from(&self) -> Option<usize> {
        self.cycle_from
    }

    fn broken(&self) -> Vec<Assumption> {
        Self::broken(self)
    }

    fn save(&self, header: &Header, to: Box<dyn Write>) -> io::Result<()> {
        Self::save(self, header, to).map(drop)
    }
}
