//! What becomes of each message under a plan.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Fault, Plan, Rule, When};
use crate::chance::below;
use crate::process::{ProcessId, split_mix};

/// What becomes of a message.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Fate {
    /// It does not arrive.
    pub is_lost: bool,
    /// It arrives twice.
    pub is_doubled: bool,
    /// It is held back, so that later ones overtake it.
    pub is_overtaken: bool,
    /// It takes so much longer.
    pub delay: Duration,
}

/// Decides what becomes of each message. Each sender has random numbers of its own, so that its messages
/// meet the same fates whatever the others do.
#[derive(Clone, Debug)]
pub struct Injector {
    rules: Vec<Rule>,
    seed: u64,
    senders: BTreeMap<ProcessId, Sender>,
}

#[derive(Clone, Debug)]
struct Sender {
    random: u64,
    /// How many messages that it waits for each rule has seen.
    seen: Vec<u64>,
}

impl Injector {
    /// What becomes of messages under `plan`, where it is left to chance by `seed`.
    pub fn new(plan: &Plan, seed: u64) -> Self {
        let concerns_messages = |rule: &&Rule| !matches!(rule.fault, Fault::Process(..));
        let rules = plan.rules.iter().filter(concerns_messages).cloned().collect();
        Self { rules, seed, senders: BTreeMap::new() }
    }

    /// What becomes of a message that is sent now.
    pub fn fate(&mut self, now: Duration, from: ProcessId, to: ProcessId, kind: &str) -> Fate {
        let (seed, rules) = (self.seed, self.rules.len());
        let sender = self.senders.entry(from).or_insert_with(|| {
            let mut seed = seed ^ (u64::from(from.0) << 32);
            Sender { random: split_mix(&mut seed), seen: vec![0; rules] }
        });
        let mut fate = Fate::default();
        for (rule, seen) in self.rules.iter().zip(&mut sender.seen) {
            if rule.fault.concerns(from, to) && is_active(&rule.when, seen, now, kind) {
                strike(&rule.fault, &mut sender.random, &mut fate);
            }
        }
        fate
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

fn strike(fault: &Fault, random: &mut u64, fate: &mut Fate) {
    match fault {
        Fault::Delay(_, by) => {
            let (least, greatest) = (by.start().as_micros() as u64, by.end().as_micros() as u64);
            let extra = match greatest - least {
                0 => 0,
                span => below(split_mix(random), span + 1),
            };
            fate.delay += Duration::from_micros(least + extra);
        }
        Fault::Drop(_, chance) => fate.is_lost |= chance.happens(random),
        Fault::Duplicate(_, chance) => fate.is_doubled |= chance.happens(random),
        Fault::Reorder(_, chance) => fate.is_overtaken |= chance.happens(random),
        Fault::Partition(_) => fate.is_lost = true,
        Fault::Process(..) => {}
    }
}
