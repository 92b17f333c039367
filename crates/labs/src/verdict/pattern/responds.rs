//! Every request is served: a process that asks gets its answer in the end.
//!
//! A process that died asks for nothing any more. One that asks again while it waits, asks once.

use std::collections::BTreeSet;

use super::Name;
use super::each::counted_more;
use crate::process::ProcessId;
use crate::trace::{Happening, Noted};
use crate::verdict::watch::{Check, TagsUnderWay, Watch};
use crate::verdict::{End, Judgement, Witness, counted};

/// The monitor of [`Pattern::Responds`](super::Pattern::Responds).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Responds {
    asked: Name,
    served: Name,
    /// The processes that wait.
    waiting: BTreeSet<ProcessId>,
    /// How many were served.
    count: u64,
}

impl Responds {
    pub(super) fn new(asked: Name, served: Name) -> Self {
        Self { asked, served, waiting: BTreeSet::new(), count: 0 }
    }
}

impl Watch<dyn Noted + '_> for Responds {
    fn on_indication(&mut self, at: Witness, indication: &(dyn Noted + '_)) -> Check {
        if self.asked.is(indication) {
            self.waiting.insert(at.process);
        } else if self.served.is(indication) {
            self.count += u64::from(self.waiting.remove(&at.process));
        }
        Ok(())
    }

    fn on_other(&mut self, at: Witness, happening: Happening<'_>) -> Check {
        if matches!(happening, Happening::Crash) {
            self.waiting.remove(&at.process);
        }
        Ok(())
    }

    fn at_end(&self, end: &End) -> Judgement {
        let Some(first) = self.waiting.first() else {
            return Judgement::Holds(format!("{}, each served", counted(self.count, "request")));
        };
        let others = match self.waiting.len() - 1 {
            0 => String::new(),
            others => format!(", and {}", counted_more(others)),
        };
        Judgement::not_yet(end, format!("{first} waits{others}"))
    }

    fn owes(&self) -> u64 {
        let bit = |process: &ProcessId| 1_u64.checked_shl(process.0).unwrap_or(0);
        self.waiting.iter().fold(0, |all, process| all | bit(process))
    }

    fn is_put_to_the_test(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn forget_history(&mut self, _: &mut TagsUnderWay<'_>) {
        self.count = 0;
    }
}
