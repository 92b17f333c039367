//! Every order in which messages can arrive, timers run out and applications ask, for few
//! processes.
//!
//! A run of a simulation is one order among many. The checker visits every state that any order leads to
//! (`search`), each once, on all cores; where orders lead to the same, it need not try them
//! all (`reduction`). A run that breaks a property is told by a shortest one (`shortest`).
//!
//! **Safety** is judged in every state, by the same monitors as elsewhere; they are part of the state.
//! **Liveness** is judged wherever a run ends, that is where nothing is left to happen, and where a run can go
//! on for ever (`liveness`); after a violation once more, alone (`beyond`). Where timers still run and only their bound keeps them from
//! running out, the run is cut short, not complete.
//!
//! States that differ only in history are one: the monitors forget what no longer matters, and nothing
//! counts events. What a process that died knew is forgotten too. A property that the channels of the model
//! grant is not watched.
//!
//! Cost: states grow exponentially with processes and messages. `cargo bench -p labs --bench check` says how many
//! a second.
//!
//! Left out: symmetry. Time: a timer may run out at any moment, however long it was set for.

mod beyond;
mod collected;
mod counterexample;
mod explore;
mod graph;
mod liveness;
pub(crate) mod model;
mod options;
mod orders;
mod outcome;
mod overtaking;
mod owed;
mod parts;
mod reduction;
mod search;
mod shortest;
mod space;
pub(crate) mod state;
pub(crate) mod steps;
#[cfg(test)]
mod tests;
mod visited;

use std::sync::Arc;

pub use self::counterexample::Counterexample;
pub use self::explore::{ExploreError, explore};
use self::model::Model;
pub use self::options::{Channels, Options, STATES_MAX, TIMEOUT};
pub use self::outcome::Outcome;
use self::reduction::Knowledge;
use self::search::{Deadline, Searched, Terms, search};
use self::space::Space;
use self::state::State;
use self::steps::Step;
use crate::misstep::watchdog::Whereabouts;
use crate::process::Process;
use crate::verdict::{Monitors, Pattern, Property};

/// How many times a search that leaves out orders is done, each time knowing more, before every order is tried.
const ROUNDS_MAX: u32 = 24;

/// After how many states the first round ends, to begin again and know more.
const FIRST_ROUND: usize = 20_000;

/// How many times as many states the next round may look at.
const ROUND_GROWS: usize = 8;

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
    let go_on = &mut |states| {
        progress(states);
        true
    };
    check_while(processes, requests, properties, options, Watch { whereabouts: &[], go_on })
}

/// Who looks after a search.
pub(crate) struct Watch<'a> {
    /// Where the handlers of each thread say what they do; nobody wants to know it of the threads that are left.
    pub(crate) whereabouts: &'a [Whereabouts],
    /// Whether to go on. It hears from time to time how many states were found.
    pub(crate) go_on: &'a mut dyn FnMut(usize) -> bool,
}

/// The same, as long as somebody says so.
pub(crate) fn check_while<P: Process>(
    processes: Vec<P>,
    requests: Vec<Vec<P::Request>>,
    properties: &[Property],
    options: &Options,
    watch: Watch<'_>,
) -> Outcome<P> {
    let Watch { whereabouts, go_on } = watch;
    let deadline = Deadline::new();
    let mut search = |properties: &[Property], options: Options| {
        let options = Arc::new(options);
        let is_watched = |property: &&Property| !is_granted(property, &options);
        let watched: Vec<_> = properties.iter().filter(is_watched).cloned().collect();
        let model = |properties: &[Property]| {
            Model::new(processes.clone(), requests.clone(), properties, Arc::clone(&options))
        };
        let task = Task::new(model(&watched), &watched, whereabouts, deadline);
        let search = task.search(go_on);
        outcome::of(&task, search, model(properties), properties)
    };
    let mut outcome = search(properties, options.clone());
    beyond::judge(&mut outcome, properties, options, &mut search);
    let found = outcome.counterexample.iter().chain(&outcome.also);
    outcome.sees_order = found.flat_map(|found| orders::seen_by(properties, found)).collect();
    outcome
}

/// Whether the channels of the model grant this property: then there is nothing to watch.
fn is_granted(property: &Property, options: &Options) -> bool {
    let grants = options.channels == Channels::Fifo
        && options.losses + options.duplicates + options.crashes == 0;
    grants && matches!(property.pattern, Some(Pattern::Fifo | Pattern::ExactlyOnce))
}

