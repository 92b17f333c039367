//! What carries out, over netkit, what the processes of this module ask for.
//!
//! The [conductor](super::conductor) and each [participant](super::participant) are processes, and
//! so is what participants run; none of them knows of sockets. Each has a runner: a service on
//! netkit's event loop, which tells its process what has happened, and does what that wants done.

pub(super) mod conductor;
pub(super) mod keeper;
pub(super) mod participant;
mod telling;
pub(super) mod ways;
mod witness;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use netkit::{Net, TimerId};

/// The timers of a runner, by what they are for.
pub(super) struct Timers<T> {
    running: BTreeMap<T, TimerId>,
    names: BTreeMap<TimerId, T>,
}

impl<T: Clone + Ord> Timers<T> {
    pub(super) fn new() -> Self {
        Self { running: BTreeMap::new(), names: BTreeMap::new() }
    }

    /// Starts a timer, anew if it runs.
    pub(super) fn start(&mut self, net: &mut Net, name: T, after: Duration) {
        self.stop(net, &name);
        let id = net.start_timer(after);
        self.running.insert(name.clone(), id);
        self.names.insert(id, name);
    }

    pub(super) fn stop(&mut self, net: &mut Net, name: &T) {
        if let Some(id) = self.running.remove(name) {
            self.names.remove(&id);
            net.stop_timer(id);
        }
    }

    /// A timer of the network has run out: which one it was, unless it was stopped.
    pub(super) fn ring(&mut self, id: TimerId) -> Option<T> {
        let name = self.names.remove(&id)?;
        self.running.remove(&name);
        Some(name)
    }
}

/// The clock of this machine.
#[expect(clippy::disallowed_methods, reason = "runners are where time comes from")]
pub(super) fn now() -> Instant {
    Instant::now()
}
