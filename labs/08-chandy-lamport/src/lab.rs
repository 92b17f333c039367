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

use crate::bank::{Account, MONEY_MAX};
use crate::broken::{Broken, BrokenSnapshot, Needs};
use crate::checkpoint::{Checkpoint, ENTRIES_MAX, Folder, read};
use crate::claim::{Claim, ClaimError, Owner};
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
    /// That the folder is this run's: the launcher holds it.
    #[arg(skip)]
    #[serde(skip)]
    pub claim: Option<Claim>,
    /// What the mistakes need.
    #[command(flatten)]
    pub needs: Needs,
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
    /// The folder.
    pub from: PathBuf,
    /// Whether the run goes on in this folder.
    pub in_place: bool,
    /// The wave.
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

/// More waves leave more files than a folder is looked through for.
const WAVES_MAX: u32 = 10_000;

/// The longest pause, an hour: beyond any experiment.
const PAUSE_MAX_MS: u64 = 3_600_000;

/// The most entries for a channel and a wave that a model may need: half a gigabyte, measured.
const CHANNELS_MAX: u64 = 5_000_000;

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
            (_, Some(restored)) => Some(restored.total),
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

    /// A model keeps something of each channel for each wave that passes.
    fn check_model(&self, processes: u32) -> Result<(), String> {
        if self.dir.is_some() {
            return Err("--dir: nothing is written in a model; use it with `run`".to_owned());
        }
        let channels = u64::from(processes) * u64::from(processes - 1);
        if channels.saturating_mul(self.waves_in_all()) > CHANNELS_MAX {
            return Err(format!(
                "{processes} processes and {} waves: channels times waves, {channels} times {}, are at \
                 most {CHANNELS_MAX} in a model",
                self.waves_in_all(),
                self.waves_in_all()
            ));
        }
        Ok(())
    }

    /// Makes a folder this run's, as the last thing that may fail here.
    fn prepare_folder(&mut self, processes: u32) -> Result<(), String> {
        let claim = self.claimed().map_err(|error| error.to_string())?;
        let dir = claim.folder().to_owned();
        let folder = Folder::open(&dir).map_err(|error| format!("--dir: {error}"))?;
        let goes_on = self.restored.as_ref().is_some_and(|restored| restored.in_place);
        if !goes_on && !folder.is_empty() {
            return Err(format!(
                "--dir {}: there are checkpoints of an earlier run in it; restart from them, or name \
                 another folder",
                dir.display()
            ));
        }
        let files = self.waves_in_all().saturating_mul(u64::from(processes));
        // Beside them each process may have one that is not finished, and the run has two of its own.
        let room = ENTRIES_MAX.saturating_sub(folder.entries() + processes as usize + 2);
        if files > room as u64 {
            return Err(format!(
                "{} waves of {processes} processes are {files} files, and there is room for {room} in {}",
                self.waves_in_all(),
                dir.display()
            ));
        }
        claim.give_to(&self.owner()).map_err(|error| error.to_string())?;
        (self.dir, self.claim) = (Some(dir), Some(claim));
        Ok(())
    }

    fn claimed(&mut self) -> Result<Claim, ClaimError> {
        match (self.claim.take(), &self.dir) {
            (Some(claim), _) => Ok(claim),
            (None, Some(dir)) => Claim::of(&absolute(dir)?),
            (None, None) => Claim::of_new(&absolute(Path::new("."))?),
        }
    }

    fn owner(&self) -> Owner {
        let last_number = self.first().saturating_add(self.waves() - 1);
        Owner { execution: self.execution.clone(), last_number }
    }

    /// A process that goes on from what it recorded.
    pub fn resumed(&self, checkpoint: Checkpoint) -> Snapshot<Work> {
        let work = Work::new(checkpoint.state, self.pace());
        Snapshot::new(work, self.protocol, self.schedule(checkpoint.process))
            .resuming(checkpoint.held, checkpoint.channels)
    }

    fn pace(&self) -> Pace {
        Pace { tick: Duration::from_millis(self.tick), left: self.messages }
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
pub(crate) fn absolute(path: &Path) -> Result<PathBuf, ClaimError> {
    std::path::absolute(path).map_err(|error| ClaimError::Folder { folder: path.to_owned(), error })
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
        Some(options.restored.as_ref()?.processes)
    }

    fn prepare(options: &mut Options, verb: Verb, processes: u32) -> Result<(), String> {
        options.complete(verb);
        options.check(processes)?;
        match verb {
            Verb::Run => {
                // Nobody has to guess it; it must only be another than that of earlier runs.
                options.execution = format!("{:016x}", RandomState::new().build_hasher().finish());
                options.prepare_folder(processes)
            }
            Verb::Simulate | Verb::Check => options.check_model(processes),
        }
    }

    /// Of a run that went on from a wave, a replay makes the processes here too. Whether the file is right
    /// says [`restore`](Lab::restore).
    fn process(options: &Options, place: &Place) -> Snapshot<Work> {
        let restored = options.restored.as_ref();
        match restored.and_then(|restored| restored.checkpoint(place.me).ok()) {
            Some(checkpoint) => options.resumed(checkpoint),
            None => {
                let work = Work::new(options.initial_state(), options.pace());
                Snapshot::new(work, options.protocol, options.schedule(place.me))
            }
        }
    }

    fn restore(
        options: &Options,
        place: &Place,
        process: Snapshot<Work>,
    ) -> Result<Snapshot<Work>, String> {
        match &options.restored {
            Some(restored) => restored.checkpoint(place.me).map(|found| options.resumed(found)),
            None => Ok(process),
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
        let writer = Writer::open(dir, place.clone(), options.owner())?;
        let restored = options.restored.as_ref().filter(|restored| restored.in_place);
        Ok(Box::new(writer.going_on_with(restored.map_or(0, |restored| restored.first))))
    }

    fn contact(_: &Indication<Work>) -> Option<&Contact> {
        None
    }

    fn is_finished(indication: &Indication<Work>) -> bool {
        matches!(indication, Indication::Finished)
    }

    /// The folders: whatever is written into one could be a checkpoint's name.
    fn files(options: &Options) -> Vec<PathBuf> {
        let from = options.restored.as_ref().map(|restored| &restored.from);
        options.dir.iter().chain(from).cloned().collect()
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
    let numbers = options.first()..=options.owner().last_number;
    let ours = |found: &(Wave, usize, u32)| {
        numbers.contains(&found.0.number) && found.2 == processes && Folder::is_complete(found)
    };
    let mut whole = 0;
    for (wave, ..) in folder.waves().filter(ours) {
        let (mut total, mut is_ours) = (0_u64, true);
        let visited = folder.visit(wave, |checkpoint| {
            total = total.saturating_add(checkpoint.worth());
            is_ours = checkpoint.execution == options.execution;
        });
        if let Err(error) = visited {
            return (Some(false), error.to_string());
        }
        if !is_ours {
            continue;
        }
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

#[cfg(test)]
mod tests;
