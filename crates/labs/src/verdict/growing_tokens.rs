//! Fencing tokens grow: of two critical sections, the later one has the greater token.
//!
//! A process that slept through the end of its lease does not know that it lost it. What it writes to can
//! know: each write carries the token of its section, and a write with a smaller token than one that was
//! seen before is refused. That works if tokens strictly grow along happened-before, and no two
//! sections have the same. (Kleppmann, *How to do distributed locking*, 2016; the sequencers of Burrows,
//! *The Chubby lock service*, OSDI 2006.)
//!
//! Each process knows the greatest token of its causal past, and messages carry it along.
//!
//! Cost: one number a process and one a message; constant time an event.

use super::name::Name;
use super::{End, PropertyKind, TagsUnderWay, Violation, Watch, Witness, counted, number_told};
use crate::process::ProcessId;
use crate::trace::Happening;

/// The monitor of [`Spec::GrowingTokens`](super::Spec::GrowingTokens).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct GrowingTokens {
    enter: Name,
    /// For each process, the greatest token in its causal past.
    known: Vec<u64>,
    /// The greatest token that was seen at all, and where.
    greatest: Option<(u64, Witness)>,
    sections: u64,
    violation: Option<Violation>,
}

impl GrowingTokens {
    /// Watches sections that begin with indications of this kind, each with its token.
    pub fn new(enter: String, processes: u32) -> Self {
        Self {
            enter: enter.into(),
            known: vec![0; processes as usize],
            greatest: None,
            sections: 0,
            violation: None,
        }
    }

    fn enter(&mut self, token: u64, entry: Witness) {
        self.sections += 1;
        let known = &mut self.known[entry.process.index()];
        let is_taken = self.greatest.filter(|(greatest, _)| *greatest == token);
        if token <= *known || is_taken.is_some() {
            let what = match is_taken {
                Some((_, other)) => {
                    format!(
                        "{} enters with token {token}, and so did {}",
                        entry.process, other.process
                    )
                }
                None => format!("{} enters with token {token} after token {known}", entry.process),
            };
            let witnesses = is_taken.iter().map(|(_, other)| *other).chain([entry]).collect();
            self.violation.get_or_insert(Violation { what, witnesses });
        }
        *known = token.max(*known);
        if self.greatest.is_none_or(|(greatest, _)| greatest < token) {
            self.greatest = Some((token, entry));
        }
    }
}

impl Watch for GrowingTokens {
    fn name(&self) -> (String, PropertyKind) {
        ("fencing tokens grow".to_owned(), PropertyKind::Safety)
    }

    fn on_send(&mut self, from: ProcessId, _: ProcessId, _: &str, _: u64) -> u64 {
        self.known[from.index()]
    }

    fn on_receive(&mut self, _: ProcessId, to: ProcessId, _: &str, _: u64, tag: u64) {
        let known = &mut self.known[to.index()];
        *known = tag.max(*known);
    }

    fn on_event(&mut self, process: ProcessId, happening: Happening<'_>, n: u64) {
        if let Some(token) = number_told(happening, &self.enter) {
            self.enter(token, Witness { process, n });
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        self.sections > 1
    }

    fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    fn unbroken(&self, _: &End) -> (Option<bool>, String) {
        let greatest = self.greatest.map_or(0, |(greatest, _)| greatest);
        let sections = counted(self.sections, "section");
        (Some(true), format!("{sections}, the greatest token is {greatest}"))
    }

    fn uses_tags(&self) -> bool {
        true
    }

    fn forget_history(&mut self, _: &mut TagsUnderWay<'_>) {
        self.sections = self.sections.min(2);
    }
}
