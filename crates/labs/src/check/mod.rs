//! Every order in which messages can arrive, timers run out and applications ask, for few
//! processes.
//!
//! A run of a simulation is one order among many. The checker visits, breadth first, every state
//! that any order leads to, and so the first run that breaks a property is a shortest one. The search is
//! Stateright's ([`stateright`](https://www.stateright.rs)); the model is ours.
//!
//! **Safety** is judged in every state, by the same monitors as elsewhere; they are part of the state.
//! **Liveness** is judged wherever a run ends, that is where nothing is left to happen: a run without end
//! breaks no liveness property here. (Stateright's own `eventually` is not used: it is wrong where a run
//! can come back to a state it was in.) Where timers still run and only their bound keeps them from
//! running out, the run is cut short, not complete.
//!
//! States that differ only in history are one: the monitors forget what no longer matters, and nothing
//! counts events. What a process that died knew is forgotten too.
//!
//! Cost: states grow exponentially with processes and messages; some hundred thousand a second.
//!
//! Left out: reductions by symmetry and partial order. Time: a timer may run out at any moment, however
//! long it was set for.

mod counterexample;
mod explore;
pub(crate) mod model;
mod options;
pub(crate) mod panics;
pub(crate) mod state;
pub(crate) mod steps;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use stateright::{Checker, HasDiscoveries, Model as _};

pub use self::counterexample::Counterexample;
pub use self::explore::{ExploreError, explore};
use self::model::{Action, Model, PROPERTY, Seen};
pub use self::options::{Channels, Options, STATES_MAX, TIMEOUT};
use self::state::State;
use self::steps::Step;
use crate::process::Process;
use crate::verdict::{End, Judgement, Property, PropertyKind, Verdict, counted};

/// How often progress is told.
const PROGRESS: Duration = Duration::from_millis(100);

/// What a search found.
#[derive(Clone, Debug)]
pub struct Outcome<P: Process> {
    /// How many different states there are, or were found before the search ended.
    pub states: usize,
    /// The length of the longest of the shortest paths to each state, in steps.
    pub max_depth: usize,
    /// The verdicts, in the order of the properties. A handler that panicked adds one: "no panic".
    pub verdicts: Vec<Verdict>,
    /// A shortest run that breaks a property.
    pub counterexample: Option<Counterexample<P>>,
}

impl<P: Process> Outcome<P> {
    /// Whether all properties hold; nothing where some could not be judged.
    pub fn holds(&self) -> Option<bool> {
        let verdicts = || self.verdicts.iter().map(Verdict::holds);
        if verdicts().any(|holds| holds == Some(false)) {
            return Some(false);
        }
        verdicts().all(|holds| holds == Some(true)).then_some(true)
    }
}

/// Tries every order.
///
/// `requests` are what the application of each process asks for, in the order of the ranks; each list is
/// asked in its order, each request at any time. `progress` hears from time to time how many states were
/// found.
///
/// # Panics
///
/// If a `Hash` or `Ord` of the process panics. A handler that panics is a finding.
pub fn check<P>(
    processes: Vec<P>,
    requests: Vec<Vec<P::Request>>,
    properties: &[Property],
    options: &Options,
    mut progress: impl FnMut(usize),
) -> Outcome<P>
where
    P: Process + Send + Sync + 'static,
    P::Request: Send + Sync,
    P::Message: Send + Sync,
    P::Timer: Send + Sync,
{
    let model =
        || Model::new(processes.clone(), requests.clone(), properties.to_vec(), options.clone());
    let mut found = search(model(), options, None, &mut progress);
    if let Some(path) = &found.path
        && options.threads > 1
    {
        // Several threads find a counterexample, but not always a shortest.
        let one = Options { threads: 1, ..options.clone() };
        let shortest = search(model(), &one, Some(path.steps.len()), &mut progress).path;
        found.path = shortest.or(found.path);
    }
    let verdicts = verdicts(&model(), &found);
    let counterexample = found.path.map(|path| Counterexample::new(Arc::new(model()), path));
    Outcome { states: found.states, max_depth: found.max_depth, verdicts, counterexample }
}

/// What a search found, before it is told.
struct Found<P: Process> {
    states: usize,
    max_depth: usize,
    seen: Arc<Seen>,
    /// Why the search did not come to its end.
    cut: Option<String>,
    /// The way to a state in which something is wrong.
    path: Option<Path<P>>,
}

/// A way to a state.
struct Path<P: Process> {
    /// How the processes start.
    starts: Vec<Step<P>>,
    steps: Vec<Step<P>>,
    last: State<P>,
}

