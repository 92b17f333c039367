//! What lab 08 demands of its protocols, what theory says they cost, and their options.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use labs::lab::{BoxedApplication, Lab, Place, Prediction, Verb};
use labs::overlay::{Contact, Overlay};
use labs::process::ProcessId;
use labs::snapshot::Wave;
use labs::verdict::{PropertyKind, Spec, Verdict};
use serde::{Deserialize, Serialize};

use crate::bank::Account;
use crate::broken::{Broken, BrokenSnapshot};
use crate::checkpoint::{Checkpoint, Folder};
use crate::counter::Tally;
use crate::findings::SnapshotFindings;
use crate::pace::Pace;
use crate::snapshot::{Indication, Protocol, Schedule, Snapshot};
use crate::tools::Tools;
use crate::work::{State, Work};
use crate::writer::Writer;

/// Lab 08.
#[derive(Debug)]
pub struct ChandyLamportLab;

/// The lab's own options.
#[derive(Clone, Debug, Deserialize, Serialize, clap::Args)]
pub struct Options {
    /// How a wave is recorded: while the application goes on, or while its messages are held back
    #[arg(long, value_enum, default_value_t)]
    pub protocol: Protocol,
    /// What is recorded [default: bank]
    #[arg(long, value_enum)]
    pub application: Option<Application>,
    /// How many waves each initiator starts [default: 3, in `check` 1]
    #[arg(long, value_name = "W")]
    pub waves: Option<u32>,
    /// How long an initiator waits before each of its waves, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 50)]
    pub every: u64,
    /// Who starts waves
    #[arg(long, value_name = "P,P,...", value_delimiter = ',', default_value = "0")]
    pub initiators: Vec<u32>,
    /// How long a process waits before each of its messages, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 5)]
    pub tick: u64,
    /// How many messages each process sends at most [default: ten times as many as the waves take, in
    /// `check` 1]
    #[arg(long, value_name = "K")]
    pub messages: Option<u64>,
    /// The money that each process of the bank has at first [default: 100, in `check` 1]
    #[arg(long, value_name = "M")]
    pub money: Option<u64>,
    /// The folder for the checkpoints, on a disk that all machines share; it must have none yet. In `run`
    /// only [default: a new one here, checkpoint-1 or the next number]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// What the processes go on from.
    #[arg(skip)]
    pub restored: Option<Restored>,
    /// The name of this execution in its checkpoints.
    #[arg(skip)]
    pub execution: String,
}

/// What is recorded.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, clap::ValueEnum)]
pub enum Application {
    /// Processes send each other money.
    Bank,
    /// Processes count, and tell each other.
    Counter,
}

/// A wave from which processes go on.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Restored {
    /// The folder.
    pub from: PathBuf,
    /// What is in it of the wave, by process: not empty.
    pub checkpoints: Vec<Checkpoint>,
    /// The number of the next wave.
    pub first: u32,
    /// What was discarded, for people.
    pub discarded: Vec<String>,
}

/// More waves leave more files than a folder is looked through for.
const WAVES_MAX: u32 = 10_000;

/// The longest pause, an hour: beyond any experiment.
const PAUSE_MAX_MS: u64 = 3_600_000;

/// So much money that the total of all processes is far from the end of its type.
const MONEY_MAX: u64 = 1_000_000_000_000;

/// How many folders of checkpoints are found here before one must be named.
const FOLDERS_MAX: u32 = 10_000;

impl Options {
    /// How many waves each initiator starts.
    pub fn waves(&self) -> u32 {
        self.waves.unwrap_or(1)
    }

    /// How many waves there are, over all initiators.
    pub fn waves_in_all(&self) -> u64 {
        u64::from(self.waves()) * self.initiators.len() as u64
    }

    /// The number of the first wave.
    pub fn first(&self) -> u32 {
        self.restored.as_ref().map_or(1, |restored| restored.first)
    }

    /// What there is in all, in the application that has something to conserve.
    fn total(&self, processes: u32) -> Option<u64> {
        match (self.application, &self.restored) {
            (Some(Application::Counter), _) => None,
            (_, Some(Restored { checkpoints, .. })) => {
                Some(checkpoints.iter().map(Checkpoint::worth).fold(0, u64::saturating_add))
            }
            (_, None) => Some(self.money.unwrap_or(0) * u64::from(processes)),
        }
    }

