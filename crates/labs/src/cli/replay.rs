//! `replay`: a trace of this lab is gone through again.
//!
//! A trace of `simulate` is run again from its seed and arguments, and must come out the same, byte for
//! byte. Traces of all three worlds are then followed event by event ([`crate::replay`]), which also tells
//! the states of the processes. `labs replay` finds the lab's program and calls this.

mod hung;

use std::cell::{Cell, RefCell};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anstyle::AnsiColor;
use anyhow::{Context as _, bail, ensure};
use clap::{ArgMatches, Args, FromArgMatches};
use serde::Serialize;

use self::hung::Hung;
use super::line::{self, Line};
use super::output::{WhileRead, paint};
use super::progress::Progress;
use super::simulate::{TraceTo, simulated};
use super::{COULD_NOT_RUN, Command, Typed, VERBS, print, trace_file};
use crate::files;
use crate::lab::{Place, Verb, World};
use crate::misstep::watchdog::Whereabouts;
use crate::misstep::{Misstep, Wrong, panics};
use crate::planned::{Course, Planned};
use crate::process::ProcessId;
use crate::replay::{Luck, Replayed, Round, Step};
use crate::said::say;
use crate::text::{Paint, counted};
use crate::trace::event::Setup;
use crate::trace::format::{LINE_MAX, Reader, Writer, parse};
use crate::trace::{Gap, Header, Identity, TraceEvent, What};
use crate::verdict::{End, StreamJudge};

/// The exit status of a replay that is not the same.
const DIFFERS: u8 = 1;

/// The longest counterexample that is followed, in events: it is held in memory, and shortest runs are short.
const COUNTEREXAMPLE_MAX: usize = 1_000_000;

/// What stands for standard output where a file is named.
const STANDARD_OUTPUT: &str = "-";

/// How many letters of one line of the answer are shown.
const LINE_SHOWN: usize = 2_000;

/// How many letters of a line that is no event are shown.
const SHOWN: usize = 200;

