//! What a member forgets that makes a [mistake](crate::causal_mail::Mistake).

use super::{Envelope, Knowledge};

impl<Name: Clone + Ord> Knowledge<Name> {
    /// Forgets that a mail was read.
    pub(crate) fn forget_reading(&mut self, envelope: &Envelope<Name>) {
        let number = envelope.number(&self.me);
        if let Some(read) = self.read.get_mut(&envelope.from) {
            read.beyond.remove(&number);
            if number <= read.up_to {
                read.beyond.extend(number + 1..=read.up_to);
                read.up_to = number - 1;
            }
        }
    }
}