    /// The kind of the application's messages.
    fn message(&self) -> &'static str {
        match self.application {
            Some(Application::Counter) => "COUNT",
            _ => "TRANSFER",
        }
    }

    fn complete(&mut self, verb: Verb) {
        let is_check = verb == Verb::Check;
        let waves = *self.waves.get_or_insert(if is_check { 1 } else { 3 });
        let ticks = self.every.saturating_mul(u64::from(waves)).div_ceil(self.tick.max(1));
        let plenty = ticks.saturating_mul(10).max(100);
        self.messages.get_or_insert(if is_check { 1 } else { plenty });
        self.money.get_or_insert(if is_check { 1 } else { 100 });
        self.application.get_or_insert(Application::Bank);
    }

    fn check(&self, processes: u32) -> Result<(), String> {
        if !(1..=WAVES_MAX).contains(&self.waves()) {
            return Err(format!("--waves {}: from 1 to {WAVES_MAX}", self.waves()));
        }
        if self.first().checked_add(self.waves()).is_none() {
            return Err("the numbers of waves are used up in this folder: begin another".to_owned());
        }
        if !(1..=PAUSE_MAX_MS).contains(&self.tick) {
            return Err(format!("--tick {}: from 1 to {PAUSE_MAX_MS} ms", self.tick));
        }
        if self.every > PAUSE_MAX_MS {
            return Err(format!("--every {}: at most {PAUSE_MAX_MS} ms", self.every));
        }
        if self.money.is_some_and(|money| money > MONEY_MAX) {
            return Err(format!("--money: at most {MONEY_MAX}"));
        }
        if let Some(p) = self.initiators.iter().find(|&&p| p >= processes) {
            return Err(format!("--initiators {p}: processes are numbered 0 to {}", processes - 1));
        }
        if self.initiators.iter().collect::<BTreeSet<_>>().len() != self.initiators.len() {
            return Err("--initiators: one is named twice".to_owned());
        }
        if self.initiators.is_empty() {
            return Err("--initiators: somebody must start the waves".to_owned());
        }
        Ok(())
    }

    fn prepare_folder(&mut self) -> Result<(), String> {
        let given = match (&self.dir, &self.restored) {
            (Some(dir), _) => Some(dir.clone()),
            (None, Some(restored)) => Some(restored.from.clone()),
            (None, None) => None,
        };
        let dir = match given {
            Some(dir) => absolute(&dir)?,
            None => free_folder()?,
        };
        let goes_on_in_it = self.restored.as_ref().is_some_and(|restored| {
            matches!((restored.from.canonicalize(), dir.canonicalize()), (Ok(a), Ok(b)) if a == b)
        });
        if dir.exists() && !goes_on_in_it {
            let folder = Folder::open(&dir).map_err(|error| format!("--dir: {error}"))?;
            if !folder.is_empty() {
                return Err(format!(
                    "--dir {}: there are checkpoints of an earlier run in it; restart from them, or name \
                     another folder",
                    dir.display()
                ));
            }
        }
        self.dir = Some(dir);
        Ok(())
    }

    fn schedule(&self, me: ProcessId) -> Schedule {
        Schedule {
            waves: if self.initiators.contains(&me.0) { self.waves() } else { 0 },
            every: Duration::from_millis(self.every),
            first: self.first(),
            total: self.waves_in_all(),
        }
    }

    fn initial_state(&self) -> State {
        match self.application {
            Some(Application::Counter) => State::Counter(Tally::default()),
            _ => State::Bank(Account { count: 0, money: self.money.unwrap_or(0) }),
        }
    }
}

/// Daemons work in another folder.
fn absolute(path: &Path) -> Result<PathBuf, String> {
    std::path::absolute(path).map_err(|error| format!("--dir {}: {error}", path.display()))
}

/// The first of `checkpoint-1`, `checkpoint-2` and so on that is not there yet.
fn free_folder() -> Result<PathBuf, String> {
    for number in 1..=FOLDERS_MAX {
        let path = absolute(Path::new(&format!("checkpoint-{number}")))?;
        if path.symlink_metadata().is_err() {
            return Ok(path);
        }
    }
    Err(format!("there are {FOLDERS_MAX} folders of checkpoints here: name one with --dir"))
}

impl Lab for ChandyLamportLab {
    const NAME: &'static str = "chandy-lamport";
    const ABOUT: &'static str =
        "Distributed checkpoints, recorded while processes work or stand still";

    type Process = Snapshot<Work>;
    type BrokenProcess = BrokenSnapshot;
    type Broken = Broken;
    type Options = Options;
    type Findings = SnapshotFindings;
    type Tools = Tools;

    fn processes(options: &Options, _: Verb) -> Option<u32> {
        let restored = options.restored.as_ref()?;
        u32::try_from(restored.checkpoints.len()).ok()
    }

    fn prepare(options: &mut Options, verb: Verb, processes: u32) -> Result<(), String> {
        options.complete(verb);
        options.check(processes)?;
        match verb {
            Verb::Run => {
                // Nobody has to guess it; it must only be another than that of earlier runs.
                options.execution = format!("{:016x}", RandomState::new().build_hasher().finish());
                options.prepare_folder()
            }
            Verb::Simulate | Verb::Check if options.dir.is_some() => {
                Err("--dir: nothing is written in a model; use it with `run`".to_owned())
            }
            Verb::Simulate | Verb::Check => Ok(()),
        }
    }

