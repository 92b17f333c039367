//! What algorithms assume of their world, and what a plan takes away of it.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use super::{Action, Fault, Plan, Rule, Timed, Toll, When};
use crate::process::ProcessId;

/// What an algorithm may assume of its world, and a plan take away.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Assumption {
    /// Each channel keeps the order of its messages.
    Fifo,
    /// What is sent arrives.
    Reliable,
    /// What is sent arrives at most once.
    NoDuplicates,
    /// Processes do not die, but for those that start again from what their stable storage kept.
    NoCrash,
    /// At every moment more than half of the processes live.
    MajorityLives,
    /// Messages and steps take a bounded time, and the algorithm knows the bound.
    BoundedDelay,
}

impl Assumption {
    /// Whether so many dead at once take it away.
    pub(crate) fn forbids(self, dead: usize, processes: u32) -> bool {
        match self {
            Self::NoCrash => dead > 0,
            Self::MajorityLives => 2 * dead >= processes as usize,
            _ => false,
        }
    }
}

/// What was `broken`, and bounded delay if a message took longer than the algorithm may assume: `max` is what a
/// message may take, `slowest` what one took. A rule of a plan that broke it is named alone.
pub(crate) fn with_delay(
    mut broken: Vec<String>,
    assumed: &[Assumption],
    max: Option<Duration>,
    slowest: Duration,
) -> Vec<String> {
    let delay = Assumption::BoundedDelay.to_string();
    let is_named = broken.iter().any(|broken| broken.starts_with(&delay));
    let is_assumed = assumed.contains(&Assumption::BoundedDelay);
    if let Some(max) = max.filter(|max| slowest >= *max && is_assumed && !is_named) {
        let took = format!("a message took {slowest:.1?}, and less than {max:.1?} is assumed");
        broken.push(format!("{delay} ({took})"));
    }
    broken
}

impl fmt::Display for Assumption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fifo => "FIFO",
            Self::Reliable => "reliable channels",
            Self::NoDuplicates => "no duplicates",
            Self::NoCrash => "no crash",
            Self::MajorityLives => "at most a minority is down",
            Self::BoundedDelay => "bounded delay",
        })
    }
}

impl Plan {
    /// What of `assumed` the plan took away from so many processes, each with the rules that did it. A rule
    /// that never struck did not.
    pub fn broken(&self, assumed: &[Assumption], toll: &Toll, processes: u32) -> Vec<String> {
        let dead = self.dead_at_once(toll);
        let breaking = |&assumption: &Assumption| {
            let takes_away = |rule: &Rule| match rule.fault {
                Fault::Process(Action::Kill, process) => {
                    match (assumption, self.returns(process, toll)) {
                        // What is sent to a process while it is down is lost.
                        (Assumption::Reliable, returns) => returns,
                        (Assumption::NoCrash, returns) => !returns,
                        _ => assumption.forbids(dead, processes),
                    }
                }
                _ => rule.fault.breaks() == Some(assumption),
            };
            let rules: Vec<_> = self
                .rules_that_struck(toll)
                .filter(|rule| takes_away(rule))
                .map(Rule::to_string)
                .collect();
            (!rules.is_empty()).then(|| format!("{assumption} ({})", rules.join("; ")))
        };
        assumed.iter().filter_map(breaking).collect()
    }

    fn rules_that_struck(&self, toll: &Toll) -> impl Iterator<Item = &Rule> {
        let rules = self.rules.iter().enumerate();
        rules.filter(|(number, _)| toll.of(*number) > 0).map(|(_, rule)| rule)
    }

    /// How many processes were dead at once. When a rule with `after` struck is not known: a process that it
    /// killed, and that is started again at any time, is not counted.
    fn dead_at_once(&self, toll: &Toll) -> usize {
        let mut dead: BTreeSet<ProcessId> = self.killed_by_messages(toll).collect();
        let mut most = dead.len();
        for timed in self.timed() {
            match timed.action {
                Action::Kill if toll.of(timed.rule) > 0 => drop(dead.insert(timed.process)),
                Action::Restart => drop(dead.remove(&timed.process)),
                _ => {}
            }
            most = most.max(dead.len());
        }
        most
    }

    /// The processes that the plan killed, and that did not start again.
    pub(crate) fn dead_for_good(&self, toll: &Toll) -> BTreeSet<ProcessId> {
        let killed = self.rules_that_struck(toll).filter_map(|rule| match rule.fault {
            Fault::Process(Action::Kill, process) => Some(process),
            _ => None,
        });
        killed.filter(|&process| !self.returns(process, toll)).collect()
    }

    /// Whether a process that died was started again, and lived from then on.
    fn returns(&self, process: ProcessId, toll: &Toll) -> bool {
        let is_of_it = |timed: &Timed| {
            timed.process == process && matches!(timed.action, Action::Kill | Action::Restart)
        };
        let last = self.timed().into_iter().rev().find(is_of_it);
        last.is_some_and(|timed| timed.action == Action::Restart && toll.of(timed.rule) > 0)
    }

    fn killed_by_messages(&self, toll: &Toll) -> impl Iterator<Item = ProcessId> {
        let comes_back = |process| {
            self.rules.iter().any(|rule| rule.fault == Fault::Process(Action::Restart, process))
        };
        self.rules_that_struck(toll).filter_map(move |rule| match (&rule.fault, &rule.when) {
            (Fault::Process(Action::Kill, process), When::After(..)) if !comes_back(*process) => {
                Some(*process)
            }
            _ => None,
        })
    }
}

impl Fault {
    /// Which assumption it takes away by itself. How many may die is another question.
    fn breaks(&self) -> Option<Assumption> {
        Some(match self {
            Self::Delay(..) | Self::Process(Action::Stop, _) => Assumption::BoundedDelay,
            Self::Drop(..) | Self::Partition(_) => Assumption::Reliable,
            Self::Duplicate(..) => Assumption::NoDuplicates,
            Self::Reorder(..) => Assumption::Fifo,
            Self::Process(..) => return None,
        })
    }
}
