//! As many messages of a kind as theory predicts for this run: neither more nor fewer.

use super::Name;
use crate::process::ProcessId;
use crate::trace::Noted;
use crate::verdict::watch::Watch;
use crate::verdict::{End, Judgement, Violation, Witness, counted};

/// The monitor of [`Pattern::Counted`](super::Pattern::Counted).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Counted {
    message: Name,
    times: u64,
    sent: u64,
}

impl Counted {
    pub(super) fn new(message: Name, times: u64) -> Self {
        Self { message, times, sent: 0 }
    }
}

impl Watch<dyn Noted + '_> for Counted {
    fn on_send(
        &mut self,
        from: Witness,
        to: ProcessId,
        message: &dyn Noted,
    ) -> Result<u64, Violation> {
        self.sent += u64::from(self.message.is(message));
        if self.sent <= self.times {
            return Ok(0);
        }
        let (process, kind) = (from.process, &*self.message);
        let predicted = counted(self.times, "message");
        Violation::check(
            format!("{process} sends {to} one {kind} more than the {predicted} predicted"),
            [from],
        )
    }

    fn at_end(&self, end: &End) -> Judgement {
        match self.sent == self.times {
            true => Judgement::Holds(format!("exactly {}", self.sent)),
            false => Judgement::not_yet(end, format!("{} of {} predicted", self.sent, self.times)),
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        self.sent > 0
    }
}
