//! What lab 04 demands of its algorithm, what theory says it costs, and its options.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use labs::faults::Assumption;
use labs::lab::{BoxedApplication, Findings, Lab, Place, Prediction, Summary, Verb};
use labs::overlay::{Contact, Overlay};
use labs::process::ProcessId;
use labs::trace::Noted;
use labs::verdict::{Spec, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::broken::{Broken, BrokenMutex};
use crate::client::Client;
use crate::coordinator::Coordinator;
use crate::mutex::{COORDINATOR, Indication, Mutex, Request, Times};
use crate::roles::Role;
use crate::shared_file::{self, SharedFile};
use crate::state_file::{self, StateFile};

/// Lab 04.
#[derive(Debug)]
pub struct MutexCentralLab;

/// The lab's own options.
#[derive(Clone, Debug, Deserialize, Serialize, clap::Args)]
pub struct Options {
    /// How many clients want to enter; p0 is the coordinator [default: one less than --processes]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    clients: Option<u32>,
    /// How many times each client enters its critical section [default: 5, in `check` 1]
    #[arg(long, value_name = "K")]
    entries: Option<u64>,
    /// How long a client works in its critical section, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0)]
    work: u64,
    /// How long a client may stay in its critical section, in milliseconds; 0: for ever
    /// [default: 2000, in `check` 0]
    #[arg(long, value_name = "MS")]
    lease: Option<u64>,
    /// After how long without an answer a client asks again, in milliseconds; 0: never
    /// [default: 500, in `check` 0]
    #[arg(long, value_name = "MS")]
    retry: Option<u64>,
    /// The file that all clients write to in their critical sections, on a disk that all machines share;
    /// it must not exist or be empty. In `run` only [default: none]
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Where the coordinator stores what it must not forget, so that it can be started again
    /// (`--faults 'kill 0 at 1s; restart 0 at 2s'`); it must not exist or be empty. In `run` only, for
    /// in a model everybody has stable storage [default: none]
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// In which world this is.
    #[arg(skip)]
    world: World,
}

/// What differs between the worlds.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
enum World {
    #[default]
    Run,
    Simulate,
    Check,
}

/// How many times in a row a client of a run asks again and hears nothing before it gives up: with the usual
/// pause of half a second, ten seconds. A coordinator that lives answers each time.
const RETRIES_MAX: u32 = 20;

/// More entries of each client than anybody waits for, and far from where counting messages overflows.
const ENTRIES_MAX: u64 = 1 << 32;

/// The longest time that an option may name, in milliseconds: an hour is longer than any run.
const TIME_MAX: u64 = 3_600_000;

impl Options {
    /// So many entries of each client, in a model, with these times.
    pub fn new(entries: u64, work: u64, lease: u64, retry: u64) -> Self {
        Self {
            clients: None,
            entries: Some(entries),
            work,
            lease: Some(lease),
            retry: Some(retry),
            file: None,
            state: None,
            world: World::Simulate,
        }
    }

    fn entries(&self) -> u64 {
        self.entries.unwrap_or(0)
    }

    fn times(&self) -> Times {
        let ms = Duration::from_millis;
        Times {
            work: ms(self.work),
            lease: ms(self.lease.unwrap_or(0)),
            retry: ms(self.retry.unwrap_or(0)),
            retries: RETRIES_MAX,
        }
    }

    /// Whether the coordinator has stable storage.
    fn keeps(&self) -> bool {
        self.world != World::Run || self.state.is_some()
    }
}

impl Lab for MutexCentralLab {
    const NAME: &'static str = "mutex-central";
    const ABOUT: &'static str = "Mutual exclusion by a coordinator, with leases and fencing tokens";
    const CHECK_PROCESSES: u32 = 4;
    const CRASHES: bool = true;
    /// Leases outlast what messages and steps take. All else may happen: clients ask again, and a coordinator
    /// with stable storage may die and start again.
    const ASSUMES: &'static [Assumption] = &[Assumption::BoundedDelay];

    type Process = Mutex;
    type BrokenProcess = BrokenMutex;
    type Broken = Broken;
    type Options = Options;
    type Findings = MutexFindings;
    type Tools = Role;

    fn processes(options: &Options, _: Verb) -> Option<u32> {
        options.clients.map(|clients| clients.saturating_add(1))
    }

    fn prepare(options: &mut Options, verb: Verb, _: u32) -> Result<(), String> {
        let is_check = verb == Verb::Check;
        options.world = match verb {
            Verb::Run => World::Run,
            Verb::Simulate => World::Simulate,
            Verb::Check => World::Check,
        };
        let entries = *options.entries.get_or_insert(if is_check { 1 } else { 5 });
        let lease = *options.lease.get_or_insert(if is_check { 0 } else { 2_000 });
        let retry = *options.retry.get_or_insert(if is_check { 0 } else { 500 });
        if entries > ENTRIES_MAX {
            return Err(format!("--entries {entries}: at most {ENTRIES_MAX}"));
        }
        for (name, time) in [("work", options.work), ("lease", lease), ("retry", retry)] {
            if time > TIME_MAX {
                return Err(format!("--{name} {time}: at most {TIME_MAX}"));
            }
        }
        if lease > 0 && options.work >= lease {
            return Err(format!(
                "--work {} with --lease {lease}: the lease would always be over before the work is done; \
                 give a longer lease, or --lease 0",
                options.work
            ));
        }
        for (name, file) in [("file", &mut options.file), ("state", &mut options.state)] {
            let Some(path) = file else { continue };
            if verb != Verb::Run {
                return Err(format!(
                    "--{name}: nobody writes to a file in a model; use it with `run`"
                ));
            }
            *path = labs::shared_file::prepare(path)
                .map_err(|error| format!("cannot use --{name} {}: {error}", path.display()))?;
        }
        if let (Some(file), Some(state)) = (&options.file, &options.state) {
            labs::files::check_other(state, file)
                .map_err(|error| format!("cannot use --state {}: {error}", state.display()))?;
        }
        Ok(())
    }

    fn process(options: &Options, place: &Place) -> Mutex {
        let times = options.times();
        match place.me {
            COORDINATOR => Mutex::Coordinator(Coordinator::new(times, options.keeps())),
            _ => Mutex::Client(Client::new(times, options.entries())),
        }
    }

    fn restore(options: &Options, _: &Place, process: Mutex) -> Result<Mutex, String> {
        match (process, &options.state) {
            (Mutex::Coordinator(coordinator), Some(path)) => {
                Ok(Mutex::Coordinator(match state_file::load(path)? {
                    Some(book) => coordinator.with_book(book),
                    None => coordinator,
                }))
            }
            (process, _) => Ok(process),
        }
    }

    fn broken(process: Mutex, how: &Broken) -> BrokenMutex {
        BrokenMutex::new(process, *how)
    }

    fn properties(options: &Options, _: u32) -> Vec<Spec> {
        let text = str::to_owned;
        let mut demanded = vec![
            Spec::LeasedExclusion {
                enter: text("Entered"),
                exits: ["Left", "Expired"].map(text).into(),
                unused: ["Declined", "Over"].map(text).into(),
                revoked: text("Revoked"),
            },
            Spec::GrowingTokens { enter: text("Entered") },
            Spec::FirstComeFirstServed {
                queued: text("Queued"),
                granted: text("Granted"),
                dropped: text("Dropped"),
            },
            Spec::MessagesEach {
                asked: text("Asked"),
                left: text("Left"),
                messages: ["REQUEST", "GRANT", "RELEASE"].map(text).into(),
                disturbed: ["Revoked", "Over", "Expired", "Declined", "Dropped", "GaveUp"]
                    .map(text)
                    .into(),
            },
        ];
        // Where a lease may be over at any moment, any number of times, nobody gets done; so `check` bounds
        // timeouts, and can then not tell what would have come in the end.
        let times = options.times();
        if options.world != World::Check || (times.lease + times.retry).is_zero() {
            demanded.push(Spec::EveryRequestServed { asked: text("Asked"), served: text("Left") });
        }
        demanded
    }

    fn predicted(options: &Options, processes: u32) -> BTreeMap<String, Prediction> {
        let entries = u64::from(processes - 1) * options.entries();
        ["REQUEST", "GRANT", "RELEASE"]
            .map(|kind| (kind.to_owned(), Prediction::Exactly(entries)))
            .into()
    }

    /// Each client's work, and its rest after the last; where there are leases, one timeout more of any kind.
    fn timeouts(options: &Options) -> u32 {
        let times = options.times();
        let more = u64::from(!(times.lease + times.retry).is_zero());
        (options.entries() + 1 + more).try_into().unwrap_or(u32::MAX)
    }

    fn overlay(_: &Options) -> Overlay {
        Overlay::Star
    }

    fn application(options: &Options, place: &Place) -> io::Result<BoxedApplication<Self>> {
        Ok(match place.me {
            COORDINATOR => Box::new(StateFile::new(options.state.as_deref())),
            _ => Box::new(SharedFile::open(options.file.as_deref(), place)?),
        })
    }

    fn lost(other: ProcessId) -> Option<Request> {
        Some(Request::Lost(other))
    }

    fn contact(_: &Indication) -> Option<&Contact> {
        None
    }

    fn is_finished(indication: &Indication) -> bool {
        // The coordinator serves as long as there are clients, and wants nothing itself.
        matches!(indication, Indication::Ready | Indication::Finished)
    }

    fn files(options: &Options) -> Vec<PathBuf> {
        options.file.iter().chain(&options.state).cloned().collect()
    }

    fn findings(_: &Options, processes: u32) -> MutexFindings {
        MutexFindings { entries: vec![0; processes as usize], revoked: 0, gave_up: 0 }
    }

    fn judge_remains(
        options: &Options,
        processes: u32,
        _: bool,
        one_machine: bool,
    ) -> Vec<Verdict> {
        let expected = u64::from(processes - 1) * options.entries();
        let judge = |path: &PathBuf| shared_file::judge(path, expected, one_machine);
        options.file.iter().flat_map(judge).collect()
    }
}

/// What the result is made from.
#[derive(Debug)]
pub struct MutexFindings {
    /// How often each client entered and left with its work done, by rank.
    entries: Vec<u64>,
    revoked: u64,
    gave_up: u64,
}

impl MutexFindings {
    fn total(&self) -> u64 {
        self.entries.iter().sum()
    }

    fn a_second(&self, summary: &Summary) -> f64 {
        let seconds = summary.elapsed.as_secs_f64();
        if seconds > 0.0 { self.total() as f64 / seconds } else { 0.0 }
    }
}

impl Findings for MutexFindings {
    fn on_indication(&mut self, process: ProcessId, indication: &dyn Noted, _: u64) {
        match &*indication.kind() {
            "Left" => self.entries[process.index()] += 1,
            "Revoked" => self.revoked += 1,
            "GaveUp" => self.gave_up += 1,
            _ => {}
        }
    }

    fn lines(&self, summary: &Summary) -> Vec<String> {
        let (total, seconds) = (self.total(), summary.elapsed.as_secs_f64());
        let mut lines = vec![match summary.is_virtual {
            true => format!("{total} entries in {seconds:.3} s of virtual time"),
            false => {
                format!("{total} entries in {seconds:.3} s: {:.0} a second", self.a_second(summary))
            }
        }];
        if self.revoked > 0 {
            lines.push(format!("grants that were revoked: {}", self.revoked));
        }
        if self.gave_up > 0 {
            lines.push(format!("clients that gave up: {}", self.gave_up));
        }
        lines
    }

    fn json(&self, summary: &Summary) -> serde_json::Value {
        json!({
            "entries": self.total(),
            "entries_per_s": self.a_second(summary),
            "revoked": self.revoked,
            "gave_up": self.gave_up,
        })
    }

    fn of_process(&self, process: ProcessId) -> Vec<(&'static str, serde_json::Value)> {
        let role = if process == COORDINATOR { "coordinator" } else { "client" };
        let entries = match process {
            COORDINATOR => serde_json::Value::Null,
            _ => self.entries[process.index()].into(),
        };
        vec![("role", role.into()), ("entries", entries)]
    }
}