    fn process(options: &Options, place: &Place) -> Snapshot<Work> {
        let pace = Pace { tick: Duration::from_millis(options.tick), left: options.messages };
        let schedule = options.schedule(place.me);
        let restored = options.restored.as_ref();
        match restored.and_then(|restored| restored.checkpoints.get(place.me.index())) {
            Some(checkpoint) => {
                let work = Work::new(checkpoint.state, pace);
                Snapshot::new(work, options.protocol, schedule)
                    .resuming(checkpoint.held.clone(), checkpoint.channels.clone())
            }
            None => {
                let work = Work::new(options.initial_state(), pace);
                Snapshot::new(work, options.protocol, schedule)
            }
        }
    }

    fn broken(process: Snapshot<Work>, how: &Broken) -> BrokenSnapshot {
        BrokenSnapshot::new(process, *how)
    }

    fn properties(options: &Options, processes: u32) -> Vec<Spec> {
        let text = str::to_owned;
        let (cut, recorded) = (text("Cut"), text("Recorded"));
        let (message, waves) = (text(options.message()), options.waves_in_all());
        let mut demanded = vec![
            Spec::ConsistentCut { cut: cut.clone(), message: message.clone() },
            Spec::ChannelStates {
                cut: cut.clone(),
                recorded: recorded.clone(),
                message: message.clone(),
            },
        ];
        if let Some(total) = options.total(processes) {
            demanded.push(Spec::Conservation { recorded: recorded.clone(), total });
        }
        demanded.push(Spec::Markers { cut: cut.clone(), message: text("MARKER"), waves });
        demanded.push(Spec::EveryWave { recorded: recorded.clone(), waves });
        if options.protocol == Protocol::Blocking {
            demanded.push(Spec::Blocked { cut, recorded, message });
        }
        demanded.extend([Spec::Fifo, Spec::ExactlyOnce]);
        demanded
    }

    fn predicted(options: &Options, processes: u32) -> BTreeMap<String, Prediction> {
        let channels = u64::from(processes) * u64::from(processes - 1);
        [("MARKER", channels * options.waves_in_all()), ("CLOSE", channels)]
            .map(|(kind, count)| (kind.to_owned(), Prediction::Exactly(count)))
            .into()
    }

    /// One for each message and each wave.
    fn timeouts(options: &Options) -> u32 {
        let messages = options.messages.unwrap_or(0).try_into().unwrap_or(u32::MAX);
        options.waves().saturating_add(messages)
    }

    fn overlay(_: &Options) -> Overlay {
        Overlay::Complete
    }

    fn application(options: &Options, place: &Place) -> io::Result<BoxedApplication<Self>> {
        let dir = options.dir.clone().ok_or_else(|| io::Error::other("there is no folder"))?;
        Ok(Box::new(Writer::open(dir, place.clone(), options.execution.clone())?))
    }

    fn contact(_: &Indication<Work>) -> Option<&Contact> {
        None
    }

    fn is_finished(indication: &Indication<Work>) -> bool {
        matches!(indication, Indication::Finished)
    }

    fn findings(options: &Options, processes: u32) -> SnapshotFindings {
        SnapshotFindings::new(options.clone(), processes)
    }

    fn judge_remains(
        options: &Options,
        processes: u32,
        complete: bool,
        one_machine: bool,
    ) -> Vec<Verdict> {
        let (holds, detail) = judge_files(options, processes, complete, one_machine);
        let name = "a file a process and wave, whole".to_owned();
        vec![Verdict { name, kind: PropertyKind::Safety, holds, detail, witnesses: Vec::new() }]
    }
}

/// Whether a run has left all the files that it should, each whole, and with the right total.
fn judge_files(
    options: &Options,
    processes: u32,
    complete: bool,
    one_machine: bool,
) -> (Option<bool>, String) {
    let Some(dir) = &options.dir else { return (None, "there is no folder".to_owned()) };
    let folder = match Folder::open(dir) {
        Ok(folder) => folder,
        Err(error) => return (None, error.to_string()),
    };
    let ours =
        |&(wave, _, of): &(Wave, usize, u32)| wave.number >= options.first() && of == processes;
    let waves: Vec<_> = folder.waves().filter(ours).collect();
    let mut whole = 0;
    for (wave, _, _) in waves.iter().filter(|(_, present, of)| *present as u64 == u64::from(*of)) {
        let checkpoints = match folder.wave(*wave) {
            Ok(checkpoints) => checkpoints,
            Err(error) => return (Some(false), error.to_string()),
        };
        let total = checkpoints.iter().map(Checkpoint::worth).fold(0, u64::saturating_add);
        if options.total(processes).is_some_and(|expected| expected != total) {
            return (Some(false), format!("the files of wave {wave} hold {total}"));
        }
        whole += 1;
    }
    let expected = options.waves_in_all();
    let place = dir.display();
    if whole == expected {
        return (Some(true), format!("{} files in {place}", whole * u64::from(processes)));
    }
    let found = format!("{whole} of {expected} waves are complete in {place}");
    match (complete, one_machine) {
        (false, _) => (None, format!("not yet: {found}")),
        (true, true) => (Some(false), found),
        (true, false) => {
            (None, format!("{found} of this machine: give --dir a path that all machines share"))
        }
    }
}
