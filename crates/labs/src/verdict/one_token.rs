//! Exactly one token at any time: in every consistent cut, one process holds it or one channel
//! carries it.
//!
//! That is a statement about all cuts, and yet it follows from what each process does by itself: the
//! token is made once; whoever sends it holds it, and holds it no longer; what is sent arrives once.
//! So each process has a balance, and no clock is needed.

use super::name::Name;
use super::{End, PropertyKind, TagsUnderWay, Violation, Watch, Witness, is_indication, not_yet};
use crate::process::ProcessId;
use crate::trace::Happening;

/// The monitor of [`Spec::OneToken`](super::Spec::OneToken).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct OneToken {
    created: Name,
    message: Name,
    creation: Option<Witness>,
    /// How many tokens each process holds.
    held: Vec<u32>,
    violation: Option<Violation>,
}

impl OneToken {
    /// Watches the token that this indication makes and this message is.
    pub fn new(created: String, message: String, processes: u32) -> Self {
        let held = vec![0; processes as usize];
        let (created, message) = (created.into(), message.into());
        Self { created, message, creation: None, held, violation: None }
    }

    fn take(&mut self, holder: Witness) {
        self.held[holder.process.index()] += 1;
        if self.held[holder.process.index()] > 1 {
            self.break_with(format!("{} holds two tokens", holder.process), vec![holder]);
        }
    }

    /// Only the first violation counts: what follows may follow from it.
    fn break_with(&mut self, what: String, witnesses: Vec<Witness>) {
        self.violation.get_or_insert(Violation { what, witnesses });
    }
}

impl Watch for OneToken {
    fn name(&self) -> (String, PropertyKind) {
        ("exactly one token at any time".to_owned(), PropertyKind::Safety)
    }

    fn on_send(&mut self, from: ProcessId, to: ProcessId, kind: &str, n: u64) -> u64 {
        if *kind == *self.message {
            match self.held[from.index()].checked_sub(1) {
                Some(left) => self.held[from.index()] = left,
                None => self.break_with(
                    format!("{from} sends {to} a token that it does not hold"),
                    vec![Witness { process: from, n }],
                ),
            }
        }
        0
    }

    fn on_receive(&mut self, _: ProcessId, to: ProcessId, kind: &str, n: u64, _: u64) {
        if *kind == *self.message {
            self.take(Witness { process: to, n });
        }
    }

    fn on_drop(&mut self, from: ProcessId, to: ProcessId, kind: &str, n: u64, _: u64) {
        if *kind == *self.message {
            let what = format!("the token was lost on its way from {from} to {to}");
            self.break_with(what, vec![Witness { process: from, n }]);
        }
    }

    fn on_event(&mut self, process: ProcessId, happening: Happening<'_>, n: u64) {
        let event = Witness { process, n };
        if is_indication(happening, &self.created) {
            match self.creation {
                Some(first) => {
                    let what = format!("{process} makes a token, and {} made one", first.process);
                    self.break_with(what, vec![first, event]);
                }
                None => self.creation = Some(event),
            }
            self.take(event);
        } else if matches!(happening, Happening::Crash) && self.held[process.index()] > 0 {
            self.break_with(format!("{process} died holding the token"), vec![event]);
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        self.creation.is_some()
    }

    fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    fn unbroken(&self, end: &End) -> (Option<bool>, String) {
        match self.creation {
            Some(first) => {
                (Some(true), format!("made by {}, never lost, never doubled", first.process))
            }
            None => not_yet(end, "no token was ever made".to_owned()),
        }
    }

    fn forget_history(&mut self, _: &mut TagsUnderWay<'_>) {
        // Nothing but who holds what, and that is the present.
    }
}