/// Searches with Stateright, among paths of at most so many steps.
#[expect(clippy::disallowed_methods, reason = "the time a search takes is not that of a run")]
fn search<P>(
    model: Model<P>,
    options: &Options,
    steps_max: Option<usize>,
    progress: &mut impl FnMut(usize),
) -> Found<P>
where
    P: Process + Send + Sync + 'static,
    P::Request: Send + Sync,
    P::Message: Send + Sync,
    P::Timer: Send + Sync,
{
    let begun = Instant::now();
    let seen = Arc::clone(&model.seen);
    let mut search = model.checker().threads(options.threads).finish_when(HasDiscoveries::Any);
    if let Some(steps) = steps_max {
        // Stateright counts states, and does not look at those of the last depth.
        search = search.target_max_depth(steps + 2);
    }
    let mut checker = search.spawn_bfs();
    let mut cut = None;
    for result in wait_for(checker.handles(), || {
        progress(checker.unique_state_count());
        if begun.elapsed() > options.time {
            cut.get_or_insert_with(|| format!("the search ended after {:?}", options.time));
            seen.stop(true);
        }
    }) {
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    }
    if seen.visited() >= options.states {
        cut.get_or_insert_with(|| format!("the search ended after {} states", options.states));
    }
    // To tell the path, Stateright walks it again.
    seen.stop(false);
    let path = checker.discovery(PROPERTY).map(|path| told(checker.model(), path));
    Found {
        states: checker.unique_state_count(),
        max_depth: checker.max_depth().saturating_sub(1),
        seen,
        cut,
        path,
    }
}

/// Waits for all threads, and calls `meanwhile` from time to time.
fn wait_for(threads: Vec<JoinHandle<()>>, mut meanwhile: impl FnMut()) -> Vec<thread::Result<()>> {
    let (done, all_done) = channel();
    let joiner = thread::spawn(move || {
        let results: Vec<_> = threads.into_iter().map(JoinHandle::join).collect();
        // Nobody hears it only where the search is not waited for any more.
        let _ = done.send(());
        results
    });
    while let Err(RecvTimeoutError::Timeout) = all_done.recv_timeout(PROGRESS) {
        meanwhile();
    }
    joiner.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn told<P: Process>(model: &Model<P>, path: stateright::Path<State<P>, Action<P>>) -> Path<P> {
    let last = path.last_state().clone();
    let path = path.into_vec();
    let first = &path[0].0;
    let (starts, _) = model
        .starts()
        .into_iter()
        .find(|(_, state)| state == first)
        .expect("a path begins where the processes have started");
    let steps = path.into_iter().filter_map(|(_, action)| Some(action?.step)).collect();
    Path { starts, steps, last }
}

/// What became of each property.
fn verdicts<P: Process>(model: &Model<P>, found: &Found<P>) -> Vec<Verdict> {
    let Some(path) = &found.path else {
        let at_start = model.before::<()>().monitors.verdicts(&End::Complete);
        return at_start
            .into_iter()
            .enumerate()
            .map(|(index, verdict)| unbroken(index, verdict, found))
            .collect();
    };
    let mut verdicts = path.last.monitors.verdicts(&model.end_of(&path.last));
    for verdict in verdicts.iter_mut().filter(|verdict| !verdict.is_violated()) {
        let why = "not judged: the search ended at the counterexample";
        verdict.judgement = Judgement::Unknown(why.to_owned());
    }
    if let Some(panic) = &path.last.panic {
        let judgement = Judgement::violated(format!("a handler panicked: {panic}"));
        verdicts.push(Verdict {
            name: "no panic".to_owned(),
            kind: PropertyKind::Safety,
            judgement,
        });
    }
    verdicts
}

/// The verdict on a property that nothing broke.
fn unbroken<P: Process>(index: usize, verdict: Verdict, found: &Found<P>) -> Verdict {
    let states = counted(found.states as u64, "state");
    let ends = found.seen.ends();
    let undecided = found.seen.undecided(index);
    let liveness = verdict.kind == PropertyKind::Liveness;
    let judgement = if let Some(cut) = &found.cut {
        Judgement::Unknown(format!("not broken in {states}, and there are more ({cut})"))
    } else if liveness && ends == 0 {
        Judgement::Unknown(format!("not judged: no run ends, in {states}"))
    } else if undecided > 0 {
        let ends = counted(ends, "end");
        let where_ = "where only their bound stops timers";
        Judgement::Unknown(format!("not decided at {undecided} of {ends}, {where_}"))
    } else if !found.seen.tested(index) {
        Judgement::Holds(format!("in each of {states}, none of which puts it to the test"))
    } else if liveness {
        Judgement::Holds(format!("at each of {}, in {states}", counted(ends, "end")))
    } else {
        Judgement::Holds(format!("in each of {states}"))
    };
    Verdict { judgement, ..verdict }
}
