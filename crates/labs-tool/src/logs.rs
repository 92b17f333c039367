//! `labs logs`: the logs of a run from all its machines, as one.
//!
//! A log line carries the time of its machine and, in a run that was traced, the Lamport time of the step in
//! which it was written. Clocks of machines differ, and by more than a message takes: sorted by time, an answer
//! may stand before its question. Sorted by Lamport time it cannot (Lamport, *Time, Clocks, and the Ordering
//! of Events in a Distributed System*, 1978): what a line may have caused has a later one. So lines are
//! merged by Lamport time where they have one, by time among those that share it, and by time alone where
//! nobody traced. The lines of one process stay in their order in any case.
//!
//! With `--follow`, lines wait for a moment, since lines of another machine that belong before them may be on
//! their way. A line that comes later still is shown when it comes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::thread;
use std::time::Duration;

use anstyle::AnsiColor;
use anyhow::{Context as _, anyhow};
use clap::Args;
use netkit::files;
use netkit::logs::{self, RunFolder};
use netkit::run_id::RunId;
use netkit::ssh::Remote;

use crate::here::{self, Logs};
use crate::machines::{ANSWER_MAX, Machine, MachineArguments, status, with_all};
use crate::ps::everywhere;
use labs::cli::{offer, paint};
use labs::logs::{Level, LogLine};
use labs::run::FOLDER;
use labs::said::say;
use labs::text::Paint;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The name of the run, as reports and `labs ps` show it [default: the newest on this machine]
    run: Option<RunId>,
    #[command(flatten)]
    machines: MachineArguments,
    /// Show lines as they are written, until the run has ended
    #[arg(long, short)]
    follow: bool,
    /// Only those of this process; may be repeated
    #[arg(long, short, value_name = "RANK")]
    process: Vec<u32>,
    /// Only those of this level, and worse
    #[arg(long, value_name = "LEVEL", value_enum, default_value_t = Level::Trace, hide_default_value = true)]
    level: Level,
}

pub(crate) const ABOUT: &str = "\
    Collects /tmp/labs-USER/RUN/*.log from this machine, and over SSH from the others of the \
    run (those of --hosts, else those that its launcher noted), and merges them in causal \
    order: by the Lamport times (@31) that lines have in a run with --trace. Without, by \
    time, as far as the clocks of the machines agree. RUST_LOG sets how much is logged, \
    when the run is started: `RUST_LOG=debug token-ring run --trace t.jsonl`.\n\
    \n\
    Exit status: 0; 2 if there is no such run, or logs of a machine could not be had.";

/// The most that is read of one log, in bytes.
const LOG_MAX: u64 = 256 << 20;

/// How much of a log is read at once, in bytes.
const PART: u64 = 4 << 20;

/// The longest line that is shown, in letters.
const LINE_SHOWN: usize = 16_384;

/// How much time passes between two looks at logs that may have grown.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// After how many looks the machines are asked for new logs, and whether the run is alive.
const ASK_EVERY: u32 = 5;

pub(crate) fn logs(arguments: &Arguments) -> anyhow::Result<u8> {
    let run = match &arguments.run {
        Some(run) => run.clone(),
        None => logs::last(FOLDER).ok_or_else(|| {
            anyhow!("no run was ever here: name one, and with --hosts the machines where it was")
        })?,
    };
    let note = here::note_of(&run);
    let machines = arguments.machines.machines(note.as_slice())?;
    let mut room = Room::enter(&run, &machines);
    let mut merge = Merge::default();
    room.read(&mut merge);
    if room.logs.is_empty() && !arguments.follow && room.problems.is_empty() {
        return Err(anyhow!(
            "there are no logs of {run} here or on the machines of the run; `ls {}` shows the runs of \
             this machine",
            logs::user_folder(FOLDER).display()
        ));
    }
    let processes = note.as_ref().map_or(0, |note| note.processes);
    if room.problems.is_empty() {
        check_known(&arguments.process, &merge.ranks(), processes)?;
    }
    if !merge.has_lamport && machines.len() > 1 {
        say(
            "labs: these lines have no Lamport times (the run had no --trace): they are sorted by the \
             clocks of their machines",
        );
    }
    let out = Out::new(arguments);
    match arguments.follow {
        false => drop(out.show_all(&merge.take_all())?),
        true => {
            labs::run::end_at_signal()?;
            say(&format!("labs: following {run}, until it has ended or Ctrl-C"));
            follow(&run, &machines, &mut room, &mut merge, &out)?;
        }
    }
    Ok(status(&room.problems))
}