/// What `labs replay` hands on to the lab's program.
#[derive(Args, Clone, Debug)]
pub struct ReplayArguments {
    /// A file that the lab wrote with --trace
    pub trace: PathBuf,
    /// Write the trace to FILE, each event with the state of its process after it; `-` is standard output, and
    /// the answer goes to standard error then
    #[arg(long, value_name = "FILE")]
    pub states: Option<PathBuf>,
    /// Print what came of it as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// What came of a replay.
#[derive(Clone, Debug, Serialize)]
struct Outcome {
    #[serde(flatten)]
    identity: Identity,
    /// Whether all is the same; null if that cannot be known.
    same: Option<bool>,
    /// Whether the simulation came out the same, byte for byte; null in the other worlds.
    again: Option<bool>,
    events: u64,
    followed: u64,
    differences: Vec<String>,
    /// What a handler did that none may do, in the trace as here.
    #[serde(skip_serializing_if = "Option::is_none")]
    misstep: Option<Broken>,
    /// The processes that could not be followed to their end.
    unfollowed: Vec<String>,
    trace: String,
    states: Option<String>,
}

/// That a handler did what none may do.
#[derive(Clone, Debug, Serialize)]
struct Broken {
    /// The property that this violates.
    property: &'static str,
    detail: String,
}

impl Broken {
    fn of(process: ProcessId, misstep: &Misstep) -> Self {
        Self { property: misstep.wrong.property(), detail: misstep.sentence(process) }
    }
}

pub(super) fn replay(arguments: &ReplayArguments, lab: &dyn Course) -> anyhow::Result<u8> {
    let path = &arguments.trace;
    let place = path.display();
    let reader = trace_file::read(path)?;
    let (header, setup) = (reader.header().clone(), reader.setup().cloned());
    let planned = planned(lab, &header, setup.as_ref()).with_context(|| format!("{place}"))?;
    let mut outcome = Outcome {
        identity: header.identity.clone(),
        same: None,
        again: None,
        events: 0,
        followed: 0,
        differences: Vec::new(),
        misstep: None,
        unfollowed: Vec::new(),
        trace: place.to_string(),
        states: arguments.states.as_ref().map(|path| path.display().to_string()),
    };
    let states = arguments.states.as_deref().map(|to| StatesFile::create(to, path)).transpose()?;
    let Scanned { events, gaps, misstep: told, is_over } = scan(path)?;
    outcome.events = events;
    let mut replay = replayed(&header, setup.as_ref(), &*planned, gaps.is_empty())?;
    let wavers = told.as_ref().is_some_and(|(_, misstep)| misstep.wrong == Wrong::Wavers);
    let followed = Arc::default();
    let is_mended = told.is_some();
    let hung = Hung {
        outcome: outcome.clone(),
        followed: Arc::clone(&followed),
        told,
        is_over,
        json: arguments.json,
    };
    let (whereabouts, _watchdog) = hung.watch()?;
    replay.look_after(&whereabouts, wavers);
    follow(replay, reader, states, &followed, &mut outcome)?;
    let is_mended = is_mended && !outcome.differences.is_empty();
    let is_missing = |Gap { process, from }: &Gap| {
        format!("{process} from its event {from} on: the trace lacks it")
    };
    outcome.unfollowed.extend(gaps.iter().map(is_missing));
    // Of a trace in which events are missing that is no question, nor of a handler that does another thing each time.
    if header.verb == Verb::Simulate.name() && gaps.is_empty() && !wavers && !is_mended {
        let differences = &mut outcome.differences;
        outcome.again = Some(simulate_again(lab, &header, path, whereabouts, differences)?);
    }
    outcome.same = match (outcome.differences.is_empty(), outcome.unfollowed.is_empty()) {
        (false, _) => Some(false),
        (true, true) => Some(true),
        (true, false) => None,
    };
    tell(&outcome, arguments.json)?;
    Ok(match outcome.same {
        Some(true) => 0,
        Some(false) => DIFFERS,
        None => COULD_NOT_RUN,
    })
}

// What the processes were made from.

/// The lab that a trace is of, as it was planned.
///
/// # Errors
///
/// If the trace is of another lab, or cannot have been written by it.
pub(super) fn planned_again(lab: &dyn Course, path: &Path) -> anyhow::Result<Box<dyn Planned>> {
    let reader = trace_file::read(path)?;
    planned(lab, reader.header(), reader.setup()).with_context(|| path.display().to_string())
}

fn planned(
    lab: &dyn Course,
    header: &Header,
    setup: Option<&Setup>,
) -> anyhow::Result<Box<dyn Planned>> {
    let name = lab.about().name;
    ensure!(
        header.lab == name,
        "it is of {}, and this is {name}: `labs` finds the right program",
        header.lab
    );
    let planned = match (header.verb.as_str(), setup) {
        ("run", Some(setup)) => lab
            .read(&setup.options, setup.broken.as_ref())
            .context("its options are not those of this program: is it of another version?")?,
        ("run", None) => bail!("it does not say how its processes were made"),
        (verb, _) if !VERBS.iter().any(|known| known.name() == verb) => {
            bail!("{verb:?} is not a world that can be replayed")
        }
        _ => parsed(lab, header, |command, lab| match command {
            Command::Simulate(arguments) => arguments.plan(lab),
            Command::Check(arguments) => arguments.plan(lab),
            _ => unreachable!("the verb is one of these"),
        })?,
    };
    ensure!(
        planned.processes() == header.processes,
        "it has {}, and its arguments mean {}",
        counted(header.processes.into(), "process"),
        planned.processes()
    );
    Ok(planned)
}

/// Does something with the command line that wrote the trace.
fn parsed<T>(
    lab: &dyn Course,
    header: &Header,
    act: impl FnOnce(Command, Typed<'_>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let words = [header.verb.as_str()].into_iter();
    let words = words.chain(header.arguments.iter().map(String::as_str)).map(OsString::from);
    let read = line::Reader::new(lab).read_as_it_stands(&words.collect::<Vec<_>>());
    let Line { matches, brought } = read.map_err(|error| {
        let first = error.to_string().lines().next().unwrap_or_default().to_owned();
        anyhow::anyhow!("its arguments are not those of this program: {first}")
    })?;
    let options: &ArgMatches = matches.subcommand().context("no subcommand")?.1;
    let plan = |world: &World| lab.plan(options, world);
    act(Command::from_arg_matches(&matches)?, Typed { plan: &plan, brought: &brought })
}

/// Where each process was.
fn places(header: &Header, setup: Option<&Setup>) -> Vec<Place> {
    let place = |rank: u32| {
        let simulated = Place::simulated(rank, header.processes);
        match setup.and_then(|setup| setup.places.get(rank as usize)) {
            Some(at) => Place {
                host: at.host.clone(),
                pid: at.pid,
                address: at.address.clone(),
                ..simulated
            },
            None => simulated,
        }
    };
    (0..header.processes).map(place).collect()
}

// Following.

/// What is known of a trace before it is followed.
struct Scanned {
    events: u64,
    /// Which events are missing.
    gaps: Vec<Gap>,
    /// What a handler did that none may do.
    misstep: Option<(ProcessId, Misstep)>,
    /// Whether it has the end of the run.
    is_over: bool,
}

fn scan(path: &Path) -> anyhow::Result<Scanned> {
    let mut reader = trace_file::read(path)?;
    let mut rules = reader.rules().with_context(|| format!("{}, line 1", path.display()))?;
    let mut judge = StreamJudge::new(&[], reader.header().processes);
    let (mut is_over, mut events) = (false, 0);
    while let Some(event) = reader.next() {
        let event = event.with_context(|| path.display().to_string())?;
        let place = || format!("{}, line {}", path.display(), reader.line());
        judge.observe(&event).with_context(place)?;
        rules.observe(&event).with_context(place)?;
        is_over |= matches!(event.what, What::Stop(_));
        events += 1;
    }
    let misstep = judge.judge().misstep();
    let misstep = misstep.map(|(at, misstep)| (at.process, misstep.clone()));
    let is_over = is_over || misstep.is_some();
    Ok(Scanned { events, gaps: judge.gaps(), is_over, misstep })
}

/// The run of a trace, before its first event.
fn replayed(
    header: &Header,
    setup: Option<&Setup>,
    planned: &dyn Planned,
    is_whole: bool,
) -> anyhow::Result<Box<dyn Replayed>> {
    let places = places(header, setup);
    let luck = match header.verb.as_str() {
        "run" => Luck::of_run(header.seed, header.processes),
        "simulate" => Luck::of_simulation(header.seed),
        _ => Luck::Unknown,
    };
    let luck = if is_whole { luck } else { luck.of_part() };
    let has_clock = header.verb != Verb::Check.name();
    // Options that somebody made up may be too odd to make processes of.
    panics::catch(|| planned.replay(&places, luck, has_clock))
        .map_err(|_| anyhow::anyhow!("no processes can be made from its options"))
}

fn follow(
    mut replay: Box<dyn Replayed>,
    mut reader: Reader<BufReader<File>>,
    mut states: Option<StatesFile>,
    followed: &AtomicU64,
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    let place = outcome.trace.clone();
    let mut progress = Progress::new();
    // A counterexample is looked into ahead, for its choices.
    let whole = match outcome.identity.verb == "check" {
        false => Vec::new(),
        true => {
            let events: Vec<_> =
                reader.by_ref().take(COUNTEREXAMPLE_MAX + 1).collect::<Result<_, _>>()?;
            ensure!(events.len() <= COUNTEREXAMPLE_MAX, "{place} is too long for a counterexample");
            events
        }
    };
    let mut round = reader.header().cycle_from.as_ref().map(|cycle| Round::new(cycle.line));
    let mut held = (0..whole.len()).map(|at| Ok((whole[at].clone(), &whole[at + 1..])));
    let mut read = || reader.next().map(|event| event.map(|event| (event, &[] as &[TraceEvent])));
    let mut line = 1;
    while let Some(next) = held.next().or_else(&mut read) {
        let (event, ahead) = next.with_context(|| place.clone())?;
        line += 1;
        if let Some(round) = &mut round {
            round.look(line, &event, outcome.identity.processes, &*replay);
        }
        let step = replay.follow(&event, ahead);
        followed.store(replay.followed(), Ordering::Relaxed);
        if let Step::Parted(parting) = step.with_context(|| format!("{place}, line {line}"))? {
            outcome.differences.push(format!("line {line}: {parting}"));
            break;
        }
        if let Some(states) = &mut states {
            states.write(&event, replay.state(event.process))?;
        }
        if line % (1 << 16) == 0 {
            progress.say(&counted(line, "line"));
        }
    }
    if outcome.differences.is_empty() {
        outcome.differences.extend(round.and_then(|round| round.difference()));
    }
    outcome.followed = replay.followed();
    outcome.misstep = replay.misstep().map(|(process, misstep)| Broken::of(process, &misstep));
    outcome.unfollowed = replay
        .unfollowed()
        .iter()
        .map(|lost| format!("{} from its event {} on: {}", lost.process, lost.n, lost.why))
        .collect();
    states.map_or(Ok(()), StatesFile::finish)
}

/// The trace with states.
struct StatesFile {
    place: String,
    writer: Writer<BufWriter<Box<dyn Write>>>,
}

impl StatesFile {
    /// A file with the header of the trace.
    fn create(path: &Path, trace: &Path) -> anyhow::Result<Self> {
        let place = match path == Path::new(STANDARD_OUTPUT) {
            true => "to standard output".to_owned(),
            false => path.display().to_string(),
        };
        let failed = || format!("cannot write {place}");
        let mut first = Vec::new();
        trace_file::open(trace)?
            .take(crate::trace::format::HEADER_MAX)
            .read_until(b'\n', &mut first)?;
        let to: Box<dyn Write> = match path == Path::new(STANDARD_OUTPUT) {
            true => Box::new(WhileRead(io::stdout())),
            false => {
                files::check_regular(path).with_context(failed)?;
                files::check_other(path, trace).with_context(failed)?;
                Box::new(File::create(path).with_context(failed)?)
            }
        };
        let mut to = BufWriter::new(to);
        to.write_all(&first).with_context(failed)?;
        Ok(Self { place, writer: Writer::append(to) })
    }

    fn write(&mut self, event: &TraceEvent, state: Option<String>) -> anyhow::Result<()> {
        // What is dead, or over, is in no state.
        let is_over = matches!(event.what, What::Crash(_) | What::Stop(_));
        match state.filter(|_| !is_over) {
            Some(state) => self.writer.write_with_state(event, &state),
            None => self.writer.write(event),
        }
        .with_context(|| format!("cannot write {}", self.place))
    }

    fn finish(self) -> anyhow::Result<()> {
        self.writer.finish().with_context(|| format!("cannot write {}", self.place))?;
        Ok(())
    }
}

// Running a simulation again.

/// Whether the simulation comes out the same; what is different goes to `differences`.
fn simulate_again(
    lab: &dyn Course,
    header: &Header,
    path: &Path,
    whereabouts: Whereabouts,
    differences: &mut Vec<String>,
) -> anyhow::Result<bool> {
    let original = trace_file::open(path)?;
    let has_enough = Rc::new(Cell::new(false));
    let comparison = Rc::new(RefCell::new(Comparison::new(original, has_enough.clone())));
    let to = Box::new(Compared(comparison.clone()));
    let arguments_then = header.arguments.clone();
    parsed(lab, header, |command, lab| match command {
        Command::Simulate(arguments) => {
            let arguments_then = arguments_then.clone();
            let to = TraceTo { to, arguments: arguments_then, has_enough, whereabouts };
            simulated(&arguments, lab, Some(to))
        }
        _ => bail!("the verb is given"),
    })?;
    let difference = comparison.borrow_mut().finish()?;
    Ok(match difference {
        None => true,
        Some(difference) => {
            let at = format!("run again by its seed: {difference}");
            differences.push(at);
            false
        }
    })
}

/// Takes what is written, and compares it with a file, line by line.
struct Compared(Rc<RefCell<Comparison>>);

struct Comparison {
    original: BufReader<File>,
    /// The beginning of a line.
    begun: Vec<u8>,
    line: u64,
    difference: Option<String>,
    /// Whether it is known what came of it: there is a difference, or the original was cut short here.
    has_enough: Rc<Cell<bool>>,
}

impl Comparison {
    fn new(original: BufReader<File>, has_enough: Rc<Cell<bool>>) -> Self {
        Self { original, begun: Vec::new(), line: 0, difference: None, has_enough }
    }

    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.has_enough.get() {
            return Ok(());
        }
        self.begun.extend_from_slice(bytes);
        let whole = self.begun.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let rest = self.begun.split_off(whole);
        let lines = std::mem::replace(&mut self.begun, rest);
        for line in lines.split_inclusive(|&byte| byte == b'\n') {
            self.compare(line)?;
        }
        Ok(())
    }

    fn compare(&mut self, line: &[u8]) -> io::Result<()> {
        if self.has_enough.get() {
            return Ok(());
        }
        self.line += 1;
        let before = self.read()?;
        if before != line {
            self.has_enough.set(true);
            if is_cut_short(&before) {
                // The clock did that, and no seed.
                return Ok(());
            }
            let (number, before, now) = (self.line, shown(&before), shown(line));
            self.difference = Some(format!("line {number} was {before}, and is now {now}"));
        }
        Ok(())
    }

    fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        let max = LINE_MAX.max(crate::trace::format::HEADER_MAX);
        self.original.by_ref().take(max).read_until(b'\n', &mut line)?;
        Ok(line)
    }

