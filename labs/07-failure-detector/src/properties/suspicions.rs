//! Who is suspected is beyond the threshold, and who is restored is not.
//!
//! A detector suspects a process that it watches only if its last answer is more than `threshold` heartbeats behind
//! the last one that was sent to it: not sooner, however long that takes. It restores a process as soon as an
//! answer closes that gap, and not before. What it says of a round is right: the heartbeats that were answered are
//! those of which the answer has arrived.
//!
//! Whether a process must be suspected *now* is asked by [`StrongCompleteness`](super::StrongCompleteness).

use labs::process::ProcessId;
use labs::trace::{Happening, Noted};
use labs::verdict::{Check, End, Judgement, TagsUnderWay, Violation, Watch, Witness, counted};

use super::book::{ANSWER, Book};
use super::watcher;
use crate::two_levels::{DETECTORS, Indication};

/// Watches when processes are suspected and restored.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Suspicions {
    seen: Book,
    threshold: u64,
    /// Of each detector, the process whose answer came in the step that it is in and closed the gap.
    to_restore: [Option<(ProcessId, Witness)>; 2],
    changes: u64,
}

impl Suspicions {
    /// Watches so many processes, which may be behind by `threshold` heartbeats.
    pub fn new(processes: u32, threshold: u32) -> Self {
        let seen = Book::new(processes, 0);
        Self { seen, threshold: threshold.into(), to_restore: [None; 2], changes: 0 }
    }

    /// A new step of a process begins: in the one before it has restored whom it had to.
    fn end_step(&mut self, process: ProcessId) -> Check {
        let late = self.to_restore.get_mut(process.index()).and_then(Option::take);
        let Some((restored, answer)) = late else { return Ok(()) };
        Violation::check(
            format!("{process} does not restore {restored}, whose answer has arrived"),
            [answer],
        )
    }

    /// A detector changes where a process stands that it watches.
    fn change(&mut self, at: Witness, process: ProcessId) -> Check {
        let detector = at.process;
        self.changes += 1;
        let gap = self.seen.gap(detector, process);
        let is_dead = self.seen.on(detector, process).are_dead();
        let is_silent = gap > self.threshold;
        if let Some(place) = self.to_restore.get_mut(detector.index()) {
            *place = place.filter(|(restored, _)| *restored != process);
        }
        if is_dead == is_silent {
            return Ok(());
        }
        let does = if is_dead { "suspects" } else { "restores" };
        let what = format!(
            "{detector} {does} {process}, which is {} behind; the threshold is {}",
            counted(gap, "heartbeat"),
            self.threshold
        );
        Violation::check(what, [at])
    }

    fn round(&self, at: Witness, indication: &Indication) -> Check {
        let Indication::Round { answered, .. } = indication else { return Ok(()) };
        let wrong = self.seen.watched_by(at.process).find(|process| {
            let said = answered.get(process).map(|&number| u64::from(number));
            said != Some(self.seen.answered(at.process, *process))
        });
        let Some(process) = wrong else { return Ok(()) };
        let said = answered.get(&process).map_or("nothing".to_owned(), ToString::to_string);
        let (detector, arrived) = (at.process, self.seen.answered(at.process, process));
        Violation::check(
            format!(
                "{detector} says that {process} answered {said}, and the last answer is {arrived}"
            ),
            [at],
        )
    }
}

impl Watch<Indication> for Suspicions {
    fn on_send(
        &mut self,
        from: Witness,
        to: ProcessId,
        message: &dyn Noted,
    ) -> Result<u64, Violation> {
        Ok(self.seen.on_send(from.process, to, message))
    }

    fn on_receive(&mut self, from: ProcessId, to: Witness, message: &dyn Noted, tag: u64) -> Check {
        let detector = to.process;
        self.end_step(detector)?;
        self.seen.on_receive(from, detector, message, tag);
        let is_answer = message.kind() == ANSWER && watcher(from) == detector;
        if is_answer
            && let Some(place) = self.to_restore.get_mut(detector.index())
            && self.seen.on(detector, from).are_dead()
            && self.seen.gap(detector, from) <= self.threshold
        {
            *place = Some((from, to));
        }
        Ok(())
    }

    fn on_indication(&mut self, at: Witness, indication: &Indication) -> Check {
        self.seen.on_indication(at.process, indication);
        if !DETECTORS.contains(&at.process) {
            return Ok(());
        }
        match indication.change() {
            Some((_, listed)) if watcher(listed.process) == at.process => {
                self.change(at, listed.process)
            }
            Some(_) => Ok(()),
            None => self.round(at, indication),
        }
    }

    fn on_other(&mut self, at: Witness, happening: Happening<'_>) -> Check {
        match happening {
            Happening::Crash => {
                if let Some(place) = self.to_restore.get_mut(at.process.index()) {
                    *place = None;
                }
            }
            _ => self.end_step(at.process)?,
        }
        self.seen.on_other(at.process, &happening);
        Ok(())
    }

    fn at_end(&self, _: &End) -> Judgement {
        let mut ended = self.clone();
        for detector in DETECTORS {
            if let Err(violation) = ended.end_step(detector) {
                return Judgement::Violated(violation);
            }
        }
        Judgement::Holds(format!("{} at the right moment", counted(self.changes, "change")))
    }

    fn uses_tags(&self) -> bool {
        true
    }

    fn is_put_to_the_test(&self) -> bool {
        self.changes > 0
    }

    fn forget_history(&mut self, _: &mut TagsUnderWay<'_>) {
        self.seen.forget_history();
        self.changes = self.changes.min(1);
    }
}
