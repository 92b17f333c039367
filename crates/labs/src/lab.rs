//! What a lab is to the command line, the three worlds and the report.
//!
//! A lab is a value: what its options come to, in one world, for so many processes. It says how its
//! processes are made, what is demanded of a run, and what theory predicts. Everything else is shared: see
//! [`crate::cli`].

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::faults::Assumption;
use crate::hunt::Grounds;
use crate::mutant::Mistake;
use crate::overlay::{Contact, Overlay};
use crate::process::{Kind, Process, ProcessId};
use crate::simulate::Network;
use crate::trace::{Meaning, TraceEvent};
use crate::verdict::{Cost, Property, Times, Verdict};

/// One exercise with an algorithm.
///
/// Nine items must be said; the others have defaults that fit most algorithms.
pub trait Lab: Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The name of the lab, its package and its binary: `token-ring`.
    const NAME: &'static str;

    /// One line on what it is.
    const ABOUT: &'static str;

    /// How many processes `run` and `simulate` have unless told otherwise.
    const PROCESSES: u32 = 5;

    /// How many processes `check` has unless told otherwise.
    const CHECK_PROCESSES: u32 = 3;

    /// The fewest processes that the algorithm is defined for.
    const PROCESSES_MIN: u32 = 2;

    /// What the algorithm assumes of its world. A plan of faults may take it away; then the report says so,
    /// and what fails is not the algorithm's fault.
    const ASSUMES: &'static [Assumption] =
        &[Assumption::Fifo, Assumption::Reliable, Assumption::NoDuplicates, Assumption::NoCrash];

    /// The options of the simulated network that a [`study`](Self::study) varies itself, of `--latency` and
    /// `--loss`: beside it they are refused, as it would not heed them.
    const VARIED: &'static [&'static str] = &[];

    /// Options of `simulate` that it takes unless they are typed, so that a run shows what the lab is about:
    /// an option and its value in turn.
    const USUAL: &'static [&'static str] = &[];

    /// What a hunt may draw, beside what [`ASSUMES`](Self::ASSUMES) leaves open.
    const HUNT: Grounds = Grounds::USUAL;

    /// The lab's own subcommands beside the verbs.
    const TOOLS: Tools = Tools::NONE;

    /// The lab's own options: what is typed.
    type Options: clap::Args;

    /// The algorithm.
    type Process: Process;

    /// The mistakes there are: [`NoMistake`](crate::mutant::NoMistake) if there are none.
    type Mistake: Mistake<Self::Process>;

    /// What the options mean in this world: checked and completed, before anything starts.
    ///
    /// # Errors
    ///
    /// One line that says what is wrong and what to do.
    fn plan(options: Self::Options, world: &World) -> Result<Self, String>;

    /// How many processes there are.
    fn processes(&self) -> u32;

    /// The process at `place`.
    fn process(&self, place: &Place) -> Self::Process;

    /// What is demanded of a run, beside its cost.
    fn properties(&self) -> Vec<Property>;

    /// How many messages of each kind theory predicts. Every run is judged by it: see
    /// [`demanded`](Self::demanded).
    fn predicted(&self) -> Predictions {
        Predictions::default()
    }

    /// What makes a run cost something else than predicted: kinds of indications (`GaveUp`), requests and
    /// timers (`Retry`). After the first of these the messages are not judged, nor after a crash or where a
    /// message was lost or doubled.
    fn predicted_unless(&self) -> &'static [&'static str] {
        &[]
    }

    /// All that a run is judged by: the properties of the lab, and that it cost what is predicted.
    fn demanded(&self) -> Vec<Property> {
        let predicted = self.predicted();
        let mut demanded = self.properties();
        if !predicted.is_empty() {
            demanded.push(Property::as_predicted(Cost {
                messages: predicted.iter().map(|(kind, n)| (kind.clone(), n.times())).collect(),
                unless: self.predicted_unless().iter().map(|kind| (*kind).to_owned()).collect(),
                in_order: Self::ASSUMES.contains(&Assumption::Fifo),
            }));
        }
        demanded
    }

    /// How many times the timers of one process run out in a run: a bound for `check`, which would
    /// otherwise let a timer that starts itself again run out for ever.
    fn timeouts(&self) -> u32 {
        0
    }

    /// How long the processes work, if the options say it: the time-out follows from that, and one that is
    /// given and shorter is refused. Nothing, if a run lasts as long as it takes.
    fn lasts(&self) -> Option<Duration> {
        None
    }

    /// What goes wrong in `simulate` unless the command line says what goes wrong, or how messages travel: a plan
    /// as one types it behind `--faults`. For algorithms that are about faults, so that a run shows what they do. Nothing,
    /// if a run without faults shows it.
    fn usual_faults(&self) -> String {
        String::new()
    }

    /// How long a message may be under way where the algorithm assumes
    /// [bounded delay](Assumption::BoundedDelay): one that takes as long, or longer, takes the assumption away.
    /// Nothing, if the options leave nothing to assume.
    fn delay_max(&self) -> Option<Duration> {
        None
    }

    /// What the application of each process asks for, in this order: right after the start in `run` and
    /// `simulate`, at any time in `check`.
    fn requests(&self, process: ProcessId) -> Vec<RequestOf<Self>> {
        let _ = process;
        Vec::new()
    }

    /// Collects what the lab's own part of the report is made from.
    fn findings(&self) -> Box<dyn Findings<IndicationOf<Self>>> {
        Box::new(Nothing)
    }

    /// How indications are drawn that are not drawn by their usual names, or by a pattern; and what processes are,
    /// where not all are alike.
    fn meaning(&self) -> Meaning {
        Meaning::default()
    }

    /// Whether something can notice this mistake, with these options. If nothing can, the error says what to
    /// type instead, and the run is refused.
    ///
    /// # Errors
    ///
    /// If nothing can.
    fn shows(&self, mistake: &Self::Mistake) -> Result<(), String> {
        let _ = mistake;
        Ok(())
    }

    /// What the algorithm assumes with these options, if that is not the same with all of them.
    fn assumes(&self) -> &'static [Assumption] {
        Self::ASSUMES
    }

    /// Whether the algorithm goes on when this process dies and does not start again. It matters where
    /// [`ASSUMES`](Self::ASSUMES) lets processes die.
    fn survives(&self, process: ProcessId) -> bool {
        let _ = process;
        true
    }

    /// Many simulated runs instead of one, if the options ask for them.
    fn study(&self) -> Option<Runs> {
        None
    }

    /// What only real processes need.
    fn deployment(&self) -> Deployment<Self> {
        Deployment::over(Overlay::Complete)
    }
}

