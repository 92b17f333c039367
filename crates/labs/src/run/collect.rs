//! From the journals of all participants to a trace and its verdicts.
//!
//! Each journal is in the order of its process. Sorted by Lamport time, all together are in an
//! order that respects causality, for a receipt is later than its sending; so a merge of sorted
//! lists is all that it takes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::journal::{Events, Form};
use crate::misstep::Misstep;
use crate::process::ProcessId;
use crate::trace::{Header, Note, Setup, TraceEvent, What, format};
use crate::verdict::{End, Judge, StreamError, StreamJudge, Verdict};

/// The journal of one participant, in a file of this machine.
#[derive(Clone, Debug)]
pub(super) struct Collected {
    /// The file, if the journal could be had.
    pub(super) journal: Option<PathBuf>,
    /// Events at its end are missing.
    pub(super) truncated: bool,
    /// It could not be fetched, and its process is dead: what is there is what the launcher heard of it before.
    pub(super) lost: bool,
    /// The process was killed, so many microseconds after the start as far as is known: its last
    /// event is its crash.
    pub(super) died: Option<u64>,
    /// Its handler did what none may do, and it died of that.
    pub(super) misstep: Option<Misstep>,
}

/// What came of the journals.
pub(super) struct Judged {
    pub(super) judge: Judge,
    pub(super) verdicts: Vec<Verdict>,
    /// Where the events of a participant are missing, and why.
    pub(super) gaps: Vec<String>,
    /// The participants that are judged as dead after their last known events, in a line each.
    pub(super) lost: Vec<String>,
    /// Why the trace could not be written, if it could not.
    pub(super) trace_problem: Option<String>,
}

/// A trace that is written as long as that succeeds: a full disk is no reason to lose the verdicts.
struct TraceFile<'a> {
    path: &'a Path,
    writer: io::Result<format::Writer<BufWriter<File>>>,
}

impl<'a> TraceFile<'a> {
    fn create(path: &'a Path, header: &Header, setup: &Setup) -> Self {
        let file = File::create(path);
        let writer =
            file.and_then(|file| format::Writer::of_run(header, setup, BufWriter::new(file)));
        Self { path, writer }
    }

    fn write(&mut self, event: &TraceEvent) {
        if let Ok(writer) = &mut self.writer
            && let Err(error) = writer.write(event)
        {
            self.writer = Err(error);
        }
    }

    /// What went wrong, if something did.
    fn finish(self) -> Option<String> {
        let error = self.writer.and_then(format::Writer::finish).err()?;
        let path = self.path.display();
        Some(format!("the trace could not be written to {path}: {error}; name another place"))
    }
}

/// What the journals are of.
pub(super) struct Ended<'a> {
    pub(super) header: &'a Header,
    pub(super) end: &'a End,
    /// How they were kept: on disk or in memory.
    pub(super) form: Form,
    /// Whether somebody made messages arrive twice. TCP does not.
    pub(super) may_double: bool,
}

/// Merges the journals of a run, has them judged, shows every event to `watch`, and writes the trace if asked, with how
/// the processes were made.
pub(super) fn judge(
    run: &Ended<'_>,
    journals: &[Collected],
    trace: Option<(&Path, &Setup)>,
    watch: &mut dyn FnMut(&TraceEvent),
) -> anyhow::Result<Judged> {
    let Ended { header, end, form, may_double } = *run;
    let mut writer = trace.map(|(path, setup)| TraceFile::create(path, header, setup));
    let (gaps, lost) = (gaps(journals), lost(journals));
    let mut stream = StreamJudge::new(&header.properties, header.processes);
    if !lost.is_empty() {
        stream = stream.surviving_crashes();
    }
    if !may_double {
        stream = stream.delivering_once();
    }
    let lacks_events = !gaps.is_empty() || !lost.is_empty();
    let mut judging = true;
    for event in Merge::new(journals, form)? {
        let mut event = event?;
        if let What::Stop(how) = &mut event.what {
            *how = Some(Note::of(end));
        }
        if let Some(writer) = &mut writer {
            writer.write(&event);
        }
        watch(&event);
        if judging && let Err(error) = stream.observe(&event) {
            // A journal that was full may lack a sending before the last event of its process.
            let expected = lacks_events && matches!(error, StreamError::NotSent { .. });
            anyhow::ensure!(expected, "the journals contradict each other: {error}");
            judging = false;
        }
        // What was lost with a participant leaves receipts of messages that nobody sent; else there are none.
        let is_odd = !lacks_events && stream.is_misled();
        anyhow::ensure!(!is_odd, "the journals contradict each other: nobody sent `{event}`");
    }
    let trace_problem = writer.and_then(TraceFile::finish);
    for (process, at_us) in lost_at(journals) {
        watch(&death(process, at_us));
    }
    let verdicts = match (gaps.is_empty(), lost.is_empty()) {
        (false, _) => stream.judge().verdicts_on_part(&gaps.join("; ")),
        (true, true) => stream.verdicts_at(end),
        (true, false) => stream.verdicts_ending(end),
    };
    Ok(Judged { judge: stream.judge().clone(), verdicts, gaps, lost, trace_problem })
}