/// Refuses a process of which there is no log, and will be none: the run has so many processes, as far as that
/// is known.
fn check_known(wanted: &[u32], logged: &BTreeSet<u32>, processes: u32) -> anyhow::Result<()> {
    let is_unknown = |rank: &&u32| !logged.contains(rank) && **rank >= processes;
    let Some(rank) = wanted.iter().find(is_unknown) else { return Ok(()) };
    let known: BTreeSet<_> = logged.iter().copied().chain(0..processes).collect();
    let known: Vec<_> = known.iter().map(|rank| format!("p{rank}")).collect();
    Err(anyhow!("--process {rank}: the run has no such process, only {}", known.join(", ")))
}

/// The lines of each log of a run, and what could not be read. Of all together so many bytes are read, of each
/// the same share.
pub(crate) fn all(run: &RunId, machines: &[Machine], most: u64) -> (Vec<Vec<String>>, Vec<String>) {
    let mut room = Room::enter(run, machines);
    room.most = (most / room.logs.len().max(1) as u64).min(LOG_MAX);
    let mut merge = Merge::default();
    room.read(&mut merge);
    let texts = |lines: VecDeque<Line>| lines.into_iter().map(|line| line.text).collect();
    (merge.waiting.into_values().map(texts).collect(), room.problems)
}

/// Shows lines as they come, until the run is over or nobody reads them.
fn follow(
    run: &RunId,
    machines: &[Machine],
    room: &mut Room<'_>,
    merge: &mut Merge,
    out: &Out,
) -> anyhow::Result<()> {
    for look in 1.. {
        // What is new waits for one look, for what belongs before it.
        if !out.show_all(&merge.take_settled())? {
            break;
        }
        let is_over = look % ASK_EVERY == 0 && !is_alive(run, machines);
        if look % ASK_EVERY == 0 {
            room.list();
        }
        room.read(merge);
        if is_over {
            out.show_all(&merge.take_all())?;
            break;
        }
        thread::park_timeout(LOOK_EVERY);
    }
    Ok(())
}

fn is_alive(run: &RunId, machines: &[Machine]) -> bool {
    // A launcher that is alive says it all; without one, there may be participants for a moment.
    here::note_of(run).is_some_and(|note| note.is_alive())
        || everywhere(machines).0.iter().any(|row| row.run == *run)
}

// Reading.

/// The machines of a run, and the logs on them.
struct Room<'a> {
    run: &'a RunId,
    /// This machine's folder of the run.
    folder: Option<RunFolder>,
    /// The others, each with its connection while it answers.
    others: Vec<(&'a Machine, Option<Remote>)>,
    logs: BTreeMap<LogKey, Log>,
    /// How much is read of each log, in bytes.
    most: u64,
    problems: Vec<String>,
}

/// Whose log: which machine (none is this one) and which file.
type LogKey = (Option<usize>, String);

#[derive(Default)]
struct Log {
    /// How much was read.
    offset: u64,
    /// How long it is known to be.
    length: u64,
    /// The beginning of a line whose end is not there yet.
    begun: Vec<u8>,
    is_cut: bool,
    /// Its number among all logs.
    number: usize,
    path: String,
}

