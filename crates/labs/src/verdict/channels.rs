//! What the algorithms ask of their channels: order, and that every message arrives once.
//!
//! The messages of each channel are numbered as they are sent, and carry their number.

use std::collections::{BTreeMap, BTreeSet};

use super::{End, PropertyKind, TagsUnderWay, Violation, Watch, Witness, counted, not_yet};
use crate::process::ProcessId;

type Channel = (ProcessId, ProcessId);

/// FIFO: no message overtakes another on its channel. The monitor of
/// [`Spec::Fifo`](super::Spec::Fifo).
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Fifo {
    channels: BTreeMap<Channel, Progress>,
    violation: Option<Violation>,
}

#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Progress {
    /// The number of the last message sent.
    sent: u64,
    /// The highest number received.
    received: u64,
}

impl Watch for Fifo {
    fn name(&self) -> (String, PropertyKind) {
        ("FIFO".to_owned(), PropertyKind::Safety)
    }

    fn on_send(&mut self, from: ProcessId, to: ProcessId, _: &str, _: u64) -> u64 {
        let progress = self.channels.entry((from, to)).or_default();
        progress.sent += 1;
        progress.sent
    }

    fn on_receive(&mut self, from: ProcessId, to: ProcessId, kind: &str, n: u64, tag: u64) {
        let progress = self.channels.entry((from, to)).or_default();
        if tag < progress.received {
            self.violation.get_or_insert(Violation {
                what: format!("a later message overtook {kind} on its way from {from} to {to}"),
                witnesses: vec![Witness { process: to, n }],
            });
        }
        progress.received = tag.max(progress.received);
    }

    fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    fn unbroken(&self, _: &End) -> (Option<bool>, String) {
        let channels = counted(self.channels.len() as u64, "channel");
        (Some(true), format!("{channels}, each in the order of sending"))
    }

    fn uses_tags(&self) -> bool {
        true
    }

    /// Only numbers beyond those received matter.
    fn forget_history(&mut self, tags: &mut TagsUnderWay<'_>) {
        tags(&mut |from, to, tag| {
            // A number below 1 belongs to a message that was already overtaken: 0 stays below all.
            *tag = self
                .channels
                .get(&(from, to))
                .map_or(*tag, |p| (*tag + 1).saturating_sub(p.received).max(1));
        });
        for progress in self.channels.values_mut() {
            // One is left to stand for "everything below is received".
            progress.sent = (progress.sent + 1).saturating_sub(progress.received).max(1);
            progress.received = progress.received.min(1);
        }
    }
}

/// Exactly once: every message sent arrives, and no message arrives twice. The monitor of
/// [`Spec::ExactlyOnce`](super::Spec::ExactlyOnce).
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ExactlyOnce {
    under_way: BTreeMap<Channel, UnderWay>,
    delivered: u64,
    violation: Option<Violation>,
}

#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct UnderWay {
    sent: u64,
    numbers: BTreeSet<u64>,
}

impl ExactlyOnce {
    fn arrive(&mut self, from: ProcessId, to: ProcessId, tag: u64) -> bool {
        self.under_way.get_mut(&(from, to)).is_some_and(|channel| channel.numbers.remove(&tag))
    }
}

impl Watch for ExactlyOnce {
    fn name(&self) -> (String, PropertyKind) {
        ("exactly-once delivery".to_owned(), PropertyKind::Liveness)
    }

    fn on_send(&mut self, from: ProcessId, to: ProcessId, _: &str, _: u64) -> u64 {
        let channel = self.under_way.entry((from, to)).or_default();
        channel.sent += 1;
        channel.numbers.insert(channel.sent);
        channel.sent
    }

    fn on_receive(&mut self, from: ProcessId, to: ProcessId, kind: &str, n: u64, tag: u64) {
        self.delivered += 1;
        if !self.arrive(from, to, tag) {
            self.violation.get_or_insert(Violation {
                what: format!("{kind} from {from} arrived at {to} twice"),
                witnesses: vec![Witness { process: to, n }],
            });
        }
    }

    fn on_drop(&mut self, from: ProcessId, to: ProcessId, kind: &str, n: u64, tag: u64) {
        self.arrive(from, to, tag);
        self.violation.get_or_insert(Violation {
            what: format!("{kind} from {from} to {to} was lost"),
            witnesses: vec![Witness { process: from, n }],
        });
    }

    fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    fn unbroken(&self, end: &End) -> (Option<bool>, String) {
        let left: usize = self.under_way.values().map(|channel| channel.numbers.len()).sum();
        if left == 0 {
            return (
                Some(true),
                format!("{}, each delivered once", counted(self.delivered, "message")),
            );
        }
        not_yet(end, format!("{} did not arrive", counted(left as u64, "message")))
    }

    fn uses_tags(&self) -> bool {
        true
    }

    /// How many arrived does not matter, nor what the numbers of those under way are.
    fn forget_history(&mut self, tags: &mut TagsUnderWay<'_>) {
        tags(&mut |from, to, tag| {
            let Some(channel) = self.under_way.get(&(from, to)) else { return };
            // A duplicate of a message that arrived keeps a number that no other has.
            *tag =
                channel.numbers.iter().position(|n| n == tag).map_or(0, |place| place as u64 + 1);
        });
        for channel in self.under_way.values_mut() {
            channel.sent = channel.numbers.len() as u64;
            channel.numbers = (1..=channel.sent).collect();
        }
        self.delivered = 0;
    }
}
