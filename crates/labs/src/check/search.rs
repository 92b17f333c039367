//! The search: every state that any order leads to, once.
//!
//! Each thread goes depth first, from a stack of its own; where one has nothing left, another gives it the oldest
//! half of its stack. So what waits is little, however many states there are: what is kept of a state that was
//! looked at is its fingerprint, from where it was found, and the numbers of those that follow from it
//! ([`Graph`](super::graph::Graph)).

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::graph::{Edges, Graph};
use super::options::Options;
use super::reduction::{Assumed, Knowledge};
use super::space::{Space, Successors, Wrong};
use super::state::State;
use super::steps::Step;
use super::visited::{NO_STATE, StateNumber, Visited};
use crate::process::Process;
use crate::text::counted;
use crate::verdict::Verdict;

/// How often progress is told.
const PROGRESS: Duration = Duration::from_millis(100);

/// How many parts and worked out steps a thread keeps, some 200 bytes each. Then it forgets all that no state
/// that waits is made of: it would be worked out again.
const PARTS_MAX: usize = 1_500_000;

/// How many states are given away at once: enough to be busy for a while, and soon handed over.
const GIVEN_MAX: usize = 1_024;

/// What all threads of a search share.
pub(super) struct Shared<P: Process> {
    pub(super) visited: Visited,
    options: Arc<Options>,
    terms: Terms,
    /// Whether the search shall come to an end.
    stop: AtomicBool,
    /// States that were looked at.
    looked_at: AtomicUsize,
    pool: Mutex<Pool<P>>,
    /// There is something in the pool, or the search is over.
    wake: Condvar,
    /// How many threads have nothing to do.
    idle: AtomicUsize,
    finding: Mutex<Option<Finding<P>>>,
}

/// What is asked of one search.
pub(super) struct Terms {
    /// What is known of who can send to whom, if orders are left out.
    pub(super) knowledge: Option<Knowledge>,
    /// Whether it is for runs without end: then edges are labelled, and of each state its monitors are kept.
    pub(super) labels: bool,
    /// After how many states it is enough.
    pub(super) enough: usize,
}

impl Default for Terms {
    /// Every order.
    fn default() -> Self {
        Self { knowledge: None, labels: false, enough: usize::MAX }
    }
}

/// States that wait for any thread.
struct Pool<P: Process> {
    states: Vec<(StateNumber, State<P>)>,
    threads: usize,
    idle: usize,
    is_over: bool,
}

/// Something wrong.
#[derive(Clone)]
pub(super) struct Finding<P: Process> {
    /// The last state before it.
    pub(super) at: StateNumber,
    /// The step after that; none if the state itself is wrong, as an end.
    pub(super) step: Option<Step<P>>,
    /// What a handler did, if it is that.
    pub(super) wrong: Option<Wrong>,
}

/// A thread of a search, and what it has seen.
pub(super) struct Worker<P: Process> {
    pub(super) space: Space<P>,
    pub(super) assumed: Assumed,
    pub(super) edges: Edges,
    /// States in which nothing is left to happen, and of each property, at how many of them it was not decided.
    pub(super) ends: u64,
    pub(super) undecided: Vec<u64>,
    /// The monitors of each state, if edges are labelled; and the ends among them.
    pub(super) monitors: Vec<(StateNumber, Box<[u32]>)>,
    pub(super) end_states: Vec<StateNumber>,
    /// Whether two messages were under way in one channel.
    pub(super) queues: bool,
    /// Whether any message arrived.
    pub(super) arrivals: bool,
}

/// What a search came to.
pub(super) struct Searched<P: Process> {
    pub(super) shared: Arc<Shared<P>>,
    pub(super) workers: Vec<Worker<P>>,
    pub(super) roots: Vec<StateNumber>,
    /// Why it did not come to its end.
    pub(super) cut: Option<String>,
    /// Whether it ended because it was enough.
    pub(super) is_partial: bool,
    pub(super) finding: Option<Finding<P>>,
}

