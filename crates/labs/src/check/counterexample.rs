//! A shortest run that breaks a property.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use super::collected::Collected;
use super::model::Model;
use super::overtaking::Overtaking;
use super::space::Wrong;
use super::state::{Shared, Site, State};
use super::steps::Step;
use crate::faults::Assumption;
use crate::process::{Choices, Process, ProcessId};
use crate::record::Recorder;
use crate::trace::{CycleFrom, Happening, Header, Observer, TraceEvent};
use crate::verdict::{End, Judge, Verdict};

/// How far the steps of a counterexample lie apart in its trace, in microseconds. The checker has
/// no clock; a diagram wants one.
const STEP_US: u64 = 1_000;

/// A shortest run that breaks a property.
#[derive(Clone)]
pub struct Counterexample<P: Process> {
    /// The property's name.
    pub property: String,
    /// What is wrong.
    pub what: String,
    /// What happened, in order, in the notation of [`crate::trace::notation`]. That all processes
    /// start is left out.
    pub steps: Vec<String>,
    /// How many of them lead to where the run goes round for ever, if it does: the others repeat.
    pub cycle_from: Option<usize>,
    model: Arc<Model<P>>,
    path: Vec<Step<P>>,
    end: End,
    /// What a handler did at last, if it is that.
    wrong: Option<Wrong>,
}

/// A run without end, to be told.
pub(super) struct Endless<P: Process> {
    pub(super) what: String,
    pub(super) starts: Vec<Step<P>>,
    pub(super) steps: Vec<Step<P>>,
    /// How many steps lead to where it goes round.
    pub(super) cycle_from: usize,
}

impl<P: Process> Counterexample<P> {
    pub(super) fn new(
        model: Arc<Model<P>>,
        starts: Vec<Step<P>>,
        steps: Vec<Step<P>>,
        wrong: Option<&Wrong>,
    ) -> Self {
        let told = steps.iter().map(ToString::to_string).collect();
        let path = starts.into_iter().chain(steps).collect();
        let (property, what) = (String::new(), String::new());
        let (cycle_from, end) = (None, End::Complete);
        let wrong_here = wrong.cloned();
        let mut found =
            Self { property, what, steps: told, cycle_from, model, path, end, wrong: wrong_here };
        let last = found.last::<()>(&mut ());
        found.end = found.model.end_of(&last);
        (found.property, found.what) =
            match (wrong, found.verdicts().into_iter().find(Verdict::is_violated)) {
                (Some((process, misstep)), _) => {
                    (misstep.wrong.property().to_owned(), misstep.sentence(*process))
                }
                (None, Some(broken)) => (broken.name.clone(), broken.detail().to_owned()),
                (None, None) => {
                    unreachable!("the path leads to a state in which something is wrong")
                }
            };
        found
    }

    /// A run without end that puts off for ever what this property waits for.
    pub(super) fn endless(model: Arc<Model<P>>, property: String, run: Endless<P>) -> Self {
        let Endless { what, starts, steps, cycle_from } = run;
        let told: Vec<_> = steps.iter().map(ToString::to_string).collect();
        let round = told.len() - cycle_from;
        let repeat = match round {
            1 => "the last step repeats".to_owned(),
            _ => format!("the last {round} steps repeat"),
        };
        let end = End::CutShort(format!("{repeat} for ever"));
        let path = starts.into_iter().chain(steps).collect();
        let cycle_from = Some(cycle_from);
        Self { property, what, steps: told, cycle_from, model, path, end, wrong: None }
    }

    /// Whether the run goes round for ever.
    pub fn is_endless(&self) -> bool {
        self.cycle_from.is_some()
    }

    /// What became of each property in this run.
    pub(super) fn verdicts(&self) -> Vec<Verdict> {
        self.last::<()>(&mut ()).monitors.verdicts(&self.end)
    }

    /// What algorithms often assume, and this run did not grant: it happened on the way to what is wrong.
    pub fn broken(&self) -> Vec<Assumption> {
        let has = |what: fn(&Step<P>) -> bool| self.path.iter().any(what);
        let is_crash = |step: &&Step<P>| matches!(step, Step::Crash { .. });
        // Nobody starts again in `check`.
        let dead = self.path.iter().filter(is_crash).count();
        let processes = self.model.before::<()>().sites.len() as u32;
        [
            (Assumption::Fifo, self.overtakes()),
            (Assumption::Reliable, has(|step| matches!(step, Step::Lose { .. }))),
            (Assumption::NoDuplicates, has(|step| matches!(step, Step::Double { .. }))),
            (Assumption::NoCrash, Assumption::NoCrash.forbids(dead, processes)),
            (Assumption::MajorityLives, Assumption::MajorityLives.forbids(dead, processes)),
            (Assumption::BoundedDelay, has(|step| matches!(step, Step::Timeout { .. }))),
        ]
        .iter()
        .filter_map(|&(assumption, is_broken)| is_broken.then_some(assumption))
        .collect()
    }

