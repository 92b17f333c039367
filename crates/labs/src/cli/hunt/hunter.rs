//! Makes the runs of a hunt, one after the other, as `simulate` would with the same words.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Write};
use std::rc::Rc;

use anyhow::Context as _;
use clap::FromArgMatches;

use crate::cli::line::{self, Line, Reader};
use crate::cli::simulate::trial::{Cut, Trial, Tried};
use crate::cli::simulate::{Arguments, identity_of};
use crate::cli::{Command, Typed};
use crate::faults::{Fault, Plan};
use crate::hunt::{Case, Dice, Fixed, Grounds, Hunted, Scene, draw_options, draw_trouble};
use crate::lab::{Nothing, World};
use crate::planned::{Course, Planned, Simulated};
use crate::process::ProcessId;
use crate::record::Recorder;
use crate::report::Brought;
use crate::text::quoted;
use crate::trace::format;
use crate::trace::{Header, TraceEvent, What};
use crate::verdict::{End, Judge, Verdict, Witness};

/// After so many events a run is given up: hundreds of short runs show more than a long one.
const EVENTS_MAX: u64 = 30_000;

/// How many events pass between two looks at whether something is broken: a violation is seen soon.
const ROUND: u64 = 64;

/// How many times options are drawn until they go together.
const DRAWS: u64 = 6;

/// How many steps of a story are shown: a screen.
const STORY_MAX: usize = 40;

/// What makes runs of one lab.
pub(super) struct Hunter<'a> {
    lab: &'a dyn Course,
    reader: Reader<'a>,
    seed: u64,
    /// What is not drawn.
    words: &'a [String],
    fixed: &'a Fixed,
    /// Whether the lab brings faults to a `simulate` that says nothing of them.
    has_usual_faults: bool,
}

/// A run as `simulate` would make it.
struct Prepared {
    arguments: Arguments,
    lab: Box<dyn Planned>,
    faults: Plan,
    brought: Vec<Brought>,
}

/// What came of one run.
pub(super) struct Outcome {
    pub(super) case: Case,
    pub(super) processes: u32,
    pub(super) events: u64,
    pub(super) verdicts: Vec<Verdict>,
    /// Of each property, whether anything happened that could have broken it.
    pub(super) tested: Vec<bool>,
    /// Whether it came to its end.
    pub(super) is_complete: bool,
    /// How many times what went wrong.
    pub(super) faults: BTreeMap<&'static str, u64>,
    /// The first property that is violated, if the run granted what the algorithm assumes.
    pub(super) broken: Option<Verdict>,
}

impl Outcome {
    /// Whether it is what the hunt looks for.
    pub(super) fn is_found(&self) -> bool {
        self.broken.is_some()
    }
}

/// A run that is told.
pub(super) struct Told {
    pub(super) property: Verdict,
    pub(super) brought: Vec<Brought>,
    /// How many steps it has.
    pub(super) steps: usize,
    /// The last of these, in the notation.
    pub(super) story: Vec<String>,
    pub(super) trace: Vec<u8>,
}

impl<'a> Hunter<'a> {
    pub(super) fn new(
        lab: &'a dyn Course,
        seed: u64,
        words: &'a [String],
        fixed: &'a Fixed,
    ) -> Self {
        let mut hunter =
            Self { lab, reader: Reader::new(lab), seed, words, fixed, has_usual_faults: false };
        let usual = hunter.prepared(&Case { seed: 1, ..Case::default() });
        hunter.has_usual_faults = usual.is_ok_and(|usual| !usual.lab.usual_faults().is_empty());
        hunter
    }

    /// The words behind `simulate`. A case in which nothing goes wrong says so, where the lab would bring faults.
    fn words(&self, case: &Case) -> Vec<String> {
        let mut words: Vec<_> = self.words.iter().cloned().chain(case.words()).collect();
        if self.has_usual_faults && case.faults.is_empty() {
            words.extend([line::FAULTS.to_owned(), crate::faults::NONE.to_owned()]);
        }
        words
    }