/// When a search ends that does not end by itself.
#[derive(Clone, Copy)]
pub(super) struct Deadline {
    pub(super) begun: Instant,
}

impl Deadline {
    #[expect(clippy::disallowed_methods, reason = "the time a search takes is not that of a run")]
    pub(super) fn new() -> Self {
        Self { begun: Instant::now() }
    }
}

/// Searches from these states, one thread a space.
pub(super) fn search<P: Process>(
    mut spaces: Vec<Space<P>>,
    starts: &[State<P>],
    terms: Terms,
    deadline: &Deadline,
    go_on: &mut dyn FnMut(usize) -> bool,
) -> Searched<P> {
    let options = Arc::clone(&spaces[0].model.options);
    let shared = Arc::new(Shared {
        visited: Visited::new(),
        options: Arc::clone(&options),
        terms,
        stop: AtomicBool::new(false),
        looked_at: AtomicUsize::new(0),
        pool: Mutex::new(Pool {
            states: Vec::new(),
            threads: spaces.len(),
            idle: 0,
            is_over: false,
        }),
        wake: Condvar::new(),
        idle: AtomicUsize::new(0),
        finding: Mutex::new(None),
    });
    let mut roots = Vec::new();
    for start in starts {
        let words = spaces[0].import(start);
        let fingerprint = spaces[0].fingerprint(&words);
        let (number, is_new) = shared.visited.insert(fingerprint, NO_STATE);
        if is_new {
            roots.push(number);
            shared.pool().states.push((number, start.clone()));
        }
    }
    let (done, finished) = channel();
    let threads: Vec<_> = spaces
        .into_iter()
        .map(|space| {
            let (shared, done) = (Arc::clone(&shared), done.clone());
            let work = move || work(&shared, space, &done);
            let thread = thread::Builder::new().name("search".to_owned()).spawn(work);
            thread.expect("there is room for the threads of the search: it was looked at before")
        })
        .collect();
    drop(done);
    let cut = wait(&shared, &finished, deadline, go_on);
    let workers: Vec<_> = threads
        .into_iter()
        .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        .collect();
    let finding = shared.finding.lock().unwrap_or_else(PoisonError::into_inner).take();
    let all = shared.looked_at.load(Ordering::Relaxed) == shared.visited.count();
    let is_partial = !all && cut.is_none() && finding.is_none();
    Searched { workers, roots, cut, is_partial, finding, shared }
}

/// Waits for all threads. Returns what ended the search, if it did not come to its end.
fn wait<P: Process>(
    shared: &Shared<P>,
    finished: &std::sync::mpsc::Receiver<()>,
    deadline: &Deadline,
    go_on: &mut dyn FnMut(usize) -> bool,
) -> Option<String> {
    let options = &shared.options;
    let mut cut = None;
    while let Err(RecvTimeoutError::Timeout) = finished.recv_timeout(PROGRESS) {
        if !go_on(shared.visited.count()) {
            cut.get_or_insert_with(|| "interrupted".to_owned());
            shared.end();
        }
        if deadline.begun.elapsed() > options.time {
            cut.get_or_insert_with(|| format!("the search ended after {:?}", options.time));
            shared.end();
        }
    }
    let is_whole = shared.looked_at.load(Ordering::Relaxed) == shared.visited.count();
    if shared.visited.count() >= options.states && !is_whole {
        let most = || counted(options.states as u64, "state");
        cut.get_or_insert_with(|| format!("the search ended after {}", most()));
    }
    cut
}

