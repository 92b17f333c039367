//! Waves begin with their initiators, and go from process to process by markers.
//!
//! A wave cuts its initiator first, each time that its timer for waves runs out. Any other process is cut by it in the step in which the first marker of the wave
//! reaches it. The waves of one initiator are numbered one after the other, from the first on, and no wave cuts a process twice.

use std::collections::{BTreeMap, BTreeSet};

use labs::process::ProcessId;
use labs::trace::{Happening, Noted};
use labs::verdict::{Check, End, Judgement, TagsUnderWay, Violation, Watch, Witness, counted};

use super::ticks::WAVE;
use crate::snapshot::{Indication, Worth};
use crate::wave::Wave;

/// Watches which waves cut which processes, and when.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Initiators {
    /// The last wave of each initiator.
    last: BTreeMap<ProcessId, u32>,
    /// The waves that have not cut all, each with the processes that it has cut.
    cut: BTreeMap<Wave, BTreeSet<ProcessId>>,
    processes: u32,
    /// The number of the first wave of each initiator.
    first: u32,
    /// Of each process, the waves of which its step has said that it was cut or that a marker has come: that must be
    /// both when the step is over.
    steps: BTreeMap<ProcessId, Step>,
    waves: u64,
}

/// What one step of a process says.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
struct Step {
    cut: Option<(Wave, Witness)>,
    marked: Option<(Wave, Witness)>,
    /// The timer that starts waves has run out.
    is_due: Option<Witness>,
}

impl Initiators {
    /// Watches so many processes, of which each initiator calls its first wave by this number.
    pub fn new(processes: u32, first: u32) -> Self {
        Self { processes, first, ..Self::default() }
    }

    /// A new step of a process begins.
    fn end_step(&mut self, process: ProcessId) -> Check {
        let judged = self.judge_step(process);
        self.steps.remove(&process);
        judged
    }

    /// Others than the initiator are cut by a marker, and by each first one.
    fn judge_step(&self, process: ProcessId) -> Check {
        let Some(&Step { cut, marked, is_due }) = self.steps.get(&process) else { return Ok(()) };
        let marked_by = marked.map(|(wave, _)| wave);
        if let Some((wave, at)) = cut
            && wave.initiator != process
            && marked_by != Some(wave)
        {
            let what = format!("wave {wave} cuts {process}, and no marker of it has come");
            return Violation::check(what, [at]);
        }
        if let Some(at) = is_due
            && cut.is_none_or(|(wave, _)| wave.initiator != process)
        {
            let what = format!("it is time for {process} to start a wave, and it starts none");
            return Violation::check(what, [at]);
        }
        if let Some((wave, at)) = marked
            && self.cut.get(&wave).is_some_and(|cut| !cut.contains(&process))
        {
            let what = format!("a marker of wave {wave} reaches {process}, and does not cut it");
            return Violation::check(what, [at]);
        }
        Ok(())
    }

    fn cut(&mut self, wave: Wave, at: Witness) -> Check {
        let process = at.process;
        self.steps.entry(process).or_default().cut = Some((wave, at));
        if wave.initiator == process {
            let before = self.last.insert(process, wave.number);
            let number = before.map_or(Some(self.first), |before| before.checked_add(1));
            if number != Some(wave.number) {
                let expected = number.map_or("none".to_owned(), |number| number.to_string());
                let what = format!("the next wave of {process} is {wave}, and not {expected}");
                return Violation::check(what, [at]);
            }
            self.waves += 1;
        } else if self.last.get(&wave.initiator).is_none_or(|last| *last < wave.number) {
            let what = format!("wave {wave} cuts {process} before its initiator");
            return Violation::check(what, [at]);
        }
        let cut = self.cut.entry(wave).or_default();
        if !cut.insert(process) {
            return Violation::check(format!("wave {wave} cuts {process} twice"), [at]);
        }
        if cut.len() == self.processes as usize {
            self.cut.remove(&wave);
        }
        Ok(())
    }
}

impl<A: Worth> Watch<Indication<A>> for Initiators {
    fn on_receive(&mut self, _: ProcessId, to: Witness, _: &dyn Noted, _: u64) -> Check {
        self.end_step(to.process)
    }

    fn on_indication(&mut self, at: Witness, indication: &Indication<A>) -> Check {
        match indication {
            Indication::Cut(wave) => self.cut(*wave, at),
            Indication::Marked(wave) => {
                self.steps.entry(at.process).or_default().marked = Some((*wave, at));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn on_other(&mut self, at: Witness, happening: Happening<'_>) -> Check {
        match happening {
            Happening::Crash => {
                self.steps.remove(&at.process);
                Ok(())
            }
            Happening::Timeout(timer) if timer.text() == WAVE => {
                self.end_step(at.process)?;
                self.steps.entry(at.process).or_default().is_due = Some(at);
                Ok(())
            }
            _ => self.end_step(at.process),
        }
    }

    fn reads(&self, kind: &str) -> bool {
        ["Cut", "Marked"].contains(&kind)
    }

    fn at_end(&self, _: &End) -> Judgement {
        let wrong = self.steps.keys().find_map(|process| self.judge_step(*process).err());
        match wrong {
            Some(violation) => Judgement::Violated(violation),
            None => {
                let initiators = counted(self.last.len() as u64, "initiator");
                Judgement::Holds(format!("{} of {initiators}", counted(self.waves, "wave")))
            }
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        self.waves > 0
    }

    /// A step that is over and was right is of no more interest.
    fn forget_history(&mut self, _: &mut TagsUnderWay<'_>) {
        self.waves = self.waves.min(1);
        let wrong = |process: &ProcessId| self.judge_step(*process).is_err();
        let wrong: BTreeSet<_> = self.steps.keys().copied().filter(wrong).collect();
        self.steps.retain(|process, _| wrong.contains(process));
    }
}
