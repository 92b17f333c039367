//! Exactly one leader, agreed by all.
//!
//! One process says that it leads; whoever says who leads names the same identity.

use super::name::Name;
use super::{End, PropertyKind, Violation, Watch, Witness, not_yet, number_told};
use crate::process::ProcessId;
use crate::trace::Happening;

/// The monitor of [`Spec::OneLeader`](super::Spec::OneLeader).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct OneLeader {
    won: Name,
    learned: Name,
    /// Who leads, and with which identity.
    leader: Option<(Witness, u64)>,
    /// Who named a leader first, and which.
    named: Option<(Witness, u64)>,
    violation: Option<Violation>,
}

impl OneLeader {
    /// Watches who says that it leads (`won`), and who says who leads (`learned`).
    pub fn new(won: String, learned: String) -> Self {
        let (won, learned) = (won.into(), learned.into());
        Self { won, learned, leader: None, named: None, violation: None }
    }

    fn on_won(&mut self, event: Witness, identity: u64) {
        let (first, other) = *self.leader.get_or_insert((event, identity));
        if first.process != event.process {
            let what = format!(
                "{} leads with identity {identity}, and {} leads with identity {other}",
                event.process, first.process
            );
            self.break_with(what, vec![first, event]);
        }
    }

    fn on_learned(&mut self, event: Witness, identity: u64) {
        let (first, other) = *self.named.get_or_insert((event, identity));
        if other != identity {
            let what = format!(
                "to {} the leader is {identity}, and to {} it is {other}",
                event.process, first.process
            );
            self.break_with(what, vec![first, event]);
        }
    }

    /// Only the first violation counts: what follows may follow from it.
    fn break_with(&mut self, what: String, witnesses: Vec<Witness>) {
        self.violation.get_or_insert(Violation { what, witnesses });
    }
}

impl Watch for OneLeader {
    fn name(&self) -> (String, PropertyKind) {
        ("exactly one leader, agreed by all".to_owned(), PropertyKind::Safety)
    }

    fn on_event(&mut self, process: ProcessId, happening: Happening<'_>, n: u64) {
        let event = Witness { process, n };
        if let Some(identity) = number_told(happening, &self.won) {
            self.on_won(event, identity);
        } else if let Some(identity) = number_told(happening, &self.learned) {
            self.on_learned(event, identity);
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        self.leader.is_some()
    }

    fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    fn unbroken(&self, end: &End) -> (Option<bool>, String) {
        match (self.leader, self.named) {
            (None, _) => not_yet(end, "nobody leads".to_owned()),
            (Some((leader, identity)), Some((first, other))) if other != identity => (
                Some(false),
                format!(
                    "{} leads with identity {identity}, and to {} the leader is {other}",
                    leader.process, first.process
                ),
            ),
            (Some((leader, identity)), _) => {
                (Some(true), format!("{} with identity {identity}", leader.process))
            }
        }
    }
}
