//! A system of processes as a Stateright model.
//!
//! Stateright has a model of actors of its own. Ours differs where it must: messages carry the tags of
//! the monitors, timers run out a bounded number of times, and what a handler chooses is enumerated
//! while it runs.
//!
//! Stateright asks for the actions of a state and then for the state each leads to. Here a handler may
//! have several outcomes, and only running it tells how many, so an [`Action`] brings its successor along.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use super::options::{Channels, Options};
use super::panics;
use super::state::{Envelope, Shared, Site, State};
use super::steps::Step;
use crate::process::{
    Choices, Effect, EffectOf, Env, Event, EventOf, Process, ProcessId, step_into,
};
use crate::trace::note::TimerName;
use crate::trace::{Happening, Mishap, Noted, Observer, Passing};
use crate::verdict::{End, Monitors, Property, Verdict, Witness};

/// A system of processes, and what it is required to do.
#[derive(Clone)]
pub(crate) struct Model<P: Process> {
    processes: Vec<P>,
    /// What the application of each process asks for, in this order, each at any time.
    requests: Vec<Vec<P::Request>>,
    /// The monitors before any process has started.
    monitors: Monitors,
    options: Arc<Options>,
    /// What the search has seen so far.
    pub(crate) seen: Arc<Seen>,
}

/// What a search has seen so far.
#[derive(Debug)]
pub(crate) struct Seen {
    /// States that were visited.
    visited: AtomicUsize,
    /// Whether the search shall come to an end.
    stop: AtomicBool,
    /// States in which nothing is left to happen.
    ends: AtomicU64,
    /// Of each property, at how many of these ends it was not decided.
    undecided: Vec<AtomicU64>,
    /// Of each property, whether some state put it to the test.
    tested: Vec<AtomicBool>,
    all_tested: AtomicBool,
}

impl Seen {
    /// Nothing yet, of so many properties.
    fn before(properties: usize) -> Self {
        let undecided = (0..properties).map(|_| AtomicU64::new(0)).collect();
        Self {
            visited: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            ends: AtomicU64::new(0),
            undecided,
            tested: (0..properties).map(|_| AtomicBool::new(false)).collect(),
            all_tested: AtomicBool::new(false),
        }
    }

    /// Counts an end, and at which of its verdicts nothing is decided. Returns whether all is well there.
    fn ends_well(&self, verdicts: &[Verdict]) -> bool {
        self.ends.fetch_add(1, Ordering::Relaxed);
        for (verdict, undecided) in verdicts.iter().zip(&self.undecided) {
            undecided.fetch_add(u64::from(verdict.holds().is_none()), Ordering::Relaxed);
        }
        !verdicts.iter().any(Verdict::is_violated)
    }

    pub(crate) fn visited(&self) -> usize {
        self.visited.load(Ordering::Relaxed)
    }

    pub(crate) fn ends(&self) -> u64 {
        self.ends.load(Ordering::Relaxed)
    }

    pub(crate) fn undecided(&self, property: usize) -> u64 {
        self.undecided[property].load(Ordering::Relaxed)
    }

    pub(crate) fn tested(&self, property: usize) -> bool {
        self.tested[property].load(Ordering::Relaxed)
    }

    /// Notes which properties a state puts to the test.
    fn test(&self, monitors: &Monitors) {
        if self.all_tested.load(Ordering::Relaxed) {
            return;
        }
        for (tested, now) in self.tested.iter().zip(monitors.put_to_the_test()) {
            tested.fetch_or(now, Ordering::Relaxed);
        }
        let all = self.tested.iter().all(|tested| tested.load(Ordering::Relaxed));
        self.all_tested.store(all, Ordering::Relaxed);
    }

    pub(crate) fn stop(&self, stop: bool) {
        self.stop.store(stop, Ordering::Relaxed);
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// One step, and the state it leads to.
#[derive(Clone)]
pub(crate) struct Action<P: Process> {
    pub(crate) step: Step<P>,
    next: State<P>,
}

/// A step makes the action: the state follows from it.
impl<P: Process> PartialEq for Action<P> {
    fn eq(&self, other: &Self) -> bool {
        self.step == other.step
    }
}

impl<P: Process> std::fmt::Debug for Action<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&self.step, f)
    }
}

impl<P: Process> Model<P> {
    pub(crate) fn new(
        processes: Vec<P>,
        requests: Vec<Vec<P::Request>>,
        properties: &[Property],
        options: Arc<Options>,
    ) -> Self {
        let seen = Seen::before(properties.len());
        let monitors = Monitors::new(properties, processes.len() as u32);
        Self { processes, requests, monitors, options, seen: Arc::new(seen) }
    }

