//! Mutual exclusion: of any two critical sections, one ended before the other began.
//!
//! *Before* means happened-before: two sections that no chain of messages orders are a violation
//! even where the wall clock happens to keep them apart, for on another day it would not.
//!
//! Comparing all pairs would cost the square of their number. It is enough to compare each section
//! with the one just before it in the order of watching, which respects causality: if each section's
//! exit happened before the next one's entry, then, happened-before being transitive, all are in
//! order. So the monitor numbers the sections and keeps, for each process, the highest number whose
//! exit is in its causal past; messages carry that number along. An entry is right if its process
//! knows of the exit of the section before.
//!
//! Cost: one number a process and one a message; constant time an event.

use super::name::Name;
use super::{End, PropertyKind, TagsUnderWay, Violation, Watch, Witness, counted, is_indication};
use crate::process::ProcessId;
use crate::trace::Happening;

/// The monitor of [`Spec::MutualExclusion`](super::Spec::MutualExclusion).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct MutualExclusion {
    enter: Name,
    exit: Name,
    /// For each process, the number of the last section whose exit is in its causal past.
    known: Vec<u64>,
    /// How many sections began.
    sections: u64,
    last: Option<Section>,
    violation: Option<Violation>,
}

#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Section {
    entry: Witness,
    exit: Option<Witness>,
}

impl MutualExclusion {
    /// Watches sections that begin and end with indications of these kinds.
    pub fn new(enter: String, exit: String, processes: u32) -> Self {
        let known = vec![0; processes as usize];
        let (enter, exit) = (enter.into(), exit.into());
        Self { enter, exit, known, sections: 0, last: None, violation: None }
    }

    fn enter(&mut self, entry: Witness) {
        if self.violation.is_none() && self.known[entry.process.index()] < self.sections {
            let last = self.last.expect("a section began before");
            self.violation = Some(overlap(last, entry));
        }
        self.sections += 1;
        self.last = Some(Section { entry, exit: None });
    }

    fn exit(&mut self, exit: Witness) {
        let Some(last) = self.last.as_mut().filter(|last| last.entry.process == exit.process)
        else {
            return; // Another section began since: a violation, and noted as such.
        };
        last.exit = Some(exit);
        self.known[exit.process.index()] = self.sections;
    }
}

fn overlap(last: Section, entry: Witness) -> Violation {
    let what = match last.exit {
        None => format!("{} enters while {} is inside", entry.process, last.entry.process),
        Some(_) => format!(
            "the sections of {} and {} are concurrent: no chain of messages leads from the exit of \
             the one to the entry of the other",
            last.entry.process, entry.process
        ),
    };
    let witnesses = [Some(last.entry), last.exit, Some(entry)].into_iter().flatten().collect();
    Violation { what, witnesses }
}

impl Watch for MutualExclusion {
    fn name(&self) -> (String, PropertyKind) {
        ("mutual exclusion".to_owned(), PropertyKind::Safety)
    }

    fn on_send(&mut self, from: ProcessId, _: ProcessId, _: &str, _: u64) -> u64 {
        self.known[from.index()]
    }

    fn on_receive(&mut self, _: ProcessId, to: ProcessId, _: &str, _: u64, tag: u64) {
        let known = &mut self.known[to.index()];
        *known = tag.max(*known);
    }

    fn on_event(&mut self, process: ProcessId, happening: Happening<'_>, n: u64) {
        if is_indication(happening, &self.enter) {
            self.enter(Witness { process, n });
        } else if is_indication(happening, &self.exit) {
            self.exit(Witness { process, n });
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        self.sections > 0
    }

    fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    fn unbroken(&self, _: &End) -> (Option<bool>, String) {
        match self.sections {
            0 => (Some(true), "no critical section".to_owned()),
            1 => (Some(true), "1 critical section".to_owned()),
            n => (Some(true), format!("{}, pairwise ordered", counted(n, "critical section"))),
        }
    }

    fn uses_tags(&self) -> bool {
        true
    }

    /// Only the exit of the last section still matters, and only whether it is known.
    fn forget_history(&mut self, tags: &mut TagsUnderWay<'_>) {
        let last = self.sections;
        let forget = |known: &mut u64| *known = u64::from(last > 0 && *known == last);
        self.known.iter_mut().for_each(forget);
        tags(&mut |_, _, tag| forget(tag));
        self.sections = last.min(1);
    }
}
