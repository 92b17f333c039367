//! What goes wrong by plan: messages from here that are lost, doubled, late or overtaken, and this process
//! itself, stopped or killed by a message that reaches it.
//!
//! A real network is not asked to misbehave: frames are kept back here, before they are handed to it, so
//! that a plan needs no privileges and does to one run what it does to the next.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use log::{info, warn};
use netkit::{Net, TimerId};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Driver, IndicationOf, RequestOf, TimerUse, WAITING_MAX, now};
use crate::faults::Fate;
use crate::lab::Lab;
use crate::process::{Kind, Process, ProcessId};
use crate::run::journal::Entry;
use crate::run::strikes::signal_of;

/// How long a frame that is to be overtaken waits for one that overtakes it.
const OVERTAKEN_MAX: Duration = Duration::from_millis(100);

/// The frames to one process that the plan keeps back.
#[derive(Default)]
pub(super) struct Link {
    /// Late ones, each with the time from which it may leave, in the order of the channel.
    late: VecDeque<(Instant, Vec<u8>)>,
    /// One that waits to be overtaken, and until when.
    overtaken: VecDeque<(Instant, Vec<u8>)>,
    timer: Option<TimerId>,
}

impl Link {
    fn len(&self) -> usize {
        self.late.len() + self.overtaken.len()
    }

    /// When the next frame may leave.
    fn next(&self) -> Option<Instant> {
        [&self.late, &self.overtaken].into_iter().filter_map(|q| q.front()).map(|f| f.0).min()
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
        for _ in 0..=usize::from(fate.is_doubled) {
            self.transmit_late(net, to, fate);
        }
    }

    fn transmit_late(&mut self, net: &mut Net, to: ProcessId, fate: Fate) {
        let link = self.links.entry(to).or_default();
        if link.len() >= WAITING_MAX {
            let why = format!("the plan keeps back {WAITING_MAX} messages to {to}");
            return self.fail(net, why);
        }
        if fate.is_overtaken {
            let until = now() + fate.delay + OVERTAKEN_MAX;
            link.overtaken.push_back((until, self.scratch.clone()));
        } else if fate.delay > Duration::ZERO || !link.late.is_empty() {
            // What is late holds up what is behind it: the channel keeps its order.
            let last = link.late.back().map(|(at, _)| *at);
            let at = (now() + fate.delay).max(last.unwrap_or_else(now));
            link.late.push_back((at, self.scratch.clone()));
        } else {
            self.transmit(net, to);
            return self.release_overtaken(net, to);
        }
        self.watch_link(net, to);
    }

    /// Sends what was kept back long enough.
    pub(super) fn release_kept(&mut self, net: &mut Net, to: ProcessId) {
        let Some(link) = self.links.get_mut(&to) else { return };
        link.timer = None;
        let now = now();
        let is_due = |frame: Option<&(Instant, Vec<u8>)>| frame.is_some_and(|(at, _)| *at <= now);
        let mut due = Vec::new();
        while is_due(link.late.front()) {
            due.extend(link.late.pop_front());
        }
        let overtakes = !due.is_empty();
        while is_due(link.overtaken.front()) || overtakes && !link.overtaken.is_empty() {
            due.extend(link.overtaken.pop_front());
        }
        for (_, frame) in due {
            self.scratch = frame;
            self.transmit(net, to);
        }
        self.watch_link(net, to);
    }

    /// Another message has left: what was to be overtaken is.
    fn release_overtaken(&mut self, net: &mut Net, to: ProcessId) {
        let Some(link) = self.links.get_mut(&to) else { return };
        for (_, frame) in std::mem::take(&mut link.overtaken) {
            self.scratch = frame;
            self.transmit(net, to);
        }
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
    pub(super) fn be_struck(&mut self, kind: &str) {
        let Some((action, rule)) = self.triggers.count(kind) else { return };
        let Some(signal) = signal_of(action) else { return };
        self.toll.add(rule, 1);
        warn!("{signal} by plan");
        if let Err(error) = netkit::reap::raise(signal) {
            warn!("the plan could not be carried out: {error}");
        }
    }
}
