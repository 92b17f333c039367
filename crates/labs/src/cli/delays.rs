//! How long the messages of a real run were under way, where its events can say that.
//!
//! Each process counts time from when it was told to go. On one machine these beginnings are milliseconds apart, and
//! nothing beside the bounds that labs assume; between machines they may be anything.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::trace::{MessageId, TraceEvent, What};

/// Measures messages, if somebody wants to know.
#[derive(Debug, Default)]
pub(super) struct Delays {
    is_wanted: bool,
    /// When each message that is under way was sent, in microseconds.
    sent: BTreeMap<MessageId, u64>,
    slowest_us: u64,
}

impl Delays {
    /// Measures only if it `is_wanted`.
    pub(super) fn new(is_wanted: bool) -> Self {
        Self { is_wanted, ..Self::default() }
    }

    /// The next event.
    pub(super) fn observe(&mut self, event: &TraceEvent) {
        if !self.is_wanted {
            return;
        }
        match &event.what {
            What::Send { message, .. } => drop(self.sent.insert(message.id, event.at_us)),
            What::Receive { message, .. } => {
                if let Some(sent) = self.sent.remove(&message.id) {
                    self.slowest_us = self.slowest_us.max(event.at_us.saturating_sub(sent));
                }
            }
            What::Drop { message, .. } => drop(self.sent.remove(&message.id)),
            _ => {}
        }
    }

    /// How long the slowest message was under way, of those that arrived.
    pub(super) fn slowest(&self) -> Duration {
        Duration::from_micros(self.slowest_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::ProcessId;
    use crate::trace::{MessageNote, Note};

    fn slowest(is_wanted: bool) -> Duration {
        let mut delays = Delays::new(is_wanted);
        let message = |n| {
            let id = MessageId { process: ProcessId(0), n };
            MessageNote::new(id, &Note::default(), 0)
        };
        let mut happen = |at_us, what| {
            let process = ProcessId(0);
            let event = TraceEvent { process, n: 1, clock: None, lamport: 1, at_us, what };
            delays.observe(&event);
        };
        let peer = ProcessId(0);
        happen(10, What::Send { peer, message: message(1) });
        happen(20, What::Send { peer, message: message(2) });
        happen(25, What::Receive { peer, message: message(2) });
        happen(40, What::Receive { peer, message: message(1) });
        // A copy is no slower message.
        happen(90, What::Receive { peer, message: message(1) });
        delays.slowest()
    }

    #[test]
    fn the_slowest_message_counts() {
        assert_eq!(slowest(true), Duration::from_micros(30));
        assert_eq!(slowest(false), Duration::ZERO);
    }
}
