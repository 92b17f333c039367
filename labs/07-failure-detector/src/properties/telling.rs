//! What a detector finds out it tells the other one until that has noted it.
//!
//! A change of a process is told in the step in which it is found out, told again in each round until NOTED has
//! come for it, and then no more. While a detector suspects the other one it tells it nothing; when it restores it,
//! it tells in that step all that is not noted. What is told is where the process stands now.
//!
//! What a detector does in one step is looked at when its next step begins, or when the run ends: in which order it
//! does that does not matter.
//!
//! Cost: logarithmic time a message; a round costs one look at each change that is not noted.

use std::collections::{BTreeMap, BTreeSet};

use labs::process::ProcessId;
use labs::trace::{Happening, Noted};
use labs::verdict::{Check, End, Judgement, TagsUnderWay, Violation, Watch, Witness, counted};

use super::watcher;
use crate::changes::Change;
use crate::lists::List;
use crate::two_levels::{DETECTORS, Indication, Message};

/// Watches what detectors tell each other.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Telling {
    detectors: [Detector; 2],
    times: u64,
}

/// What one detector has found out.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
struct Detector {
    /// Whether it suspects the other one.
    suspects_other: bool,
    /// The processes that it watches and suspects.
    suspected: BTreeSet<ProcessId>,
    /// The changes that are not noted, each with the number under which it was told, if it was.
    open: BTreeMap<ProcessId, Option<u32>>,
    step: Step,
}

/// What one step of a detector does.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
struct Step {
    /// The last thing that it did.
    at: Option<Witness>,
    is_round: bool,
    /// Whether the detector suspected the other one when the step began.
    suspected_other: bool,
    /// How many times each process changed.
    changed: BTreeMap<ProcessId, usize>,
    told: Vec<Told>,
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct Told {
    change: Change,
    is_suspected: bool,
}

impl Detector {
    fn begin_step(&mut self) {
        self.step = Step { suspected_other: self.suspects_other, ..Step::default() };
    }

    /// What is wrong with the step that it is in, if nothing more happens in it.
    fn judge_step(&self, other: ProcessId) -> Check {
        let Some(at) = self.step.at else { return Ok(()) };
        let told = self.step.told.iter().map(|told| told.change.process);
        let changed = self.step.changed.keys().copied();
        let all: BTreeSet<_> = self.open.keys().copied().chain(changed).chain(told).collect();
        match all.into_iter().find_map(|process| self.wrong(process)) {
            Some(wrong) => Violation::check(wrong.replace("OTHER", &other.to_string()), [at]),
            None => Ok(()),
        }
    }

    /// What the step does wrong about one process.
    fn wrong(&self, process: ProcessId) -> Option<String> {
        let me = watcher(process);
        let step = &self.step;
        let mut told = step.told.iter().filter(|told| told.change.process == process);
        let times = told.clone().count();
        if times > 0 && step.suspected_other && self.suspects_other {
            return Some(format!("{me} tells OTHER of {process}, and suspects OTHER"));
        }
        let is_again = step.is_round || step.suspected_other;
        let again = usize::from(is_again && self.open.contains_key(&process));
        let most = step.changed.get(&process).copied().unwrap_or(0) + again;
        if times > most {
            let times = counted(times as u64, "time");
            return Some(format!("{me} tells OTHER of {process} {times}, and {most} are due"));
        }
        if most == 0 || self.suspects_other {
            return None;
        }
        match told.next_back() {
            None => {
                Some(format!("{me} does not tell OTHER of {process}, and OTHER has not noted it"))
            }
            Some(told) if told.is_suspected != self.suspected.contains(&process) => {
                Some(format!("{me} tells OTHER the opposite of what it found out of {process}"))
            }
            Some(_) => None,
        }
    }

    /// The step is over, and was right.
    fn end_step(&mut self) {
        let changed = self.step.changed.keys();
        self.open.extend(changed.map(|&process| (process, None)));
        for told in &self.step.told {
            let Change { process, number } = told.change;
            let is_current = told.is_suspected == self.suspected.contains(&process);
            if let Some(open) = self.open.get_mut(&process).filter(|_| is_current) {
                *open = Some(number);
            }
        }
        self.begin_step();
    }
}

impl Telling {
    /// A new step of a process begins.
    fn end_step(&mut self, process: ProcessId) -> Check {
        let Some(detector) = self.detectors.get_mut(process.index()) else { return Ok(()) };
        detector.judge_step(other_than(process))?;
        detector.end_step();
        Ok(())
    }

