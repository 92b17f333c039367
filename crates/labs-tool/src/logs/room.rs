//! The logs of a run on all its machines, merged as they are read.
//!
//! Of each log a small part is in memory: its lines are in order already, so that a merge only looks at the first line
//! of each. However long the logs are, so much memory is enough.

use std::cmp::Reverse;
use std::collections::binary_heap::PeekMut;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use anyhow::Context as _;
use netkit::files;
use netkit::logs::RunFolder;
use netkit::run_id::RunId;
use netkit::ssh::Remote;

use super::source::{Line, Next, Place, Source};
use crate::here::{self, Logs};
use crate::machines::{ANSWER_MAX, Machine, with_all};
use labs::run::FOLDER;

/// The most that is read of one log, in bytes.
pub(super) const LOG_MAX: u64 = 256 << 20;

/// How much of all logs together is in memory, in bytes.
const TOGETHER: u64 = 16 << 20;

/// How much of a log is read at once, in bytes: at least so much that a connection is not asked for each line, and no more
/// than helps.
const PART: std::ops::RangeInclusive<u64> = 16 << 10..=1 << 20;

/// The machines of a run, and the logs on them.
pub(super) struct Room<'a> {
    run: &'a RunId,
    /// This machine's folder of the run.
    folder: Option<RunFolder>,
    /// The others, each with its connection while it answers.
    others: Vec<(&'a Machine, Option<Remote>)>,
    logs: Vec<Log>,
    /// Where in `logs` each is.
    numbers: BTreeMap<LogKey, usize>,
    /// How much is read of each log, in bytes.
    pub(super) most: u64,
    pub(super) problems: Vec<String>,
}

/// Whose log: which machine (none is this one) and which file.
type LogKey = (Option<usize>, String);

struct Log {
    key: LogKey,
    path: String,
    source: Source,
}

impl<'a> Room<'a> {
    pub(super) fn enter(run: &'a RunId, machines: &'a [Machine]) -> Self {
        let mut room = Self {
            run,
            folder: None,
            others: Vec::new(),
            logs: Vec::new(),
            numbers: BTreeMap::new(),
            most: LOG_MAX,
            problems: Vec::new(),
        };
        for (machine, remote) in machines.iter().zip(with_all(machines, Machine::connect)) {
            let remote = remote.map_err(|error| room.problems.push(format!("{error:#}")));
            room.others.push((machine, remote.ok()));
        }
        room.list();
        room
    }

    /// How many logs there are.
    pub(super) fn len(&self) -> usize {
        self.logs.len()
    }

    /// Looks which logs there are, and how long they are by now.
    pub(super) fn list(&mut self) {
        let mut seen = BTreeSet::new();
        seen.extend(self.list_here());
        let words = ["logs", self.run.as_str()];
        for at in 0..self.others.len() {
            let (machine, Some(remote)) = &mut self.others[at] else { continue };
            match machine.ask_over::<Logs>(remote, &words, ANSWER_MAX) {
                // Two names may mean one machine.
                Ok(logs) if seen.insert(logs.machine.clone()) => self.note(Some(at), &logs),
                Ok(_) => {}
                // It is not asked again.
                Err(error) => {
                    self.problems.push(format!("{error:#}"));
                    self.others[at].1 = None;
                    self.end_all_of(Some(at));
                }
            }
        }
    }

    /// The same on this machine alone. Returns what tells it from others.
    pub(super) fn list_here(&mut self) -> Option<String> {
        match here::logs_of(self.run) {
            Ok(logs) => {
                if self.folder.is_none() && logs.folder.is_some() {
                    self.folder = RunFolder::open(FOLDER, self.run).ok();
                }
                self.note(None, &logs);
                Some(logs.machine)
            }
            Err(error) => {
                self.problems.push(format!("{error:#}"));
                self.end_all_of(None);
                None
            }
        }
    }

    fn note(&mut self, machine: Option<usize>, logs: &Logs) {
        let Some(folder) = &logs.folder else { return };
        for (name, length) in &logs.files {
            let key = (machine, name.clone());
            let number = *self.numbers.entry(key.clone()).or_insert_with(|| {
                let path = folder.join(name).display().to_string();
                self.logs.push(Log { key, path, source: Source::default() });
                self.logs.len() - 1
            });
            self.logs[number].source.length = *length;
        }
    }