    /// Whether a message overtakes another on its channel.
    fn overtakes(&self) -> bool {
        let mut overtaking = Overtaking::default();
        self.replay(&mut overtaking);
        overtaking.happened
    }

    /// The events of the run, and of so many steps more that may follow: first what applications ask for, which depends
    /// on nothing, then messages. No fault, no timer and no handler that goes wrong. And how it ends then.
    pub(super) fn events_and_more(&self, more: usize) -> (Vec<TraceEvent>, End) {
        let (mut path, mut state) = (self.path.clone(), self.last(&mut ()));
        for _ in 0..more {
            let mut next = None;
            self.model.successors(&state, &mut |step, state| {
                let is_asked = matches!(step, Step::Request { .. });
                let is_better = next.is_none() || is_asked;
                if (is_asked || matches!(step, Step::Deliver { .. }))
                    && is_better
                    && state.panic.is_none()
                {
                    next = Some((step, state));
                }
            });
            let Some((step, after)) = next else { break };
            path.push(step);
            state = after;
        }
        let mut collected = Collected::new(self.model.processes());
        self.after(&path, &mut collected);
        (collected.events, self.model.end_of(&state))
    }

    /// Plays the run again for an observer.
    pub fn replay<O: Observer>(&self, observer: &mut O) {
        let state = self.last(observer);
        let at_us = self.at_us();
        let wrong = self.wrong.as_ref();
        if let Some((process, misstep)) = wrong {
            observer.on_happening(at_us, *process, Happening::Misstep(misstep));
        }
        let is_out = |rank| wrong.is_some_and(|(process, _)| process.0 == rank);
        let alive = |(rank, site): &(u32, &Shared<Site<P>>)| !site.crashed && !is_out(*rank);
        for (rank, _) in (0..).zip(&state.sites).filter(alive) {
            observer.on_happening(at_us, ProcessId(rank), Happening::Stop(Some(&self.end)));
        }
    }

    /// The last state of the run, which is played again for an observer.
    fn last<O: Observer>(&self, observer: &mut O) -> State<P, O::Carried> {
        self.after(&self.path, observer)
    }

    /// The state after these first steps of the run.
    fn after<O: Observer>(&self, path: &[Step<P>], observer: &mut O) -> State<P, O::Carried> {
        let mut state = self.model.before::<O::Carried>();
        let mut at_us = 0;
        for step in path {
            if !matches!(step, Step::Start { .. }) {
                at_us += STEP_US;
            }
            let mut choices = Choices::repeating(step.chosen());
            self.model.happen(&mut state, step, &mut choices, at_us, observer);
        }
        state
    }

    /// When the last step happens.
    fn at_us(&self) -> u64 {
        self.steps.len() as u64 * STEP_US
    }

    /// Writes the run as a trace, and returns who judged it, by the properties of the header.
    ///
    /// # Errors
    ///
    /// Those of the file.
    pub fn save(&self, header: &Header, to: Box<dyn Write>) -> io::Result<Judge> {
        let judge = Judge::new(&header.properties, header.processes);
        let header = Header { cycle_from: self.first_repeated(header.processes), ..header.clone() };
        let mut recorder = Recorder::writing(&header, judge, to)?;
        self.replay(&mut recorder);
        recorder.finish()
    }

    /// Where the first event that repeats for ever stands in the trace.
    fn first_repeated(&self, processes: u32) -> Option<CycleFrom> {
        let starts = self.path.len() - self.steps.len();
        let way_in = &self.path[..starts + self.cycle_from?];
        let mut recorder = Recorder::new(processes, Judge::default());
        self.after(way_in, &mut recorder);
        // The header is line 1, and the event after those of the way in is looked for.
        let line = recorder.judge().events() + 2;
        Some(CycleFrom { line, property: self.property.clone() })
    }
}

impl<P: Process> fmt::Debug for Counterexample<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counterexample")
            .field("property", &self.property)
            .field("what", &self.what)
            .field("steps", &self.steps)
            .finish_non_exhaustive()
    }
}

/// The property, and the steps, one a line.
impl<P: Process> fmt::Display for Counterexample<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} is violated: {}", self.property, self.what)?;
        self.steps.iter().try_for_each(|step| writeln!(f, "  {step}"))
    }
}
