//! Exactly once: every message sent arrives, and no message arrives twice.
//!
//! Messages are numbered as they are sent, and carry their number. Of those under way one bit each is
//! kept, from the oldest on.

use std::collections::VecDeque;

use crate::process::ProcessId;
use crate::trace::Noted;
use crate::verdict::watch::{Check, TagsUnderWay, Watch};
use crate::verdict::{End, Judgement, Violation, Witness, counted};

/// The monitor of [`Pattern::ExactlyOnce`](super::Pattern::ExactlyOnce).
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub(super) struct ExactlyOnce {
    /// The number of the last message sent, counted from 1.
    sent: u64,
    /// How many are under way.
    left: u64,
    /// How many words of bits lie before the first that is kept.
    before: u64,
    /// Which numbers are under way.
    under_way: VecDeque<u64>,
    delivered: u64,
}

impl ExactlyOnce {
    fn depart(&mut self) -> u64 {
        let (word, bit) = (self.sent / 64 - self.before, self.sent % 64);
        if word as usize == self.under_way.len() {
            self.under_way.push_back(0);
        }
        self.under_way[word as usize] |= 1 << bit;
        self.left += 1;
        self.sent += 1;
        self.sent
    }

    /// Returns whether the message was still under way.
    fn arrive(&mut self, number: u64) -> bool {
        let Some((word, bit)) = self.place(number) else { return false };
        self.under_way[word] &= !bit;
        self.left -= 1;
        while self.under_way.len() > 1 && self.under_way[0] == 0 {
            self.under_way.pop_front();
            self.before += 1;
        }
        true
    }

    /// The word and the bit of a number that is under way.
    fn place(&self, number: u64) -> Option<(usize, u64)> {
        let number = number.checked_sub(1)?;
        let word = usize::try_from((number / 64).checked_sub(self.before)?).ok()?;
        let bit = 1 << (number % 64);
        (self.under_way.get(word)? & bit != 0).then_some((word, bit))
    }
}

impl Watch<dyn Noted + '_> for ExactlyOnce {
    fn on_send(&mut self, _: Witness, _: ProcessId, _: &dyn Noted) -> Result<u64, Violation> {
        Ok(self.depart())
    }

    fn on_receive(&mut self, from: ProcessId, to: Witness, message: &dyn Noted, tag: u64) -> Check {
        self.delivered += 1;
        match self.arrive(tag) {
            true => Ok(()),
            false => {
                let (kind, process) = (message.kind(), to.process);
                Violation::check(format!("{kind} from {from} arrived at {process} twice"), [to])
            }
        }
    }

    fn on_drop(&mut self, from: Witness, to: ProcessId, message: &dyn Noted, _: u64) -> Check {
        let (kind, process) = (message.kind(), from.process);
        Violation::check(format!("{kind} from {process} to {to} was lost"), [from])
    }

    fn at_end(&self, end: &End) -> Judgement {
        match self.left {
            0 => Judgement::Holds(format!(
                "{}, each delivered once",
                counted(self.delivered, "message")
            )),
            left => Judgement::not_yet(end, format!("{} did not arrive", counted(left, "message"))),
        }
    }

    fn uses_tags(&self) -> bool {
        true
    }

    fn is_put_to_the_test(&self) -> bool {
        self.left > 0
    }

    /// How many arrived does not matter, nor what the numbers of those under way are, as long as
    /// they differ. The copy of a message that arrived gets 0, which no other has.
    fn forget_history(&mut self, tags: &mut TagsUnderWay<'_>) {
        let mut numbers = Vec::new();
        tags(&mut |_, _, tag| {
            if self.place(*tag).is_none() {
                *tag = 0;
                return;
            }
            let place = numbers.iter().position(|number| number == tag);
            let place = place.unwrap_or_else(|| {
                numbers.push(*tag);
                numbers.len() - 1
            });
            *tag = place as u64 + 1;
        });
        *self = Self::default();
        numbers.iter().for_each(|_| _ = self.depart());
    }
}
