//! What becomes of each message under a plan.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Fault, Plan, Rule, Toll, When};
use crate::chance::{Chance, below};
use crate::process::{ProcessId, split_mix};

/// What becomes of a message.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Fate {
    /// It does not arrive.
    pub is_lost: bool,
    /// It arrives twice.
    pub is_doubled: bool,
    /// It is held back, so that the next one on its channel overtakes it, by this rule.
    pub overtaken_by: Option<usize>,
    /// It takes so much longer.
    pub delay: Duration,
}

/// Decides what becomes of each message. Each sender has random numbers of its own, so that its messages
/// meet the same fates whatever the others do.
#[derive(Clone, Debug)]
pub struct Injector {
    /// With their numbers in the plan.
    rules: Vec<(usize, Rule)>,
    toll: Toll,
    seed: u64,
    senders: BTreeMap<ProcessId, Sender>,
}

#[derive(Clone, Debug)]
struct Sender {
    random: u64,
    /// How many messages that it waits for each rule has seen.
    seen: Vec<u64>,
    /// To whom the last message was held back: the next one overtakes it, and is not held back too.
    holding: BTreeSet<ProcessId>,
}

impl Injector {
    /// What becomes of messages under `plan`, where it is left to chance by `seed`.
    pub fn new(plan: &Plan, seed: u64) -> Self {
        let rules = plan.rules.iter().cloned().enumerate();
        let rules = rules.filter(|(_, rule)| !matches!(rule.fault, Fault::Process(..))).collect();
        Self { rules, toll: Toll::default(), seed, senders: BTreeMap::new() }
    }

    /// What becomes of a message that is sent now.
    pub fn fate(&mut self, now: Duration, from: ProcessId, to: ProcessId, kind: &str) -> Fate {
        let (seed, rules) = (self.seed, self.rules.len());
        let sender = self.senders.entry(from).or_insert_with(|| {
            let mut seed = seed ^ (u64::from(from.0) << 32);
            Sender { random: split_mix(&mut seed), seen: vec![0; rules], holding: BTreeSet::new() }
        });
        let mut fate = Fate::default();
        let overtakes = sender.holding.remove(&to);
        let mut others = Vec::new();
        for ((number, rule), seen) in self.rules.iter().zip(&mut sender.seen) {
            if rule.fault.concerns(from, to)
                && is_active(&rule.when, seen, now, kind)
                && !(overtakes && matches!(rule.fault, Fault::Reorder(..)))
                && strike(&rule.fault, &mut sender.random, &mut fate)
            {
                match rule.fault {
                    // Whether another will overtake it is not known yet.
                    Fault::Reorder(..) => fate.overtaken_by = Some(*number),
                    Fault::Drop(..) | Fault::Partition(_) => self.toll.add(*number, 1),
                    _ => others.push(*number),
                }
            }
        }
        // What is lost is neither late nor doubled.
        if !fate.is_lost {
            others.into_iter().for_each(|number| self.toll.add(number, 1));
            if fate.overtaken_by.is_some() {
                sender.holding.insert(to);
            }
        }
        fate
    }

    /// A message that a rule held back was overtaken.
    pub fn overtaken(&mut self, rule: usize) {
        self.toll.add(rule, 1);
    }

    /// No other message came: the one that is held back goes on alone.
    pub fn alone(&mut self, from: ProcessId, to: ProcessId) {
        if let Some(sender) = self.senders.get_mut(&from) {
            sender.holding.remove(&to);
        }
    }

    /// A sender starts again, and counts anew.
    pub fn forget(&mut self, sender: ProcessId) {
        self.senders.remove(&sender);
    }

    /// How many messages each rule has struck so far.
    pub fn toll(&self) -> &Toll {
        &self.toll
    }
}

/// Whether a rule is in force for a message of this kind, which it has seen then.
fn is_active(when: &When, seen: &mut u64, now: Duration, kind: &str) -> bool {
    match when {
        When::Always => true,
        When::From(from) => now >= *from,
        When::Between(from, to) => (*from..*to).contains(&now),
        When::After(count, awaited) => {
            let is_active = *seen >= *count;
            *seen += u64::from(awaited == kind);
            is_active
        }
    }
}

/// Whether the fault strikes this message, and how.
fn strike(fault: &Fault, random: &mut u64, fate: &mut Fate) -> bool {
    let (chance, struck) = match fault {
        Fault::Delay(_, by) => {
            fate.delay += drawn(by, random);
            return true;
        }
        Fault::Drop(_, chance) => (*chance, &mut fate.is_lost),
        Fault::Duplicate(_, chance) => (*chance, &mut fate.is_doubled),
        Fault::Reorder(_, chance) => return chance.happens(random),
        Fault::Partition(_) => (Chance::ALWAYS, &mut fate.is_lost),
        Fault::Process(..) => return false,
    };
    let happens = chance.happens(random);
    *struck |= happens;
    happens
}

/// A time from a range, in whole microseconds.
fn drawn(range: &RangeInclusive<Duration>, random: &mut u64) -> Duration {
    let (least, greatest) = (range.start().as_micros() as u64, range.end().as_micros() as u64);
    let extra = match greatest - least {
        0 => 0,
        span => below(split_mix(random), span + 1),
    };
    Duration::from_micros(least + extra)
}