    /// Whether what is given can be simulated, and hunted.
    ///
    /// # Errors
    ///
    /// Says why not.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        let prepared = self.prepared(&Case { seed: 1, ..Case::default() })?;
        anyhow::ensure!(
            prepared.lab.study().is_none(),
            "these options mean many runs already: leave them out, or take `simulate`"
        );
        Ok(())
    }

    /// Whether another number of processes goes with what is given.
    pub(super) fn can_vary_processes(&mut self) -> bool {
        let usual = Case { seed: 1, ..Case::default() };
        let Ok(prepared) = self.prepared(&usual) else { return false };
        let n = prepared.lab.processes();
        let mut with = |n| self.prepared(&Case { processes: Some(n), ..usual.clone() }).is_ok();
        with(n + 1) || with(n - 1)
    }

    /// What may be made smaller: what is drawn, the number of processes down to the least, and all options
    /// but those that are given.
    pub(super) fn may_shrink(&self) -> (Grounds, Option<u32>, Vec<String>) {
        let about = self.lab.about();
        let least = (!self.fixed.processes).then_some(about.processes_min);
        (about.hunt, least, self.fixed.options.clone())
    }

    /// Makes the run of this number, unless it is abandoned.
    pub(super) fn hunt(&mut self, number: u64, is_abandoned: &dyn Fn() -> bool) -> Option<Outcome> {
        let case = self.drawn(number);
        let outcome = self.outcome(&case, is_abandoned)?;
        (!is_abandoned()).then_some(outcome)
    }

    /// Draws the run of this number.
    fn drawn(&mut self, number: u64) -> Case {
        let about = self.lab.about();
        for draw in 0..DRAWS {
            let stream = number.wrapping_mul(DRAWS).wrapping_add(draw);
            let mut dice = Dice::new(self.seed, stream);
            let mut case = draw_options(&mut dice, &about.hunt, about.processes_min, self.fixed);
            // Not all options go together.
            let Ok(prepared) = self.prepared(&case) else { continue };
            draw_trouble(&mut dice, &scene(&*prepared.lab), &mut case);
            if self.fixed.latency {
                case.weather.latency = None;
            }
            return case;
        }
        Case { seed: number.saturating_add(1), ..Case::default() }
    }

    /// Runs a case. Nothing comes of one that `simulate` would refuse.
    fn outcome(&mut self, case: &Case, is_abandoned: &dyn Fn() -> bool) -> Option<Outcome> {
        let prepared = self.prepared(case).ok()?;
        let lab = &*prepared.lab;
        let recorder = Recorder::new(lab.processes(), judge(lab));
        let mut look = |simulation: &dyn Simulated| -> Option<Cut> {
            let why = match simulation.events() {
                _ if is_abandoned() => "it is of no interest any more",
                _ if simulation.is_violated() => "a property is violated",
                EVENTS_MAX.. => "it took too many events",
                _ => return None,
            };
            Some((End::CutShort(why.to_owned()), None))
        };
        let trial = prepared.trial(case.seed, ROUND);
        let tried = trial.run(recorder, false, &mut Nothing, &mut look).ok()?;
        Some(outcome(case, &prepared, &tried))
    }

    /// Runs a case that may show the same violation. Returns it if it does.
    pub(super) fn shows(&mut self, case: &Case, property: &str) -> Option<Hunted> {
        let outcome = self.outcome(case, &|| false)?;
        let broken = outcome.broken.as_ref()?;
        (broken.name == property).then(|| Hunted {
            case: case.clone(),
            processes: outcome.processes,
            events: outcome.events,
        })
    }

    /// The command line that a person types.
    pub(super) fn command(&self, case: &Case) -> String {
        let words = [self.lab.about().name.to_owned(), "simulate".to_owned()].into_iter();
        let words = words.chain(self.words(case));
        words.map(|word| quoted(&word)).collect::<Vec<_>>().join(" ")
    }

    /// Runs a case as `simulate` does, to its end, and tells what happened.
    pub(super) fn story(&mut self, case: &Case, property: &str) -> anyhow::Result<Told> {
        let prepared = self.prepared(case)?;
        let lab = &*prepared.lab;
        let identity = identity_of(lab, case.seed);
        let words = self.words(case).into_iter().chain(line::words(&prepared.brought)).collect();
        let header = Header::new(identity, words, lab.properties(), lab.meaning());
        let buffer = Buffer::default();
        let recorder = Recorder::writing(&header, judge(lab), Box::new(buffer.clone()))?;
        let trial = prepared.trial(case.seed, crate::cli::simulate::trial::ROUND);
        let Tried { judge, end, .. } = trial.run(recorder, true, &mut Nothing, &mut |_| None)?;
        let broken = judge.verdicts(&end).into_iter().find(|verdict| verdict.name == property);
        let verdict = broken.context("the property is gone")?;
        let trace = buffer.0.take();
        let steps = steps(&trace, verdict.witnesses());
        let skipped = steps.len().saturating_sub(STORY_MAX);
        Ok(Told {
            property: verdict,
            brought: prepared.brought.clone(),
            steps: steps.len(),
            story: steps.into_iter().skip(skipped).collect(),
            trace,
        })
    }

    fn prepared(&mut self, case: &Case) -> anyhow::Result<Prepared> {
        let words = ["simulate".to_owned()].into_iter();
        let words: Vec<_> = words.chain(self.words(case)).map(OsString::from).collect();
        let Line { matches, brought } = self.reader.read(&words)?;
        let (_, options) = matches.subcommand().context("no subcommand")?;
        let Command::Simulate(arguments) = Command::from_arg_matches(&matches)? else {
            anyhow::bail!("it is no simulation")
        };
        let lab = self.lab;
        let plan = |world: &World| lab.plan(options, world);
        let planned = arguments.plan(Typed { plan: &plan, brought: &brought })?;
        let faults = arguments.faults(&*planned)?;
        Ok(Prepared { arguments, lab: planned, faults, brought })
    }
}

