//! Causal delivery: nobody reads a mail before another one to the same reader that happened before it.
//!
//! This is the causal order of Birman and Joseph (1987) for messages from one process to some others, as
//! Raynal, Schiper and Toueg (1991) state it. Happened-before is followed among writing and reading
//! themselves, and by no clock of the algorithm's: see `mails`.

use super::mails::{Pasts, broken_at};
use super::name::Name;
use super::{End, PropertyKind, Violation, Watch, counted};
use crate::process::ProcessId;
use crate::trace::Happening;

/// The monitor of [`Spec::CausalDelivery`](super::Spec::CausalDelivery).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CausalDelivery {
    wrote: Name,
    read: Name,
    pasts: Pasts,
    /// How many times somebody read a mail.
    reads: u64,
    /// How many of these had to come after another.
    ordered: u64,
    violation: Option<Violation>,
}

impl CausalDelivery {
    /// Watches mails, of which these are the addressees.
    pub fn new(
        wrote: String,
        read: String,
        addressees: Vec<Vec<ProcessId>>,
        processes: u32,
    ) -> Self {
        let pasts = Pasts::new(addressees, processes);
        let (wrote, read) = (wrote.into(), read.into());
        Self { wrote, read, pasts, reads: 0, ordered: 0, violation: None }
    }

    fn read(&mut self, process: ProcessId, mail: u32, n: u64) {
        self.reads += 1;
        self.ordered += u64::from(self.pasts.has_predecessor(process, mail));
        if let Some(before) = self.pasts.unread_before(process, mail) {
            let what = format!(
                "{process} reads mail {mail} before mail {before}, which happened before it"
            );
            self.violation.get_or_insert_with(|| broken_at(process, n, what));
        }
        self.pasts.read(process, mail);
    }
}

impl Watch for CausalDelivery {
    fn name(&self) -> (String, PropertyKind) {
        ("causal delivery".to_owned(), PropertyKind::Safety)
    }

    fn on_event(&mut self, process: ProcessId, happening: Happening<'_>, n: u64) {
        if let Some(mail) = self.pasts.addressees.told(happening, &self.wrote) {
            self.pasts.write(process, mail);
        } else if let Some(mail) = self.pasts.addressees.told(happening, &self.read) {
            self.read(process, mail, n);
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        self.ordered > 0
    }

    fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    fn unbroken(&self, _: &End) -> (Option<bool>, String) {
        let ordered = match self.ordered {
            1 => "1 of them after another that happened before it".to_owned(),
            n => format!("{n} of them after others that happened before them"),
        };
        (Some(true), format!("{}, {ordered}", counted(self.reads, "reading")))
    }
}
