//! What lab 04 demands of its algorithm, what theory says it costs, and its options.

use std::path::{Path, PathBuf};
use std::time::Duration;

use labs::faults::Assumption;
use labs::hunt::{Dial, Grounds};
use labs::lab::{
    BoxedApplication, Deployment, Findings, Lab, Place, Predictions, Remains, Summary, Tools, Verb,
    World, exactly,
};
use labs::overlay::Overlay;
use labs::process::ProcessId;
use labs::text::counted;
use labs::trace::Meaning;
use labs::verdict::{Property, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::book::Book;
use crate::client::Client;
use crate::coordinator::Coordinator;
use crate::messages::{COORDINATOR, Indication, Request, Times, Work};
use crate::mistake::Mistake;
use crate::mutex::Mutex;
use crate::properties::{
    Answers, Entries, FirstComeFirstServed, GrowingTokens, MessagesEach, MutualExclusion, OneGrant,
    Rules, Served, Steps, Taking,
};
use crate::roles::Role;
use crate::shared_file::{self, SharedFile};
use crate::state_file::{self, StateFile};

/// Lab 04: what its options come to. Times are in milliseconds.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct MutexCentralLab {
    /// The coordinator and its clients.
    processes: u32,
    /// How many times each client enters its critical section.
    entries: u64,
    /// How long it works there, at least.
    work: u64,
    /// And at most, if that is another time.
    #[serde(default)]
    work_max: Option<u64>,
    /// How long it may stay there; 0: for ever.
    lease: u64,
    /// After how long without an answer it asks again; 0: never.
    retry: u64,
    /// How many times in a row it asks again in vain before it gives up.
    #[serde(default = "usual_retries")]
    retries: u32,
    /// The file that all clients write to in their critical sections.
    #[serde(default, with = "labs::files::exact::option")]
    file: Option<PathBuf>,
    /// Where the coordinator stores its book.
    #[serde(default, with = "labs::files::exact::option")]
    state: Option<PathBuf>,
    /// Whether the coordinator has stable storage.
    keeps: bool,
    /// How long messages and steps may take.
    #[serde(default)]
    delays: Delays,
    /// Whether time passes. In `check` every lease may be over at any moment.
    has_time: bool,
}

/// How long messages and steps may take.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, clap::ValueEnum)]
pub enum Delays {
    /// Less than a quarter of a lease.
    #[default]
    Bounded,
    /// As long as they like: leases keep no sections apart then, and nobody is sure to get done.
    Any,
}

/// The lab's own options.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// How many clients want to enter; p0 is the coordinator [default: one less than --processes]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    clients: Option<u32>,
    /// How many times each client enters its critical section [default: 5, in `check` 1]
    #[arg(long, value_name = "K")]
    entries: Option<u64>,
    /// How long a client works in its critical section, in milliseconds; A..B: drawn anew for each section
    #[arg(long, value_name = "MS", default_value = "0", value_parser = work)]
    work: Work,
    /// How long a client may stay in its critical section, in milliseconds; 0: for ever
    /// [default: 2000, in `check` 0]
    #[arg(long, value_name = "MS")]
    lease: Option<u64>,
    /// After how long without an answer a client asks again, in milliseconds; 0: never
    /// [default: 500, in `check` 0]
    #[arg(long, value_name = "MS")]
    retry: Option<u64>,
    /// How many times in a row a client asks again in vain before it gives up
    #[arg(long, value_name = "N", default_value_t = usual_retries())]
    retries: u32,
    /// How long messages and steps may take; if any time, mutual exclusion is not asked for, but all else that never fails
    #[arg(long, value_enum, default_value_t)]
    delays: Delays,
    /// The file that all clients write to in their critical sections, on a disk that all machines share;
    /// it must not exist or be empty. In `run` only [default: none]
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Where the coordinator stores what it must not forget, so that it can be started again
    /// (`--faults 'kill 0 at 1s; restart 0 at 2s'`); it must not exist. In `run` only, for in a model
    /// everybody has stable storage [default: none]
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
}

/// How many times in a row a client asks again and hears nothing before it gives up, unless told otherwise: with the
/// usual pause of half a second, ten seconds. A coordinator that lives answers each time.
fn usual_retries() -> u32 {
    20
}

/// The most tries in vain: more than anybody waits for, and far from where counting them overflows.
const RETRIES_MAX: u32 = 1_000_000;

/// The most processes of which it is judged what the coordinator stores: the book of more may be larger than what a
/// trace keeps of an indication.
const STORED_MAX: u32 = 60;

/// More entries of each client than anybody waits for, and far from where counting messages overflows.
const ENTRIES_MAX: u64 = 1 << 32;