/// What the application of a lab's processes asks for.
pub type RequestOf<L> = <<L as Lab>::Process as Process>::Request;

/// What a lab's processes tell their application.
pub type IndicationOf<L> = <<L as Lab>::Process as Process>::Indication;

/// The world that a lab is planned for.
#[derive(Clone, Copy, Debug)]
pub struct World {
    /// Which world.
    pub verb: Verb,
    /// How many processes `--processes` asks for; nothing if it is not given.
    pub processes: Option<u32>,
    /// What random choices are drawn from. Every process of a real run is made from the lab as it is after
    /// planning, and sees what was drawn then.
    pub seed: u64,
}

impl World {
    /// How many processes there are: what the lab's options `mean`, if they say it, else what was asked
    /// for, else the usual number.
    ///
    /// # Errors
    ///
    /// If both say something, and not the same; or if the lab, or the world, cannot have so many.
    pub fn processes<L: Lab>(&self, mean: Option<u32>) -> Result<u32, String> {
        if let (Some(given), Some(mean)) = (self.processes, mean)
            && given != mean
        {
            return Err(format!(
                "--processes {given}: the other options mean {mean}; leave one of them out"
            ));
        }
        let usual = if self.verb == Verb::Check { L::CHECK_PROCESSES } else { L::PROCESSES };
        let processes = self.processes.or(mean).unwrap_or(usual);
        let (min, max, verb) = (L::PROCESSES_MIN, self.verb.processes_max(), self.verb.name());
        match (min..=max).contains(&processes) {
            true => Ok(processes),
            false => Err(format!("--processes {processes}: {verb} takes {min} to {max}")),
        }
    }
}

