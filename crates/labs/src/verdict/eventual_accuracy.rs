//! Eventual accuracy of two failure detectors: in the end no detector suspects a process that answers it.
//!
//! *Answers* means that an answer to one of the last heartbeats has arrived: to one within the threshold. A
//! process that is stopped, cut off, or too slow is suspected rightly, though it did not die: no detector
//! could know better.

use super::two_levels::{Said, TwoLevels, Words};
use super::{End, PropertyKind, TagsUnderWay, Violation, Watch, counted, not_yet};
use crate::process::ProcessId;
use crate::trace::Happening;

/// The monitor of [`Spec::EventualAccuracy`](super::Spec::EventualAccuracy).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct EventualAccuracy {
    seen: TwoLevels,
    threshold: u64,
    /// How many times a process was suspected by the detector that watches it.
    suspicions: u64,
}

impl EventualAccuracy {
    pub(super) fn new(words: Words, threshold: u64, processes: u32) -> Self {
        let seen = TwoLevels::new(words, 0, processes);
        Self { seen, threshold, suspicions: 0 }
    }

    /// A process that a living detector suspects though it answers.
    fn wronged(&self) -> Option<(ProcessId, ProcessId)> {
        let seen = &self.seen;
        let is_wronged = |detector: ProcessId, process: &ProcessId| {
            seen.on(detector, *process).are_dead()
                && seen.behind(detector, *process) <= self.threshold
        };
        seen.living_detectors().find_map(|detector| {
            let mut watched = seen.watched_by(detector);
            Some((detector, watched.find(|process| is_wronged(detector, process))?))
        })
    }
}

impl Watch for EventualAccuracy {
    fn name(&self) -> (String, PropertyKind) {
        ("eventual accuracy".to_owned(), PropertyKind::Liveness)
    }

    fn on_send(&mut self, from: ProcessId, to: ProcessId, kind: &str, _: u64) -> u64 {
        self.seen.on_send(from, to, kind)
    }

    fn on_receive(&mut self, from: ProcessId, to: ProcessId, kind: &str, _: u64, tag: u64) {
        self.seen.on_receive(from, to, kind, tag);
    }

    fn on_event(&mut self, process: ProcessId, happening: Happening<'_>, _: u64) {
        if let Some(Said::Listed(other, on)) = self.seen.on_event(process, happening)
            && on.are_dead()
            && self.seen.watched_by(process).any(|watched| watched == other)
        {
            self.suspicions += 1;
        }
    }

    /// No event breaks it: who is suspected wrongly now may be restored.
    fn violation(&self) -> Option<&Violation> {
        None
    }

    fn unbroken(&self, end: &End) -> (Option<bool>, String) {
        if let Some((detector, process)) = self.wronged() {
            let behind = self.seen.behind(detector, process);
            let what = format!(
                "{detector} still suspects {process}, whose last answer is {} behind",
                counted(behind, "heartbeat")
            );
            return not_yet(end, what);
        }
        let suspicions = counted(self.suspicions, "suspicion");
        (Some(true), format!("{suspicions}; in the end nobody who answers is suspected"))
    }

    fn uses_tags(&self) -> bool {
        true
    }

    fn is_put_to_the_test(&self) -> bool {
        self.seen.someone_is_not_alive()
    }

    fn forget_history(&mut self, tags: &mut TagsUnderWay<'_>) {
        self.seen.forget_history(tags);
        self.suspicions = 0;
    }
}
