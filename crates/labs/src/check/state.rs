//! One global state: all processes, all messages under way, and what the monitors know.
//!
//! One step changes one process of a state. So processes are shared between states, each with its hash
//! beside it; messages are one short list.

use std::fmt::{self, Debug};
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use crate::misstep::watchdog::Whereabouts;
use crate::misstep::{Misstep, Occasion, panics};
use crate::process::{Choices, EffectOf, Env, Event, EventOf, Process, ProcessId, step_into};
use crate::verdict::{Monitors, Tags};

/// One global state. `C` is what each message carries on behalf of an observer: nothing while the
/// checker searches, and something when a counterexample is played again.
pub(crate) struct State<P: Process, C = ()> {
    /// The processes, in the order of their ranks.
    pub(crate) sites: Vec<Shared<Site<P>>>,
    /// The messages under way: by sender and receiver; of one channel in the order of sending where
    /// channels are FIFO, in the order of their values where they are not.
    pub(crate) messages: Vec<Envelope<P::Message, C>>,
    /// How many messages were lost.
    pub(crate) lost: u32,
    /// How many messages were doubled.
    pub(crate) doubled: u32,
    pub(crate) monitors: Monitors,
    /// Why a handler panicked, if one did.
    pub(crate) panic: Option<Arc<str>>,
}

impl<P: Process, C> State<P, C> {
    /// Whether a handler panicked, or an event broke a property.
    pub(super) fn is_wrong(&self) -> bool {
        self.panic.is_some() || self.monitors.violation().is_some()
    }
}

/// A process with what surrounds it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Site<P: Process> {
    pub(crate) process: P,
    /// The timers that run, in order.
    pub(crate) timers: Vec<P::Timer>,
    /// How many of its requests it has got.
    pub(crate) requests: u32,
    /// How many times one of its timers ran out.
    pub(crate) timeouts: u32,
    pub(crate) crashed: bool,
}

impl<P: Process> Site<P> {
    /// Lets an event happen to the process, and returns what it wants done.
    ///
    /// # Errors
    ///
    /// If its handler panics.
    pub(super) fn hear(
        &mut self,
        env: Env,
        choices: &mut Choices,
        event: EventOf<P>,
        whereabouts: &Whereabouts,
    ) -> Result<Vec<EffectOf<P>>, Misstep> {
        match &event {
            Event::Request(_) => self.requests += 1,
            Event::Timeout(timer) => {
                self.stop(timer);
                self.timeouts += 1;
            }
            Event::Init | Event::Message { .. } => {}
        }
        let occasion = Occasion::<P::Timer>::of::<P>(&event).named();
        whereabouts.enter(env.me, occasion.clone());
        let stepped =
            panics::catch(|| step_into(&mut self.process, env, choices, event, Vec::new()));
        whereabouts.leave();
        stepped.map_err(|panicked| panicked.misstep(&occasion))
    }

    pub(super) fn start(&mut self, timer: P::Timer) {
        if let Err(place) = self.timers.binary_search(&timer) {
            self.timers.insert(place, timer);
        }
    }

    pub(super) fn stop(&mut self, timer: &P::Timer) {
        self.timers.retain(|running| running != timer);
    }
}

/// A message under way.
#[derive(Clone, Debug)]
pub(crate) struct Envelope<M, C> {
    pub(crate) from: ProcessId,
    pub(crate) to: ProcessId,
    pub(crate) message: M,
    pub(crate) tags: Tags,
    pub(crate) carried: C,
}

impl<M, C> Envelope<M, C> {
    pub(crate) fn channel(&self) -> (ProcessId, ProcessId) {
        (self.from, self.to)
    }

    /// Whether it stands before another where channels are not FIFO.
    pub(super) fn is_before(&self, other: &Self) -> bool
    where
        M: Ord,
    {
        let place = self.channel().cmp(&other.channel());
        let place = place.then_with(|| self.message.cmp(&other.message));
        place.then_with(|| self.tags.cmp(&other.tags)).is_lt()
    }
}

/// What is carried for an observer makes no difference to the system.
impl<M: Eq, C> Eq for Envelope<M, C> {}

impl<M: PartialEq, C> PartialEq for Envelope<M, C> {
    fn eq(&self, other: &Self) -> bool {
        self.channel() == other.channel()
            && self.message == other.message
            && self.tags == other.tags
    }
}

impl<M: Hash, C> Hash for Envelope<M, C> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u64(u64::from(self.from.0) << 32 | u64::from(self.to.0));
        self.message.hash(hasher);
        self.tags.hash(hasher);
    }
}

impl<P: Process, C: Clone> Clone for State<P, C> {
    fn clone(&self) -> Self {
        let mut messages = Vec::with_capacity(self.messages.len() + 1);
        messages.extend_from_slice(&self.messages);
        Self {
            sites: self.sites.clone(),
            messages,
            lost: self.lost,
            doubled: self.doubled,
            monitors: self.monitors.clone(),
            panic: self.panic.clone(),
        }
    }
}

impl<P: Process, C> Eq for State<P, C> {}

impl<P: Process, C> PartialEq for State<P, C> {
    fn eq(&self, other: &Self) -> bool {
        self.sites == other.sites
            && self.messages == other.messages
            && (self.lost, self.doubled) == (other.lost, other.doubled)
            && self.monitors == other.monitors
            && self.panic == other.panic
    }
}

impl<P: Process, C> Hash for State<P, C> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.sites.hash(hasher);
        self.messages.hash(hasher);
        hasher.write_u64(u64::from(self.lost) << 32 | u64::from(self.doubled));
        self.monitors.hash(hasher);
        self.panic.hash(hasher);
    }
}

/// For people, in the Explorer.
impl<P: Process, C> Debug for State<P, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (rank, site) in (0..).zip(&self.sites) {
            let me = ProcessId(rank);
            if site.crashed {
                writeln!(f, "{me} is down")?;
                continue;
            }
            writeln!(f, "{me} {:#?}", site.process)?;
            if !site.timers.is_empty() {
                writeln!(f, "{me} waits for {:?}", site.timers)?;
            }
        }
        for Envelope { from, to, message, .. } in &self.messages {
            writeln!(f, "{from} ↗ {to} {message:?}")?;
        }
        if let Some((name, violation)) = self.monitors.violation() {
            writeln!(f, "{name} is violated: {}", violation.what)?;
        }
        if let Some(panic) = &self.panic {
            writeln!(f, "{panic}")?;
        }
        Ok(())
    }
}

/// A value that states share, with its hash.
pub(crate) struct Shared<T>(Arc<(u64, T)>);

impl<T: Hash> Shared<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Arc::new((hash(&value), value)))
    }
}

impl<T> Shared<T> {
    pub(super) fn hash_of(&self) -> u64 {
        self.0.0
    }
}

/// The hash of a value: the same in every run of the program.
pub(super) fn hash(value: &impl Hash) -> u64 {
    const SEEDS: ahash::RandomState = ahash::RandomState::with_seeds(
        0x243f_6a88_85a3_08d3,
        0x1319_8a2e_0370_7344,
        0xa409_3822_299f_31d0,
        0x082e_fa98_ec4e_6c89,
    );
    SEEDS.hash_one(value)
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.1
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Eq> Eq for Shared<T> {}

impl<T: Eq> PartialEq for Shared<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl<T> Hash for Shared<T> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u64(self.0.0);
    }
}
