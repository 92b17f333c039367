//! Of any two intervals, one ended before the other began: mutual exclusion, for critical sections.
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

use super::Name;
use crate::process::ProcessId;
use crate::trace::Noted;
use crate::verdict::watch::{Check, TagsUnderWay, Watch};
use crate::verdict::{End, Judgement, Violation, Witness, counted};

/// The monitor of [`Pattern::PairwiseOrdered`](super::Pattern::PairwiseOrdered).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct PairwiseOrdered {
    enter: Name,
    exit: Name,
    /// For each process, the number of the last section whose exit is in its causal past.
    known: Vec<u64>,
    /// How many sections began.
    sections: u64,
    last: Option<Section>,
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct Section {
    entry: Witness,
    exit: Option<Witness>,
}

impl PairwiseOrdered {
    pub(super) fn new(enter: Name, exit: Name, processes: u32) -> Self {
        Self { enter, exit, known: vec![0; processes as usize], sections: 0, last: None }
    }

    fn enter(&mut self, entry: Witness) -> Check {
        if let Some(last) = self.last
            && self.known[entry.process.index()] < self.sections
        {
            return Err(overlap(last, entry));
        }
        self.sections += 1;
        self.last = Some(Section { entry, exit: None });
        Ok(())
    }

    fn exit(&mut self, exit: Witness) {
        if let Some(last) = self.last.as_mut().filter(|last| last.entry.process == exit.process) {
            last.exit = Some(exit);
            self.known[exit.process.index()] = self.sections;
        }
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
    let witnesses = [Some(last.entry), last.exit, Some(entry)].into_iter().flatten();
    Violation::new(what, witnesses.collect::<Vec<_>>())
}

impl Watch<dyn Noted + '_> for PairwiseOrdered {
    fn on_send(&mut self, from: Witness, _: ProcessId, _: &dyn Noted) -> Result<u64, Violation> {
        Ok(self.known[from.process.index()])
    }

    fn on_receive(&mut self, _: ProcessId, to: Witness, _: &dyn Noted, tag: u64) -> Check {
        let known = &mut self.known[to.process.index()];
        *known = tag.max(*known);
        Ok(())
    }

    fn on_indication(&mut self, at: Witness, indication: &(dyn Noted + '_)) -> Check {
        if self.enter.is(indication) {
            return self.enter(at);
        }
        if self.exit.is(indication) {
            self.exit(at);
        }
        Ok(())
    }

    fn at_end(&self, _: &End) -> Judgement {
        Judgement::Holds(match self.sections {
            0 => "no critical section".to_owned(),
            1 => "1 critical section".to_owned(),
            n => format!("{}, pairwise ordered", counted(n, "critical section")),
        })
    }

    fn is_put_to_the_test(&self) -> bool {
        self.sections > 1
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