/// Which world a lab runs in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verb {
    /// Real processes.
    Run,
    /// Virtual time.
    Simulate,
    /// Every order.
    Check,
}

impl Verb {
    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Simulate => "simulate",
            Self::Check => "check",
        }
    }

    /// The most processes that there may be.
    pub fn processes_max(self) -> u32 {
        match self {
            // Each is a program of its own.
            Self::Run => 1_024,
            Self::Simulate => crate::simulate::PROCESSES_MAX,
            // Beyond a few no machine has the memory anyway.
            Self::Check => 16,
        }
    }
}

/// What a lab needs where its processes are real: how they are connected and started, what their
/// application does, and what is looked at afterwards.
#[derive(Debug)]
pub struct Deployment<L: Lab> {
    /// How the processes are connected before they start.
    pub overlay: Overlay,
    /// Who starts whom, unless told otherwise.
    pub launch: Launch,
    /// Whether processes may die or fall silent, and the others go on. Otherwise a run ends when one does,
    /// and names it.
    pub survives_crashes: bool,
    /// The files that the options name, so that nothing else is written to them.
    pub files: Vec<PathBuf>,
    /// What a process does with its indications. It fails if something that it needs is not there.
    pub application: fn(&L, &Place) -> io::Result<BoxedApplication<L>>,
    /// Puts into a process what a file of the lab's own kept of it, if it was there before. It is called on
    /// the machine of the process, whenever the process starts. An error says in one line what is wrong with
    /// what was kept, and what to do. Most labs need none: a process that starts again in the same run goes on
    /// from what [`Process::recovered`] gives. This is for what must outlive the run.
    pub restore: Option<Restore<L, L::Process>>,
    /// A process to connect to, if the indication says so.
    pub contact: fn(&IndicationOf<L>) -> Option<&Contact>,
    /// Whether the indication says that the process has done all it has to do: unless told otherwise, one
    /// of kind `Finished`.
    pub is_finished: fn(&IndicationOf<L>) -> bool,
    /// What a process is asked when its connection to another one ends: nothing, unless the algorithm
    /// makes something of it. A connection that ends means a dead process or a cut cable; nobody can tell
    /// which.
    pub lost: fn(ProcessId) -> Option<RequestOf<L>>,
    /// What is shown of a run while it goes on, if the lab has something to show.
    pub screen: fn(&L) -> Option<Box<dyn Screen>>,
    /// Judges what a run left outside the program, once it has ended.
    pub remains: fn(&L, Remains) -> Vec<Verdict>,
}

impl<L: Lab> Deployment<L> {
    /// Processes that are connected so, and need nothing else.
    pub fn over(overlay: Overlay) -> Self {
        Self {
            overlay,
            launch: Launch::Star,
            survives_crashes: false,
            files: Vec::new(),
            application: |_, _| Ok(Box::new(Silent)),
            restore: None,
            contact: |_| None,
            is_finished: |indication| indication.kind() == "Finished",
            lost: |_| None,
            screen: |_| None,
            remains: |_, _| Vec::new(),
        }
    }
}

/// Puts into the process of a lab what stable storage kept of it.
pub type Restore<L, P> = fn(&L, &Place, P) -> Result<P, String>;

/// How a real run ended, for what it left behind.
#[derive(Clone, Copy, Debug)]
pub struct Remains {
    /// Whether the run came to its end.
    pub complete: bool,
    /// Whether all its processes were on this machine.
    pub one_machine: bool,
}

/// Who starts whom.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, clap::ValueEnum)]
pub enum Launch {
    /// The launcher starts all participants.
    #[default]
    Star,
    /// The launcher starts the first, and each starts the next from its own machine.
    Chain,
    /// The launcher starts the first, and each starts those below it in the overlay.
    Tree,
}

/// What is known of one participant of a real run.
#[derive(Clone, Debug)]
pub struct Participant {
    /// Its machine as the host file names it.
    pub host: String,
    /// Its process id there; 0 if it never joined.
    pub pid: u32,
    /// Its log file there.
    pub log: String,
}

