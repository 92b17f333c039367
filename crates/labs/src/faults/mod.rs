//! Fault plans: what goes wrong in a run, and when.
//!
//! A [`Plan`] is a list of rules, one text for `run` and `simulate`:
//!
//! ```text
//! drop 0->1 10%; partition 0,1|2,3 from 2s to 5s; kill 3 after 2 TOKEN
//! ```
//!
//! | rule | what happens | which assumption it breaks |
//! |---|---|---|
//! | `delay 0->1 200ms`, `delay 50ms..200ms` | messages take so much longer; their order stays | bounded delay |
//! | `drop 0->1 10%` | messages are lost | reliable channels |
//! | `duplicate 0->1 10%` | messages arrive twice | no duplicates |
//! | `reorder 0->1 10%` | messages are held back until the next has overtaken them | FIFO |
//! | `partition 0,1\|2,3` | nothing passes from one side to the other: it is lost | reliable channels |
//! | `stop 3` | the process stands still, as after SIGSTOP | bounded delay |
//! | `continue 3` | it goes on, as after SIGCONT | |
//! | `kill 3` | it dies, as after SIGKILL | no crash, unless it starts again |
//! | `restart 3 at 5s` | it starts again, with what its stable storage kept | reliable channels |
//!
//! Channels are `0->1`, `0,1->*` or `0<->1`; without them, all. A share is all unless it is said. Each rule may
//! say when: `at 2s`, `from 2s`, `from 2s to 5s`, counted from the start of the algorithm, or `after 3 TOKEN`.
//! A rule for messages holds from then on, or to the end of its time. A rule for a process strikes once, at that
//! time; `stop 3 from 2s to 5s` also continues the process.
//!
//! `after 3 TOKEN` counts only what a process knows by itself. In a rule for messages each sender counts its own
//! messages on the channels of the rule, and the fourth is the first that suffers. In a rule for a process that
//! process counts the messages that reach it, and stops or dies when the third does, before it receives it. A
//! process that starts again counts from the beginning, and no rule strikes it twice.
//!
//! Everything here is pure. The simulator and the participants of a real run carry it out, messages through
//! an [`Injector`] each; the launcher carries out what concerns processes at a time.
//!
//! A plan may break an assumption of the algorithm ([`Assumption`]). Then the report says so, and a property that
//! fails is not the algorithm's fault.

mod assumption;
mod inject;
mod kinds;
mod parse;
#[cfg(test)]
mod tests;
mod validate;

use std::collections::BTreeSet;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::assumption::Assumption;
pub(crate) use self::assumption::with_delay;
pub use self::inject::{Fate, Injector};
pub(crate) use self::kinds::kinds_of;
pub(crate) use self::parse::NONE;
pub use self::parse::PlanError;
use crate::chance::Chance;
use crate::process::ProcessId;

/// The longest time that a plan may name. A day is beyond any run.
pub const TIME_MAX: Duration = Duration::from_secs(86_400);

/// The most rules of a plan. Every message is compared with all of them.
pub const RULES_MAX: usize = 256;

/// How long a message waits for another to overtake it. This is longer than most pauses between two messages
/// of one channel, and far below what anyone takes for silence.
pub(crate) const OVERTAKEN_MAX: Duration = Duration::from_millis(100);

/// What goes wrong in a run, and when.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Plan {
    rules: Vec<Rule>,
}

/// One thing that goes wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rule {
    /// What goes wrong.
    pub fault: Fault,
    /// When it does.
    pub when: When,
}

/// What goes wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Fault {
    /// Messages take longer, by a time drawn from the range in whole microseconds.
    Delay(Channels, RangeInclusive<Duration>),
    /// Messages are lost.
    Drop(Channels, Chance),
    /// Messages arrive twice.
    Duplicate(Channels, Chance),
    /// Messages are overtaken by later ones.
    Reorder(Channels, Chance),
    /// Nothing passes between these groups of processes.
    Partition(Vec<BTreeSet<ProcessId>>),
    /// Something happens to a process.
    Process(Action, ProcessId),
}

