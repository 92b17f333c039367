//! What lab 08 demands of its protocols, what theory says they cost, and their options.

pub mod findings;
pub mod tools;

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use labs::hunt::{Dial, Grounds};
use labs::lab::{
    BoxedApplication, Deployment, Findings, Lab, Place, Predictions, Remains, Tools, Verb, World,
    exactly,
};
use labs::overlay::Overlay;
use labs::process::ProcessId;
use labs::verdict::{Property, Verdict};
use serde::{Deserialize, Serialize};

use self::findings::SnapshotFindings;
use crate::bank::{Account, MONEY_MAX};
use crate::checkpoint::{Checkpoint, read};
use crate::claim::Claim;
use crate::counter::Tally;
use crate::pace::Pace;
use crate::properties::{Sending, States, Ticks, demanded};
use crate::snapshot::{Indication, Mistake, Protocol, Schedule, Snapshot};
use crate::store::{Expected, Store};
use crate::wave::Wave;
use crate::work::{State, Work};
use crate::writer::Writer;

/// Lab 08: what its options come to.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ChandyLamportLab {
    processes: u32,
    pub(crate) protocol: Protocol,
    application: Application,
    /// How many waves each initiator starts.
    waves: u32,
    /// How long an initiator waits before each of its waves, in milliseconds.
    every: u64,
    initiators: Vec<u32>,
    /// How long a process waits before each of its messages, in milliseconds.
    tick: u64,
    /// How many messages each of the senders sends at most.
    messages: u64,
    senders: Vec<u32>,
    /// The money that each process of the bank has at first.
    money: u64,
    /// Whether timers run out in their order: in `simulate`. Older traces lack it.
    #[serde(default)]
    timers_in_order: bool,
    /// Where a run of real processes keeps its checkpoints.
    pub(crate) store: Option<Store>,
    /// The wave from which the processes go on, if they do.
    pub(crate) restored: Option<Restored>,
}

/// The lab's own options.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// How a wave is recorded: while the application goes on, or while its messages are held back
    #[arg(long, value_enum, default_value_t)]
    protocol: Protocol,
    /// What is recorded [default: bank]
    #[arg(long, value_enum)]
    pub(crate) application: Option<Application>,
    /// How many waves each initiator starts [default: 3, in `check` 1]
    #[arg(long, value_name = "W")]
    waves: Option<u32>,
    /// How long an initiator waits before each of its waves, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 50)]
    every: u64,
    /// Who starts waves
    #[arg(long, value_name = "P,P,...", value_delimiter = ',', default_value = "0")]
    initiators: Vec<u32>,
    /// How long a process waits before each of its messages, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 5)]
    tick: u64,
    /// How many messages each process sends at most [default: ten times as many as the waves take, in
    /// `check` 1]
    #[arg(long, value_name = "K")]
    messages: Option<u64>,
    /// Who sends messages [default: everyone; in `check` of more than three processes 0,1, for the orders of
    /// more are too many]
    #[arg(long, value_name = "P,P,...", value_delimiter = ',')]
    senders: Option<Vec<u32>>,
    /// The money that each process of the bank has at first [default: 100, in `check` 1]
    #[arg(long, value_name = "M")]
    pub(crate) money: Option<u64>,
    /// The folder for the checkpoints, on a disk that all machines share; it must have none yet. In `run`
    /// only [default: a new one here, checkpoint-1 or the next number]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

/// What is recorded.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, clap::ValueEnum)]
pub enum Application {
    /// Processes send each other money.
    Bank,
    /// Processes count, and tell each other.
    Counter,
}

/// A wave from which processes go on. Each reads its own file: all together may be larger than what a daemon
/// is told when it starts.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Restored {
    /// The folder with its files.
    #[serde(with = "labs::files::exact")]
    pub from: PathBuf,
    /// Whether the run goes on in this folder.
    pub in_place: bool,
    /// The last that was complete.
    pub wave: Wave,
    /// Which execution recorded it.
    pub execution: String,
    /// How many processes it had.
    pub processes: u32,
    /// What its files are worth together.
    pub total: u64,
    /// The number of the next wave.
    pub first: u32,
    /// What is discarded, for people.
    #[serde(skip)]
    pub discarded: Vec<String>,
}