/// Where a process is.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Place {
    /// Which process.
    pub me: ProcessId,
    /// Of how many.
    pub processes: u32,
    /// On which machine.
    pub host: String,
    /// Its process id there; in the simulator its rank.
    pub pid: u32,
    /// The address on which it can be reached; empty in the simulator.
    pub address: String,
}

impl Place {
    /// The place of a process that exists only in the simulator or the checker.
    pub fn simulated(rank: u32, processes: u32) -> Self {
        let me = ProcessId(rank);
        Self { me, processes, host: "sim".to_owned(), pid: rank, address: String::new() }
    }

    /// `host/pid`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.host, self.pid)
    }

    /// What others must know to connect to it.
    pub fn contact(&self) -> Contact {
        Contact { process: self.me, address: self.address.clone() }
    }
}

/// The application of a process in a real run: what it does with what the algorithm tells it (`I`), and
/// what it asks of it (`R`).
pub trait Application<I, R> {
    /// The process told its application something. Returns what is asked next.
    ///
    /// # Errors
    ///
    /// If it cannot be done, and the run must end.
    fn on_indication(&mut self, indication: &I) -> io::Result<Vec<R>>;

    /// Brings to the disk what it was told since the last time. The messages that the process has sent
    /// since then leave when this has returned: many indications share one wait for the disk.
    ///
    /// # Errors
    ///
    /// If it cannot be done. Then the run must end, and none of these messages may leave.
    fn commit(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The application of a lab's process.
pub type BoxedApplication<L> = Box<dyn Application<IndicationOf<L>, RequestOf<L>>>;

/// An application that wants nothing of its process, and does nothing with what it is told.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl<I, R> Application<I, R> for Silent {
    fn on_indication(&mut self, _: &I) -> io::Result<Vec<R>> {
        Ok(Vec::new())
    }
}

/// What is shown of a real run while it goes on: a picture on a terminal, lines in a pipe, JSON for programs.
/// One of these three is asked for, and the same one for the whole run.
pub trait Screen {
    /// The algorithm starts on these processes, by rank.
    fn on_start(&mut self, participants: &[Participant]) {
        let _ = participants;
    }

    /// Something happened. The events of one process come in order, those of several as they arrive. Returns
    /// what is said of it in a pipe.
    fn on_event(&mut self, event: &TraceEvent) -> Option<String>;

    /// The same for programs, called instead where `--json` is given. Returns an object whose `event` names it:
    /// unless the lab has its own, the text as `{"event":"said","text":...}`.
    fn on_event_json(&mut self, event: &TraceEvent) -> Option<serde_json::Value> {
        let text = self.on_event(event)?;
        Some(serde_json::json!({ "event": "said", "text": text }))
    }

    /// The picture as it is now, on a terminal of so many columns and lines.
    fn lines(&self, width: usize, height: usize) -> Vec<String>;
}

/// What the lab's own part of a report is made from. `I` is what processes tell their application.
pub trait Findings<I: ?Sized> {
    /// A process told its application something, so many microseconds after the start.
    fn on_indication(&mut self, process: ProcessId, indication: &I, at_us: u64);

    /// A process died, so many microseconds after the start: in a real run, when its launcher noticed. Told
    /// after all indications, or among them.
    fn on_crash(&mut self, process: ProcessId, at_us: u64) {
        let _ = (process, at_us);
    }

    /// The lab's own lines of the report.
    fn lines(&self, summary: &Summary) -> Vec<String>;

    /// The same for programs.
    fn json(&self, summary: &Summary) -> serde_json::Value;

    /// What the result knows of one process, each under a title: columns of the report's table of
    /// processes. The same titles for all.
    fn of_process(&self, process: ProcessId) -> Vec<(&'static str, serde_json::Value)> {
        let _ = process;
        Vec::new()
    }
}

/// The findings of a lab that has no result of its own.
#[derive(Clone, Copy, Debug)]
pub struct Nothing;

impl<I: ?Sized> Findings<I> for Nothing {
    fn on_indication(&mut self, _: ProcessId, _: &I, _: u64) {}

    fn lines(&self, _: &Summary) -> Vec<String> {
        Vec::new()
    }