    /// The state before any process has started.
    pub(crate) fn before<C>(&self) -> State<P, C> {
        let site = |process: &P| {
            Shared::new(Site {
                process: process.clone(),
                timers: Vec::new(),
                requests: 0,
                timeouts: 0,
                crashed: false,
            })
        };
        State {
            sites: self.processes.iter().map(site).collect(),
            messages: Vec::new(),
            lost: 0,
            doubled: 0,
            monitors: self.monitors.clone(),
            panic: None,
        }
    }

    /// All ways in which the processes can start, each with the steps of it.
    pub(crate) fn starts(&self) -> Vec<(Vec<Step<P>>, State<P>)> {
        let mut starts = vec![(Vec::new(), self.before())];
        for rank in 0..self.processes.len() as u32 {
            let step = Step::Start { process: ProcessId(rank), choices: Vec::new() };
            let mut next = Vec::new();
            for (steps, state) in starts {
                self.take(&state, &step, &mut |step, state| {
                    let mut steps = steps.clone();
                    steps.push(step);
                    next.push((steps, state));
                });
            }
            starts = next;
        }
        starts
    }

    /// All steps from a state, with where they lead.
    pub(super) fn successors(&self, state: &State<P>, found: &mut dyn FnMut(Step<P>, State<P>)) {
        let mut channel = None;
        for (index, envelope) in state.messages.iter().enumerate() {
            let repeated = index > 0 && state.messages[index - 1] == *envelope;
            let possible = match self.options.channels {
                Channels::Fifo => channel.replace(envelope.channel()) != Some(envelope.channel()),
                Channels::Unordered => !repeated,
            };
            if !possible {
                continue;
            }
            let Envelope { from, to, message, .. } = envelope;
            let (from, to, message) = (*from, *to, message.clone());
            let index = index as u32;
            if state.lost < self.options.losses && self.options.may_lose(from, to) {
                let message = message.clone();
                self.take(state, &Step::Lose { index, from, to, message }, found);
            }
            if state.doubled < self.options.duplicates && self.options.may_double(from, to) {
                let (message, choices) = (message.clone(), Vec::new());
                self.take(state, &Step::Double { index, from, to, message, choices }, found);
            }
            let choices = Vec::new();
            self.take(state, &Step::Deliver { index, from, to, message, choices }, found);
        }
        let crashes = state.sites.iter().filter(|site| site.crashed).count();
        for (rank, site) in (0..).zip(&state.sites) {
            if site.crashed {
                continue;
            }
            let process = ProcessId(rank);
            if let Some(request) = self.next_request(process, site) {
                let (request, choices) = (request.clone(), Vec::new());
                self.take(state, &Step::Request { process, request, choices }, found);
            }
            if site.timeouts < self.options.timeouts {
                for timer in &site.timers {
                    let (timer, choices) = (timer.clone(), Vec::new());
                    self.take(state, &Step::Timeout { process, timer, choices }, found);
                }
            }
            if crashes < self.options.crashes as usize && self.options.may_crash(process) {
                self.take(state, &Step::Crash { process }, found);
            }
        }
    }

    fn next_request(&self, process: ProcessId, site: &Site<P>) -> Option<&P::Request> {
        self.requests.get(process.index())?.get(site.requests as usize)
    }

    /// Takes one step in each way in which its handler can choose.
    fn take(&self, state: &State<P>, step: &Step<P>, found: &mut dyn FnMut(Step<P>, State<P>)) {
        let mut choices = Choices::default();
        loop {
            let mut next = state.clone();
            let before = chosen(&choices);
            let took = self.happen(&mut next, step, &mut choices, 0, &mut ());
            // A handler that panicked took its choices along.
            let taken = if took { chosen(&choices) } else { before };
            found(step.choosing(taken), next);
            if !choices.advance() {
                return;
            }
        }
    }

    /// Lets one step happen. Returns whether its handler came to its end.
    pub(crate) fn happen<O: Observer>(
        &self,
        state: &mut State<P, O::Carried>,
        step: &Step<P>,
        choices: &mut Choices,
        at_us: u64,
        observer: &mut O,
    ) -> bool {
        let mut world = World { model: self, state, at_us, observer };
        let came_to_its_end = world.happen(step, choices);
        world.forget_history();
        came_to_its_end
    }

    /// Whether nothing is left to happen but faults, which need not.
    fn is_end(&self, state: &State<P>) -> bool {
        let at_rest = |(rank, site): (u32, &Shared<Site<P>>)| {
            site.crashed
                || self.next_request(ProcessId(rank), site).is_none()
                    && (site.timers.is_empty() || site.timeouts >= self.options.timeouts)
        };
        state.messages.is_empty() && (0..).zip(&state.sites).all(at_rest)
    }

