//! Every request is served: a process that asks gets its answer in the end.
//!
//! A process that died asks for nothing any more. One that asks again while it waits, asks once.
//!
//! *In the end* says nothing about a run that has no end: a process that is told to wait, and asks again for ever, is
//! never refused. So an algorithm that asks again can be given a bound. It is counted in timers of the process
//! that waits, the only time that it has: that is the same in all worlds.

use std::collections::BTreeMap;

use super::Name;
use super::each::counted_more;
use crate::process::ProcessId;
use crate::trace::{Happening, Noted};
use crate::verdict::watch::{Check, TagsUnderWay, Watch};
use crate::verdict::{End, Judgement, Violation, Witness, counted};

/// The monitor of [`Pattern::Responds`](super::Pattern::Responds).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Responds {
    asked: Name,
    served: Name,
    /// How many timers of a process that waits may run out.
    within: Option<u32>,
    /// The processes that wait; and how many of their timers ran out since they asked, where that is bounded.
    waiting: BTreeMap<ProcessId, Wait>,
    /// How many were served.
    count: u64,
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct Wait {
    since: Witness,
    timeouts: u32,
}

impl Responds {
    pub(super) fn new(asked: Name, served: Name, within: Option<u32>) -> Self {
        Self { asked, served, within, waiting: BTreeMap::new(), count: 0 }
    }

    fn time_out(&mut self, at: Witness, within: u32) -> Check {
        let Some(wait) = self.waiting.get_mut(&at.process) else { return Ok(()) };
        wait.timeouts = wait.timeouts.saturating_add(1);
        if wait.timeouts <= within {
            return Ok(());
        }
        let timeouts = counted(wait.timeouts.into(), "timeout");
        let what =
            format!("{} waits through {timeouts} of its own, and may wait {within}", at.process);
        Violation::check(what, [wait.since, at])
    }
}

impl Watch<dyn Noted + '_> for Responds {
    fn on_indication(&mut self, at: Witness, indication: &(dyn Noted + '_)) -> Check {
        if self.asked.is(indication) {
            // The checker does not count events: there this is the same for all.
            self.waiting.entry(at.process).or_insert(Wait { since: at, timeouts: 0 });
        } else if self.served.is(indication) {
            self.count += u64::from(self.waiting.remove(&at.process).is_some());
        }
        Ok(())
    }

    fn on_other(&mut self, at: Witness, happening: Happening<'_>) -> Check {
        match (happening, self.within) {
            (Happening::Crash, _) => drop(self.waiting.remove(&at.process)),
            (Happening::Timeout(_), Some(within)) => return self.time_out(at, within),
            _ => {}
        }
        Ok(())
    }

    fn at_end(&self, end: &End) -> Judgement {
        let Some((first, _)) = self.waiting.first_key_value() else {
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
        self.waiting.keys().fold(0, |all, process| all | bit(process))
    }

    fn is_put_to_the_test(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn forget_history(&mut self, _: &mut TagsUnderWay<'_>) {
        self.count = 0;
    }
}
