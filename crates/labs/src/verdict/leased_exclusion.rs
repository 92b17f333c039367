//! Mutual exclusion with leases: a critical section may also end without its process.
//!
//! The permission for a section is a numbered grant, 1, 2, 3 and so on. The section is over when its process
//! says so, or when whoever granted it *revokes* it: the process died, or kept silent for longer than
//! its lease. A grant that nobody used is over without a section. Of any two sections that of the smaller number must be over before, in the sense of
//! happened-before, the other is entered. What a process whose section was revoked still does is void; that
//! it has no effect is a matter of [fencing](super::GrowingTokens).
//!
//! So it is enough to keep, for each process, the highest number up to which all sections are over as far
//! as it can know, and to let messages carry that number along. Who enters section *t* must know that
//! *t* − 1 is over. And nobody may revoke a section that he knows to be over: its process left, and the news
//! was ignored.
//!
//! Cost: one number a process and one a message; constant time an event.

use super::name::Name;
use super::{End, PropertyKind, TagsUnderWay, Violation, Watch, Witness, counted, number_told};
use crate::process::ProcessId;
use crate::trace::Happening;

/// The monitor of [`Spec::LeasedExclusion`](super::Spec::LeasedExclusion).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct LeasedExclusion {
    enter: Name,
    exits: Vec<Name>,
    unused: Vec<Name>,
    /// For each process, the section that it entered and did not leave.
    inside: Vec<Option<u64>>,
    revoked: Name,
    /// For each process, the number up to which it knows all sections to be over.
    known: Vec<u64>,
    /// The same, as far as it cannot have forgotten it: what a process heard before it died may not have
    /// been stored.
    remembered: Vec<u64>,
    /// The last section that was entered, by its number, and how.
    last: Option<(u64, Witness)>,
    sections: u64,
    voided: u64,
    violation: Option<Violation>,
}

impl LeasedExclusion {
    /// Watches sections that begin and end with indications of these kinds, each with its number.
    pub fn new(
        enter: String,
        exits: Vec<String>,
        unused: Vec<String>,
        revoked: String,
        processes: u32,
    ) -> Self {
        Self {
            enter: enter.into(),
            exits: exits.into_iter().map(Name::from).collect(),
            unused: unused.into_iter().map(Name::from).collect(),
            inside: vec![None; processes as usize],
            revoked: revoked.into(),
            known: vec![0; processes as usize],
            remembered: vec![0; processes as usize],
            last: None,
            sections: 0,
            voided: 0,
            violation: None,
        }
    }

    fn enter(&mut self, number: u64, entry: Witness) {
        self.sections += 1;
        self.inside[entry.process.index()] = Some(number);
        let known = self.known[entry.process.index()];
        let next = known.saturating_add(1);
        if number > next {
            let inside = match self.last {
                Some((last, witness)) if last < number => {
                    format!("section {last} of {}", witness.process)
                }
                _ => format!("section {next}"),
            };
            let what = format!(
                "{} enters section {number}, and cannot know that {inside} is over",
                entry.process
            );
            let witnesses = self.last.iter().map(|(_, last)| *last).chain([entry]).collect();
            self.violation.get_or_insert(Violation { what, witnesses });
        }
        if self.last.is_none_or(|(last, _)| last < number) {
            self.last = Some((number, entry));
        }
    }

    fn exit(&mut self, number: u64, exit: Witness) {
        let process = exit.process;
        if self.inside[process.index()].take() != Some(number) {
            let what = format!("{process} leaves section {number}, and was not in it");
            self.violation.get_or_insert(Violation { what, witnesses: vec![exit] });
        }
        self.learn(number, process);
    }

    fn learn(&mut self, number: u64, process: ProcessId) {
        for known in [&mut self.known, &mut self.remembered] {
            let known = &mut known[process.index()];
            *known = number.max(*known);
        }
    }

    fn revoke(&mut self, number: u64, event: Witness) {
        self.voided += 1;
        if number <= self.remembered[event.process.index()] {
            let what = format!(
                "{} revokes section {number}, and could know that it is over",
                event.process
            );
            self.violation.get_or_insert(Violation { what, witnesses: vec![event] });
        }
        self.learn(number, event.process);
    }
}

impl Watch for LeasedExclusion {
    fn name(&self) -> (String, PropertyKind) {
        ("mutual exclusion".to_owned(), PropertyKind::Safety)
    }

    fn on_send(&mut self, from: ProcessId, _: ProcessId, _: &str, _: u64) -> u64 {
        self.known[from.index()]
    }

    fn on_receive(&mut self, _: ProcessId, to: ProcessId, _: &str, _: u64, tag: u64) {
        self.learn(tag, to);
    }

    fn on_event(&mut self, process: ProcessId, happening: Happening<'_>, n: u64) {
        if let Some(number) = number_told(happening, &self.enter) {
            self.enter(number, Witness { process, n });
        } else if let Some(number) = number_told(happening, &self.revoked) {
            self.revoke(number, Witness { process, n });
        } else if let Some(number) = self.exits.iter().find_map(|exit| number_told(happening, exit))
        {
            self.exit(number, Witness { process, n });
        } else if let Some(number) =
            self.unused.iter().find_map(|unused| number_told(happening, unused))
        {
            self.learn(number, process);
        } else if matches!(happening, Happening::Crash) {
            self.inside[process.index()] = None;
            self.remembered[process.index()] = 0;
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        self.sections > 0
    }

    fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    fn unbroken(&self, _: &End) -> (Option<bool>, String) {
        let sections = counted(self.sections, "critical section");
        let order = if self.sections > 1 { ", pairwise ordered" } else { "" };
        let revoked = match self.voided {
            0 => String::new(),
            n => format!("; {} revoked", counted(n, "grant")),
        };
        (Some(true), format!("{sections}{order}{revoked}"))
    }

    fn uses_tags(&self) -> bool {
        true
    }

    /// How many sections there were makes no difference, nor how the last was entered.
    fn forget_history(&mut self, _: &mut TagsUnderWay<'_>) {
        self.sections = self.sections.min(1);
        self.voided = self.voided.min(1);
    }
}