impl Restored {
    /// What one process recorded.
    ///
    /// # Errors
    ///
    /// One line that says what is wrong with its file.
    pub fn checkpoint(&self, process: ProcessId) -> Result<Checkpoint, String> {
        let found = read(&self.from, self.wave, process, self.processes);
        let checkpoint = found.map_err(|error| error.to_string())?;
        if checkpoint.execution != self.execution {
            let (wave, from) = (self.wave, self.from.display());
            return Err(format!("{from}: wave {wave} on this machine is of another execution"));
        }
        Ok(checkpoint)
    }
}

/// Among how many processes at most all send in `check`, and how many do among more: with three senders among four
/// there are some hundred times as many states.
const SENDERS_CHECKED_MAX: u32 = 3;
const SENDERS_CHECKED: u32 = 2;

/// More waves leave more files than a folder is looked through for.
const WAVES_MAX: u32 = 10_000;

/// The longest pause, an hour: beyond any experiment.
const PAUSE_MAX_MS: u64 = 3_600_000;

/// The most entries for a channel and a wave that a model may need: half a gigabyte, measured.
const CHANNELS_MAX: u64 = 5_000_000;

impl ChandyLamportLab {
    /// What the options mean in this world, of processes that go on from a wave, if there is one; with the
    /// claim of its folder, if the checkpoints go there too.
    ///
    /// # Errors
    ///
    /// One line that says what is wrong and what to do.
    pub fn planned(
        options: Options,
        restored: Option<Restored>,
        claim: Option<Claim>,
        world: &World,
    ) -> Result<Self, String> {
        let processes = restored.as_ref().map(|restored| restored.processes);
        let processes = world.processes::<Self>(processes)?;
        let is_check = world.verb == Verb::Check;
        let Options { protocol, every, initiators, tick, dir, .. } = options;
        let waves = options.waves.unwrap_or(if is_check { 1 } else { 3 });
        let ticks = every.saturating_mul(u64::from(waves)).div_ceil(tick.max(1));
        let plenty = ticks.saturating_mul(10).max(100);
        let few = is_check && processes > SENDERS_CHECKED_MAX;
        let usual = || (0..if few { SENDERS_CHECKED } else { processes }).collect();
        let mut lab = Self {
            processes,
            protocol,
            application: options.application.unwrap_or(Application::Bank),
            waves,
            every,
            initiators,
            tick,
            messages: options.messages.unwrap_or(if is_check { 1 } else { plenty }),
            senders: options.senders.unwrap_or_else(usual),
            money: options.money.unwrap_or(if is_check { 1 } else { 100 }),
            timers_in_order: world.verb == Verb::Simulate,
            store: None,
            restored,
        };
        lab.check()?;
        if world.verb == Verb::Run {
            lab.store = Some(Store::open(dir, claim, lab.last(), &lab.expected())?);
        } else if dir.is_some() {
            return Err("--dir: nothing is written in a model; use it with `run`".to_owned());
        } else {
            lab.check_model()?;
        }
        Ok(lab)
    }

