//! FIFO: no message overtakes another on its channel.
//!
//! Messages are numbered as they are sent, and carry their number; each receiver keeps the highest
//! that it has got from each sender.

use std::collections::BTreeSet;

use crate::peers::Peers;
use crate::process::ProcessId;
use crate::trace::Noted;
use crate::verdict::watch::{Check, TagsUnderWay, Watch};
use crate::verdict::{End, Judgement, Violation, Witness, counted};

/// The monitor of [`Pattern::Fifo`](super::Pattern::Fifo).
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub(super) struct Fifo {
    /// The number of the last message sent.
    sent: u64,
    /// Of each receiver, the highest number from each sender. As long as the highest receiver.
    received: Vec<Peers>,
    /// Whether a second message came on a channel, or may come: only a second one can be overtaken.
    second: bool,
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

impl Watch<dyn Noted + '_> for Fifo {
    fn on_send(&mut self, _: Witness, _: ProcessId, _: &dyn Noted) -> Result<u64, Violation> {
        self.sent += 1;
        Ok(self.sent)
    }

    fn on_receive(&mut self, from: ProcessId, to: Witness, message: &dyn Noted, tag: u64) -> Check {
        let received = self.received_mut(from, to.process);
        if tag < *received {
            let (kind, process) = (message.kind(), to.process);
            let what =
                format!("a later message overtook {kind} on its way from {from} to {process}");
            return Violation::check(what, [to]);
        }
        let second = *received > 0;
        *received = tag;
        self.second |= second;
        Ok(())
    }

    fn at_end(&self, _: &End) -> Judgement {
        let channels = self.received.iter().map(Peers::count).sum::<usize>();
        let channels = counted(channels as u64, "channel");
        Judgement::Holds(format!("{channels}, each in the order of sending"))
    }

    fn uses_tags(&self) -> bool {
        true
    }

    fn is_put_to_the_test(&self) -> bool {
        self.second
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
        self.second = self.sent > 1;
    }
}