/// What happens to a process.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
pub enum Action {
    /// It stands still.
    Stop,
    /// It goes on.
    Continue,
    /// It dies.
    Kill,
    /// It starts again, after it died, with what its stable storage kept.
    Restart,
}

/// When something goes wrong, counted from the start of the algorithm.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum When {
    /// From the start to the end.
    Always,
    /// From then on; a process: then.
    From(Duration),
    /// From the first time to the second.
    Between(Duration, Duration),
    /// After so many messages of a kind.
    After(u64, String),
}

/// Which channels a rule means. An empty list means all processes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Channels {
    /// From these.
    pub from: Option<BTreeSet<ProcessId>>,
    /// To these.
    pub to: Option<BTreeSet<ProcessId>>,
    /// In the other direction too.
    pub both: bool,
}

/// Something that happens to a process at a time.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Timed {
    /// When, counted from the start of the algorithm.
    pub at: Duration,
    /// To whom.
    pub process: ProcessId,
    /// What happens to the process.
    pub action: Action,
    /// By which rule of the plan, counted from 0.
    pub rule: usize,
    /// Whether it is the end of what the rule does, and was counted at its beginning.
    pub is_end: bool,
}

/// What happens to a process when messages reach it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Triggers(Vec<Trigger>);

#[derive(Clone, Debug, Eq, PartialEq)]
struct Trigger {
    /// How many are still to come.
    left: u64,
    /// Of which kind.
    kind: String,
    /// What happens then.
    action: Action,
    /// By which rule of the plan.
    rule: usize,
}

impl Triggers {
    /// Whether nothing will happen any more.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Counts a message that reaches the process. Returns what happens to the process at that, and by which
    /// rule of the plan. A process that is killed is not stopped as well.
    pub fn count(&mut self, kind: &str) -> Option<(Action, usize)> {
        for trigger in self.0.iter_mut().filter(|trigger| trigger.kind == kind) {
            trigger.left = trigger.left.saturating_sub(1);
        }
        let is_struck = |trigger: &Trigger| trigger.kind == kind && trigger.left == 0;
        let struck = self.0.iter().filter(|trigger| is_struck(trigger));
        let struck = struck.map(|trigger| (trigger.action, trigger.rule)).max();
        self.0.retain(|trigger| !is_struck(trigger));
        struck
    }

    /// Whether one of them does this to the process.
    fn may(&self, action: Action) -> bool {
        self.0.iter().any(|trigger| trigger.action == action)
    }

    /// Takes back the counting of a message that will reach the process once more.
    pub fn uncount(&mut self, kind: &str) {
        self.0.iter_mut().filter(|trigger| trigger.kind == kind).for_each(|t| t.left += 1);
    }
}

impl Plan {
    /// The rules, as they were written.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Whether nothing goes wrong.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Adds a rule.
    pub fn push(&mut self, rule: Rule) {
        self.rules.push(rule);
    }

    /// What happens to processes at a time, in the order of time.
    pub fn timed(&self) -> Vec<Timed> {
        let rules = self.rules.iter().enumerate();
        let mut all: Vec<_> = rules.flat_map(|(number, rule)| rule.timed(number)).collect();
        // Where one rule ends and another begins, the end comes first.
        all.sort_by_key(|timed| (timed.at, !timed.is_end, *timed));
        all
    }

    /// What happens to a process when messages reach it, counted from its start. A rule that is `spent` has
    /// struck before, and does not do so again.
    pub fn triggers(&self, me: ProcessId, spent: &[usize]) -> Triggers {
        let trigger = |(number, rule): (usize, &Rule)| match (&rule.fault, &rule.when) {
            (Fault::Process(action, process), When::After(count, kind)) if *process == me => {
                let (left, kind, action) = (*count, kind.clone(), *action);
                Some(Trigger { left, kind, action, rule: number })
            }
            _ => None,
        };
        let rules = self.rules.iter().enumerate();
        let rules = rules.filter(|(number, _)| !spent.contains(number));
        Triggers(rules.filter_map(trigger).collect())
    }