    fn check(&self) -> Result<(), String> {
        let Self { processes, waves, every, ref initiators, ref senders, tick, money, .. } = *self;
        if !(1..=WAVES_MAX).contains(&waves) {
            return Err(format!("--waves {waves}: from 1 to {WAVES_MAX}"));
        }
        if self.first().checked_add(waves).is_none() {
            return Err("the numbers of waves are used up in this folder: begin another".to_owned());
        }
        if !(1..=PAUSE_MAX_MS).contains(&tick) {
            return Err(format!("--tick {tick}: from 1 to {PAUSE_MAX_MS} ms"));
        }
        if every > PAUSE_MAX_MS {
            return Err(format!("--every {every}: at most {PAUSE_MAX_MS} ms"));
        }
        if money > MONEY_MAX {
            return Err(format!("--money: at most {MONEY_MAX}"));
        }
        for (option, ranks) in [("--initiators", initiators), ("--senders", senders)] {
            if let Some(p) = ranks.iter().find(|&&p| p >= processes) {
                return Err(format!("{option} {p}: processes are numbered 0 to {}", processes - 1));
            }
            if ranks.iter().collect::<BTreeSet<_>>().len() != ranks.len() {
                return Err(format!("{option}: one is named twice"));
            }
        }
        if initiators.is_empty() {
            return Err("--initiators: somebody must start the waves".to_owned());
        }
        Ok(())
    }

    /// A model keeps something of each channel for each wave that passes.
    fn check_model(&self) -> Result<(), String> {
        let (processes, channels, waves) = (self.processes, self.channels(), self.waves_in_all());
        match channels.saturating_mul(waves) <= CHANNELS_MAX {
            true => Ok(()),
            false => Err(format!(
                "{processes} processes and {waves} waves: channels times waves, {channels} times \
                 {waves}, are at most {CHANNELS_MAX} in a model"
            )),
        }
    }

    fn channels(&self) -> u64 {
        u64::from(self.processes) * u64::from(self.processes - 1)
    }

    /// How many waves there are, over all initiators.
    pub fn waves_in_all(&self) -> u64 {
        u64::from(self.waves) * self.initiators.len() as u64
    }

    /// The number of the first wave.
    fn first(&self) -> u32 {
        self.restored.as_ref().map_or(1, |restored| restored.first)
    }

    /// The number of the last wave.
    fn last(&self) -> u32 {
        self.first().saturating_add(self.waves - 1)
    }

    /// What there is in all, in the application that has something to conserve.
    fn total(&self) -> Option<u64> {
        match (self.application, &self.restored) {
            (Application::Counter, _) => None,
            (Application::Bank, Some(restored)) => Some(restored.total),
            (Application::Bank, None) => Some(self.money * u64::from(self.processes)),
        }
    }

    /// What a run leaves in its folder.
    fn expected(&self) -> Expected {
        let (waves, first, total) = (self.waves_in_all(), self.first(), self.total());
        Expected { processes: self.processes, waves, first, total }
    }

    /// A process that goes on from what it recorded.
    pub fn resumed(&self, checkpoint: Checkpoint) -> Snapshot<Work> {
        self.snapshot(checkpoint.process, checkpoint.state)
            .resuming(checkpoint.held, checkpoint.channels)
    }

    fn snapshot(&self, me: ProcessId, state: State) -> Snapshot<Work> {
        let left = if self.senders.contains(&me.0) { self.messages } else { 0 };
        let pace = Pace { tick: Duration::from_millis(self.tick), left: Some(left) };
        let schedule = Schedule {
            waves: if self.initiators.contains(&me.0) { self.waves } else { 0 },
            every: Duration::from_millis(self.every),
            first: self.first(),
            total: self.waves_in_all(),
        };
        Snapshot::new(Work::new(state, pace), self.protocol, schedule)
    }

    fn application(&self, place: &Place) -> io::Result<BoxedApplication<Self>> {
        let store = self.store.as_ref().ok_or_else(|| io::Error::other("there is no folder"))?;
        let writer = Writer::open(store.dir.clone(), place.clone(), store.owner.clone())?;
        let restored = self.restored.as_ref().filter(|restored| restored.in_place);
        Ok(Box::new(writer.going_on_with(restored.map_or(0, |restored| restored.first))))
    }

    fn restore(&self, place: &Place, process: Snapshot<Work>) -> Result<Snapshot<Work>, String> {
        match &self.restored {
            Some(restored) => restored.checkpoint(place.me).map(|found| self.resumed(found)),
            None => Ok(process),
        }
    }

