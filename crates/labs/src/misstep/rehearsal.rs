//! Handlers that do not do the same twice.
//!
//! An algorithm here depends on its state, the event and its choices, and on nothing else. One that reads a clock,
//! goes through a hash map in its order, or counts in a static makes runs that nobody can repeat. So some steps are
//! *rehearsed*: they happen to a copy of the process first, and then to the process, and must come out the same.

use std::fmt::Debug;

use crate::misstep::{Misstep, Occasion, Wrong};
use crate::process::{Choices, EffectOf, Env, EventOf, Process, step_into};
use crate::trace::note::debug_text;

/// So many first steps of a run are all rehearsed: a short run is judged whole.
const FIRST: u64 = 64;

/// Of the others each so-manyth is: a prime, so that no rhythm of a ring escapes.
const EACH: u64 = 127;

/// Up to this step. Beyond it only the powers of two are: a rehearsal copies the message, and in a ring of a million
/// processes one carries the names of all.
const EACH_UNTIL: u64 = 1 << 13;

/// How many letters of an outcome are told.
const SHOWN: usize = 200;

/// Whether the step of this number, counted from 1, is to be rehearsed.
pub fn is_rehearsed(step: u64) -> bool {
    let is_early = step <= FIRST || step <= EACH_UNTIL && step.is_multiple_of(EACH);
    is_early || step.is_power_of_two()
}

/// What a step leads to.
#[derive(Debug)]
pub struct Outcome<P: Process> {
    /// The process after it.
    pub process: P,
    /// What it wants done.
    pub effects: Vec<EffectOf<P>>,
}

/// Lets a step happen to a copy. A handler that panics has no outcome: it will do it again.
pub fn rehearse<P: Process>(
    process: &P,
    env: Env,
    choices: &Choices,
    event: EventOf<P>,
) -> Option<Outcome<P>> {
    let (mut process, mut choices) = (process.clone(), choices.clone());
    let stepped = super::panics::catch(|| {
        let effects = step_into(&mut process, env, &mut choices, event, Vec::new());
        (process, effects)
    });
    stepped.ok().map(|(process, effects)| Outcome { process, effects })
}

/// Compares the outcome of a step with what the same step leads to the next time.
pub fn compare<P: Process>(
    when: &Occasion,
    first: &Outcome<P>,
    process: &P,
    effects: &[EffectOf<P>],
) -> Option<Misstep> {
    let what = if first.effects != effects {
        format!("it wanted once {}, and then {}", shown(&first.effects), shown(&effects))
    } else if first.process != *process {
        format!("it was once {}, and then {}", shown(&first.process), shown(process))
    } else {
        return None;
    };
    let (wrong, when) = (Wrong::Wavers, when.to_string());
    Some(Misstep { wrong, when, what, place: None })
}

fn shown(value: &dyn Debug) -> String {
    let text = debug_text(value);
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