    fn end_all_of(&mut self, machine: Option<usize>) {
        for log in self.logs.iter_mut().filter(|log| log.key.0 == machine) {
            log.source.has_ended = true;
        }
    }

    /// How long each log is known to be.
    pub(super) fn lengths(&self) -> Vec<u64> {
        self.logs.iter().map(|log| log.source.length).collect()
    }

    /// Reads the beginning of each log. Returns of which processes lines stand there, and whether any has a Lamport
    /// time.
    pub(super) fn begin(&mut self) -> (BTreeSet<u32>, bool) {
        let (mut ranks, mut has_lamport) = (BTreeSet::new(), false);
        for number in 0..self.logs.len() {
            self.read(number, self.logs[number].source.length);
            let (of_log, any) = self.logs[number].source.ahead();
            ranks.extend(of_log);
            has_lamport |= any;
        }
        (ranks, has_lamport)
    }

    /// Shows the lines that stand in the first so many bytes of each log, merged, until there is none or nobody reads
    /// them. Returns whether somebody does.
    pub(super) fn merge(
        &mut self,
        bounds: &[u64],
        mut show: impl FnMut(&Line<'_>) -> anyhow::Result<bool>,
    ) -> anyhow::Result<bool> {
        let mut first: BinaryHeap<Reverse<(Place, usize)>> = BinaryHeap::new();
        for (number, bound) in bounds.iter().enumerate() {
            if self.has_line(number, *bound) {
                first.push(Reverse((self.logs[number].source.place().clone(), number)));
            }
        }
        while let Some(mut earliest) = first.peek_mut() {
            let Reverse((place, number)) = &mut *earliest;
            if !self.logs[*number].source.take(&mut show)? {
                return Ok(false);
            }
            match self.has_line(*number, bounds[*number]) {
                true => place.follow(self.logs[*number].source.place()),
                false => drop(PeekMut::pop(earliest)),
            }
        }
        Ok(true)
    }

    /// The lines of each log.
    pub(super) fn lines(&mut self) -> Vec<Vec<String>> {
        let mut logs = Vec::new();
        for number in 0..self.logs.len() {
            let mut lines = Vec::new();
            while self.has_line(number, self.logs[number].source.length) {
                lines.push(self.logs[number].source.take(|line| line.text.to_owned()));
            }
            logs.push(lines);
        }
        logs
    }

    /// Whether there is a line more in the first `bound` bytes of a log.
    fn has_line(&mut self, number: usize, bound: u64) -> bool {
        loop {
            match self.logs[number].source.look() {
                Next::Line => return true,
                Next::More if self.read(number, bound) => {}
                Next::More => return false,
            }
        }
    }

    /// Reads one part more of the first `bound` bytes of a log. Returns whether there was one.
    fn read(&mut self, number: usize, bound: u64) -> bool {
        let part = (TOGETHER / self.logs.len() as u64).clamp(*PART.start(), *PART.end());
        let Log { key: (machine, name), path, source } = &mut self.logs[number];
        let part = part.min(self.most.min(bound).saturating_sub(source.offset));
        if part == 0 || source.has_ended {
            return false;
        }
        let read = match machine {
            None => self.folder.as_ref().map(|folder| read_here(folder, name, source.offset, part)),
            Some(at) => {
                let remote = self.others[*at].1.as_mut();
                remote.map(|remote| read_there(remote, path, source.offset, part))
            }
        };
        let mut has_more = false;
        match read {
            Some(Ok(bytes)) => {
                has_more = !bytes.is_empty();
                source.add(&bytes);
            }
            Some(Err(error)) => {
                source.has_ended = true;
                self.problems.push(format!("{path}: {error:#}"));
            }
            None => source.has_ended = true,
        }
        if source.offset >= self.most {
            source.has_ended = true;
            let megabytes = self.most as f64 / f64::from(1 << 20);
            self.problems.push(format!("{path}: only its first {megabytes:.1} MiB are shown"));
        }
        has_more
    }
}

fn read_here(folder: &RunFolder, name: &str, offset: u64, most: u64) -> anyhow::Result<Vec<u8>> {
    Ok(files::read_part(&mut folder.read(name)?, offset, most)?)
}

fn read_there(remote: &mut Remote, path: &str, offset: u64, most: u64) -> anyhow::Result<Vec<u8>> {
    remote.read_file(path, offset, most).context("it cannot be fetched")
}
