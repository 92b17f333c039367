//! What is recorded, in files: one a process and a wave, all in one folder.
//!
//! ```text
//! wave-2-by-p0.p3-of-5.checkpoint
//!
//! chandy-lamport checkpoint 1 214 9f86d081884c7d65...      <- version, bytes and SHA-256 of the rest
//! {
//!   "wave": "2@p0", "process": 3, "processes": 5, "execution": "5f3a...",
//!   "state": {"bank": {"count": 41, "money": 87}},
//!   "held": [],
//!   "channels": {"0": [{"Transfer": {"count": 40, "amount": 3}}], "1": [], ...}
//! }
//! ```
//!
//! A file is there whole or not at all ([`labs::files`]), so a file that is not whole was damaged later, and
//! nothing goes on from it. A wave is *complete* when the files of all its processes are there. No process
//! knows that, and none needs to: the folder shows it, and how many there must be stands in each
//! name. What belongs to a wave that is not complete is discarded when processes go on from an earlier one.
//!
//! **One execution a wave.** A process that goes on from wave 2 may come to a wave 3 again, and in the folder
//! may be a file of the wave 3 that was lost. Together they would be a state in which the system never was. So
//! numbers are not used twice ([`crate::claim`]), and a file says of which execution it is; a wave has only one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use labs::files::{self, Disk, LocalDisk, UNFINISHED};
use labs::process::ProcessId;
use labs::text::counted;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::bank::MONEY_MAX;
use crate::snapshot::{Recording, Worth as _};
use crate::wave::Wave;
use crate::work::{Message, State, Work};

/// The version of the format.
const VERSION: u32 = 1;

/// The largest file that is read or written, in bytes: a hundred thousand messages in transit.
pub const FILE_MAX: u64 = 16 << 20;

/// The most entries of a folder that are looked at: a thousand waves of a thousand processes.
pub const ENTRIES_MAX: usize = 1_000_000;

/// The most processes that a checkpoint may have: as many as a real run.
const PROCESSES_MAX: u32 = 1_024;

/// The most that one checkpoint may be worth: what all processes of the largest run have at most. So neither it
/// nor the sum of a wave overflows.
const WORTH_MAX: u64 = MONEY_MAX * PROCESSES_MAX as u64;

/// No process counts so far, and one that goes on from there still can.
const COUNT_MAX: u64 = 1 << 62;

/// How many waves that are discarded are told of one by one.
const TOLD_MAX: usize = 10;

/// What one process recorded in one wave.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// Which wave.
    pub wave: Wave,
    /// Which process.
    pub process: ProcessId,
    /// Of how many.
    pub processes: u32,
    /// Of which execution: a random word.
    pub execution: String,
    /// The state of the application.
    pub state: State,
    /// What the application had sent and the process held back, with the receivers.
    pub held: Vec<(ProcessId, Message)>,
    /// What was in transit to the process, by sender, in the order of arrival.
    pub channels: BTreeMap<ProcessId, Vec<Message>>,
}

/// Why there is nothing to go on from.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The folder cannot be read.
    #[error("cannot read the folder {}: {error}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// No wave is complete.
    #[error("{}: no wave is complete in it, so there is no state to go on from", folder.display())]
    NoneComplete {
        /// The folder.
        folder: PathBuf,
    },
    /// A wave that is asked for is not complete.
    #[error("{}: wave {wave} is not complete in it", folder.display())]
    NotComplete {
        /// The folder.
        folder: PathBuf,
        /// The wave.
        wave: Wave,
    },
    /// A file was damaged, or is not what its name says.
    #[error(
        "{}: {what}; remove the files of this wave to go on from the one before",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
}

impl Checkpoint {
    /// What a process recorded, to be written.
    pub fn new(
        recording: &Recording<Work>,
        process: ProcessId,
        processes: u32,
        execution: String,
    ) -> Self {
        let others = (0..processes).map(ProcessId).filter(|&other| other != process);
        let of_channel = |from: ProcessId| {
            let messages = recording.channels.get(&from).into_iter().flatten();
            (from, messages.map(|(_, message)| *message).collect())
        };
        Self {
            wave: recording.wave,
            process,
            processes,
            execution,
            state: recording.state.state(),
            held: recording.held.clone(),
            channels: others.map(of_channel).collect(),
        }
    }

