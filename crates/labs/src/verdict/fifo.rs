//! FIFO: no message overtakes another on its channel.
//!
//! Messages are numbered as they are sent, and carry their number; each receiver keeps the highest
//! that it has got from each sender.

use std::collections::BTreeSet;

use super::{End, PropertyKind, TagsUnderWay, Violation, Watch, Witness, counted};
use crate::peers::Peers;
use crate::process::ProcessId;

/// The monitor of [`Spec::Fifo`](super::Spec::Fifo).
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Fifo {
    /// The number of the last message sent.
    sent: u64,
    /// Of each receiver, the highest number from each sender. As long as the highest receiver.
    received: Vec<Peers>,
    violation: Option<Violation>,
}

impl Fifo {
    fn received(&self, from: ProcessId, to: ProcessId) -> u64 {
        self.received.get(to.index()).map_or(0, |peers| peers.number(from))
    }

    fn received_mut(&mut self, from: ProcessId, to: ProcessId) -> &mut u64 {
        if self.received.len() <= to.index() {
            self.received.resize_with(to.index() + 1, Peers::default);
        }
        self.received[to.index()].number_mut(from)
    }
}

impl Watch for Fifo {
    fn name(&self) -> (String, PropertyKind) {
        ("FIFO".to_owned(), PropertyKind::Safety)
    }

    fn on_send(&mut self, _: ProcessId, _: ProcessId, _: &str, _: u64) -> u64 {
        self.sent += 1;
        self.sent
    }

    fn on_receive(&mut self, from: ProcessId, to: ProcessId, kind: &str, n: u64, tag: u64) {
        let received = self.received_mut(from, to);
        let overtaken = tag < *received;
        *received = tag.max(*received);
        if overtaken {
            self.violation.get_or_insert_with(|| Violation {
                what: format!("a later message overtook {kind} on its way from {from} to {to}"),
                witnesses: vec![Witness { process: to, n }],
            });
        }
    }

    fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    fn unbroken(&self, _: &End) -> (Option<bool>, String) {
        let channels = self.received.iter().map(Peers::count).sum::<usize>();
        let channels = counted(channels as u64, "channel");
        (Some(true), format!("{channels}, each in the order of sending"))
    }

    fn uses_tags(&self) -> bool {
        true
    }

    /// Two messages of one channel under way are needed for one to overtake the other.
    fn is_put_to_the_test(&self) -> bool {
        self.sent > 1
    }

    /// All that matters is the order of those under way, and which of them were overtaken: these
    /// get 0. Where none was, what was received does not matter.
    fn forget_history(&mut self, tags: &mut TagsUnderWay<'_>) {
        let mut under_way = BTreeSet::new();
        tags(&mut |from, to, tag| {
            if *tag < self.received(from, to) {
                *tag = 0;
            } else {
                under_way.insert((from, to, *tag));
            }
        });
        self.received.clear();
        self.sent = 0;
        tags(&mut |from, to, tag| {
            if *tag == 0 {
                *self.received_mut(from, to) = 1;
                return;
            }
            let first = under_way.range((from, to, 0)..);
            *tag = 1 + first.take_while(|&&(_, _, other)| other < *tag).count() as u64;
            self.sent = self.sent.max(*tag);
        });
    }
}
