//! The clocks of one process: its own count, its Lamport time, its vector clock.

use super::event::MessageId;
use crate::clocks::{Lamport, Vector};
use crate::process::ProcessId;

/// Stamps the events of one process, one after the other.
#[derive(Clone, Debug)]
pub struct Stamper {
    me: ProcessId,
    n: u64,
    lamport: Lamport,
    clock: Option<Vector>,
}

impl Stamper {
    /// The clocks before the first event; with a vector clock if `clocks` says so.
    pub fn new(me: ProcessId, processes: u32, clocks: bool) -> Self {
        let clock = clocks.then(|| Vector::new(processes));
        Self { me, n: 0, lamport: Lamport::default(), clock }
    }

    /// The clocks after the `n`-th event of a process, which had these times: for one that starts again.
    pub fn resumed(me: ProcessId, n: u64, lamport: u64, clock: Option<Vector>) -> Self {
        Self { me, n, lamport: Lamport(lamport), clock }
    }

    /// An event of this process's own.
    pub fn tick(&mut self) {
        self.n += 1;
        self.lamport.tick();
        if let Some(clock) = &mut self.clock {
            clock.tick(self.me);
        }
    }

    /// The receipt of a message that was sent at these times.
    pub fn receive(&mut self, lamport: u64, clock: Option<&Vector>) {
        self.lamport.merge(Lamport(lamport));
        if let (Some(mine), Some(theirs)) = (&mut self.clock, clock) {
            mine.merge(theirs);
        }
        self.tick();
    }

    /// The number of the last event, counted from 1.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// The Lamport time of the last event.
    pub fn lamport(&self) -> u64 {
        self.lamport.0
    }

    /// The vector clock after the last event, if one is kept.
    pub fn clock(&self) -> Option<&Vector> {
        self.clock.as_ref()
    }

    /// The identity of a message whose sending was the last event.
    pub fn message_id(&self) -> MessageId {
        MessageId { process: self.me, n: self.n }
    }
}
