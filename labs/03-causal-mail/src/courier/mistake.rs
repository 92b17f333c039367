//! What a courier forgets that makes a [mistake](crate::causal_mail::Mistake).

use std::collections::VecDeque;

use labs::process::ProcessId;

use super::Courier;

impl<Mail: Clone> Courier<Mail> {
    /// Forgets what was to be handed over.
    pub(crate) fn forget_kept(&mut self) {
        for outgoing in self.outgoing.values_mut() {
            (outgoing.sent, outgoing.queue) = (0, VecDeque::new());
        }
    }

    /// Forgets having taken this mail.
    pub(crate) fn forget_taking(&mut self, from: ProcessId, number: u64) {
        if number > 0 && self.last_taken(from) >= number {
            self.taken.insert(from, number - 1);
        }
    }

    /// Undoes [`forget_taking`](Self::forget_taking), but for what was taken meanwhile.
    pub(crate) fn remember_taking(&mut self, from: ProcessId, number: u64) {
        let taken = self.taken.entry(from).or_default();
        *taken = number.max(*taken);
    }
}