    fn remains(&self, remains: Remains) -> Vec<Verdict> {
        let store = self.store.iter();
        store.map(|store| store.judge(&self.expected(), remains)).collect()
    }
}

impl Lab for ChandyLamportLab {
    const NAME: &'static str = "chandy-lamport";
    const ABOUT: &'static str =
        "Distributed checkpoints, recorded while processes work or stand still";
    /// Waves of two initiators meet.
    const USUAL: &'static [&'static str] = &["--initiators", "0,1"];
    const HUNT: Grounds = Grounds {
        dials: &[
            Dial::words("--protocol", &["chandy-lamport", "blocking"]),
            Dial::words("--application", &["bank", "counter"]),
            Dial::numbers("--waves", 1, 3),
            Dial::words("--every", &["1", "5", "20", "50"]),
            Dial::words("--initiators", &["0", "1", "0,1", "0,1,2"]),
            Dial::words("--tick", &["5", "1"]),
            Dial::words("--messages", &["0", "1", "5", "50"]),
        ],
        processes_max: 6,
        latency_max_ms: 60,
        ..Grounds::USUAL
    };
    const TOOLS: Tools = Tools::of::<tools::Tools>();

    type Options = Options;
    type Process = Snapshot<Work>;
    type Mistake = Mistake;

    fn plan(options: Options, world: &World) -> Result<Self, String> {
        Self::planned(options, None, None, world)
    }

    fn processes(&self) -> u32 {
        self.processes
    }

    /// Of a run that went on from a wave, a replay makes the processes here too. [`Deployment::restore`]
    /// checks the file.
    fn process(&self, place: &Place) -> Snapshot<Work> {
        let restored = self.restored.as_ref();
        match restored.and_then(|restored| restored.checkpoint(place.me).ok()) {
            Some(checkpoint) => self.resumed(checkpoint),
            None => self.snapshot(
                place.me,
                match self.application {
                    Application::Bank => State::Bank(Account { count: 0, money: self.money }),
                    Application::Counter => State::Counter(Tally::default()),
                },
            ),
        }
    }

    fn properties(&self) -> Vec<Property> {
        let waves = self.waves_in_all();
        let mut all =
            demanded::<Work>(self.processes, waves, self.first(), self.total(), self.protocol);
        let limit = |rank| if self.senders.contains(&rank) { self.messages } else { 0 };
        let sending = Sending {
            protocol: self.protocol,
            waves,
            messages: (0..self.processes).map(limit).collect(),
            ticks_between_waves: self.timers_in_order && self.every > self.tick,
            from_the_start: self.restored.is_none(),
        };
        all.push(Property::safety::<Indication<Work>>(
            "one message a tick, in order",
            Ticks::new(sending),
        ));
        // What processes have that go on from a wave, their files say.
        if self.restored.is_none() {
            let money = (self.application == Application::Bank).then_some(self.money);
            let states = States::new(self.processes, waves, money);
            all.push(Property::safety::<Indication<Work>>(
                "recorded states are those of the cuts",
                states,
            ));
        }
        all
    }

    fn predicted(&self) -> Predictions {
        let channels = self.channels();
        exactly([("MARKER", channels * self.waves_in_all()), ("CLOSE", channels)])
    }

    /// One for each message and each wave.
    fn timeouts(&self) -> u32 {
        self.waves.saturating_add(self.messages.try_into().unwrap_or(u32::MAX))
    }

    fn findings(&self) -> Box<dyn Findings<Indication<Work>>> {
        Box::new(SnapshotFindings::new(self.clone()))
    }

    fn deployment(&self) -> Deployment<Self> {
        let dir = self.store.iter().map(|store| &store.dir);
        let from = self.restored.iter().map(|restored| &restored.from);
        Deployment {
            application: Self::application,
            restore: Some(Self::restore),
            // The folders: whatever is written into one could be a checkpoint's name.
            files: dir.chain(from).cloned().collect(),
            remains: Self::remains,
            ..Deployment::over(Overlay::Complete)
        }
    }
}

#[cfg(test)]
mod tests;