    /// Which processes are stopped or killed when messages reach them.
    pub fn triggered(&self) -> BTreeSet<ProcessId> {
        let triggered = |rule: &Rule| match (&rule.fault, &rule.when) {
            (Fault::Process(_, process), When::After(..)) => Some(*process),
            _ => None,
        };
        self.rules.iter().filter_map(triggered).collect()
    }

    /// Which processes are started again after a death.
    pub fn restarted(&self) -> BTreeSet<ProcessId> {
        let restarted = |rule: &Rule| match rule.fault {
            Fault::Process(Action::Restart, process) => Some(process),
            _ => None,
        };
        self.rules.iter().filter_map(restarted).collect()
    }

    /// Whether it kills processes at a time, and starts each of them again.
    pub fn restarts_all(&self) -> bool {
        let restarted = self.restarted();
        let mut killed = self.rules.iter().filter_map(|rule| match rule.fault {
            Fault::Process(Action::Kill, process) => Some(process),
            _ => None,
        });
        !restarted.is_empty() && killed.all(|process| restarted.contains(&process))
    }

    /// Whether it stops the process for a while.
    pub fn stops(&self, process: ProcessId) -> bool {
        let stop = Fault::Process(Action::Stop, process);
        self.rules.iter().any(|rule| rule.fault == stop)
    }

    /// Whether a rule that does this to the process is among those that struck.
    pub fn struck(&self, action: Action, process: ProcessId, toll: &Toll) -> bool {
        let fault = Fault::Process(action, process);
        let mut rules = self.rules.iter().enumerate();
        rules.any(|(number, rule)| rule.fault == fault && toll.of(number) > 0)
    }

    /// Whether somebody is stopped for a while.
    pub fn stops_any(&self) -> bool {
        self.rules.iter().any(|rule| matches!(rule.fault, Fault::Process(Action::Stop, _)))
    }

    /// Whether somebody is killed.
    pub fn kills(&self) -> bool {
        self.rules.iter().any(|rule| matches!(rule.fault, Fault::Process(Action::Kill, _)))
    }
}

/// How many times each rule of a plan struck: messages, or a process.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Toll(Vec<u64>);

impl Toll {
    /// A rule struck so many times more.
    pub fn add(&mut self, rule: usize, times: u64) {
        if rule >= RULES_MAX {
            return;
        }
        if self.0.len() <= rule {
            self.0.resize(rule + 1, 0);
        }
        self.0[rule] = self.0[rule].saturating_add(times);
    }

    /// Adds those of another part of the run.
    pub fn merge(&mut self, other: &Self) {
        for (rule, times) in other.0.iter().enumerate() {
            self.add(rule, *times);
        }
    }

    /// Those that struck at all.
    pub fn rules(&self) -> Vec<usize> {
        let all = self.0.iter().enumerate();
        all.filter(|(_, times)| **times > 0).map(|(rule, _)| rule).collect()
    }

    /// How many times a rule struck.
    pub fn of(&self, rule: usize) -> u64 {
        self.0.get(rule).copied().unwrap_or(0)
    }
}

impl Rule {
    fn timed(&self, rule: usize) -> Vec<Timed> {
        let Fault::Process(action, process) = self.fault else { return Vec::new() };
        let timed = |at, action| Timed { at, process, action, rule, is_end: false };
        match self.when {
            When::Always => vec![timed(Duration::ZERO, action)],
            When::From(at) => vec![timed(at, action)],
            When::Between(from, to) => {
                let end = Timed { is_end: true, ..timed(to, Action::Continue) };
                vec![timed(from, action), end]
            }
            When::After(..) => Vec::new(),
        }
    }
}

