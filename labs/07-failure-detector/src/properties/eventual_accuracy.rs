//! Eventual accuracy of two failure detectors: in the end no detector suspects a process that
//! answers it, or that it does not ask any more.
//!
//! *Answers* means that an answer to one of the last heartbeats has arrived: to one within the threshold. A
//! process that is stopped, cut off, or too slow is suspected rightly, though it did not die: no
//! detector could know better.

use labs::process::ProcessId;
use labs::trace::{Happening, Noted};
use labs::verdict::{Check, End, Judgement, TagsUnderWay, Violation, Watch, Witness, counted};

use super::book::Book;
use super::watcher;
use crate::lists::List;
use crate::two_levels::Indication;

/// Who answers is not suspected in the end.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct EventualAccuracy {
    seen: Book,
    threshold: u64,
    /// How many times a process was suspected by the detector that watches it.
    suspicions: u64,
}

impl EventualAccuracy {
    /// Watches so many processes, which may be behind by `threshold` heartbeats.
    pub fn new(processes: u32, threshold: u32) -> Self {
        Self { seen: Book::new(processes, 0), threshold: threshold.into(), suspicions: 0 }
    }

    /// A process that a living detector suspects though it answers.
    fn wronged(&self) -> Option<(ProcessId, ProcessId)> {
        let seen = &self.seen;
        let is_wronged = |detector: ProcessId, process: &ProcessId| {
            seen.on(detector, *process).are_dead()
                && (seen.behind(detector, *process) <= self.threshold
                    || !seen.is_asked(detector, *process))
        };
        seen.living_detectors().find_map(|detector| {
            let mut watched = seen.watched_by(detector);
            Some((detector, watched.find(|process| is_wronged(detector, process))?))
        })
    }
}

/// No event breaks it: who is suspected wrongly now may be restored.
impl Watch<Indication> for EventualAccuracy {
    fn on_send(
        &mut self,
        from: Witness,
        to: ProcessId,
        message: &dyn Noted,
    ) -> Result<u64, Violation> {
        Ok(self.seen.on_send(from.process, to, message))
    }

    fn on_receive(&mut self, from: ProcessId, to: Witness, message: &dyn Noted, tag: u64) -> Check {
        self.seen.on_receive(from, to.process, message, tag);
        Ok(())
    }

    fn on_indication(&mut self, at: Witness, indication: &Indication) -> Check {
        self.seen.on_indication(at.process, indication);
        let is_suspicion = indication.change().is_some_and(|(_, listed)| {
            listed.on.contains(&List::Dead) && watcher(listed.process) == at.process
        });
        self.suspicions += u64::from(is_suspicion);
        Ok(())
    }

    fn on_other(&mut self, at: Witness, happening: Happening<'_>) -> Check {
        self.seen.on_other(at.process, &happening);
        Ok(())
    }

    fn at_end(&self, end: &End) -> Judgement {
        if let Some((detector, process)) = self.wronged() {
            if !self.seen.is_asked(detector, process) {
                let what = format!("{detector} still suspects {process}, and asks it no more");
                return Judgement::not_yet(end, what);
            }
            let behind = counted(self.seen.behind(detector, process), "heartbeat");
            let what = format!(
                "{detector} still suspects {process}, whose last answer is {behind} behind"
            );
            return Judgement::not_yet(end, what);
        }
        let suspicions = counted(self.suspicions, "suspicion");
        Judgement::Holds(format!("{suspicions}; in the end nobody who answers is suspected"))
    }

    fn uses_tags(&self) -> bool {
        true
    }

    fn is_put_to_the_test(&self) -> bool {
        self.suspicions > 0
    }

    fn forget_history(&mut self, _: &mut TagsUnderWay<'_>) {
        self.seen.forget_history();
        self.suspicions = 0;
    }
}
