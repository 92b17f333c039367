//! Strong completeness of two failure detectors: in the end every process that died is suspected by every
//! detector that lives.
//!
//! A detector cannot tell a process that died from one that is silent, so more is demanded, and in every round:
//! a process that is behind by more than the threshold is suspected by the detector that watches it,
//! whatever became of it. That makes the bound on the time of detection a property of every run.
//!
//! At the end, the other detector must know too, unless there was no time to tell it. The processes of a detector
//! that is suspected itself may be unknown instead: nobody watches them.

use super::two_levels::{Lists, Said, TwoLevels, Words, first_of, watcher};
use super::{End, PropertyKind, TagsUnderWay, Violation, Watch, Witness, not_yet};
use crate::process::ProcessId;
use crate::trace::Happening;

/// The monitor of [`Spec::StrongCompleteness`](super::Spec::StrongCompleteness).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct StrongCompleteness {
    seen: TwoLevels,
    threshold: u64,
    violation: Option<Violation>,
}

impl StrongCompleteness {
    pub(super) fn new(words: Words, threshold: u64, settle: u64, processes: u32) -> Self {
        let seen = TwoLevels::new(words, settle, processes);
        Self { seen, threshold, violation: None }
    }

    /// At the end of a round, all that are silent must be suspected.
    fn look(&mut self, detector: ProcessId, n: u64) {
        let seen = &self.seen;
        let missed =
            |&p: &ProcessId| self.is_silent(detector, p) && !seen.on(detector, p).are_dead();
        if let Some(process) = seen.watched_by(detector).find(missed) {
            let behind = seen.behind(detector, process);
            self.violation.get_or_insert(Violation {
                what: format!(
                    "{detector} does not suspect {process}, which is {behind} heartbeats behind; the \
                     threshold is {}",
                    self.threshold
                ),
                witnesses: vec![Witness { process: detector, n }],
            });
        }
    }

    fn is_silent(&self, detector: ProcessId, process: ProcessId) -> bool {
        self.seen.behind(detector, process) > self.threshold
    }

    /// What a living detector must know at the end of a process that died: nothing if it knows it,
    /// else whether there was time enough to find it out, and what is wrong.
    fn missing(&self, detector: ProcessId, process: ProcessId) -> Option<(bool, String)> {
        let seen = &self.seen;
        let on = seen.on(detector, process);
        let owner = watcher(process);
        if on.are_dead() {
            return None;
        }
        if owner == detector {
            // That it is suspected as soon as it must be is demanded in every round.
            return Some((false, format!("{process} died, and {detector} has not missed it")));
        }
        if seen.on(detector, owner).are_dead() {
            let what = format!("{detector} says of {process} that it is {}", on.name());
            return (on != Lists::UNKNOWN).then_some((true, what));
        }
        let told = seen.living_detectors().any(|living| living == owner)
            && seen.on(owner, process).are_dead()
            && seen.is_settled(owner, process)
            && seen.on(owner, detector) == Lists::ALIVE
            && seen.is_settled(owner, detector);
        let what = format!("{process} died, {owner} suspects it, and {detector} does not know");
        Some((told, what))
    }
}

impl Watch for StrongCompleteness {
    fn name(&self) -> (String, PropertyKind) {
        ("strong completeness".to_owned(), PropertyKind::Liveness)
    }

    fn on_send(&mut self, from: ProcessId, to: ProcessId, kind: &str, _: u64) -> u64 {
        self.seen.on_send(from, to, kind)
    }

    fn on_receive(&mut self, from: ProcessId, to: ProcessId, kind: &str, _: u64, tag: u64) {
        self.seen.on_receive(from, to, kind, tag);
    }

    fn on_event(&mut self, process: ProcessId, happening: Happening<'_>, n: u64) {
        if self.seen.on_event(process, happening) == Some(Said::Round) {
            self.look(process, n);
        }
    }

    fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    fn unbroken(&self, end: &End) -> (Option<bool>, String) {
        let mut late = Vec::new();
        for process in self.seen.dead() {
            for detector in self.seen.living_detectors() {
                match self.missing(detector, process) {
                    Some((true, what)) => return not_yet(end, what),
                    Some((false, _)) if late.last() != Some(&process) => late.push(process),
                    _ => {}
                }
            }
        }
        let mut detail = match self.seen.dead().count() {
            0 => "nobody died".to_owned(),
            _ if self.seen.living_detectors().count() == 0 => "no detector lives".to_owned(),
            count if count == late.len() => "nobody died early enough to be missed".to_owned(),
            count => {
                let known = count - late.len();
                format!("{known} died, and every detector that lives knows")
            }
        };
        if !late.is_empty() && late.len() < self.seen.dead().count() {
            detail = format!("{detail}; {} died too late to be missed", first_of(&late));
        }
        (Some(true), detail)
    }

    fn uses_tags(&self) -> bool {
        true
    }

    fn is_put_to_the_test(&self) -> bool {
        let someone_is_silent = |detector| {
            self.seen.watched_by(detector).any(|process| self.is_silent(detector, process))
        };
        self.seen.living_detectors().any(someone_is_silent)
    }

    fn forget_history(&mut self, tags: &mut TagsUnderWay<'_>) {
        self.seen.forget_history(tags);
    }
}
