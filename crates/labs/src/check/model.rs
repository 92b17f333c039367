//! A system of processes: what can happen next, and what it leads to.
//!
//! Messages carry the tags of the monitors, timers run out a bounded number of times, and what a handler
//! chooses is enumerated while it runs. This is the plain form, for replaying a path and for walking by hand;
//! the search has one that shares its parts ([`super::space`]), and tests compare the two.

use std::sync::Arc;

use super::options::{Channels, Options};
use super::state::{Envelope, Shared, Site, State};
use super::steps::Step;
use crate::misstep::watchdog::Whereabouts;
use crate::misstep::{Misstep, sends_to_nobody};
use crate::process::{Choices, Effect, EffectOf, Env, Event, EventOf, Process, ProcessId};
use crate::text::counted;
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
    pub(super) options: Arc<Options>,
    /// Where its handlers say what they do.
    pub(super) whereabouts: Whereabouts,
}

impl<P: Process> Model<P> {
    pub(crate) fn new(
        processes: Vec<P>,
        requests: Vec<Vec<P::Request>>,
        properties: &[Property],
        options: Arc<Options>,
    ) -> Self {
        let monitors = Monitors::new(properties, processes.len() as u32);
        let whereabouts = Whereabouts::default();
        Self { processes, requests, monitors, options, whereabouts }
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
    pub(crate) fn successors(&self, state: &State<P>, found: &mut dyn FnMut(Step<P>, State<P>)) {
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

    pub(super) fn next_request(&self, process: ProcessId, site: &Site<P>) -> Option<&P::Request> {
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
            return self.end_by_bound();
        }
        End::Complete
    }

    /// How a run ends in which only their bound keeps timers from running out.
    pub(super) fn end_by_bound(&self) -> End {
        let most = counted(self.options.timeouts.into(), "time");
        End::CutShort(format!("timers run out at most {most} a process"))
    }

    pub(super) fn processes(&self) -> usize {
        self.processes.len()
    }

    /// What is left of a process that died.
    pub(super) fn dead_site(&self, rank: usize, before: &Site<P>) -> Site<P> {
        Site {
            process: self.processes[rank].clone(),
            timers: Vec::new(),
            requests: before.requests,
            timeouts: before.timeouts,
            crashed: true,
        }
    }

    /// Whether nothing is wrong in this state.
    pub(super) fn holds(&self, state: &State<P>) -> bool {
        let ends_well = || {
            let verdicts = state.monitors.verdicts(&self.end_of(state));
            !verdicts.iter().any(Verdict::is_violated)
        };
        !state.is_wrong() && (!self.is_end(state) || ends_well())
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
        let place = process.index();
        let dead = self.model.dead_site(place, &self.state.sites[place]);
        self.state.sites[place] = Shared::new(dead);
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
        let processes = self.state.sites.len() as u32;
        let env = Env { me, processes, now: None };
        let effects = match site.hear(env, choices, event, &self.model.whereabouts) {
            Ok(effects) => effects,
            Err(misstep) => {
                // Who walks by hand, or reads a script, is not to be told lines of the source.
                let misstep = Misstep { place: None, ..misstep };
                self.state.panic = Some(misstep.sentence(me).into());
                return false;
            }
        };
        for effect in effects {
            self.carry_out(me, &mut site, effect);
            // Behind what none may do nothing more is done, in any world.
            if self.state.panic.is_some() {
                break;
            }
        }
        self.state.sites[me.index()] = Shared::new(site);
        true
    }

    fn carry_out(&mut self, me: ProcessId, site: &mut Site<P>, effect: EffectOf<P>) {
        match effect {
            Effect::Send { to, message } => self.send(me, to, message),
            Effect::StartTimer { timer, .. } => site.start(timer),
            Effect::StopTimer { timer } => site.stop(&timer),
            Effect::Indicate(indication) => self.note(me, Happening::Indication(&indication)),
        }
    }

    fn send(&mut self, from: ProcessId, to: ProcessId, message: P::Message) {
        let Some(receiver) = self.state.sites.get(to.index()) else {
            let misstep = sends_to_nobody(to, self.state.sites.len());
            self.state.panic = Some(misstep.sentence(from).into());
            return;
        };
        let is_dead = receiver.crashed;
        let tags = self.state.monitors.on_send(uncounted(from), to, &message);
        let carried = self.observer.on_send(passing(self.at_us, from, to, &message));
        let envelope = Envelope { from, to, message, tags, carried };
        if is_dead {
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
pub(super) fn uncounted(process: ProcessId) -> Witness {
    Witness { process, n: 0 }
}

/// A message, for an observer.
fn passing(at_us: u64, from: ProcessId, to: ProcessId, message: &dyn Noted) -> Passing<'_> {
    Passing { at_us, from, to, message, bytes: 0 }
}

/// The choices of a script.
pub(super) fn chosen(choices: &Choices) -> Vec<usize> {
    match choices {
        Choices::Script { choices, .. } => choices.iter().map(|&(choice, _)| choice).collect(),
        Choices::Random(_) => Vec::new(),
    }
}