/// The longest time that an option may name, in milliseconds: an hour is longer than any run.
const TIME_MAX: u64 = 3_600_000;

impl Options {
    /// The files that are asked for: that of the clients, and that of the coordinator.
    fn files(&self, verb: Verb) -> Result<[Option<PathBuf>; 2], String> {
        let prepared = |name: &str, path: &Option<PathBuf>| match path {
            None => Ok(None),
            Some(_) if verb != Verb::Run => {
                Err(format!("--{name}: nobody writes to a file in a model; use it with `run`"))
            }
            Some(path) => labs::shared_file::prepare(path)
                .map(Some)
                .map_err(|error| format!("cannot use --{name} {}: {error}", path.display())),
        };
        let files = [prepared("file", &self.file)?, prepared("state", &self.state)?];
        if let Some(state) = files[1].as_ref().filter(|state| state.exists()) {
            return Err(format!(
                "cannot use --state {}: it is there already, and empty: remove it, or name another",
                state.display()
            ));
        }
        if let [Some(file), Some(state)] = &files {
            labs::files::check_other(state, file)
                .map_err(|error| format!("cannot use --state {}: {error}", state.display()))?;
        }
        Ok(files)
    }
}

/// How long work takes, as it is typed: `20`, or `5..20`.
fn work(text: &str) -> Result<Work, String> {
    let number = |text: &str| {
        text.trim().parse().map_err(|_| format!("{text:?} is no number of milliseconds"))
    };
    let (least, most) = text.split_once("..").unwrap_or((text, text));
    let (least_ms, most_ms) = (number(least)?, number(most)?);
    match least_ms <= most_ms {
        true => Ok(Work { least_ms, most_ms }),
        false => Err(format!("the first time is the shorter one: {most_ms}..{least_ms}")),
    }
}

/// What is wrong with these times, if anything is.
fn check_times(work: Work, lease: u64, retry: u64) -> Result<(), String> {
    for (name, time) in [("work", work.most_ms), ("lease", lease), ("retry", retry)] {
        if time > TIME_MAX {
            return Err(format!("--{name} {time}: at most {TIME_MAX}"));
        }
    }
    let least = work.least_ms;
    if lease > 0 && least >= lease {
        return Err(format!(
            "--work {least} with --lease {lease}: the lease would always be over before the work is done; \
             give a longer lease, or --lease 0"
        ));
    }
    Ok(())
}

impl Lab for MutexCentralLab {
    const NAME: &'static str = "mutex-central";
    const ABOUT: &'static str = "Mutual exclusion by a coordinator, with leases and fencing tokens";
    const CHECK_PROCESSES: u32 = 4;
    /// Leases outlast what messages and steps take. All else may happen: clients ask again, and a coordinator
    /// with stable storage may die and start again.
    const ASSUMES: &'static [Assumption] = &[Assumption::BoundedDelay];

    /// Leases outlast what messages take. Some are over before the work is done, some clients ask again before they can
    /// have heard, and some give up soon.
    const HUNT: Grounds = Grounds {
        dials: &[
            Dial::numbers("--entries", 1, 5),
            Dial::words("--work", &["0", "1", "5", "20", "0..150"]),
            Dial::words("--lease", &["20", "100", "1000", "2000"]),
            Dial::words("--retry", &["20", "300", "500"]),
            Dial::words("--retries", &["1", "3", "20"]),
            Dial::words("--delays", &["bounded", "any"]),
        ],
        latency_max_ms: 50,
        ..Grounds::USUAL
    };

    const TOOLS: Tools = Tools::of::<Role>();

    type Options = Options;
    type Process = Mutex;
    type Mistake = Mistake;

    fn plan(options: Options, world: &World) -> Result<Self, String> {
        let meant = options.clients.map(|clients| clients.saturating_add(1));
        let processes = world.processes::<Self>(meant)?;
        let is_check = world.verb == Verb::Check;
        let usual = |in_check, elsewhere| if is_check { in_check } else { elsewhere };
        let Work { least_ms: work, most_ms } = options.work;
        let work_max = (most_ms > work).then_some(most_ms);
        let entries = options.entries.unwrap_or(usual(1, 5));
        let lease = options.lease.unwrap_or(usual(0, 2_000));
        let retry = options.retry.unwrap_or(usual(0, 500));
        if entries > ENTRIES_MAX {
            return Err(format!("--entries {entries}: at most {ENTRIES_MAX}"));
        }
        if options.retries > RETRIES_MAX {
            return Err(format!("--retries {}: at most {RETRIES_MAX}", options.retries));
        }
        check_times(options.work, lease, retry)?;
        let [file, state] = options.files(world.verb)?;
        // In a model everybody has stable storage.
        let keeps = world.verb != Verb::Run || state.is_some();
        Ok(Self {
            processes,
            entries,
            work,
            work_max,
            lease,
            retry,
            retries: options.retries,
            file,
            state,
            keeps,
            delays: options.delays,
            has_time: !is_check,
        })
    }

