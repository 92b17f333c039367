//! Blocked: a process that records a wave sends no message of the application before it has recorded it
//! completely, and goes on then.
//!
//! The property does not ask the process whether it is blocked: one that is cut by a wave has to be until it has
//! recorded it, for each wave. As soon as it has, it says that it goes on, in the same step, once.

use std::collections::BTreeMap;

use labs::process::ProcessId;
use labs::trace::{Happening, Noted};
use labs::verdict::{Check, End, Judgement, TagsUnderWay, Violation, Watch, Witness, counted};

use super::is_of_application;
use crate::snapshot::{Indication, Worth};

/// Watches that no process sends anything between its cut and what it recorded.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Blocked {
    /// Of each process, how many waves it is recording. It may say that one is recorded before it says that it
    /// began, in one step.
    recording: Vec<i64>,
    /// The processes that were cut and have not said that they go on, each since when.
    blocked: BTreeMap<ProcessId, Witness>,
    /// How many times a process was blocked.
    times: u64,
}

impl Blocked {
    /// Watches so many processes.
    pub fn new(processes: u32) -> Self {
        Self { recording: vec![0; processes as usize], blocked: BTreeMap::new(), times: 0 }
    }

    fn is_recording(&self, process: ProcessId) -> bool {
        self.recording[process.index()] > 0
    }

    /// A new step of a process begins: one that has recorded all is not blocked any more.
    fn end_step(&self, process: ProcessId) -> Check {
        match self.blocked.get(&process).filter(|_| !self.is_recording(process)) {
            Some(&since) => Violation::check(
                format!("{process} has recorded its waves, and stays blocked"),
                [since],
            ),
            None => Ok(()),
        }
    }

    fn resume(&mut self, at: Witness) -> Check {
        let process = at.process;
        let why = match self.blocked.remove(&process) {
            None => "was not blocked",
            Some(_) if self.is_recording(process) => "has not recorded its waves",
            Some(_) => return Ok(()),
        };
        Violation::check(format!("{process} goes on, and {why}"), [at])
    }
}

impl<A: Worth> Watch<Indication<A>> for Blocked {
    fn on_send(
        &mut self,
        from: Witness,
        to: ProcessId,
        message: &dyn Noted,
    ) -> Result<u64, Violation> {
        if self.is_recording(from.process) && is_of_application(message) {
            let (process, kind) = (from.process, message.kind());
            let what = format!("{process} sends {to} {kind} before it has recorded its wave");
            return Violation::check(what, [from]);
        }
        Ok(0)
    }

    fn on_receive(&mut self, _: ProcessId, to: Witness, _: &dyn Noted, _: u64) -> Check {
        self.end_step(to.process)
    }

    fn on_indication(&mut self, at: Witness, indication: &Indication<A>) -> Check {
        let recording = &mut self.recording[at.process.index()];
        match indication {
            Indication::Cut(_) => {
                *recording += 1;
                self.times += 1;
                self.blocked.entry(at.process).or_insert(at);
            }
            Indication::Recorded(_) => *recording -= 1,
            Indication::Resumed => return self.resume(at),
            _ => {}
        }
        Ok(())
    }

    fn on_other(&mut self, at: Witness, happening: Happening<'_>) -> Check {
        match happening {
            Happening::Crash => Ok(()),
            _ => self.end_step(at.process),
        }
    }

    fn at_end(&self, _: &End) -> Judgement {
        let wrong = self.blocked.keys().find_map(|process| self.end_step(*process).err());
        match wrong {
            Some(violation) => Judgement::Violated(violation),
            None => {
                Judgement::Holds(format!("blocked {}, and none sent", counted(self.times, "time")))
            }
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        self.times > 0
    }

    fn forget_history(&mut self, _: &mut TagsUnderWay<'_>) {
        self.times = 0;
    }
}
