//! Something that a process says only between two other things that it says, or never.

use std::collections::BTreeSet;

use super::Name;
use crate::process::ProcessId;
use crate::trace::Noted;
use crate::verdict::watch::{Check, TagsUnderWay, Watch};
use crate::verdict::{End, Judgement, Violation, Witness, counted};

/// The monitor of [`Pattern::Between`](super::Pattern::Between) and [`Pattern::Never`](super::Pattern::Never).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Between {
    says: Name,
    /// What opens the interval in which that may be said, and what closes it; without them, none does.
    interval: Option<(Name, Name)>,
    /// The processes in an interval.
    open: BTreeSet<ProcessId>,
    times: u64,
    /// Whether some process said anything at all.
    heard: bool,
}

impl Between {
    pub(super) fn new(says: Name, after: Name, until: Name) -> Self {
        Self { says, interval: Some((after, until)), open: BTreeSet::new(), times: 0, heard: false }
    }

    pub(super) fn never(says: Name) -> Self {
        Self { says, interval: None, open: BTreeSet::new(), times: 0, heard: false }
    }
}

impl Watch<dyn Noted + '_> for Between {
    fn on_indication(&mut self, at: Witness, indication: &(dyn Noted + '_)) -> Check {
        self.heard = true;
        if self.says.is(indication) {
            self.times += 1;
            if !self.open.contains(&at.process) {
                let what = match &self.interval {
                    None => format!("{} says {}", at.process, &*self.says),
                    Some((after, until)) if *until == self.says => format!(
                        "{} says {} without {} before it",
                        at.process, &*self.says, &**after
                    ),
                    Some((after, until)) => format!(
                        "{} says {} outside of what lies between {} and {}",
                        at.process, &*self.says, &**after, &**until
                    ),
                };
                return Violation::check(what, [at]);
            }
        }
        // What is said may close the interval itself: then it is said once in each.
        if let Some((after, until)) = &self.interval {
            if until.is(indication) {
                self.open.remove(&at.process);
            }
            if after.is(indication) {
                self.open.insert(at.process);
            }
        }
        Ok(())
    }

    fn at_end(&self, _: &End) -> Judgement {
        Judgement::Holds(match self.interval.clone() {
            None => "said by nobody".to_owned(),
            Some((after, until)) if until == self.says => {
                format!("said {}, each after {}", counted(self.times, "time"), &*after)
            }
            Some(_) => format!("said {}, each time between them", counted(self.times, "time")),
        })
    }

    fn is_put_to_the_test(&self) -> bool {
        match self.interval {
            None => self.heard,
            Some(_) => self.times > 0,
        }
    }

    fn forget_history(&mut self, _: &mut TagsUnderWay<'_>) {
        self.times = self.times.min(1);
        self.heard = false;
    }
}