    /// A detector says where a process stands that it watches.
    fn list(&mut self, at: Witness, process: ProcessId, is_suspected: bool) {
        let Some(detector) = self.detectors.get_mut(at.process.index()) else { return };
        if process == other_than(at.process) {
            detector.suspects_other = is_suspected;
            return;
        }
        let is_change = match is_suspected {
            true => detector.suspected.insert(process),
            false => detector.suspected.remove(&process),
        };
        *detector.step.changed.entry(process).or_default() += usize::from(is_change);
    }
}

/// The other one of two detectors.
fn other_than(detector: ProcessId) -> ProcessId {
    if detector == DETECTORS[0] { DETECTORS[1] } else { DETECTORS[0] }
}

impl Watch<Indication> for Telling {
    fn on_send(
        &mut self,
        from: Witness,
        _: ProcessId,
        message: &dyn Noted,
    ) -> Result<u64, Violation> {
        let is_telling = ["SUSPECT", "RESTORE"].contains(&&*message.kind());
        let Some(detector) = self.detectors.get_mut(from.process.index()).filter(|_| is_telling)
        else {
            return Ok(0);
        };
        let told = match message.get::<Message>().as_deref() {
            Ok(&Message::Suspect(change)) => Told { change, is_suspected: true },
            Ok(&Message::Restore(change)) => Told { change, is_suspected: false },
            _ => return Ok(0),
        };
        self.times += 1;
        if watcher(told.change.process) != from.process {
            let (process, of) = (from.process, told.change.process);
            let what = format!("{process} tells of {of}, which it does not watch");
            return Err(Violation::new(what, [from]));
        }
        detector.step.at = Some(from);
        detector.step.told.push(told);
        Ok(0)
    }

    fn on_receive(&mut self, from: ProcessId, to: Witness, message: &dyn Noted, _: u64) -> Check {
        self.end_step(to.process)?;
        let Some(detector) = self.detectors.get_mut(to.process.index()) else { return Ok(()) };
        if message.kind() == "NOTED"
            && from == other_than(to.process)
            && let Ok(&Message::Noted(change)) = message.get::<Message>().as_deref()
            && detector.open.get(&change.process) == Some(&Some(change.number))
        {
            detector.open.remove(&change.process);
        }
        Ok(())
    }

    fn on_indication(&mut self, at: Witness, indication: &Indication) -> Check {
        if let Some(detector) = self.detectors.get_mut(at.process.index()) {
            detector.step.at = Some(at);
            detector.step.is_round |= matches!(indication, Indication::Round { .. });
        }
        if let Some((_, listed)) = indication.change()
            && watcher(listed.process) == at.process
        {
            self.list(at, listed.process, listed.on.contains(&List::Dead));
        }
        Ok(())
    }

    fn on_other(&mut self, at: Witness, happening: Happening<'_>) -> Check {
        match happening {
            // What a process does in the step in which it dies is not judged, and it tells nothing any more.
            Happening::Crash => {
                if let Some(detector) = self.detectors.get_mut(at.process.index()) {
                    *detector = Detector::default();
                }
                Ok(())
            }
            _ => self.end_step(at.process),
        }
    }

    fn reads_messages(&self) -> bool {
        true
    }

    fn at_end(&self, _: &End) -> Judgement {
        let judged = DETECTORS.into_iter().zip(&self.detectors);
        let wrong = judged.map(|(me, detector)| detector.judge_step(other_than(me)));
        match wrong.into_iter().find_map(Result::err) {
            Some(violation) => Judgement::Violated(violation),
            None => Judgement::Holds(format!("told {}", counted(self.times, "time"))),
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        self.times > 0
    }

    /// A step that is over and was right is of no more interest.
    fn forget_history(&mut self, _: &mut TagsUnderWay<'_>) {
        self.times = self.times.min(1);
        for (me, detector) in DETECTORS.into_iter().zip(&mut self.detectors) {
            if detector.judge_step(other_than(me)).is_ok() {
                detector.end_step();
            }
        }
    }
}
