//! A run in virtual time.
//!
//! What is still to happen waits in a queue, in order of time. The next of it is taken out and happens to its
//! process; what the process asks for then is carried out, and mostly means that something more is put into
//! the queue. What draws from the seed stands in `random`, what a plan of faults does in `faults`, when a run
//! ends in `limits`.

mod faults;
mod limits;
mod random;

use std::collections::VecDeque;
use std::mem;
use std::time::Duration;

use self::faults::{Blows, Faults};
use self::limits::broken_off;
pub use self::limits::{Ended, Limits};
use self::random::Random;
pub(crate) use self::random::choices;
use super::network::{Mishaps, Network, NetworkError};
use super::wheel::{Key, Wheel};
use crate::faults::{Fate, PlanError};
use crate::misstep::rehearsal::{compare, is_rehearsed, rehearse};
use crate::misstep::watchdog::Whereabouts;
use crate::misstep::{Misstep, Occasion, panics};
use crate::peers::Peers;
use crate::process::{
    Choices, Effect, EffectOf, Env, Event, EventOf, Kind, Process, ProcessId, step_into,
};
use crate::trace::note::TimerName;
use crate::trace::{Happening, Mishap, Observer, Passing};
use crate::verdict::End;

/// The most processes of one simulation: with some hundred bytes each they still fit into the memory
/// of a lab machine.
pub const PROCESSES_MAX: u32 = 16_777_216;

/// Processes in virtual time.
///
/// ```
/// use labs::process::{Context, Kind, Never, Process, ProcessId};
/// use labs::simulate::{Ended, Limits, Network, Simulation};
/// use serde::{Deserialize, Serialize};
///
/// /// Sends back what it gets, until that is 0.
/// #[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
/// struct Countdown;
///
/// #[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
/// #[derive(Deserialize, Serialize, Kind)]
/// enum Message {
///     Number(u32),
/// }
///
/// use Message::Number;
///
/// impl Process for Countdown {
///     type Request = Message;
///     type Indication = Message;
///     type Message = Message;
///     type Timer = Never;
///
///     fn on_request(&mut self, ctx: &mut Context<Self>, start: Message) {
///         ctx.send_to_others(start);
///     }
///
///     fn on_message(&mut self, ctx: &mut Context<Self>, from: ProcessId, Number(n): Message) {
///         match n.checked_sub(1) {
///             Some(less) => ctx.send(from, Number(less)),
///             None => ctx.indicate(Number(0)),
///         }
///     }
/// }
///
/// let processes = vec![Countdown, Countdown];
/// let mut simulation = Simulation::new(7, Network::default(), processes, ())?.keeping_indications();
/// simulation.request(ProcessId(0), Number(3));
/// assert_eq!(simulation.run(Limits::default()), Ended::Quiet);
/// assert_eq!(simulation.indications().next(), Some((ProcessId(0), Number(0))));
/// # Ok::<(), labs::simulate::SimulationError>(())
/// ```
#[derive(Debug)]
pub struct Simulation<P: Process, O: Observer = ()> {
    processes: Vec<P>,
    observer: O,
    network: Network,
    sizes: Option<fn(&P::Message) -> u32>,
    random: Random,
    choices: Choices,
    /// Virtual time in microseconds.
    now: u64,
    events: u64,
    started: bool,
    queue: Wheel<Scheduled<P, O::Carried>>,
    /// Of each sender, when the last of its messages to each receiver arrives.
    arrivals: Vec<Peers>,
    mishaps: Mishaps,
    /// The running timers of each process; empty until one is started.
    timers: Vec<Vec<(P::Timer, Key)>>,
    crashed: Vec<bool>,
    indications: Option<VecDeque<(ProcessId, P::Indication)>>,
    /// What goes wrong by plan, if there is one.
    faults: Option<Box<Faults<P, O::Carried>>>,
    /// Used by one step after the other.
    effects: Vec<EffectOf<P>>,
    /// The process that did what none may do: nothing happens any more.
    misstep: Option<ProcessId>,
    /// Where its steps are, for somebody who looks after them.
    whereabouts: Option<Whereabouts>,
}

/// What is still to happen.
#[derive(Debug)]
enum Scheduled<P: Process, C> {
    Message {
        from: ProcessId,
        to: ProcessId,
        bytes: u32,
        message: P::Message,
        carried: C,
    },
    Timeout {
        process: ProcessId,
        timer: P::Timer,
    },
    Request {
        process: ProcessId,
        request: P::Request,
    },
    Crash {
        process: ProcessId,
    },
    Recover {
        process: ProcessId,
        state: Box<P>,
    },
    /// What the plan of faults does to a process: the number of it there.
    Strike {
        number: u32,
    },
    /// No other message came that overtakes the one held back on this channel.
    Alone {
        from: ProcessId,
        to: ProcessId,
        hold: u64,
    },
}

