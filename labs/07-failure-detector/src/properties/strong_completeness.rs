//! Strong completeness of two failure detectors: in the end every process that died is suspected by
//! every detector that lives.
//!
//! A detector cannot tell a process that died from one that is silent, so more is demanded, and in
//! every round: a process that is behind by more than the threshold is suspected by the detector
//! that watches it, whatever became of it. That makes the bound on the time of detection a property
//! of every run.
//!
//! At the end, the other detector must know too, unless there was no time to tell it. The processes
//! of a detector that is suspected itself may be unknown instead: nobody watches them.

use labs::process::ProcessId;
use labs::trace::{Happening, Noted};
use labs::verdict::{Check, End, Judgement, TagsUnderWay, Violation, Watch, Witness};

use super::book::{Book, On, first_of};
use super::watcher;
use crate::two_levels::Indication;

/// Who died is suspected by both detectors, and whoever is silent at once.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct StrongCompleteness {
    seen: Book,
    threshold: u64,
    /// Whether the round that ended last found a process silent.
    found_silent: bool,
}

impl StrongCompleteness {
    /// Watches so many processes, which may be behind by `threshold` heartbeats. `settle`: after
    /// how many rounds the other detector must know.
    pub fn new(processes: u32, threshold: u32, settle: u32) -> Self {
        Self {
            seen: Book::new(processes, settle),
            threshold: threshold.into(),
            found_silent: false,
        }
    }

    /// At the end of a round, all that are silent must be suspected.
    fn look(&mut self, at: Witness) -> Check {
        let (seen, detector) = (&self.seen, at.process);
        let mut silent =
            seen.watched_by(detector).filter(|&p| self.is_silent(detector, p)).peekable();
        let found_silent = silent.peek().is_some();
        let missed = silent.find(|&p| !seen.on(detector, p).are_dead());
        self.found_silent = found_silent;
        let Some(process) = missed else { return Ok(()) };
        let seen = &self.seen;
        let behind = seen.behind(detector, process);
        let what = format!(
            "{detector} does not suspect {process}, which is {behind} heartbeats behind; the \
             threshold is {}",
            self.threshold
        );
        Violation::check(what, [at])
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
            return (on != On::UNKNOWN).then_some((true, what));
        }
        let told = seen.living_detectors().any(|living| living == owner)
            && seen.on(owner, process).are_dead()
            && seen.is_settled(owner, process)
            && seen.on(owner, detector) == On::ALIVE
            && seen.is_settled(owner, detector);
        let what = format!("{process} died, {owner} suspects it, and {detector} does not know");
        Some((told, what))
    }
}

impl Watch<Indication> for StrongCompleteness {
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
        match indication {
            Indication::Round { .. } => self.look(at),
            _ => Ok(()),
        }
    }

    fn on_other(&mut self, at: Witness, happening: Happening<'_>) -> Check {
        self.seen.on_other(at.process, &happening);
        Ok(())
    }

    fn at_end(&self, end: &End) -> Judgement {
        let mut late = Vec::new();
        for process in self.seen.dead() {
            for detector in self.seen.living_detectors() {
                match self.missing(detector, process) {
                    Some((true, what)) => return Judgement::not_yet(end, what),
                    Some((false, _)) if late.last() != Some(&process) => late.push(process),
                    _ => {}
                }
            }
        }
        let dead = self.seen.dead().count();
        let known = dead - late.len();
        Judgement::Holds(match (dead, known) {
            (0, _) => "nobody died".to_owned(),
            _ if self.seen.living_detectors().count() == 0 => "no detector lives".to_owned(),
            (_, 0) => "nobody died early enough to be missed".to_owned(),
            _ => {
                let known = format!("{known} died, and every detector that lives knows");
                match late.is_empty() {
                    true => known,
                    false => format!("{known}; {} died too late to be missed", first_of(&late)),
                }
            }
        })
    }

    fn uses_tags(&self) -> bool {
        true
    }

    fn is_put_to_the_test(&self) -> bool {
        self.found_silent
    }

    fn forget_history(&mut self, _: &mut TagsUnderWay<'_>) {
        self.seen.forget_history();
        self.found_silent = false;
    }
}