fn work<P: Process>(shared: &Shared<P>, space: Space<P>, done: &Sender<()>) -> Worker<P> {
    let undecided = vec![0; space.tested().count()];
    let mut worker = Worker {
        assumed: Assumed::nothing(space.processes()),
        space,
        edges: Edges::new(shared.terms.labels),
        ends: 0,
        undecided,
        monitors: Vec::new(),
        end_states: Vec::new(),
        queues: false,
        arrivals: false,
    };
    let mut stack = Stack::default();
    let mut state = Vec::new();
    let mut successors = Successors::new();
    while !shared.stop.load(Ordering::Relaxed) {
        let Some(number) = stack.pop(&mut state) else {
            match shared.take(&mut worker.space, &mut stack) {
                true => continue,
                false => break,
            }
        };
        worker.look(shared, number, &state, &mut successors, &mut stack);
        if stack.len() > 1 && shared.idle.load(Ordering::Relaxed) > 0 {
            shared.give(&worker.space, &mut stack);
        }
        if worker.space.parts() > PARTS_MAX && !shared.terms.labels {
            worker.renew(shared.terms.knowledge.is_some(), &mut stack);
        }
    }
    // Nobody hears it only where the search is not waited for any more.
    let _ = done;
    worker
}

impl<P: Process> Worker<P> {
    /// Begins anew with its parts: keeps those of the states that wait.
    fn renew(&mut self, learns: bool, stack: &mut Stack) {
        let fresh = self.space.fresh();
        let old = std::mem::replace(&mut self.space, fresh);
        if learns {
            self.assumed.keep(&old);
        }
        let mut waiting = Stack::default();
        for (number, words) in stack.take_oldest(stack.len()) {
            waiting.push(number, &self.space.import(&old.export(&words)));
        }
        *stack = waiting;
    }

    /// Looks at a state, and puts those on the stack that follow from it and are new.
    fn look(
        &mut self,
        shared: &Shared<P>,
        number: StateNumber,
        state: &[u32],
        successors: &mut Successors,
        stack: &mut Stack,
    ) {
        shared.looked_at.fetch_add(1, Ordering::Relaxed);
        self.look_at_channels(state);
        if shared.terms.labels {
            self.monitors.push((number, self.space.monitors_of(state).into()));
            self.end_states.extend(self.space.is_end(state).then_some(number));
        }
        if self.space.is_end(state) && !self.ends_well(state) {
            shared.find(Finding { at: number, step: None, wrong: None });
            return;
        }
        let knowledge = shared.terms.knowledge.as_ref();
        let only = knowledge.and_then(|known| self.assumed.enough(&self.space, state, known));
        successors.clear();
        self.space.successors(state, only, successors);
        self.edges.from(number);
        for successor in &successors.found {
            let words = successors.words(successor);
            if successor.wrong {
                let step = Some(self.space.step(state, successor.how));
                let wrong = self.space.wrong(successor.how).cloned();
                shared.find(Finding { at: number, step, wrong });
                return;
            }
            let (next, is_new) = shared.visited.insert(self.space.fingerprint(words), number);
            self.edges.to(next, || (self.space.class(state, successor.how), successor.kept));
            if is_new {
                stack.push(next, words);
            }
        }
        if shared.visited.count() >= shared.options.states.min(shared.terms.enough) {
            shared.end();
        }
    }

    fn look_at_channels(&mut self, state: &[u32]) {
        let messages = &state[self.space.messages_at()..];
        self.arrivals |= !messages.is_empty();
        if !self.queues {
            let channels = || messages.iter().step_by(2).map(|&letter| self.space.channel(letter));
            self.queues = channels().zip(channels().skip(1)).any(|(one, next)| one == next);
        }
    }

    /// Counts an end, and at which of its verdicts nothing is decided. Returns whether all is well there.
    fn ends_well(&mut self, state: &[u32]) -> bool {
        self.ends += 1;
        let verdicts = self.space.monitors(state).verdicts(&self.space.end(state));
        for (verdict, undecided) in verdicts.iter().zip(&mut self.undecided) {
            *undecided += u64::from(verdict.holds().is_none());
        }
        !verdicts.iter().any(Verdict::is_violated)
    }
}

impl<P: Process> Shared<P> {
    fn pool(&self) -> MutexGuard<'_, Pool<P>> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the search.
    fn end(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.pool().is_over = true;
        self.wake.notify_all();
    }

