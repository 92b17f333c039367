//! The events of a run that is played again, as its trace would have them, but for clocks and times.

use crate::process::ProcessId;
use crate::trace::{Happening, MessageId, MessageNote, Observer, Passing, TraceEvent, What};

/// Collects events.
pub(super) struct Collected {
    /// Of each process, how many it had.
    counts: Vec<u64>,
    pub(super) events: Vec<TraceEvent>,
}

impl Collected {
    pub(super) fn new(processes: usize) -> Self {
        Self { counts: vec![0; processes], events: Vec::new() }
    }

    /// Adds the next event of a process, and returns its number.
    fn push(&mut self, process: ProcessId, what: impl FnOnce(u64) -> What) -> u64 {
        let count = &mut self.counts[process.index()];
        *count += 1;
        let (n, what) = (*count, what(*count));
        self.events.push(TraceEvent { process, n, clock: None, lamport: 0, at_us: 0, what });
        n
    }
}

/// A message carries the number of its sending.
impl Observer for Collected {
    type Carried = u64;

    fn on_send(&mut self, message: Passing<'_>) -> u64 {
        let Passing { from, to, .. } = message;
        self.push(from, |n| What::Send { peer: to, message: note(n, message) })
    }

    fn on_receive(&mut self, message: Passing<'_>, &sent: &u64) {
        let Passing { from, to, .. } = message;
        self.push(to, |_| What::Receive { peer: from, message: note(sent, message) });
    }

    fn on_drop(&mut self, message: Passing<'_>, &sent: &u64) {
        let Passing { from, to, .. } = message;
        self.push(from, |_| What::Drop { peer: to, message: note(sent, message) });
    }

    fn on_happening(&mut self, _: u64, process: ProcessId, happening: Happening<'_>) {
        self.push(process, |_| What::of(happening));
    }
}

fn note(n: u64, message: Passing<'_>) -> MessageNote {
    MessageNote::new(MessageId { process: message.from, n }, message.message, message.bytes)
}