    /// What is conserved, over the state and the messages.
    pub fn worth(&self) -> u64 {
        self.messages_worth().saturating_add(self.state.worth())
    }

    /// What is conserved, over the messages.
    pub fn messages_worth(&self) -> u64 {
        let held = self.held.iter().map(|(_, message)| message);
        let all = held.chain(self.channels.values().flatten());
        all.map(Work::worth_of).fold(0, u64::saturating_add)
    }

    /// The name of its file.
    pub fn file_name(&self) -> String {
        file_name(self.wave, self.process, self.processes)
    }

    /// Writes it into a folder, whole or not at all.
    ///
    /// # Errors
    ///
    /// If it cannot be written, or is larger than [`FILE_MAX`].
    pub fn write(&self, disk: &mut impl Disk, folder: &Path) -> io::Result<()> {
        let bytes = self.to_bytes()?;
        files::replace(disk, &folder.join(self.file_name()), &bytes)
    }

    fn to_bytes(&self) -> io::Result<Vec<u8>> {
        let mut body = serde_json::to_string_pretty(self)?;
        body.push('\n');
        let bytes = format!("{}\n{body}", heading(body.as_bytes())).into_bytes();
        if bytes.len() as u64 > FILE_MAX {
            let what =
                format!("a checkpoint of {} bytes, above the limit of {FILE_MAX}", bytes.len());
            return Err(io::Error::other(what));
        }
        Ok(bytes)
    }

    /// Reads one back.
    ///
    /// # Errors
    ///
    /// Says what is wrong with it.
    fn read(path: &Path) -> Result<Self, String> {
        let bytes = files::read_bounded(path, FILE_MAX);
        Self::from_bytes(&bytes.map_err(|error| format!("cannot be read: {error}"))?)
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let end = bytes.iter().position(|&byte| byte == b'\n').ok_or("it has no first line")?;
        let (first, body) = (&bytes[..end], &bytes[end + 1..]);
        let first = std::str::from_utf8(first).map_err(|_| "it is no checkpoint")?;
        let rest = first.strip_prefix(TITLE).ok_or("it is no checkpoint")?;
        let version = rest.split(' ').next().unwrap_or("");
        if version != VERSION.to_string() {
            return Err(format!("it has version {version:?}, and this program reads {VERSION}"));
        }
        if first != heading(body) {
            return Err(
                "it is damaged: length or checksum differ from those in its first line".into()
            );
        }
        let this: Self = serde_json::from_slice(body)
            .map_err(|error| format!("it is no checkpoint: {error}"))?;
        this.check()?;
        Ok(this)
    }

    /// Refuses what no process writes.
    fn check(&self) -> Result<(), String> {
        let of = self.processes;
        if !(2..=PROCESSES_MAX).contains(&of) {
            return Err(format!("{of} processes: from 2 to {PROCESSES_MAX} is possible"));
        }
        let is_other = |&process: &ProcessId| process.0 < of && process != self.process;
        let others = self.channels.keys().chain(self.held.iter().map(|(to, _)| to));
        if self.process.0 >= of || !others.copied().all(|other| is_other(&other)) {
            return Err(format!("it names a process that is not among the {of}"));
        }
        if self.channels.len() as u64 + 1 != u64::from(of) {
            return Err(format!("{} channels of {}", self.channels.len(), of - 1));
        }
        if self.state.count() > COUNT_MAX {
            return Err(format!("it counts more than {COUNT_MAX} messages"));
        }
        // A sum that overflows is above the limit too.
        if self.worth() > WORTH_MAX {
            return Err(format!("it holds more than {WORTH_MAX}"));
        }
        Ok(())
    }
}

const TITLE: &str = "chandy-lamport checkpoint ";

/// The first line of a file with this body.
fn heading(body: &[u8]) -> String {
    let mut heading = format!("{TITLE}{VERSION} {} ", body.len());
    for byte in Sha256::digest(body) {
        // Writing to a string does not fail.
        let _ = write!(heading, "{byte:02x}");
    }
    heading
}