/// Why a simulation cannot begin.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SimulationError {
    /// More than [`PROCESSES_MAX`].
    #[error("{0} processes are too many: the simulator takes {PROCESSES_MAX} at the most")]
    TooManyProcesses(usize),
    /// The network is impossible.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The plan of faults is impossible.
    #[error(transparent)]
    Faults(#[from] PlanError),
}

impl<P: Process, O: Observer> Simulation<P, O> {
    /// A run that is about to begin. All random choices come from `seed`.
    ///
    /// # Errors
    ///
    /// If there are too many processes, or the network is impossible.
    pub fn new(
        seed: u64,
        network: Network,
        processes: Vec<P>,
        observer: O,
    ) -> Result<Self, SimulationError> {
        network.validate()?;
        let n = processes.len();
        if n > PROCESSES_MAX as usize {
            return Err(SimulationError::TooManyProcesses(n));
        }
        let random = Random::new(seed, &network, n as u32);
        Ok(Self {
            processes,
            observer,
            network,
            sizes: None,
            random,
            choices: choices(seed),
            now: 0,
            events: 0,
            started: false,
            queue: Wheel::new(),
            arrivals: std::iter::repeat_with(Peers::default).take(n).collect(),
            mishaps: Mishaps::default(),
            timers: Vec::new(),
            crashed: vec![false; n],
            indications: None,
            faults: None,
            effects: Vec::new(),
            misstep: None,
            whereabouts: None,
        })
    }

    /// Tells the observer how many bytes each message takes. Without it, 0.
    #[must_use]
    pub fn sizes(mut self, sizes: fn(&P::Message) -> u32) -> Self {
        self.sizes = Some(sizes);
        self
    }

    /// Says before and after each step where it is.
    #[must_use]
    pub fn watched(mut self, whereabouts: Whereabouts) -> Self {
        self.whereabouts = Some(whereabouts);
        self
    }

    /// Keeps what the processes indicate, for [`indications`](Self::indications).
    #[must_use]
    pub fn keeping_indications(mut self) -> Self {
        self.indications = Some(VecDeque::new());
        self
    }

