//! Every process is asked in each round, and every question is answered.
//!
//! In each round a detector sends one heartbeat to each process that it watches, whatever list that is on: one that is
//! suspected can be restored only if it is asked. With its last round, after as many as the options say, and not
//! before, a detector says once that it is finished; the others say so when they begin. A process that receives a heartbeat answers it, once and at once, and
//! a detector that is told a change notes it, once and at once; nobody answers what was not asked.
//!
//! What a process does in one step is looked at when its next step begins, or when the run ends: in which order it does
//! that does not matter.
//!
//! Cost: constant time a message; a round costs one look at each process that is asked.

use std::collections::BTreeMap;

use labs::process::ProcessId;
use labs::trace::{Happening, Noted};
use labs::verdict::{Check, End, Judgement, TagsUnderWay, Violation, Watch, Witness, counted};

use super::book::{ANSWER, HEARTBEAT};
use super::watcher;
use crate::two_levels::{DETECTORS, Indication};

/// The messages that tell the other detector of a change, and the one that notes it.
const TOLD: [&str; 2] = ["SUSPECT", "RESTORE"];
const NOTED: &str = "NOTED";

/// Watches what processes ask and answer.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Asking {
    /// How many rounds each detector has, in the whole run.
    rounds: u32,
    detectors: [Detector; 2],
    /// Of each process, the answer that it owes in the step that it is in.
    owed: Vec<Option<Owed>>,
    /// The processes that are no detectors and have begun, until they say that they have nothing else to do.
    begun: BTreeMap<ProcessId, Witness>,
    answers: u64,
}

/// One detector.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
struct Detector {
    /// Its rounds so far.
    rounds: u32,
    is_finished: bool,
    /// The round of the step that it is in, if it said one.
    round: Option<Witness>,
    /// How many heartbeats it sent in that step to each process, by rank; empty if it sent none.
    asked: Vec<u8>,
}

/// An answer that a process owes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct Owed {
    to: ProcessId,
    kind: &'static str,
    since: Witness,
}

impl Asking {
    /// Watches so many processes, of which detectors have so many rounds.
    pub fn new(processes: u32, rounds: u32) -> Self {
        let owed = vec![None; processes as usize];
        let begun = BTreeMap::new();
        Self { rounds, detectors: Default::default(), owed, begun, answers: 0 }
    }

    /// A new step of a process begins: what it had to do in the one before is done.
    fn end_step(&mut self, process: ProcessId) -> Check {
        let judged = self.judge_step(process);
        self.forget_step(process);
        judged
    }

    fn forget_step(&mut self, process: ProcessId) {
        if let Some(owed) = self.owed.get_mut(process.index()) {
            *owed = None;
        }
        if let Some(detector) = self.detectors.get_mut(process.index()) {
            detector.round = None;
            detector.asked.clear();
        }
    }

    /// Whether a process has done what it had to do in the step that it is in.
    fn judge_step(&self, process: ProcessId) -> Check {
        if let Some(Owed { to, kind, since }) = self.owed.get(process.index()).copied().flatten() {
            let what = format!("{process} is asked by {to}, and does not answer with {kind}");
            return Violation::check(what, [since]);
        }
        if let Some(&at) = self.begun.get(&process) {
            return Violation::check(format!("{process} begins, and does not say Finished"), [at]);
        }
        let Some(detector) = self.detectors.get(process.index()) else { return Ok(()) };
        let Detector { rounds, round, asked, is_finished } = detector;
        if round.is_some() && *rounds == self.rounds && !is_finished {
            let what = format!("{process} has had its {rounds} rounds, and does not say Finished");
            return Violation::check(what, round.as_slice());
        }
        if round.is_none() && asked.is_empty() {
            return Ok(());
        }
        let times = |rank: usize| asked.get(rank).copied().unwrap_or(0);
        let expected = u8::from(round.is_some());
        let mut watched = (0..self.owed.len())
            .filter(|&rank| watcher(ProcessId(rank as u32)) == process && times(rank) != expected);
        let Some(wrong) = watched.next() else { return Ok(()) };
        let heartbeats = counted(times(wrong).into(), "heartbeat");
        let when = match expected {
            0 => "outside of a round".to_owned(),
            _ => format!("in its round {rounds}"),
        };
        Violation::check(format!("{process} sends p{wrong} {heartbeats} {when}"), round.as_slice())
    }

    /// Whoever has to be asked is asked by its own detector alone.
    fn ask(&mut self, from: Witness, to: ProcessId) -> Check {
        let processes = self.owed.len();
        if watcher(to) != from.process {
            let what =
                format!("{} sends a heartbeat to {to}, which it does not watch", from.process);
            return Violation::check(what, [from]);
        }
        let Some(detector) = self.detectors.get_mut(from.process.index()) else { return Ok(()) };
        detector.asked.resize(processes, 0);
        if let Some(times) = detector.asked.get_mut(to.index()) {
            *times = times.saturating_add(1);
        }
        Ok(())
    }