    fn processes(&self) -> u32 {
        self.processes
    }

    /// A client that asks once must be heard.
    fn assumes(&self) -> &'static [Assumption] {
        match (self.retry, self.delays) {
            (0, Delays::Bounded) => &[Assumption::BoundedDelay, Assumption::Reliable],
            (0, Delays::Any) => &[Assumption::Reliable],
            (_, Delays::Bounded) => Self::ASSUMES,
            (_, Delays::Any) => &[],
        }
    }

    /// All wait for the coordinator; and for a client that dies inside, where no lease is over in the end.
    fn survives(&self, process: ProcessId) -> bool {
        process != COORDINATOR && self.lease > 0
    }

    fn process(&self, place: &Place) -> Mutex {
        let ms = Duration::from_millis;
        let (lease, retry) = (ms(self.lease), ms(self.retry));
        let times = Times { work: self.work(), lease, retry, retries: self.retries };
        if place.me != COORDINATOR {
            return Mutex::Client(Client::new(times, self.entries));
        }
        let coordinator = Coordinator::new(times);
        Mutex::Coordinator(match self.keeps {
            true => coordinator.with_book(Book::default()),
            false => coordinator,
        })
    }

    fn properties(&self) -> Vec<Property> {
        let n = self.processes;
        let mut demanded = vec![
            Property::safety("fencing tokens grow", GrowingTokens::new(n)),
            Property::safety("first come, first served", FirstComeFirstServed::default()),
            Property::safety("3 messages an entry", MessagesEach::default()),
            Property::safety("each step does its part", Steps::new(self.is_stored(), self.retries)),
            Property::safety("every answer fits its question", Answers::new(self.rules())),
            Property::safety("every grant is taken or declined", Taking::default()),
        ];
        if self.has_time || self.lease > 0 {
            demanded.insert(0, Property::safety("one grant at a time", OneGrant::new(n)));
        }
        // A lease that may be over at any moment keeps no sections apart.
        if self.keeps_time() || self.lease == 0 {
            demanded.insert(0, Property::safety("mutual exclusion", MutualExclusion::new(n)));
        }
        // Where a lease may be over at any moment, any number of times, nobody gets done; so `check` bounds
        // timeouts, and can then not tell what would have come in the end.
        if self.keeps_time() || self.lease + self.retry == 0 {
            demanded.push(self.response());
            let entries = Entries::new(n, self.entries);
            demanded.push(Property::liveness("every client enters K times", entries));
        }
        demanded
    }

    fn predicted(&self) -> Predictions {
        let n = self.sections();
        exactly([("REQUEST", n), ("GRANT", n), ("RELEASE", n)])
    }

    fn predicted_unless(&self) -> &'static [&'static str] {
        &["Retry", "Lease", "Revoked", "Over", "Expired", "Declined", "Dropped", "GaveUp"]
    }

    /// Each client's work, and its rest after the last; where there are leases, one timeout more of any kind.
    fn timeouts(&self) -> u32 {
        let more = u64::from(self.lease + self.retry > 0);
        (self.entries + 1 + more).try_into().unwrap_or(u32::MAX)
    }

    /// A quarter of the lease, as [`crate::mutex`] says. Where the work takes nearly the whole lease RELEASE must be
    /// quicker: the lease and its quarter are what GRANT, the work and RELEASE have together.
    fn delay_max(&self) -> Option<Duration> {
        let lease = Duration::from_millis(self.lease);
        let rest =
            (lease + lease / 4).saturating_sub(Duration::from_millis(self.work_max()).min(lease));
        let has_bound = self.lease > 0 && self.delays == Delays::Bounded;
        has_bound.then(|| (lease / 4).min(rest / 2))
    }

    fn findings(&self) -> Box<dyn Findings<Indication>> {
        let entries = vec![0; self.processes as usize];
        Box::new(MutexFindings { entries, revoked: 0, gave_up: 0 })
    }

    fn meaning(&self) -> Meaning {
        let coordinator = (COORDINATOR, "coordinator".to_owned());
        Meaning::default().section("Entered", &["Left", "Expired"]).roles([coordinator])
    }

    fn deployment(&self) -> Deployment<Self> {
        Deployment {
            survives_crashes: true,
            files: self.file.iter().chain(&self.state).cloned().collect(),
            application: |lab, place| {
                let application: BoxedApplication<Self> = match place.me {
                    COORDINATOR => Box::new(StateFile::open(lab.state.as_deref())?),
                    _ => Box::new(SharedFile::open(lab.file.as_deref(), place)?),
                };
                Ok(application)
            },
            restore: Some(Self::restore),
            // The coordinator serves as long as there are clients, and wants nothing itself.
            is_finished: |indication| {
                matches!(indication, Indication::Ready | Indication::Finished)
            },
            lost: |other| Some(Request::Lost(other)),
            remains: Self::judge_file,
            ..Deployment::over(Overlay::Star)
        }
    }
}

