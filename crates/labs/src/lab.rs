//! What a lab is to the command line, the three worlds and the report.
//!
//! A lab provides an algorithm, what it demands of it, and what theory says it costs. Everything else
//! is shared: see [`crate::cli`].

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::faults::Assumption;
use crate::overlay::{Contact, Overlay};
use crate::process::{Process, ProcessId};
use crate::run::{Launch, Participant};
use crate::simulate::Network;
use crate::trace::{Noted, TraceEvent};
use crate::verdict::{Spec, Verdict};

/// One exercise with an algorithm.
pub trait Lab: Sized + 'static {
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

    /// Whether processes may die or fall silent, and the others go on. Otherwise a real run ends when one
    /// does, and names it.
    const CRASHES: bool = false;

    /// Who starts whom in a real run, unless told otherwise.
    const LAUNCH: Launch = Launch::Star;

    /// The options of the simulated network that a [`study`](Self::study) varies itself, of `--latency` and
    /// `--loss`: beside it they are refused, as it would not heed them.
    const VARIED: &'static [&'static str] = &[];

    /// The algorithm.
    type Process: Process<Message: Serialize + DeserializeOwned>;

    /// The algorithm with a mistake in it, which a property must notice.
    type BrokenProcess: Process<
            Request = <Self::Process as Process>::Request,
            Indication = <Self::Process as Process>::Indication,
            Message = <Self::Process as Process>::Message,
            Timer = <Self::Process as Process>::Timer,
        >;

    /// The mistakes there are.
    type Broken: clap::ValueEnum
        + Clone
        + Debug
        + Send
        + Sync
        + Serialize
        + DeserializeOwned
        + 'static;

    /// The lab's own options.
    type Options: clap::Args + Clone + Debug + Send + Sync + Serialize + DeserializeOwned + 'static;

    /// What the lab's result is made from.
    type Findings: Findings;

    /// The lab's own subcommands beside the three verbs: [`NoTools`](crate::cli::NoTools) if there are none.
    type Tools: crate::cli::Tool;

    /// How many processes the options mean, if they say it: then `--processes` must not say otherwise.
    fn processes(options: &Self::Options, verb: Verb) -> Option<u32> {
        let _ = (options, verb);
        None
    }

    /// Checks the options before anything starts, and completes them.
    ///
    /// # Errors
    ///
    /// One line that says what is wrong and what to do.
    fn prepare(options: &mut Self::Options, verb: Verb, processes: u32) -> Result<(), String>;

    /// Takes the seed of the run, for what the options leave to chance: called once, after
    /// [`prepare`](Self::prepare). Every process of a real run is given the options as they are then.
    fn draw(options: &mut Self::Options, seed: u64) {
        let _ = (options, seed);
    }

    /// Many simulated runs instead of one, if the options ask for them.
    fn study(options: &Self::Options) -> Option<Runs> {
        let _ = options;
        None
    }

    /// The process at `place`.
    fn process(options: &Self::Options, place: &Place) -> Self::Process;

    /// Puts into a process of a real run what stable storage kept of it, if it was there before: called
    /// on its machine, whenever it starts.
    ///
    /// # Errors
    ///
    /// One line that says what is wrong with what was kept, and what to do.
    fn restore(
        options: &Self::Options,
        place: &Place,
        process: Self::Process,
    ) -> Result<Self::Process, String> {
        let _ = (options, place);
        Ok(process)
    }

    /// The same process with a mistake in it.
    fn broken(process: Self::Process, how: &Self::Broken) -> Self::BrokenProcess;

    /// What is demanded of a run.
    fn properties(options: &Self::Options, processes: u32) -> Vec<Spec>;

    /// How many messages of each kind theory predicts.
    fn predicted(options: &Self::Options, processes: u32) -> BTreeMap<String, Prediction>;

    /// How many times the timers of one process run out in a run: a bound for `check`, which would
    /// otherwise let a timer that starts itself again run out for ever.
    fn timeouts(options: &Self::Options) -> u32;

    /// What the application of each process asks for, in this order: right after the start in `run` and
    /// `simulate`, at any time in `check`.
    fn requests(
        options: &Self::Options,
        process: ProcessId,
        processes: u32,
    ) -> Vec<<Self::Process as Process>::Request> {
        let _ = (options, process, processes);
        Vec::new()
    }

    /// How the processes of a real run are connected before they start.
    fn overlay(options: &Self::Options) -> Overlay;

    /// What a process of a real run does with its indications.
    ///
    /// # Errors
    ///
    /// If something that it needs is not there.
    fn application(options: &Self::Options, place: &Place) -> io::Result<BoxedApplication<Self>>;

    /// What a process of a real run is asked when its connection to another one ends: nothing, unless the
    /// algorithm makes something of it. That a connection ended says that the other one died, or that the
    /// way to it is cut, and nobody can tell which.
    fn lost(other: ProcessId) -> Option<<Self::Process as Process>::Request> {
        let _ = other;
        None
    }

    /// A process to connect to, if the indication says so.
    fn contact(indication: &<Self::Process as Process>::Indication) -> Option<&Contact>;

    /// Whether the indication says that the process has done all it has to do.
    fn is_finished(indication: &<Self::Process as Process>::Indication) -> bool;

    /// The files that the options name, so that nothing else is written to them.
    fn files(options: &Self::Options) -> Vec<std::path::PathBuf> {
        let _ = options;
        Vec::new()
    }

    /// Collects what the result is made from.
    fn findings(options: &Self::Options, processes: u32) -> Self::Findings;

    /// What is shown of a real run while it goes on, if the lab has something to show.
    fn screen(options: &Self::Options, processes: u32) -> Option<Box<dyn Screen>> {
        let _ = (options, processes);
        None
    }

    /// Judges what a real run left outside the program, once it has ended. `complete` says whether the
    /// run came to its end, `one_machine` whether all its processes were on this machine.
    fn judge_remains(
        options: &Self::Options,
        processes: u32,
        complete: bool,
        one_machine: bool,
    ) -> Vec<Verdict> {
        let _ = (options, processes, complete, one_machine);
        Vec::new()
    }
}