    /// How a run ends that ends in this state: in one from which something may follow, it is cut
    /// short.
    pub(crate) fn end_of(&self, state: &State<P>) -> End {
        if !self.is_end(state) {
            return End::CutShort("more may follow".to_owned());
        }
        if state.sites.iter().any(|site| !site.timers.is_empty()) {
            let most = self.options.timeouts;
            return End::CutShort(format!("timers run out at most {most} times a process"));
        }
        End::Complete
    }

    /// Whether nothing is wrong in this state. Called once for each state that is visited.
    pub(super) fn holds(&self, state: &State<P>) -> bool {
        let seen = &self.seen;
        if seen.stopped() {
            return true;
        }
        if seen.visited.fetch_add(1, Ordering::Relaxed) + 1 >= self.options.states {
            seen.stop(true);
        }
        seen.test(&state.monitors);
        if state.is_wrong() {
            return false;
        }
        !self.is_end(state) || seen.ends_well(&state.monitors.verdicts(&self.end_of(state)))
    }
}

/// The one property that the search looks at.
pub(crate) const PROPERTY: &str = "all properties of the lab";

impl<P: Process> stateright::Model for Model<P> {
    type State = State<P>;
    type Action = Action<P>;

    fn init_states(&self) -> Vec<State<P>> {
        self.starts().into_iter().map(|(_, state)| state).collect()
    }

    fn actions(&self, state: &State<P>, actions: &mut Vec<Action<P>>) {
        if state.is_wrong() || self.seen.stopped() {
            return;
        }
        self.successors(state, &mut |step, next| actions.push(Action { step, next }));
    }

    fn next_state(&self, _: &State<P>, action: Action<P>) -> Option<State<P>> {
        Some(action.next)
    }

    /// One property for all: Stateright goes on after it has found the first of several broken, and
    /// then replaces its path by a longer one.
    fn properties(&self) -> Vec<stateright::Property<Self>> {
        vec![stateright::Property::always(PROPERTY, Self::holds)]
    }
}

/// A state in which a step happens.
struct World<'a, P: Process, O: Observer> {
    model: &'a Model<P>,
    state: &'a mut State<P, O::Carried>,
    at_us: u64,
    observer: &'a mut O,
}