fn file_name(wave: Wave, process: ProcessId, processes: u32) -> String {
    format!("wave-{}-by-{}.{process}-of-{processes}{SUFFIX}", wave.number, wave.initiator)
}

const SUFFIX: &str = ".checkpoint";

/// What the name of a file says.
fn parse_name(name: &str) -> Option<(Wave, ProcessId, u32)> {
    let (wave, process) = name.strip_prefix("wave-")?.strip_suffix(SUFFIX)?.split_once('.')?;
    let (number, initiator) = wave.split_once("-by-p")?;
    let (process, processes) = process.strip_prefix('p')?.split_once("-of-")?;
    let number = number.parse().ok()?;
    let wave = Wave { number, initiator: ProcessId(initiator.parse().ok()?) };
    let (process, processes) = (ProcessId(process.parse().ok()?), processes.parse().ok()?);
    // `01` is a number too, but not in a name that we write.
    (file_name(wave, process, processes) == name).then_some((wave, process, processes))
}

/// A folder of checkpoints, as its names tell.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
    /// Of each wave, whose files are there; by how many processes there are, which is one number unless
    /// someone mixed two runs.
    waves: BTreeMap<Wave, BTreeMap<u32, BTreeSet<ProcessId>>>,
    /// Files that were not finished, and the numbers of their waves.
    unfinished: Vec<(u32, PathBuf)>,
    /// How many entries it has, of whatever kind.
    entries: usize,
}

impl Folder {
    /// Looks at a folder.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or has more than a million entries.
    pub fn open(path: &Path) -> Result<Self, CheckpointError> {
        let failed = |error| CheckpointError::Folder { folder: path.to_owned(), error };
        let mut this = Self {
            path: path.to_owned(),
            waves: BTreeMap::new(),
            unfinished: Vec::new(),
            entries: 0,
        };
        for (count, entry) in fs::read_dir(path).map_err(failed)?.enumerate() {
            if count == ENTRIES_MAX {
                let what = format!("it has more than {ENTRIES_MAX} entries");
                return Err(failed(io::Error::other(what)));
            }
            this.entries = count + 1;
            let name = entry.map_err(failed)?.file_name();
            let Some(name) = name.to_str() else { continue };
            if let Some((wave, process, processes)) = parse_name(name) {
                let files = this.waves.entry(wave).or_default();
                files.entry(processes).or_default().insert(process);
            } else if let Some((wave, ..)) = name.strip_suffix(UNFINISHED).and_then(parse_name) {
                this.unfinished.push((wave.number, path.join(name)));
            }
        }
        Ok(this)
    }

    /// Whether no wave left anything in it.
    pub fn is_empty(&self) -> bool {
        self.waves.is_empty() && self.unfinished.is_empty()
    }

    /// How many entries it has, of whatever kind.
    pub fn entries(&self) -> usize {
        self.entries
    }

    /// The greatest number of a wave, complete or not; 0 if there is none.
    pub fn last_number(&self) -> u32 {
        let unfinished = self.unfinished.iter().map(|(number, _)| *number);
        self.waves.keys().map(|wave| wave.number).chain(unfinished).max().unwrap_or(0)
    }