/// The application of a lab's process.
pub type BoxedApplication<L> = Box<
    dyn Application<
            <<L as Lab>::Process as Process>::Indication,
            <<L as Lab>::Process as Process>::Request,
        >,
>;

/// An application that wants nothing of its process, and does nothing with what it is told.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl<I, R> Application<I, R> for Silent {
    fn on_indication(&mut self, _: &I) -> io::Result<Vec<R>> {
        Ok(Vec::new())
    }
}

/// Many simulated runs, from a seed on a network. They fail if they cannot be run, or if what came of
/// them cannot be written.
pub type Runs = Box<dyn FnOnce(u64, &Network) -> io::Result<Study>>;

/// What many simulated runs showed: see [`Lab::study`].
#[derive(Clone, Debug)]
pub struct Study {
    /// How many processes the largest run had.
    pub processes: u32,
    /// The lines of the report for people.
    pub lines: Vec<String>,
    /// The same for programs.
    pub result: serde_json::Value,
    /// Whether each property held in all runs.
    pub verdicts: Vec<Verdict>,
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

/// What a lab's result is made from.
pub trait Findings {
    /// A process told its application something, so many microseconds after the start.
    fn on_indication(&mut self, process: ProcessId, indication: &dyn Noted, at_us: u64);

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

/// What every run measures.
#[derive(Clone, Debug)]
pub struct Summary {
    /// How many messages of each kind were sent.
    pub messages: BTreeMap<String, u64>,
    /// From the start of the algorithm to its end.
    pub elapsed: std::time::Duration,
    /// Whether that is virtual time.
    pub is_virtual: bool,
}

/// How many messages theory predicts.
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
}
