//! What else is wrong, after a run that breaks a property: the liveness properties, judged alone.
//!
//! A search ends at the first run that breaks a property. A livelock beside a broken safety property would then go
//! unnoticed: what breaks early hides what never ends. So the liveness properties that are left are searched for
//! again, with no other property watched. Each time one is broken, the others are searched for once more.
//!
//! Left out are the safety properties that are left, which stay unknown: the first run that breaks one says enough of
//! what to mend. And nothing is searched after a handler that went wrong, for no run gets past it.

use super::counterexample::Counterexample;
use super::options::Options;
use super::outcome::Outcome;
use crate::process::Process;
use crate::verdict::{Property, PropertyKind, Verdict};

/// How many states such searches may visit together at least; else half as many as were visited before, for they
/// have one thread. So they take no longer than what came before, or some hundredths of a second.
const STATES_MIN: usize = 1_000;

/// Judges the liveness properties that the outcome leaves unknown, as far as `search` can: it tries every order for
/// some properties alone.
pub(super) fn judge<P: Process>(
    outcome: &mut Outcome<P>,
    properties: &[Property],
    options: &Options,
    search: &mut dyn FnMut(&[Property], Options) -> Outcome<P>,
) {
    let is_of = |found: &Counterexample<P>| {
        properties.iter().any(|property| property.name == found.property)
    };
    // A run without end is found when all else is judged.
    if !outcome.counterexample.as_ref().is_some_and(|found| !found.is_endless() && is_of(found)) {
        return;
    }
    let mut states = (outcome.states / 2).max(STATES_MIN).min(options.states);
    // Each round breaks one property more, or is the last.
    for _ in properties {
        let left = left(&outcome.verdicts, properties);
        if left.is_empty() || states == 0 {
            return;
        }
        // One thread: what several visit in so short a time is different each time.
        let found = search(&left, Options { states, threads: 1, ..options.clone() });
        states = states.saturating_sub(found.states);
        for verdict in found.verdicts {
            take(&mut outcome.verdicts, verdict);
        }
        let Some(counterexample) = found.counterexample else { return };
        let is_last = !is_of(&counterexample);
        outcome.also.push(counterexample);
        if is_last {
            return;
        }
    }
}

/// The liveness properties that are not judged.
fn left(verdicts: &[Verdict], properties: &[Property]) -> Vec<Property> {
    let is_unknown = |property: &&Property| {
        let verdict = verdicts.iter().find(|verdict| verdict.name == property.name);
        verdict.is_some_and(|verdict| verdict.holds().is_none())
    };
    let liveness = properties.iter().filter(|property| property.kind == PropertyKind::Liveness);
    liveness.filter(is_unknown).cloned().collect()
}

/// Puts a verdict in the place of the one on the same property, or behind all.
fn take(verdicts: &mut Vec<Verdict>, verdict: Verdict) {
    match verdicts.iter_mut().find(|before| before.name == verdict.name) {
        Some(before) => *before = verdict,
        None => verdicts.push(verdict),
    }
}