    /// What is different, now that nothing more comes.
    fn finish(&mut self) -> io::Result<Option<String>> {
        if !self.has_enough.get() {
            let before = self.read()?;
            if !before.is_empty() {
                let (number, before) = (self.line + 1, shown(&before));
                self.difference = Some(format!("it ends before line {number}, which was {before}"));
            }
        }
        Ok(self.difference.clone())
    }
}

impl Write for Compared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().take(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether a process ends here because the run was cut short.
fn is_cut_short(line: &[u8]) -> bool {
    let Ok(TraceEvent { what: What::Stop(Some(end)), .. }) = parse(line) else { return false };
    matches!(End::from_note(&end), Some(End::CutShort(_)))
}

/// A line as people read it.
fn shown(line: &[u8]) -> String {
    match (parse(line), line) {
        (_, []) => "the end".to_owned(),
        (Ok(event), _) => format!("`{event}`, event {} of {}", event.n, event.process),
        (Err(_), line) => {
            let text: String = String::from_utf8_lossy(line).chars().take(SHOWN).collect();
            format!("{:?}", text.trim_end())
        }
    }
}

// Telling.

fn tell(outcome: &Outcome, json: bool) -> anyhow::Result<()> {
    let is_taken = outcome.states.as_deref() == Some(STANDARD_OUTPUT);
    let answer = match json {
        true => format!("{}\n", serde_json::to_string(outcome)?),
        false => text(outcome, if is_taken { Paint::Plain } else { paint() }),
    };
    if is_taken {
        say(answer.trim_end());
        return Ok(());
    }
    print(&answer)
}

fn text(outcome: &Outcome, paint: Paint) -> String {
    let Outcome { identity, events, followed, .. } = outcome;
    let Identity { lab, verb, run, processes, seed } = identity;
    let processes = counted((*processes).into(), "process");
    let mut lines = vec![format!("{lab} replay of {verb} {run}, {processes}, seed {seed}")];
    let verdict = match outcome.same {
        Some(true) => paint.bold("the same"),
        Some(false) => paint.colour(AnsiColor::Red, "not the same"),
        None => "the same as far as it could be followed".to_owned(),
    };
    lines.push(match outcome.differences.is_empty() {
        true => format!(
            "{verdict}: {followed} of {} followed, each step alike",
            counted(*events, "event")
        ),
        false => format!("{verdict}: alike in {}", counted(*followed, "event")),
    });
    if let Some(Broken { property, detail }) = &outcome.misstep {
        lines.push(format!("\"{property}\" is violated, here as in the trace: {detail}"));
    }
    if outcome.again == Some(true) {
        lines.push("run again by its seed: the same, byte for byte".to_owned());
    }
    lines.extend(outcome.differences.iter().map(|difference| format!("  {difference}")));
    lines.extend(outcome.unfollowed.iter().map(|who| format!("not followed: {who}")));
    let written = outcome.states.iter().filter(|path| *path != STANDARD_OUTPUT);
    lines.extend(written.map(|path| format!("states: {path}; `labs view {path}` shows them")));
    // What stands in a file must not command the terminal; our own colours stand in the second line only.
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        match number {
            1 => text.push_str(line),
            _ => text.push_str(&netkit::text::one_line(line, LINE_SHOWN)),
        }
        text.push('\n');
    }
    text
}