    fn json(&self, _: &Summary) -> serde_json::Value {
        serde_json::Value::Null
    }
}

/// What every run measures.
#[derive(Clone, Debug)]
pub struct Summary {
    /// How many messages of each kind were sent.
    pub messages: BTreeMap<String, u64>,
    /// From the start of the algorithm to its end.
    pub elapsed: Duration,
    /// Whether that is virtual time.
    pub is_virtual: bool,
}

/// How many messages of each kind theory predicts.
pub type Predictions = BTreeMap<String, Prediction>;

/// How many messages of one kind theory predicts.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Prediction {
    /// So many.
    Exactly(u64),
    /// Within bounds, and on average.
    Within {
        /// At least.
        min: u64,
        /// At most.
        max: u64,
        /// On average over what is random.
        mean: f64,
    },
    /// At least so many: theory has a lower bound, and chance or time adds to it.
    AtLeast {
        /// At least.
        min: u64,
    },
}

impl Prediction {
    /// The same as a bound for one run: the average is of many.
    fn times(&self) -> Times {
        match *self {
            Self::Exactly(n) => Times::Exactly(n),
            Self::Within { min, max, .. } => Times::Within(min, max),
            Self::AtLeast { min } => Times::AtLeast(min),
        }
    }
}

/// Exactly so many messages of each of these kinds.
pub fn exactly<const N: usize>(counts: [(&str, u64); N]) -> Predictions {
    counts.map(|(kind, count)| (kind.to_owned(), Prediction::Exactly(count))).into()
}

/// Many simulated runs. They fail if they cannot be run, or if what came of them cannot be written.
pub type Runs = Box<dyn FnOnce(&mut Series<'_>) -> io::Result<Study>>;

/// Where many simulated runs begin, and when they end before the last.
pub struct Series<'a> {
    /// What the seeds of the runs are drawn from.
    pub seed: u64,
    /// How messages travel.
    pub network: &'a Network,
    is_over: &'a mut dyn FnMut() -> bool,
    was_cut: bool,
}

impl<'a> Series<'a> {
    /// `is_over` says whether a person wants no more runs.
    pub fn new(seed: u64, network: &'a Network, is_over: &'a mut dyn FnMut() -> bool) -> Self {
        Self { seed, network, is_over, was_cut: false }
    }

    /// Whether to make one more run: to be asked before each. After the first no there is no yes, and what
    /// was done so far is the study.
    pub fn goes_on(&mut self) -> bool {
        self.was_cut = self.was_cut || (self.is_over)();
        !self.was_cut
    }

    /// Whether runs were left out.
    pub fn was_cut(&self) -> bool {
        self.was_cut
    }
}

impl Debug for Series<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { seed, network, was_cut, .. } = self;
        let mut shown = f.debug_struct("Series");
        shown.field("seed", seed).field("network", network).field("was_cut", was_cut);
        shown.finish_non_exhaustive()
    }
}

/// What many simulated runs showed: see [`Lab::study`].
#[derive(Clone, Debug)]
pub struct Study {
    /// How many processes the largest run had.
    pub processes: u32,
    /// The lines of the report for people.
    pub lines: Vec<String>,
    /// The same for programs.
    pub result: serde_json::Value,
    /// Whether each property held in all runs that were made.
    pub verdicts: Vec<Verdict>,
}

/// Subcommands of one lab beside the verbs.
pub trait Tool: clap::Subcommand {
    /// Does it, and returns the exit status.
    ///
    /// # Errors
    ///
    /// If it could not be done: the error says why, and what to do, and is shown on one line.
    fn run(self) -> anyhow::Result<u8>;
}

/// The subcommands of one lab beside the verbs: see [`Lab::TOOLS`].
#[derive(Clone, Copy, Debug)]
pub struct Tools {
    pub(crate) augment: fn(clap::Command) -> clap::Command,
    pub(crate) run: fn(&clap::ArgMatches) -> anyhow::Result<u8>,
}

impl Tools {
    /// There are none.
    pub const NONE: Self =
        Self { augment: |command| command, run: |_| anyhow::bail!("there is no such subcommand") };

    /// Those of `T`.
    pub const fn of<T: Tool>() -> Self {
        Self { augment: T::augment_subcommands, run: |matches| T::from_arg_matches(matches)?.run() }
    }
}
