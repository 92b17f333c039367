//! What goes wrong by plan: messages from here that are lost, doubled, late or overtaken, and this process
//! itself, stopped or killed by a message that reaches it.
//!
//! A real network is not asked to misbehave: frames are kept back here, before they are handed to it, so
//! that a plan needs no privileges and does to one run what it does to the next.

use std::collections::VecDeque;
use std::time::Instant;

use log::{info, warn};
use netkit::{Net, TimerId};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Driver, IndicationOf, RequestOf, TimerUse, WAITING_MAX, now};
use crate::faults::{Fate, OVERTAKEN_MAX};
use crate::lab::Lab;
use crate::process::{Kind, Process, ProcessId};
use crate::run::journal::Entry;
use crate::run::strikes::signal_of;
use crate::run::wire::ToLauncher;

/// The frames to one process that the plan keeps back.
#[derive(Default)]
pub(super) struct Link {
    /// Late ones, each with the time from which it may leave, in the order of the channel.
    late: VecDeque<(Instant, Vec<u8>)>,
    /// What waits to be overtaken by the next.
    held: Option<Held>,
    timer: Option<TimerId>,
}

/// A frame that is held back until the next on its channel has overtaken it; if it was doubled too, twice.
struct Held {
    /// It goes on alone then.
    until: Instant,
    /// It is not earlier than that anyway.
    due: Instant,
    /// By which rule of the plan.
    rule: usize,
    frame: Vec<u8>,
    times: usize,
}

impl Link {
    /// When something is to be done.
    fn next(&self) -> Option<Instant> {
        let late = self.late.front().map(|(due, _)| *due);
        let held = self.held.as_ref().map(|held| held.until);
        late.into_iter().chain(held).min()
    }

    /// Appends a frame that may leave at `due`, but not before those in front of it.
    fn append(&mut self, due: Instant, frame: Vec<u8>) {
        let last = self.late.back().map(|(at, _)| *at);
        self.late.push_back((due.max(last.unwrap_or(due)), frame));
    }

    /// What was held back stands behind the last frame now.
    fn append_held(&mut self, held: Held) {
        for _ in 0..held.times {
            self.append(held.due, held.frame.clone());
        }
    }
}

impl<L, P> Driver<L, P>
where
    L: Lab,
    P: Process<
            Request = RequestOf<L>,
            Indication = IndicationOf<L>,
            Message: Serialize + DeserializeOwned,
        >,
{
    /// Sends what is in `scratch`, the message that is this process's `n`-th event, as the plan lets it.
    pub(super) fn transmit_by_plan(
        &mut self,
        net: &mut Net,
        to: ProcessId,
        n: u64,
        message: &P::Message,
        bytes: u32,
    ) {
        let at = self.started_at.elapsed();
        let me = self.env.me;
        let fate = match &mut self.injector {
            Some(injector) => injector.fate(at, me, to, message.kind()),
            None => Fate::default(),
        };
        if fate.is_lost {
            info!("{me} ⇥ {to} {message:?}: lost by plan");
            self.record(net, &Entry::Drop { to, n, message, bytes });
            return;
        }
        self.transmit_late(net, to, fate);
    }

    fn transmit_late(&mut self, net: &mut Net, to: ProcessId, fate: Fate) {
        let link = self.links.entry(to).or_default();
        if link.late.len() >= WAITING_MAX {
            let why = format!("the plan keeps back {WAITING_MAX} messages to {to}");
            return self.fail(net, why);
        }
        let (frame, due) = (self.scratch.clone(), now() + fate.delay);
        let times = 1 + usize::from(fate.is_doubled);
        if let Some(rule) = fate.overtaken_by {
            let held = Held { until: now() + OVERTAKEN_MAX, due, rule, frame, times };
            // If the message between the two was lost, nothing has overtaken the first: it goes on alone.
            if let Some(alone) = link.held.replace(held) {
                link.append_held(alone);
            }
            return self.release_kept(net, to);
        }
        for _ in 0..times {
            link.append(due, frame.clone());
        }
        if let Some(held) = link.held.take() {
            if let Some(injector) = &mut self.injector {
                injector.overtaken(held.rule);
            }
            link.append_held(held);
        }
        self.release_kept(net, to);
    }

    /// Sends what was kept back long enough.
    pub(super) fn release_kept(&mut self, net: &mut Net, to: ProcessId) {
        let me = self.env.me;
        let Some(link) = self.links.get_mut(&to) else { return };
        let now = now();
        if let Some(held) = link.held.take_if(|held| held.until <= now) {
            link.append_held(held);
            if let Some(injector) = &mut self.injector {
                injector.alone(me, to);
            }
        }
        let mut due = Vec::new();
        while let Some((_, frame)) = link.late.pop_front_if(|(at, _)| *at <= now) {
            due.push(frame);
        }
        for frame in due {
            self.scratch = frame;
            self.transmit(net, to);
        }
        self.watch_link(net, to);
    }

    fn watch_link(&mut self, net: &mut Net, to: ProcessId) {
        let Some(link) = self.links.get_mut(&to) else { return };
        if let Some(timer) = link.timer.take() {
            self.timers.remove(&timer);
            net.stop_timer(timer);
        }
        let Some(next) = link.next() else { return };
        let timer = net.start_timer(next.saturating_duration_since(now()));
        link.timer = Some(timer);
        self.timers.insert(timer, TimerUse::Release(to));
    }

    /// Counts a message that reaches this process, and lets happen what the plan says. If that is its end,
    /// this does not return.
    pub(super) fn be_struck(&mut self, net: &mut Net, kind: &str) {
        let Some((action, rule)) = self.triggers.count(kind) else { return };
        let Some(signal) = signal_of(action) else { return };
        self.toll.add(rule, 1);
        warn!("{signal} by plan");
        // Who dies tells nothing later, and who stands still may die.
        self.tell_toll(net);
        net.flush(self.control);
        if let Err(error) = netkit::reap::raise(signal) {
            warn!("the plan could not be carried out: {error}");
        }
    }

    /// Tells the launcher how many times the rules of the plan struck here, if that has changed.
    pub(super) fn tell_toll(&mut self, net: &mut Net) {
        let mut toll = self.toll.clone();
        if let Some(injector) = &self.injector {
            toll.merge(injector.toll());
        }
        if toll != self.told_toll {
            self.tell(net, &ToLauncher::Toll(toll.clone()));
            self.told_toll = toll;
        }
    }
}