impl<'a> Room<'a> {
    fn enter(run: &'a RunId, machines: &'a [Machine]) -> Self {
        let mut room = Self {
            run,
            folder: None,
            others: Vec::new(),
            logs: BTreeMap::new(),
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

    /// Looks which logs there are.
    fn list(&mut self) {
        let mut seen = BTreeSet::new();
        match here::logs_of(self.run) {
            Ok(logs) => {
                if self.folder.is_none() && logs.folder.is_some() {
                    self.folder = RunFolder::open(FOLDER, self.run).ok();
                }
                seen.insert(logs.machine.clone());
                self.note(None, &logs);
            }
            Err(error) => self.problems.push(format!("{error:#}")),
        }
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
                    self.logs.retain(|(machine, _), _| *machine != Some(at));
                }
            }
        }
    }

    fn note(&mut self, machine: Option<usize>, logs: &Logs) {
        let Some(folder) = &logs.folder else { return };
        for (name, length) in &logs.files {
            let number = self.logs.len();
            let path = folder.join(name).display().to_string();
            let new = || Log { number, path, ..Log::default() };
            self.logs.entry((machine, name.clone())).or_insert_with(new).length = *length;
        }
    }

    /// Reads what is new.
    fn read(&mut self, merge: &mut Merge) {
        for ((machine, name), log) in &mut self.logs {
            while log.offset < self.most {
                let part = PART.min(self.most - log.offset);
                let read = match machine {
                    None => self.folder.as_ref().map_or_else(
                        || Ok(Vec::new()),
                        |folder| read_here(folder, name, log.offset, part),
                    ),
                    // Over SSH only what is known to be there.
                    Some(_) if log.offset >= log.length => break,
                    Some(at) => match &mut self.others[*at].1 {
                        Some(remote) => read_there(remote, &log.path, log.offset, part),
                        None => break,
                    },
                };
                match read {
                    Ok(bytes) if bytes.is_empty() => break,
                    Ok(bytes) => {
                        log.offset += bytes.len() as u64;
                        merge.take_in(log, &bytes);
                    }
                    Err(error) => {
                        self.problems.push(format!("{}: {error:#}", log.path));
                        log.offset = self.most;
                        log.is_cut = true;
                    }
                }
            }
            if log.offset >= self.most && !std::mem::replace(&mut log.is_cut, true) {
                let megabytes = self.most as f64 / f64::from(1 << 20);
                self.problems
                    .push(format!("{}: only its first {megabytes:.1} MiB are shown", log.path));
            }
        }
    }
}

fn read_here(folder: &RunFolder, name: &str, offset: u64, most: u64) -> anyhow::Result<Vec<u8>> {
    Ok(files::read_part(&mut folder.read(name)?, offset, most)?)
}

fn read_there(remote: &mut Remote, path: &str, offset: u64, most: u64) -> anyhow::Result<Vec<u8>> {
    remote.read_file(path, offset, most).context("it cannot be fetched")
}

// Merging.

/// One line of a log.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Line {
    /// Its place: its Lamport time (that of the line before, if it has none), and its time.
    at: (u64, String),
    level: Option<Level>,
    rank: Option<u32>,
    text: String,
}

/// Lines of several logs that wait to be shown.
#[derive(Default)]
struct Merge {
    /// By the number of the log.
    waiting: BTreeMap<usize, VecDeque<Line>>,
    /// How many of each came before the last look.
    settled: BTreeMap<usize, usize>,
    last: BTreeMap<usize, (u64, String)>,
    has_lamport: bool,
}

impl Merge {
    /// Takes what a log has more.
    fn take_in(&mut self, log: &mut Log, bytes: &[u8]) {
        log.begun.extend_from_slice(bytes);
        let Some(end) = log.begun.iter().rposition(|&byte| byte == b'\n') else { return };
        let rest = log.begun.split_off(end + 1);
        let whole = std::mem::replace(&mut log.begun, rest);
        for line in String::from_utf8_lossy(&whole).lines() {
            self.push(log.number, line);
        }
    }

    /// The processes of which lines wait.
    fn ranks(&self) -> BTreeSet<u32> {
        self.waiting.values().flatten().filter_map(|line| line.rank).collect()
    }