impl MutexCentralLab {
    /// Whether it is judged what the coordinator stores.
    fn is_stored(&self) -> bool {
        self.keeps && self.processes <= STORED_MAX
    }

    /// Every request is served; where there are leases, within so many timeouts of a client that asks again.
    fn response(&self) -> Property {
        let name = "every request is served";
        match self.has_time {
            true => Property::liveness(name, Served::new(self.timeouts_max())),
            // No lease is over, and nobody can give up.
            false => Property::responds(name, "Asked", "Left"),
        }
    }

    /// What the coordinator must keep to. A lease comes to an end after a quarter more; a client that stands in the line
    /// asks again in time with its timer, and is told to wait as often as that runs out in the lease, and once more for
    /// a message under way. Twice as often is allowed, for a machine that is busy.
    fn rules(&self) -> Rules {
        let has_bound = self.keeps_time() && self.lease > 0 && self.retry > 0;
        let waits = |retry: u64| 2 * (self.lease + self.lease / 2).div_ceil(retry) + 1;
        Rules {
            is_atomic: self.keeps && self.state.is_none(),
            lease: Duration::from_millis(self.lease),
            waits_max: has_bound.then(|| waits(self.retry)),
        }
    }

    /// How many times a client that waits may ask again: through the leases of all others, one behind the other and
    /// each a quarter longer, with a message lost in each; and twice as often as it usually asks in vain. Nothing, if a
    /// client may stay inside for ever, or never asks again.
    fn timeouts_max(&self) -> Option<u32> {
        if self.lease == 0 || self.retry == 0 {
            return None;
        }
        let lease = (self.lease + self.lease / 4).div_ceil(self.retry).saturating_add(2);
        let all = u64::from(self.processes).saturating_mul(lease);
        Some(
            u32::try_from(all)
                .unwrap_or(u32::MAX)
                .saturating_add(2 * self.retries.max(usual_retries())),
        )
    }

    /// Whether leases outlast what messages and steps take.
    fn keeps_time(&self) -> bool {
        self.has_time && self.delays == Delays::Bounded
    }

    fn work_max(&self) -> u64 {
        self.work_max.unwrap_or(self.work)
    }

    /// How long work takes. Where no time passes it makes no difference, and need not be drawn.
    fn work(&self) -> Work {
        let most_ms = if self.has_time { self.work_max() } else { self.work };
        Work { least_ms: self.work, most_ms }
    }

    /// How many sections all clients want.
    fn sections(&self) -> u64 {
        u64::from(self.processes - 1) * self.entries
    }

    /// The coordinator goes on with the book that its file holds.
    fn restore(&self, _: &Place, process: Mutex) -> Result<Mutex, String> {
        match (process, &self.state) {
            (Mutex::Coordinator(coordinator), Some(path)) => {
                restored(coordinator, path).map(Mutex::Coordinator)
            }
            (process, _) => Ok(process),
        }
    }

    fn judge_file(&self, remains: Remains) -> Vec<Verdict> {
        let judge = |path: &PathBuf| shared_file::judge(path, self.sections(), remains.one_machine);
        self.file.iter().flat_map(judge).collect()
    }
}

fn restored(coordinator: Coordinator, path: &Path) -> Result<Coordinator, String> {
    Ok(match state_file::load(path)? {
        Some(book) => coordinator.with_book(book),
        None => coordinator,
    })
}

/// What the result is made from.
#[derive(Debug)]
struct MutexFindings {
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

impl Findings<Indication> for MutexFindings {
    fn on_indication(&mut self, process: ProcessId, indication: &Indication, _: u64) {
        match indication {
            Indication::Left(_) => self.entries[process.index()] += 1,
            Indication::Revoked(_) => self.revoked += 1,
            Indication::GaveUp => self.gave_up += 1,
            _ => {}
        }
    }

    fn lines(&self, summary: &Summary) -> Vec<String> {
        let (entries, seconds) = (counted(self.total(), "entry"), summary.elapsed.as_secs_f64());
        let mut lines = vec![match summary.is_virtual {
            true => format!("{entries} in {seconds:.3} s of virtual time"),
            false => {
                format!("{entries} in {seconds:.3} s: {:.0} a second", self.a_second(summary))
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