impl Prepared {
    fn trial(&self, seed: u64, round: u64) -> Trial<'_> {
        let Self { arguments, lab, faults, .. } = self;
        Trial { arguments, lab: &**lab, faults, seed, round, whereabouts: None }
    }
}

fn judge(lab: &dyn Planned) -> Judge {
    Judge::new(&lab.properties(), lab.processes())
}

/// Where something may go wrong.
fn scene(lab: &dyn Planned) -> Scene {
    let about = lab.about();
    let all = || (0..lab.processes()).map(ProcessId);
    Scene {
        grounds: about.hunt,
        assumes: about.assumes,
        recovers: all().map(|process| lab.recovers(process)).collect(),
        survives: all().map(|process| lab.survives(process)).collect(),
        kinds: lab.kinds().into_iter().flatten().collect(),
        has_requests: lab.has_requests(),
        lasts: lab.lasts(),
    }
}

fn outcome(case: &Case, prepared: &Prepared, tried: &Tried) -> Outcome {
    let verdicts = tried.judge.verdicts(&tried.end);
    let granted = tried.assumptions_broken.is_empty();
    let broken = verdicts.iter().find(|verdict| granted && verdict.is_violated()).cloned();
    let faults = [
        ("messages lost", tried.mishaps.lost),
        ("messages doubled", tried.mishaps.doubled),
        ("messages overtaking", tried.mishaps.overtaking),
    ];
    let mut faults = BTreeMap::from(faults);
    for (number, rule) in prepared.faults.rules().iter().enumerate() {
        *faults.entry(kind(&rule.fault)).or_default() += tried.toll.of(number);
    }
    faults.retain(|_, times| *times > 0);
    Outcome {
        case: case.clone(),
        processes: prepared.lab.processes(),
        events: tried.events,
        tested: tried.judge.put_to_the_test(),
        is_complete: tried.end == End::Complete && granted,
        verdicts,
        faults,
        broken,
    }
}

/// What a rule does, in the words of a report.
fn kind(fault: &Fault) -> &'static str {
    use crate::faults::Action::{Continue, Kill, Restart, Stop};
    match fault {
        Fault::Delay(..) => "messages late",
        Fault::Drop(..) => "messages dropped",
        Fault::Duplicate(..) => "messages doubled",
        Fault::Reorder(..) => "messages overtaking",
        Fault::Partition(_) => "messages cut off",
        Fault::Process(Stop | Continue, _) => "processes stopped",
        Fault::Process(Kill, _) => "processes killed",
        Fault::Process(Restart, _) => "processes started again",
    }
}

/// What happened until the last of the witnesses, without the sends: that a message is received says so.
fn steps(trace: &[u8], witnesses: &[Witness]) -> Vec<String> {
    let Ok(reader) = format::Reader::new(trace) else { return Vec::new() };
    let mut steps = Vec::new();
    let mut until = 0;
    for event in reader.map_while(Result::ok) {
        let is_told = !matches!(event.what, What::Init | What::Send { .. } | What::Stop(_));
        if is_told {
            steps.push(step(&event));
        }
        let at = Witness { process: event.process, n: event.n };
        if witnesses.contains(&at) {
            until = steps.len();
        }
    }
    if until > 0 {
        steps.truncate(until);
    }
    steps
}

fn step(event: &TraceEvent) -> String {
    let ms = event.at_us as f64 / 1_000.0;
    format!("{ms:>10.3} ms  {event}")
}

/// A trace that is kept in memory.
#[derive(Clone, Default)]
struct Buffer(Rc<RefCell<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