    /// All waves, and of each how many files are there and how many there must be.
    pub fn waves(&self) -> impl DoubleEndedIterator<Item = (Wave, usize, u32)> + '_ {
        self.waves.iter().map(|(&wave, files)| {
            let most = files.iter().max_by_key(|&(&processes, present)| {
                (present.len() as u64 == u64::from(processes), present.len())
            });
            let (&processes, present) = most.expect("a wave is there because of a file");
            (wave, present.len(), processes)
        })
    }

    /// Whether all files of a wave are there.
    pub fn is_complete((_, present, processes): &(Wave, usize, u32)) -> bool {
        *present as u64 == u64::from(*processes)
    }

    /// The last wave that is complete: that with the greatest number, and of several with one number
    /// that of the last initiator. Any complete wave is a state to go on from.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn last_complete(&self) -> Result<Wave, CheckpointError> {
        let last = self.waves().rev().find(Self::is_complete);
        let none = || CheckpointError::NoneComplete { folder: self.path.clone() };
        last.map(|(wave, ..)| wave).ok_or_else(none)
    }

    /// All files of one wave, by process.
    ///
    /// # Errors
    ///
    /// If it is not complete, or one of its files is damaged.
    pub fn wave(&self, wave: Wave) -> Result<Vec<Checkpoint>, CheckpointError> {
        let mut all = Vec::new();
        self.visit(wave, |checkpoint| all.push(checkpoint))?;
        Ok(all)
    }

    /// Shows all files of one wave, by process. One is in memory at a time.
    ///
    /// # Errors
    ///
    /// If it is not complete, or one of its files is damaged.
    pub fn visit(
        &self,
        wave: Wave,
        mut visit: impl FnMut(Checkpoint),
    ) -> Result<(), CheckpointError> {
        let found = self.waves().find(|found| found.0 == wave && Self::is_complete(found));
        let none = || CheckpointError::NotComplete { folder: self.path.clone(), wave };
        let (_, _, processes) = found.ok_or_else(none)?;
        let mut execution = None;
        for process in (0..processes).map(ProcessId) {
            let checkpoint = read(&self.path, wave, process, processes)?;
            let first = execution.get_or_insert_with(|| checkpoint.execution.clone());
            if *first != checkpoint.execution {
                let path = self.path.join(checkpoint.file_name());
                let what = "it is of another execution than the files of the others".to_owned();
                return Err(CheckpointError::Damaged { path, what });
            }
            visit(checkpoint);
        }
        Ok(())
    }

    /// What no process will go on from, for people: waves that are not complete, and files that were not
    /// finished.
    pub fn incomplete(&self) -> Vec<String> {
        let incomplete = || self.waves().filter(|found| !Self::is_complete(found));
        let one = |(wave, present, of): (Wave, usize, u32)| {
            format!("wave {wave} was not complete, {present} of {of} files: discarded")
        };
        let mut told: Vec<_> = incomplete().take(TOLD_MAX).map(one).collect();
        let others = incomplete().count() - told.len();
        if others > 0 {
            told.push(format!("{others} other waves were not complete: discarded"));
        }
        if !self.unfinished.is_empty() {
            told.push(format!(
                "{} unfinished: discarded",
                counted(self.unfinished.len() as u64, "file")
            ));
        }
        told
    }

    /// Removes what no process will go on from of waves with smaller numbers than `first`. When this returns,
    /// the disk knows.
    ///
    /// # Errors
    ///
    /// If one cannot be removed.
    pub fn discard_incomplete(&self, first: u32) -> Result<(), CheckpointError> {
        let remove = |path: &Path| match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(CheckpointError::Folder { folder: path.to_owned(), error })
            }
            _ => Ok(()),
        };
        let is_old = |found: &(Wave, usize, u32)| found.0.number < first;
        for (wave, ..) in self.waves().filter(|found| is_old(found) && !Self::is_complete(found)) {
            for (&processes, files) in &self.waves[&wave] {
                for &process in files {
                    remove(&self.path.join(file_name(wave, process, processes)))?;
                }
            }
        }
        for (_, path) in self.unfinished.iter().filter(|(number, _)| *number < first) {
            remove(path)?;
        }
        let failed = |error| CheckpointError::Folder { folder: self.path.clone(), error };
        let folder = File::open(&self.path).map_err(failed)?;
        LocalDisk.sync(&folder).map_err(failed)
    }
}

/// What one process recorded in one wave.
///
/// # Errors
///
/// If there is no such file in the folder, or it is damaged.
pub fn read(
    folder: &Path,
    wave: Wave,
    process: ProcessId,
    processes: u32,
) -> Result<Checkpoint, CheckpointError> {
    let path = folder.join(file_name(wave, process, processes));
    let damaged = |what| CheckpointError::Damaged { path: path.clone(), what };
    let checkpoint = Checkpoint::read(&path).map_err(damaged)?;
    if (checkpoint.wave, checkpoint.process, checkpoint.processes) != (wave, process, processes) {
        return Err(damaged("it is another file than its name says".to_owned()));
    }
    Ok(checkpoint)
}

#[cfg(test)]
mod tests;