    fn push(&mut self, number: usize, text: &str) {
        let last = self.last.entry(number).or_default();
        let (line, lamport) = Line::read(text, last);
        self.has_lamport |= lamport;
        last.clone_from(&line.at);
        self.waiting.entry(number).or_default().push_back(line);
    }

    /// The lines that were there at the last look, merged.
    fn take_settled(&mut self) -> Vec<Line> {
        let mut left = std::mem::take(&mut self.settled);
        let settled = self.take(&mut left);
        self.settled = self.waiting.iter().map(|(number, lines)| (*number, lines.len())).collect();
        settled
    }

    /// All lines, merged.
    fn take_all(&mut self) -> Vec<Line> {
        let mut left: BTreeMap<_, _> =
            self.waiting.iter().map(|(number, lines)| (*number, lines.len())).collect();
        self.take(&mut left)
    }

    /// Takes the earliest of the first lines of all logs, again and again, of each log as many as are
    /// `left`.
    fn take(&mut self, left: &mut BTreeMap<usize, usize>) -> Vec<Line> {
        let mut taken = Vec::new();
        // The first lines of the logs of which some are left.
        let mut heads: BTreeSet<((u64, String), usize)> = BTreeSet::new();
        let head = |waiting: &BTreeMap<usize, VecDeque<Line>>, number: usize| {
            Some((waiting.get(&number)?.front()?.at.clone(), number))
        };
        for (number, _) in left.iter().filter(|(_, left)| **left > 0) {
            heads.extend(head(&self.waiting, *number));
        }
        while let Some((_, number)) = heads.pop_first() {
            taken.extend(self.waiting.get_mut(&number).and_then(VecDeque::pop_front));
            if let Some(left) = left.get_mut(&number) {
                *left -= 1;
                if *left > 0 {
                    heads.extend(head(&self.waiting, number));
                }
            }
        }
        taken
    }
}

impl Line {
    /// Reads a line that follows one of this place. Says whether it has a Lamport time itself.
    fn read(text: &str, last: &(u64, String)) -> (Self, bool) {
        let LogLine { time, level, rank, lamport, .. } = LogLine::read(text);
        // Within a log neither goes back: what is written later happened later.
        let at = (
            lamport.unwrap_or(last.0).max(last.0),
            time.map_or_else(|| last.1.clone(), |time| time.to_owned().max(last.1.clone())),
        );
        (Self { at, level, rank, text: text.to_owned() }, lamport.is_some())
    }
}

// Showing.

/// Writes the lines that are wanted to standard output.
struct Out {
    processes: BTreeSet<u32>,
    level: Level,
    paint: Paint,
}

impl Out {
    fn new(arguments: &Arguments) -> Self {
        Self {
            processes: arguments.process.iter().copied().collect(),
            level: arguments.level,
            paint: paint(),
        }
    }

    /// Shows the lines that are wanted. Returns whether somebody reads.
    fn show_all(&self, lines: &[Line]) -> anyhow::Result<bool> {
        for line in lines.iter().filter(|line| self.is_wanted(line)) {
            if !offer(&format!("{}\n", self.coloured(line)))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn is_wanted(&self, line: &Line) -> bool {
        let is_of_rank = self.processes.is_empty()
            || line.rank.is_some_and(|rank| self.processes.contains(&rank));
        let is_of_level = line.level.is_none_or(|level| level <= self.level);
        is_of_rank && is_of_level
    }

    fn coloured(&self, line: &Line) -> String {
        // What stands in a log must not command the terminal.
        let text = netkit::text::one_line(&line.text, LINE_SHOWN);
        let Some(rank) = line.rank else { return text };
        let process = self.paint.of_rank(rank, &format!("p{rank}"));
        let text = text.replacen(&format!(" p{rank} "), &format!(" {process} "), 1);
        let colour = |colour, word| text.replacen(word, &self.paint.colour(colour, word), 1);
        match line.level {
            Some(Level::Error) => colour(AnsiColor::Red, "ERROR"),
            Some(Level::Warn) => colour(AnsiColor::Yellow, "WARN"),
            _ => text,
        }
    }
}