    /// What the processes indicated since the last call, in order. Nothing without
    /// [`keeping_indications`](Self::keeping_indications).
    pub fn indications(&mut self) -> impl Iterator<Item = (ProcessId, P::Indication)> + '_ {
        self.indications.as_mut().into_iter().flat_map(|kept| kept.drain(..))
    }

    /// The application asks a process for something, now. A process that is down hears nothing.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn request(&mut self, process: ProcessId, request: P::Request) {
        self.start();
        self.happen_request(process, request);
    }

    /// The application will ask a process for something: at `time`, or now if that is past.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn request_at(&mut self, time: Duration, process: ProcessId, request: P::Request) {
        self.schedule_at(time, process, Scheduled::Request { process, request });
    }

    /// A process dies, now: its timers end, and what is sent to it is lost.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn crash(&mut self, process: ProcessId) {
        self.start();
        self.happen_crash(process);
    }

    /// A process will die: at `time`, or now if that is past.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn crash_at(&mut self, time: Duration, process: ProcessId) {
        self.schedule_at(time, process, Scheduled::Crash { process });
    }

    /// A process that is down starts again, now, in the state it is given: what its stable storage
    /// kept, or a fresh one. One that is up goes on as it is.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn recover(&mut self, process: ProcessId, state: P) {
        self.start();
        self.happen_recover(process, state);
    }

    /// A process that is down will start again: at `time`, or now if that is past.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn recover_at(&mut self, time: Duration, process: ProcessId, state: P) {
        let state = Box::new(state);
        self.schedule_at(time, process, Scheduled::Recover { process, state });
    }

    /// Lets the next thing happen. Returns whether there was one.
    pub fn advance(&mut self) -> bool {
        self.advance_until(u64::MAX)
    }

    /// Lets things happen until none is left, or a limit is reached.
    pub fn run(&mut self, limits: Limits) -> Ended {
        self.run_while(limits, |_| ())
    }

    /// As [`run`](Self::run), with an application that hears each indication when it is made, and may
    /// answer with requests.
    pub fn run_with(
        &mut self,
        limits: Limits,
        mut application: impl FnMut(&mut Self, ProcessId, P::Indication),
    ) -> Ended {
        self.indications.get_or_insert_default();
        self.run_while(limits, |this| {
            while let Some((process, indication)) = this.next_indication() {
                application(this, process, indication);
            }
        })
    }

    fn run_while(&mut self, limits: Limits, mut before_each: impl FnMut(&mut Self)) -> Ended {
        let until = microseconds(limits.time);
        loop {
            before_each(self);
            if let Some(process) = self.misstep {
                return Ended::Misstep(process);
            }
            if self.events >= limits.events {
                return Ended::EventLimit(limits.events);
            }
            if !self.advance_until(until) {
                break;
            }
        }
        match (self.queue.len(), self.waiting()) {
            _ if self.is_quiet() => Ended::Quiet,
            (0, _) => Ended::Stopped,
            _ => {
                // Time has passed in which nothing happened: nothing can be asked for in it any more.
                self.now = self.now.max(until);
                Ended::TimeLimit(limits.time)
            }
        }
    }

    /// What the network did to messages so far.
    pub fn mishaps(&self) -> Mishaps {
        self.mishaps
    }

    /// Whether nothing will happen any more: what is left is at most what the plan of faults does to
    /// processes that have nothing to do.
    fn is_quiet(&self) -> bool {
        let blows = self.faults.as_ref().map(|faults| &faults.blows);
        self.queue.len() == blows.map_or(0, |blows| blows.to_come)
            && self.waiting() == 0
            && !blows.is_some_and(Blows::restarts)
    }

    /// Virtual time since the start.
    pub fn now(&self) -> Duration {
        Duration::from_micros(self.now)
    }

    /// How many events happened to processes: starts, requests, deliveries, timeouts, crashes and
    /// recoveries.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// How many messages are under way, timers run, and scheduled requests and faults are to come.
    pub fn scheduled(&self) -> usize {
        if self.is_quiet() { 0 } else { self.queue.len() + self.waiting() }
    }

    /// One process, as it is now.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn process(&self, process: ProcessId) -> &P {
        &self.processes[process.index()]
    }

    /// All processes, in the order of their ranks.
    pub fn processes(&self) -> &[P] {
        &self.processes
    }

    /// Whether a process is down.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn is_crashed(&self, process: ProcessId) -> bool {
        self.crashed[process.index()]
    }

    /// The observer, with what it has seen so far.
    pub fn observer(&self) -> &O {
        &self.observer
    }

    /// Ends the simulation: every process that is up stops. Returns the observer.
    pub fn into_observer(mut self) -> O {
        let end = match (self.misstep, self.scheduled()) {
            (Some(process), _) => End::CutShort(broken_off(process)),
            (None, 0) => End::Complete,
            _ => End::CutShort("the simulation was ended before it came to rest".to_owned()),
        };
        if self.started {
            for (rank, crashed) in (0..).zip(&self.crashed) {
                if !crashed {
                    self.observer.on_happening(
                        self.now,
                        ProcessId(rank),
                        Happening::Stop(Some(&end)),
                    );
                }
            }
        }
        self.observer
    }

    /// All processes start, once.
    fn start(&mut self) {
        if self.started {
            return;
        }
        self.started = true;
        for rank in 0..self.processes.len() as u32 {
            let process = ProcessId(rank);
            self.observer.on_happening(self.now, process, Happening::Init);
            self.happen(process, Event::Init);
            if self.misstep.is_some() {
                break;
            }
        }
    }

    fn advance_until(&mut self, until: u64) -> bool {
        if !self.started {
            self.start();
            return true;
        }
        if self.misstep.is_some() {
            return false;
        }
        if self.faults.is_some() && self.is_quiet() {
            return false;
        }
        let Some((time, scheduled)) = self.queue.pop(until) else { return false };
        self.now = time;
        if let Some(scheduled) = self.unless_it_waits(scheduled) {
            self.happen_scheduled(scheduled);
        }
        true
    }

    fn happen_scheduled(&mut self, scheduled: Scheduled<P, O::Carried>) {
        match scheduled {
            Scheduled::Message { from, to, bytes, message, carried } => {
                self.deliver(from, to, bytes, message, &carried);
            }
            Scheduled::Timeout { process, timer } => self.time_out(process, timer),
            Scheduled::Request { process, request } => self.happen_request(process, request),
            Scheduled::Crash { process } => drop(self.happen_crash(process)),
            Scheduled::Recover { process, state } => drop(self.happen_recover(process, *state)),
            Scheduled::Strike { number } => self.strike(number),
            Scheduled::Alone { from, to, hold } => self.release_alone(from, to, hold),
        }
    }

    fn deliver(
        &mut self,
        from: ProcessId,
        to: ProcessId,
        bytes: u32,
        message: P::Message,
        carried: &O::Carried,
    ) {
        let passing = Passing { at_us: self.now, from, to, message: &message, bytes };
        if self.crashed[to.index()] {
            return self.observer.on_drop(passing, carried);
        }
        self.observer.on_receive(passing, carried);
        self.happen(to, Event::Message { from, message });
    }

    fn time_out(&mut self, process: ProcessId, timer: P::Timer) {
        self.timers[process.index()].retain(|(running, _)| *running != timer);
        let happening = Happening::Timeout(&TimerName(&timer));
        self.observer.on_happening(self.now, process, happening);
        self.happen(process, Event::Timeout(timer));
    }

    fn happen_request(&mut self, process: ProcessId, request: P::Request) {
        if self.crashed[process.index()] {
            return;
        }
        self.observer.on_happening(self.now, process, Happening::Request(&request));
        self.happen(process, Event::Request(request));
    }

    /// Returns whether it was up until then.
    fn happen_crash(&mut self, process: ProcessId) -> bool {
        if mem::replace(&mut self.crashed[process.index()], true) {
            return false;
        }
        self.events += 1;
        if let Some(timers) = self.timers.get_mut(process.index()) {
            for (_, key) in timers.drain(..) {
                self.queue.remove(key);
            }
        }
        self.observer.on_happening(self.now, process, Happening::Crash);
        let waited = self.faults.as_mut().and_then(|faults| faults.go_on(process));
        for scheduled in waited.into_iter().flatten() {
            if let Scheduled::Message { .. } = &scheduled {
                self.happen_scheduled(scheduled);
            }
        }
        true
    }

    /// Returns whether it was down until then.
    fn happen_recover(&mut self, process: ProcessId, state: P) -> bool {
        if !mem::replace(&mut self.crashed[process.index()], false) {
            return false;
        }
        if let Some(faults) = &mut self.faults {
            faults.blows.start_again(process);
        }
        self.processes[process.index()] = state;
        self.observer.on_happening(self.now, process, Happening::Recover);
        self.happen(process, Event::Init);
        true
    }

    /// One step of one process, and what it wants done.
    fn happen(&mut self, process: ProcessId, event: EventOf<P>) {
        self.events += 1;
        let processes = self.processes.len() as u32;
        let env = Env { me: process, processes, now: Some(Duration::from_micros(self.now)) };
        let occasion = Occasion::<P::Timer>::of::<P>(&event);
        if let Some(whereabouts) = &self.whereabouts {
            whereabouts.enter(process, occasion.named());
        }
        let state = &mut self.processes[process.index()];
        let choices = &mut self.choices;
        let first = is_rehearsed(self.events)
            .then(|| rehearse(state, env, choices, event.clone()))
            .flatten();
        let effects = mem::take(&mut self.effects);
        let stepped = panics::catch(|| step_into(state, env, choices, event, effects));
        if let Some(whereabouts) = &self.whereabouts {
            whereabouts.leave();
        }
        let mut effects = match stepped {
            Ok(effects) => effects,
            Err(panicked) => {
                return self.take_misstep(process, panicked.misstep(&occasion.named()));
            }
        };
        if let Some(first) = first
            && let Some(misstep) = compare(&occasion.named(), &first, state, &effects)
        {
            return self.take_misstep(process, misstep);
        }
        for effect in effects.drain(..) {
            if self.misstep.is_none() {
                self.carry_out(process, effect);
            }
        }
        self.effects = effects;
    }

    /// A handler did what none may do: its process is out of the run, which ends.
    fn take_misstep(&mut self, process: ProcessId, misstep: Misstep) {
        self.crashed[process.index()] = true;
        self.misstep = Some(process);
        self.observer.on_happening(self.now, process, Happening::Misstep(&misstep));
    }

    fn carry_out(&mut self, process: ProcessId, effect: EffectOf<P>) {
        match effect {
            Effect::Send { to, message } => self.send(process, to, message),
            Effect::StartTimer { timer, after } => self.start_timer(process, timer, after),
            Effect::StopTimer { timer } => self.stop_timer(process, &timer),
            Effect::Indicate(indication) => {
                let happening = Happening::Indication(&indication);
                self.observer.on_happening(self.now, process, happening);
                if let Some(kept) = &mut self.indications {
                    kept.push_back((process, indication));
                }
            }
        }
    }

    fn send(&mut self, from: ProcessId, to: ProcessId, message: P::Message) {
        let n = self.processes.len();
        if to.index() >= n {
            let what = format!("it sends to {to}, which is not one of the {n} processes");
            return self.take_misstep(from, Misstep::panics("in a step", what));
        }
        let bytes = self.sizes.map_or(0, |sizes| sizes(&message));
        let passing = Passing { at_us: self.now, from, to, message: &message, bytes };
        let carried = self.observer.on_send(passing);
        let now = Duration::from_micros(self.now);
        let fate = match &mut self.faults {
            Some(faults) => faults.blows.injector.fate(now, from, to, message.kind()),
            None => Fate::default(),
        };
        // A lost message has its latency too, so that losing it does not change that of the next.
        let slowness = self.random.slowness(&self.network, from, to);
        let latency =
            self.random.latency(&self.network, from, to) + slowness + microseconds(fate.delay);
        let is_lost = self.random.loses(&self.network, from, to);
        self.mishaps.lost += u64::from(is_lost);
        if is_lost || fate.is_lost {
            return self.observer.on_drop(passing, &carried);
        }
        let second_latency =
            self.random.second_latency(&self.network, from, to).map(|l| l + slowness);
        if fate.overtaken_by.is_none() {
            let first = second_latency.unwrap_or(latency).min(latency);
            self.note_overtaking(from, to, first);
        }
        if second_latency.is_some() || fate.is_doubled {
            self.observer.on_mishap(Mishap::Doubled);
        }
        if let Some(latency) = second_latency {
            self.mishaps.doubled += 1;
            let (message, carried) = (message.clone(), carried.clone());
            let copy = Scheduled::Message { from, to, bytes, message, carried };
            self.schedule_message(from, to, latency, copy);
        }
        let copy = fate.is_doubled.then(|| {
            let (message, carried) = (message.clone(), carried.clone());
            Scheduled::Message { from, to, bytes, message, carried }
        });
        let message = Scheduled::Message { from, to, bytes, message, carried };
        if let Some(rule) = fate.overtaken_by {
            return self.hold(from, to, rule, [message].into_iter().chain(copy).collect());
        }
        let arrival = self.schedule_message(from, to, latency, message);
        if let Some(copy) = copy {
            self.queue.insert(arrival, copy);
        }
        if self.faults.is_some() {
            self.release_overtaken(from, to, arrival);
        }
    }

    /// Counts a message that is about to be scheduled, if it overtakes one that was sent before.
    fn note_overtaking(&mut self, from: ProcessId, to: ProcessId, latency: u64) {
        if !self.network.fifo {
            let arrival = self.now.saturating_add(latency);
            let overtakes = arrival < self.arrivals[from.index()].number(to);
            if overtakes {
                self.mishaps.overtaking += 1;
                self.observer.on_mishap(Mishap::Overtaken);
            }
        }
    }

    /// Returns when it arrives.
    fn schedule_message(
        &mut self,
        from: ProcessId,
        to: ProcessId,
        latency: u64,
        message: Scheduled<P, O::Carried>,
    ) -> u64 {
        let mut arrival = self.now.saturating_add(latency);
        let last = self.arrivals[from.index()].number_mut(to);
        *last = arrival.max(*last);
        if self.network.fifo {
            arrival = *last;
        }
        self.queue.insert(arrival, message);
        arrival
    }

    fn start_timer(&mut self, process: ProcessId, timer: P::Timer, after: Duration) {
        self.stop_timer(process, &timer);
        let at = self.now.saturating_add(microseconds(after));
        let key = self.queue.insert(at, Scheduled::Timeout { process, timer: timer.clone() });
        if self.timers.is_empty() {
            self.timers.resize_with(self.processes.len(), Vec::new);
        }
        self.timers[process.index()].push((timer, key));
    }

    fn stop_timer(&mut self, process: ProcessId, timer: &P::Timer) {
        let Some(timers) = self.timers.get_mut(process.index()) else { return };
        if let Some(place) = timers.iter().position(|(running, _)| running == timer) {
            let (_, key) = timers.swap_remove(place);
            self.queue.remove(key);
        }
    }

    fn schedule_at(&mut self, time: Duration, process: ProcessId, what: Scheduled<P, O::Carried>) {
        let n = self.processes.len();
        assert!(process.index() < n, "{process} is not one of the {n} processes");
        self.queue.insert(microseconds(time).max(self.now), what);
    }

    fn next_indication(&mut self) -> Option<(ProcessId, P::Indication)> {
        self.indications.as_mut()?.pop_front()
    }
}

fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
