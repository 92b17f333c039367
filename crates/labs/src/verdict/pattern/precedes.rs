//! Something that happened before each of something else, at any process.
//!
//! A process knows of it if it happened there, or if a message came from a process that knew. So messages
//! carry whether their sender knows.

use super::Name;
use crate::process::ProcessId;
use crate::trace::Noted;
use crate::verdict::watch::{Check, TagsUnderWay, Watch};
use crate::verdict::{End, Judgement, Violation, Witness, counted};

/// The monitor of [`Pattern::Precedes`](super::Pattern::Precedes).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Precedes {
    first: Name,
    then: Name,
    /// The processes that have the first in their past.
    knows: Vec<bool>,
    times: u64,
}

impl Precedes {
    pub(super) fn new(first: Name, then: Name, processes: u32) -> Self {
        Self { first, then, knows: vec![false; processes as usize], times: 0 }
    }
}

impl Watch<dyn Noted + '_> for Precedes {
    fn on_send(&mut self, from: Witness, _: ProcessId, _: &dyn Noted) -> Result<u64, Violation> {
        Ok(self.knows[from.process.index()].into())
    }

    fn on_receive(&mut self, _: ProcessId, to: Witness, _: &dyn Noted, tag: u64) -> Check {
        self.knows[to.process.index()] |= tag > 0;
        Ok(())
    }

    fn on_indication(&mut self, at: Witness, indication: &(dyn Noted + '_)) -> Check {
        let knows = &mut self.knows[at.process.index()];
        if self.then.is(indication) {
            self.times += 1;
            if !*knows {
                let (then, first) = (&*self.then, &*self.first);
                let what = format!("{} says {then}, and no {first} happened before", at.process);
                return Violation::check(what, [at]);
            }
        }
        *knows |= self.first.is(indication);
        Ok(())
    }

    fn at_end(&self, _: &End) -> Judgement {
        let (times, then, first) = (counted(self.times, "time"), &*self.then, &*self.first);
        Judgement::Holds(format!("{then} {times}, each after {first}"))
    }

    fn uses_tags(&self) -> bool {
        true
    }

    fn is_put_to_the_test(&self) -> bool {
        self.times > 0
    }

    fn forget_history(&mut self, _: &mut TagsUnderWay<'_>) {
        self.times = self.times.min(1);
    }
}