fn gaps(journals: &[Collected]) -> Vec<String> {
    (0..)
        .map(ProcessId)
        .zip(journals)
        .filter_map(|(process, collected)| match collected {
            Collected { journal: None, lost: false, .. } => {
                Some(format!("the events of {process} are lost with it"))
            }
            Collected { truncated: true, .. } => {
                Some(format!("{process} had more events than a journal holds"))
            }
            _ => None,
        })
        .collect()
}

/// The participants that died where nobody could fetch what they did.
fn lost_at(journals: &[Collected]) -> impl Iterator<Item = (ProcessId, u64)> + '_ {
    let all = (0..).map(ProcessId).zip(journals).filter(|(_, collected)| collected.lost);
    all.map(|(process, collected)| (process, collected.died.unwrap_or_default()))
}

fn lost(journals: &[Collected]) -> Vec<String> {
    let line = |(process, _)| {
        format!(
            "the last events of {process} are lost with it: it is judged by what others got from it"
        )
    };
    lost_at(journals).map(line).collect()
}

/// The death of a process whose last event nobody knows, for those who show it. It is no event of the trace.
fn death(process: ProcessId, at_us: u64) -> TraceEvent {
    TraceEvent { process, n: 0, clock: None, lamport: 0, at_us, what: What::Crash(None) }
}

/// The events of all journals in the order of their Lamport times.
struct Merge {
    sources: Vec<Source>,
    /// The next event of each source: its Lamport time and the source, the smallest first.
    next: BinaryHeap<Reverse<(u64, usize)>>,
}

struct Source {
    events: Option<Events<BufReader<File>>>,
    head: Option<TraceEvent>,
    /// To be added at the end, once.
    dies: Option<(u64, Option<Misstep>)>,
}

impl Merge {
    fn new(journals: &[Collected], form: Form) -> anyhow::Result<Self> {
        let mut this = Self { sources: Vec::new(), next: BinaryHeap::new() };
        for (index, collected) in journals.iter().enumerate() {
            let process = ProcessId(index as u32);
            let events = match &collected.journal {
                Some(path) => {
                    let file = File::open(path)
                        .with_context(|| format!("cannot read {}", path.display()))?;
                    Some(Events::new(process, BufReader::new(file), form))
                }
                None => None,
            };
            let misstep = collected.misstep.clone();
            let at_us = collected.died.or(misstep.is_some().then_some(0));
            // Messages that it sent after the last event that is here would come after its death.
            let dies = at_us.filter(|_| !collected.lost).map(|at_us| (at_us, misstep));
            this.sources.push(Source { events, head: None, dies });
            this.advance(index, None)?;
        }
        Ok(this)
    }

    fn advance(&mut self, index: usize, last: Option<&TraceEvent>) -> anyhow::Result<()> {
        let source = &mut self.sources[index];
        let next = source
            .events
            .as_mut()
            .and_then(Iterator::next)
            .transpose()
            .map_err(|error| anyhow::anyhow!("the journal of p{index} is damaged: {error}"))?;
        source.head = match (next, last) {
            (Some(event), _) => Some(event),
            (None, Some(last)) => {
                source.dies.take().map(|(at_us, why)| crash_after(last, at_us, why.as_ref()))
            }
            _ => None,
        };
        if let Some(event) = &source.head {
            self.next.push(Reverse((event.lamport, index)));
        }
        Ok(())
    }

    fn pop(&mut self) -> anyhow::Result<Option<TraceEvent>> {
        let Some(Reverse((_, index))) = self.next.pop() else { return Ok(None) };
        let event = self.sources[index].head.take().expect("a source in the heap has a head");
        self.advance(index, Some(&event))?;
        Ok(Some(event))
    }
}

/// The crash of a process whose last event is `last`.
fn crash_after(last: &TraceEvent, at_us: u64, why: Option<&Misstep>) -> TraceEvent {
    let mut crash = TraceEvent {
        n: last.n + 1,
        lamport: last.lamport + 1,
        at_us: at_us.max(last.at_us),
        what: What::Crash(why.map(|misstep| Note::of(misstep))),
        ..last.clone()
    };
    if let Some(clock) = &mut crash.clock {
        clock.tick(crash.process);
    }
    crash
}

impl Iterator for Merge {
    type Item = anyhow::Result<TraceEvent>;

    fn next(&mut self) -> Option<Self::Item> {
        self.pop().transpose()
    }
}