/// What is searched.
struct Task<P: Process> {
    model: Arc<Model<P>>,
    monitors: Monitors,
    /// All ways in which the processes can start, each with the steps of it.
    starts: Vec<(Vec<Step<P>>, State<P>)>,
    deadline: Deadline,
    whereabouts: Vec<Whereabouts>,
}

impl<P: Process> Task<P> {
    fn new(
        mut model: Model<P>,
        watched: &[Property],
        whereabouts: &[Whereabouts],
        deadline: Deadline,
    ) -> Self {
        let whereabouts = whereabouts.to_vec();
        model.whereabouts = whereabouts.first().cloned().unwrap_or_default();
        let monitors = Monitors::new(watched, model.processes() as u32);
        let starts = model.starts();
        Self { model: Arc::new(model), monitors, starts, deadline, whereabouts }
    }

    /// The space of one thread.
    fn space(&self, thread: usize) -> Space<P> {
        let whereabouts = self.whereabouts.get(thread).cloned().unwrap_or_default();
        Space::new(Arc::clone(&self.model), &self.monitors).watched(whereabouts)
    }

    fn states(&self) -> Vec<State<P>> {
        self.starts.iter().map(|(_, state)| state.clone()).collect()
    }

    /// Searches, leaving out orders as far as that is sound.
    fn search(&self, go_on: &mut dyn FnMut(usize) -> bool) -> Search<P> {
        if self.model.options.reduction {
            match self.search_reduced(go_on) {
                Reduced::Done(searched) => {
                    return Search { searched: *searched, is_whole: false, cycles: None };
                }
                // A labelled search tries every order, too.
                Reduced::HasCycle => {
                    let cycles = self.search_once(1, CYCLIC, go_on);
                    if !cycles.is_partial {
                        return Search { searched: cycles, is_whole: true, cycles: Some(true) };
                    }
                }
                Reduced::GaveUp => {}
            }
        }
        let threads = self.model.options.threads;
        let searched = self.search_once(threads, Terms::default(), go_on);
        let is_done = searched.finding.is_some() || searched.cut.is_some();
        if is_done || !searched.graph().has_cycle() {
            return Search { searched, is_whole: true, cycles: None };
        }
        let cycles = self.search_once(1, CYCLIC, go_on);
        match cycles.is_partial || cycles.cut.is_some() {
            true => Search { searched, is_whole: true, cycles: Some(false) },
            false => Search { searched: cycles, is_whole: true, cycles: Some(true) },
        }
    }

    fn search_once(
        &self,
        threads: usize,
        terms: Terms,
        go_on: &mut dyn FnMut(usize) -> bool,
    ) -> Searched<P> {
        let space = |thread| match terms.labels {
            true => self.space(thread).labelled(),
            false => self.space(thread),
        };
        let spaces = (0..threads.max(1)).map(space).collect();
        search(spaces, &self.states(), terms, &self.deadline, go_on)
    }

    fn search_reduced(&self, go_on: &mut dyn FnMut(usize) -> bool) -> Reduced<P> {
        let starts = self.states();
        let threads = self.model.options.threads.max(1);
        let mut spaces = (0..threads).map(|thread| self.space(thread)).collect();
        let (mut knowledge, mut enough) = (Knowledge::default(), FIRST_ROUND);
        for _ in 0..ROUNDS_MAX {
            let terms = Terms { knowledge: Some(knowledge), enough, labels: false };
            let mut searched = search(spaces, &starts, terms, &self.deadline, go_on);
            if searched.finding.is_some() || searched.cut.is_some() {
                return Reduced::Done(Box::new(searched));
            }
            let (learned, is_right) = searched.learn();
            if is_right && !searched.is_partial {
                return match searched.graph().has_cycle() {
                    true => Reduced::HasCycle,
                    false => Reduced::Done(Box::new(searched)),
                };
            }
            knowledge = learned;
            enough = enough.saturating_mul(ROUND_GROWS);
            spaces = searched.into_spaces();
        }
        Reduced::GaveUp
    }
}

/// A search, and what it says of runs without end.
struct Search<P: Process> {
    searched: Searched<P>,
    /// Whether every order was tried.
    is_whole: bool,
    /// Whether a run can come back to a state, and then whether the search was labelled, so that these runs can be
    /// judged.
    cycles: Option<bool>,
}

/// What came of leaving out orders.
enum Reduced<P: Process> {
    Done(Box<Searched<P>>),
    /// A run can come back to a state.
    HasCycle,
    /// It assumed too much each time.
    GaveUp,
}

/// A search for runs without end. What is kept of a state is more than elsewhere, and there is one thread.
const CYCLIC: Terms = Terms { knowledge: None, labels: true, enough: 2_000_000 };