    fn find(&self, finding: Finding<P>) {
        self.finding.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(finding);
        self.end();
    }

    /// Takes states that wait, and waits for some if there are none. Returns whether there were any before the
    /// search was over.
    fn take(&self, space: &mut Space<P>, stack: &mut Stack) -> bool {
        let mut pool = self.pool();
        pool.idle += 1;
        self.idle.fetch_add(1, Ordering::Relaxed);
        let states = loop {
            if pool.is_over {
                return false;
            }
            if !pool.states.is_empty() {
                break std::mem::take(&mut pool.states);
            }
            if pool.idle == pool.threads {
                pool.is_over = true;
                self.wake.notify_all();
                return false;
            }
            pool = self.wake.wait(pool).unwrap_or_else(PoisonError::into_inner);
        };
        pool.idle -= 1;
        self.idle.fetch_sub(1, Ordering::Relaxed);
        drop(pool);
        for (number, state) in states {
            let words = space.import(&state);
            stack.push(number, &words);
        }
        true
    }

    /// Gives the oldest of the states that wait to those who have nothing to do.
    fn give(&self, space: &Space<P>, stack: &mut Stack) {
        let given = stack.take_oldest((stack.len() / 2).min(GIVEN_MAX));
        let given = given.into_iter().map(|(number, words)| (number, space.export(&words)));
        self.pool().states.extend(given);
        self.wake.notify_all();
    }
}

/// States that one thread will look at, the newest first, one behind the other.
#[derive(Default)]
struct Stack {
    words: Vec<u32>,
    /// The number of each state, and where its words begin.
    states: Vec<(StateNumber, usize)>,
}

impl Stack {
    fn len(&self) -> usize {
        self.states.len()
    }

    fn push(&mut self, number: StateNumber, words: &[u32]) {
        self.states.push((number, self.words.len()));
        self.words.extend_from_slice(words);
    }

    fn pop(&mut self, into: &mut Vec<u32>) -> Option<StateNumber> {
        let (number, begins) = self.states.pop()?;
        into.clear();
        into.extend_from_slice(&self.words[begins..]);
        self.words.truncate(begins);
        Some(number)
    }

    fn take_oldest(&mut self, count: usize) -> Vec<(StateNumber, Vec<u32>)> {
        let ends = |place: usize| self.states.get(place).map_or(self.words.len(), |next| next.1);
        let end = ends(count);
        let taken = self.states[..count].iter().enumerate();
        let taken = taken.map(|(place, &(number, begins))| {
            (number, self.words[begins..ends(place + 1)].to_vec())
        });
        let taken = taken.collect();
        self.words.drain(..end);
        self.states.drain(..count);
        for (_, begins) in &mut self.states {
            *begins -= end;
        }
        taken
    }
}

impl<P: Process> Searched<P> {
    /// What can be learned from it, and whether what it assumed is right.
    pub(super) fn learn(&mut self) -> (Knowledge, bool) {
        for Worker { assumed, space, .. } in &mut self.workers {
            assumed.keep(space);
        }
        let assumed: Vec<_> = self.workers.iter().map(|worker| &worker.assumed).collect();
        let learned = Knowledge::learned(&assumed);
        let is_right = assumed.iter().all(|assumed| learned.allows(assumed));
        (learned, is_right)
    }

    pub(super) fn graph(&self) -> Graph<'_> {
        let edges = self.workers.iter().map(|worker| &worker.edges).collect();
        Graph::new(self.shared.visited.dense(), edges)
    }

    pub(super) fn depth(&self) -> usize {
        let graph = self.graph();
        let roots: Vec<_> = self.roots.iter().map(|&root| graph.dense.of(root)).collect();
        graph.depth(&roots)
    }

    pub(super) fn into_spaces(self) -> Vec<Space<P>> {
        self.workers.into_iter().map(|worker| worker.space).collect()
    }
}