    fn answer(&mut self, from: Witness, to: ProcessId, kind: &str) -> Check {
        let owed = self.owed.get_mut(from.process.index()).and_then(Option::take);
        self.answers += 1;
        match owed.filter(|owed| owed.to == to && owed.kind == kind) {
            Some(_) => Ok(()),
            None => {
                let process = from.process;
                Violation::check(format!("{process} sends {to} {kind}, and was not asked"), [from])
            }
        }
    }

    fn say(&mut self, at: Witness, indication: &Indication) -> Check {
        let Some(detector) = self.detectors.get_mut(at.process.index()) else {
            self.begun.remove(&at.process);
            return Ok(());
        };
        let what = match indication {
            Indication::Round { .. } if detector.rounds == self.rounds => {
                format!("{} begins one round more than {}", at.process, self.rounds)
            }
            Indication::Round { .. } if detector.round.is_some() => {
                format!("{} begins two rounds at once", at.process)
            }
            Indication::Round { round, .. } if *round != detector.rounds + 1 => {
                let rounds = detector.rounds + 1;
                format!("{} calls its round {rounds} by the number {round}", at.process)
            }
            Indication::Round { .. } => {
                detector.rounds += 1;
                detector.round = Some(at);
                return Ok(());
            }
            Indication::Finished if detector.is_finished => {
                format!("{} finishes a second time", at.process)
            }
            Indication::Finished if detector.rounds < self.rounds => {
                let rounds = detector.rounds;
                format!("{} finishes after {rounds} of {} rounds", at.process, self.rounds)
            }
            Indication::Finished => {
                detector.is_finished = true;
                return Ok(());
            }
            _ => return Ok(()),
        };
        Violation::check(what, [at])
    }
}

impl Watch<Indication> for Asking {
    fn on_send(
        &mut self,
        from: Witness,
        to: ProcessId,
        message: &dyn Noted,
    ) -> Result<u64, Violation> {
        match &*message.kind() {
            HEARTBEAT => self.ask(from, to)?,
            ANSWER => self.answer(from, to, ANSWER)?,
            NOTED => self.answer(from, to, NOTED)?,
            _ => {}
        }
        Ok(0)
    }

    fn on_receive(&mut self, from: ProcessId, to: Witness, message: &dyn Noted, _: u64) -> Check {
        self.end_step(to.process)?;
        let kind = message.kind();
        let answer = match &*kind {
            HEARTBEAT => Some(ANSWER),
            kind if TOLD.contains(&kind) && DETECTORS.contains(&to.process) => Some(NOTED),
            _ => None,
        };
        let owed = answer.map(|kind| Owed { to: from, kind, since: to });
        self.owed[to.process.index()] = owed;
        Ok(())
    }

    fn on_indication(&mut self, at: Witness, indication: &Indication) -> Check {
        self.say(at, indication)
    }

    fn on_other(&mut self, at: Witness, happening: Happening<'_>) -> Check {
        let detector = self.detectors.get_mut(at.process.index());
        match (happening, detector) {
            (Happening::Crash, detector) => {
                // A process may die in the middle of its step.
                self.owed[at.process.index()] = None;
                self.begun.remove(&at.process);
                if let Some(detector) = detector {
                    detector.round = None;
                    detector.asked.clear();
                }
                Ok(())
            }
            (Happening::Init, None) => {
                self.begun.insert(at.process, at);
                Ok(())
            }
            _ => self.end_step(at.process),
        }
    }

    /// That a detector has not finished is no violation: it may stand still for good.
    fn at_end(&self, _: &End) -> Judgement {
        let everyone = (0..self.owed.len() as u32).map(ProcessId);
        if let Some(violation) =
            everyone.map(|process| self.judge_step(process)).find_map(Result::err)
        {
            return Judgement::Violated(violation);
        }
        let rounds = self.detectors.iter().map(|detector| u64::from(detector.rounds)).sum();
        let answers = counted(self.answers, "answer");
        Judgement::Holds(format!("{} and {answers}", counted(rounds, "round")))
    }

    fn is_put_to_the_test(&self) -> bool {
        self.answers > 0
    }

    /// A step that is over and was right is of no more interest.
    fn forget_history(&mut self, _: &mut TagsUnderWay<'_>) {
        self.answers = self.answers.min(1);
        for process in (0..self.owed.len() as u32).map(ProcessId) {
            if self.judge_step(process).is_ok() {
                self.forget_step(process);
            }
        }
    }
}
