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
mod overtaking;
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
/// If a `Hash` or `Ord` of the process panics, or the threads of the search cannot be made. A handler that
/// panics is a finding.
pub fn check<P: Process>(
    processes: Vec<P>,
    requests: Vec<Vec<P::Request>>,
    properties: &[Property],
    options: &Options,
    mut progress: impl FnMut(usize),
) -> Outcome<P> {
    check_while(processes, requests, properties, options, |states| {
        progress(states);
        true
    })
}

/// The same, as long as `go_on` says so, which hears from time to time how many states were found.
pub(crate) fn check_while<P: Process>(
    processes: Vec<P>,
    requests: Vec<Vec<P::Request>>,
    properties: &[Property],
    options: &Options,
    mut go_on: impl FnMut(usize) -> bool,
) -> Outcome<P> {
    let options = Arc::new(options.clone());
    let model =
        || Model::new(processes.clone(), requests.clone(), properties, Arc::clone(&options));
    let (found, mut path) = search(model(), &options, None, &mut go_on);
    if let Some(longer) = &path
        && options.threads > 1
    {
        // Several threads find a counterexample, but not always a shortest.
        let one = options.with_one_thread();
        let (_, shortest) = search(model(), &one, Some(longer.steps.len()), &mut go_on);
        path = shortest.or(path);
    }
    let Found { states, max_depth, .. } = found;
    let verdicts = match &path {
        None => found.unbroken(model().before::<()>().monitors.verdicts(&End::Complete)),
        Some(Path { last, .. }) => {
            let end = model().end_of(last);
            at_counterexample(last.monitors.verdicts(&end), last.panic.as_deref())
        }
    };
    let counterexample = path.map(|path| Counterexample::new(Arc::new(model()), path));
    Outcome { states, max_depth, verdicts, counterexample }
}

/// How far a search came.
struct Found {
    states: usize,
    max_depth: usize,
    seen: Arc<Seen>,
    /// Why it did not come to its end.
    cut: Option<String>,
}

/// A way to a state.
struct Path<P: Process> {
    /// How the processes start.
    starts: Vec<Step<P>>,
    steps: Vec<Step<P>>,
    last: State<P>,
}

/// Searches with Stateright, among paths of at most so many steps. Returns the way to a state in which
/// something is wrong, if there is one.
fn search<P: Process>(
    model: Model<P>,
    options: &Options,
    steps_max: Option<usize>,
    go_on: &mut dyn FnMut(usize) -> bool,
) -> (Found, Option<Path<P>>) {
    let deadline = Deadline::new(&model.seen, options);
    let mut search = model.checker().threads(options.threads).finish_when(HasDiscoveries::Any);
    if let Some(steps) = steps_max {
        // Stateright counts states, and does not look at those of the last depth.
        search = search.target_max_depth(steps + 2);
    }
    let mut checker = search.spawn_bfs();
    let threads = checker.handles();
    let seen = Arc::clone(&deadline.seen);
    let cut = deadline.wait_for(threads, &mut || go_on(checker.unique_state_count()));
    // To tell the path, Stateright walks it again.
    seen.stop(false);
    let path = checker.discovery(PROPERTY).map(|path| told(checker.model(), path));
    let states = checker.unique_state_count();
    let max_depth = checker.max_depth().saturating_sub(1);
    (Found { states, max_depth, seen, cut }, path)
}

/// When a search ends that does not end by itself.
struct Deadline<'a> {
    begun: Instant,
    options: &'a Options,
    seen: Arc<Seen>,
}

impl<'a> Deadline<'a> {
    #[expect(clippy::disallowed_methods, reason = "the time a search takes is not that of a run")]
    fn new(seen: &Arc<Seen>, options: &'a Options) -> Self {
        Self { begun: Instant::now(), options, seen: Arc::clone(seen) }
    }

    /// Waits for all threads, and asks from time to time whether to go on. Returns what ended the search, if
    /// it did not come to its end.
    fn wait_for(
        self,
        threads: Vec<JoinHandle<()>>,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Option<String> {
        let Self { begun, options, seen } = self;
        let mut cut = None;
        let (done, all_done) = channel();
        let joiner = thread::Builder::new().name("join".to_owned()).spawn(move || {
            let results: Vec<_> = threads.into_iter().map(JoinHandle::join).collect();
            // Nobody hears it only where the search is not waited for any more.
            let _ = done.send(());
            results
        });
        let joiner = joiner.expect("as the search, it has a thread");
        while let Err(RecvTimeoutError::Timeout) = all_done.recv_timeout(PROGRESS) {
            if !go_on() {
                cut.get_or_insert_with(|| "interrupted".to_owned());
                seen.stop(true);
            }
            if begun.elapsed() > options.time {
                cut.get_or_insert_with(|| format!("the search ended after {:?}", options.time));
                seen.stop(true);
            }
        }
        for result in joiner.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)) {
            result.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
        if seen.visited() >= options.states {
            cut.get_or_insert_with(|| format!("the search ended after {} states", options.states));
        }
        cut
    }
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

/// What became of each property where one is broken.
fn at_counterexample(mut verdicts: Vec<Verdict>, panic: Option<&str>) -> Vec<Verdict> {
    for verdict in verdicts.iter_mut().filter(|verdict| !verdict.is_violated()) {
        let why = "not judged: the search ended at the counterexample";
        verdict.judgement = Judgement::Unknown(why.to_owned());
    }
    if let Some(panic) = panic {
        let judgement = Judgement::violated(format!("a handler panicked: {panic}"));
        verdicts.push(Verdict::tested("no panic", PropertyKind::Safety, judgement));
    }
    verdicts
}

impl Found {
    /// The verdicts on properties that nothing broke.
    fn unbroken(&self, mut verdicts: Vec<Verdict>) -> Vec<Verdict> {
        for (index, verdict) in verdicts.iter_mut().enumerate() {
            verdict.judgement = self.of_unbroken(index, verdict.kind);
            verdict.tested = self.seen.tested(index);
        }
        verdicts
    }

    fn of_unbroken(&self, index: usize, kind: PropertyKind) -> Judgement {
        let states = counted(self.states as u64, "state");
        let (count, undecided) = (self.seen.ends(), self.seen.undecided(index));
        let ends = counted(count, "end");
        let liveness = kind == PropertyKind::Liveness;
        if let Some(cut) = &self.cut {
            Judgement::Unknown(format!("not broken in {states}, and there are more ({cut})"))
        } else if liveness && count == 0 {
            Judgement::Unknown(format!("not judged: no run ends, in {states}"))
        } else if undecided > 0 {
            let by_bound = "where only their bound stops timers";
            Judgement::Unknown(format!("not decided at {undecided} of {ends}, {by_bound}"))
        } else if liveness {
            Judgement::Holds(format!("at each of {ends}, in {states}"))
        } else {
            Judgement::Holds(format!("in each of {states}"))
        }
    }
}
