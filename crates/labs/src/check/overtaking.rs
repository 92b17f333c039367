//! Whether a message overtook another on its channel, in a run that may end before the other arrives.
//!
//! The property FIFO looks at receipts: it is broken when the overtaken message arrives. A
//! counterexample often ends earlier.

use std::collections::{BTreeMap, BTreeSet};

use crate::process::ProcessId;
use crate::trace::{Happening, Observer, Passing};

/// Notices that a message arrives while an earlier one of its channel is under way.
#[derive(Debug, Default)]
pub(super) struct Overtaking {
    /// How many messages were sent.
    sent: u64,
    /// The numbers of those that are under way from one process to another.
    under_way: BTreeMap<(ProcessId, ProcessId), BTreeSet<u64>>,
    /// Whether one overtook another.
    pub(super) happened: bool,
}

impl Observer for Overtaking {
    type Carried = u64;

    fn on_send(&mut self, message: Passing<'_>) -> u64 {
        self.sent += 1;
        self.under_way.entry((message.from, message.to)).or_default().insert(self.sent);
        self.sent
    }

    fn on_receive(&mut self, message: Passing<'_>, number: &u64) {
        let channel = self.under_way.entry((message.from, message.to)).or_default();
        self.happened |= channel.first().is_some_and(|first| first < number);
        channel.remove(number);
    }

    fn on_drop(&mut self, message: Passing<'_>, number: &u64) {
        self.under_way.entry((message.from, message.to)).or_default().remove(number);
    }

    fn on_happening(&mut self, _: u64, _: ProcessId, _: Happening<'_>) {}
}