impl Fault {
    /// Whether it concerns a message from one process to another. What a process sends to itself meets no
    /// network.
    pub fn concerns(&self, from: ProcessId, to: ProcessId) -> bool {
        match self {
            _ if from == to => false,
            Self::Delay(channels, _)
            | Self::Drop(channels, _)
            | Self::Duplicate(channels, _)
            | Self::Reorder(channels, _) => channels.contain(from, to),
            Self::Partition(sides) => {
                let side = |process| sides.iter().position(|side| side.contains(&process));
                matches!((side(from), side(to)), (Some(one), Some(other)) if one != other)
            }
            Self::Process(..) => false,
        }
    }
}

impl Channels {
    /// The channel from one process to another.
    pub fn one(from: ProcessId, to: ProcessId) -> Self {
        Self { from: Some([from].into()), to: Some([to].into()), both: false }
    }

    /// Whether the channel from one process to another is meant.
    pub fn contain(&self, from: ProcessId, to: ProcessId) -> bool {
        let is_in = |end: &Option<BTreeSet<_>>, who| end.as_ref().is_none_or(|e| e.contains(&who));
        let along = |from, to| is_in(&self.from, from) && is_in(&self.to, to);
        along(from, to) || self.both && along(to, from)
    }

    fn is_everything(&self) -> bool {
        self.from.is_none() && self.to.is_none()
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules: Vec<_> = self.rules.iter().map(ToString::to_string).collect();
        f.write_str(&rules.join("; "))
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fault, when } = self;
        match (fault, when) {
            (_, When::Always) => write!(f, "{fault}"),
            (Fault::Process(..), When::From(at)) => write!(f, "{fault} at {}", Time(*at)),
            (_, When::From(at)) => write!(f, "{fault} from {}", Time(*at)),
            (_, When::Between(from, to)) => {
                write!(f, "{fault} from {} to {}", Time(*from), Time(*to))
            }
            (_, When::After(count, kind)) => write!(f, "{fault} after {count} {kind}"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delay(channels, by) => {
                write!(f, "delay{channels} {}", Time(*by.start()))?;
                if by.start() == by.end() { Ok(()) } else { write!(f, "..{}", Time(*by.end())) }
            }
            Self::Drop(channels, chance) => write!(f, "drop{channels}{}", Share(*chance)),
            Self::Duplicate(channels, chance) => write!(f, "duplicate{channels}{}", Share(*chance)),
            Self::Reorder(channels, chance) => write!(f, "reorder{channels}{}", Share(*chance)),
            Self::Partition(sides) => {
                let sides: Vec<_> = sides.iter().map(|side| Group(side).to_string()).collect();
                write!(f, "partition {}", sides.join("|"))
            }
            Self::Process(action, process) => write!(f, "{action} {}", process.0),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stop => "stop",
            Self::Continue => "continue",
            Self::Kill => "kill",
            Self::Restart => "restart",
        })
    }
}

impl fmt::Display for Channels {
    /// With a space before it, unless everything is meant.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_everything() {
            return Ok(());
        }
        let end = |end: &Option<BTreeSet<_>>| {
            end.as_ref().map_or("*".to_owned(), |group| Group(group).to_string())
        };
        let arrow = if self.both { "<->" } else { "->" };
        write!(f, " {}{arrow}{}", end(&self.from), end(&self.to))
    }
}

/// `0,1`.
struct Group<'a>(&'a BTreeSet<ProcessId>);

impl fmt::Display for Group<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ranks: Vec<_> = self.0.iter().map(|process| process.0.to_string()).collect();
        f.write_str(&ranks.join(","))
    }
}

/// ` 10%`, or nothing if all are meant.
struct Share(Chance);

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == Chance::ALWAYS { Ok(()) } else { write!(f, " {}", self.0) }
    }
}

/// `2s`, `200ms`, `50us`.
struct Time(Duration);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = self.0.as_micros();
        match (us % 1_000_000, us % 1_000) {
            (0, _) => write!(f, "{}s", us / 1_000_000),
            (_, 0) => write!(f, "{}ms", us / 1_000),
            _ => write!(f, "{us}us"),
        }
    }
}