impl<P: Process, O: Observer> World<'_, P, O> {
    fn happen(&mut self, step: &Step<P>, choices: &mut Choices) -> bool {
        match step {
            Step::Start { process, .. } => {
                self.note(*process, Happening::Init);
                self.run(*process, Event::Init, choices)
            }
            Step::Request { process, request, .. } => {
                self.note(*process, Happening::Request(request));
                self.run(*process, Event::Request(request.clone()), choices)
            }
            Step::Timeout { process, timer, .. } => {
                self.note(*process, Happening::Timeout(&TimerName(timer)));
                self.run(*process, Event::Timeout(timer.clone()), choices)
            }
            Step::Deliver { index, .. } => {
                let envelope = self.state.messages.remove(*index as usize);
                self.note_overtaking(*index as usize, envelope.channel());
                self.deliver(envelope, choices)
            }
            Step::Double { index, .. } => {
                let envelope = self.state.messages[*index as usize].clone();
                self.state.doubled += 1;
                self.state.monitors.on_mishap(Mishap::Doubled);
                self.deliver(envelope, choices)
            }
            Step::Lose { index, .. } => {
                let envelope = self.state.messages.remove(*index as usize);
                self.state.lost += 1;
                self.lose(&envelope);
                true
            }
            Step::Crash { process } => {
                self.crash(*process);
                true
            }
        }
    }

    fn note(&mut self, process: ProcessId, happening: Happening<'_>) {
        self.state.monitors.on_event(uncounted(process), happening);
        self.observer.on_happening(self.at_us, process, happening);
    }

    fn deliver(
        &mut self,
        envelope: Envelope<P::Message, O::Carried>,
        choices: &mut Choices,
    ) -> bool {
        let Envelope { from, to, message, tags, carried } = envelope;
        self.state.monitors.on_receive(from, uncounted(to), &message, tags);
        self.observer.on_receive(passing(self.at_us, from, to, &message), &carried);
        self.run(to, Event::Message { from, message }, choices)
    }

    /// A message was taken from this place, maybe from behind another on its channel.
    fn note_overtaking(&mut self, place: usize, channel: (ProcessId, ProcessId)) {
        let before = place.checked_sub(1).map(|place| self.state.messages[place].channel());
        if before == Some(channel) {
            self.state.monitors.on_mishap(Mishap::Overtaken);
        }
    }

    fn lose(&mut self, envelope: &Envelope<P::Message, O::Carried>) {
        let Envelope { from, to, message, tags, carried } = envelope;
        self.state.monitors.on_drop(uncounted(*from), *to, message, *tags);
        self.observer.on_drop(passing(self.at_us, *from, *to, message), carried);
    }

    /// What is on its way to a process that died is lost. What the process knew makes no difference
    /// any more.
    fn crash(&mut self, process: ProcessId) {
        let Site { requests, timeouts, .. } = *self.state.sites[process.index()];
        self.state.sites[process.index()] = Shared::new(Site {
            process: self.model.processes[process.index()].clone(),
            timers: Vec::new(),
            requests,
            timeouts,
            crashed: true,
        });
        self.note(process, Happening::Crash);
        let messages = std::mem::take(&mut self.state.messages);
        let (lost, kept) = messages.into_iter().partition(|envelope| envelope.to == process);
        self.state.messages = kept;
        let lost: Vec<_> = lost;
        lost.iter().for_each(|envelope| self.lose(envelope));
    }

    /// One step of one process, and what it wants done.
    fn run(&mut self, me: ProcessId, event: EventOf<P>, choices: &mut Choices) -> bool {
        let mut site = Site::clone(&self.state.sites[me.index()]);
        match &event {
            Event::Request(_) => site.requests += 1,
            Event::Timeout(timer) => {
                site.timers.retain(|running| running != timer);
                site.timeouts += 1;
            }
            Event::Init | Event::Message { .. } => {}
        }
        let processes = self.state.sites.len() as u32;
        let env = Env { me, processes, now: None };
        let run = || step_into(&mut site.process, env, choices, event, Vec::new());
        let effects = match panics::quietly(|| catch_unwind(AssertUnwindSafe(run))) {
            Ok(effects) => effects,
            Err(panic) => {
                self.state.panic = Some(format!("{me}: {}", panics::text(&*panic)).into());
                return false;
            }
        };
        for effect in effects {
            self.carry_out(me, &mut site, effect);
        }
        self.state.sites[me.index()] = Shared::new(site);
        true
    }

    fn carry_out(&mut self, me: ProcessId, site: &mut Site<P>, effect: EffectOf<P>) {
        match effect {
            Effect::Send { to, message } => self.send(me, to, message),
            Effect::StartTimer { timer, .. } => {
                if let Err(place) = site.timers.binary_search(&timer) {
                    site.timers.insert(place, timer);
                }
            }
            Effect::StopTimer { timer } => site.timers.retain(|running| *running != timer),
            Effect::Indicate(indication) => self.note(me, Happening::Indication(&indication)),
        }
    }

    fn send(&mut self, from: ProcessId, to: ProcessId, message: P::Message) {
        let tags = self.state.monitors.on_send(uncounted(from), to, &message);
        let carried = self.observer.on_send(passing(self.at_us, from, to, &message));
        let envelope = Envelope { from, to, message, tags, carried };
        let Some(receiver) = self.state.sites.get(to.index()) else {
            let n = self.state.sites.len();
            let what = format!("{from} sends to {to}, which is not one of the {n} processes");
            self.state.panic = Some(what.into());
            return;
        };
        if receiver.crashed {
            self.lose(&envelope);
            return;
        }
        let messages = &mut self.state.messages;
        let place = messages.partition_point(|other| other.channel() <= envelope.channel());
        messages.insert(place, envelope);
    }

    /// Makes states equal that differ only in what no longer matters.
    fn forget_history(&mut self) {
        // The order of visiting must be that of the values, and the tags then decide among equals.
        self.sort_messages();
        let State { monitors, messages, .. } = &mut *self.state;
        monitors.forget_history(&mut |visit| {
            for Envelope { from, to, tags, .. } in &mut *messages {
                visit(*from, *to, tags);
            }
        });
        self.sort_messages();
    }

    fn sort_messages(&mut self) {
        if self.model.options.channels == Channels::Unordered {
            let messages = &mut self.state.messages;
            // They are few, and nearly in order: each goes to its place among those before it.
            for at in 1..messages.len() {
                let place = messages[..at].partition_point(|other| !messages[at].is_before(other));
                messages[place..=at].rotate_right(1);
            }
        }
    }
}

/// An event of a process: nobody counts them here.
fn uncounted(process: ProcessId) -> Witness {
    Witness { process, n: 0 }
}

/// A message, for an observer.
fn passing(at_us: u64, from: ProcessId, to: ProcessId, message: &dyn Noted) -> Passing<'_> {
    Passing { at_us, from, to, message, bytes: 0 }
}

/// The choices of a script.
fn chosen(choices: &Choices) -> Vec<usize> {
    match choices {
        Choices::Script { choices, .. } => choices.iter().map(|&(choice, _)| choice).collect(),
        Choices::Random(_) => Vec::new(),
    }
}
