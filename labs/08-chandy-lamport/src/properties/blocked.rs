//! Blocked: a process that records a wave sends no message of the application before it has recorded it
//! completely.

use labs::process::ProcessId;
use labs::trace::Noted;
use labs::verdict::{Check, End, Judgement, TagsUnderWay, Violation, Watch, Witness, counted};

use super::is_of_application;
use crate::snapshot::{Indication, Worth};

/// Watches that no process sends anything between its cut and what it recorded.
///
/// It does not ask the process whether it is blocked: one that is cut by a wave has to be until it has
/// recorded it, for each wave.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Blocked {
    /// Of each process, how many waves it is recording.
    recording: Vec<u64>,
    /// How many times a process was blocked.
    times: u64,
}

impl Blocked {
    /// Watches so many processes.
    pub fn new(processes: u32) -> Self {
        Self { recording: vec![0; processes as usize], times: 0 }
    }
}

impl<A: Worth> Watch<Indication<A>> for Blocked {
    fn on_send(
        &mut self,
        from: Witness,
        to: ProcessId,
        message: &dyn Noted,
    ) -> Result<u64, Violation> {
        if self.recording[from.process.index()] > 0 && is_of_application(message) {
            let (process, kind) = (from.process, message.kind());
            let what = format!("{process} sends {to} {kind} before it has recorded its wave");
            return Violation::check(what, [from]);
        }
        Ok(0)
    }

    fn on_indication(&mut self, at: Witness, indication: &Indication<A>) -> Check {
        let recording = &mut self.recording[at.process.index()];
        match indication {
            Indication::Cut(_) => {
                *recording += 1;
                self.times += 1;
            }
            Indication::Recorded(_) => *recording = recording.saturating_sub(1),
            _ => {}
        }
        Ok(())
    }

    fn at_end(&self, _: &End) -> Judgement {
        Judgement::Holds(format!("blocked {}, and none sent", counted(self.times, "time")))
    }

    fn is_put_to_the_test(&self) -> bool {
        self.times > 0
    }

    fn forget_history(&mut self, _: &mut TagsUnderWay<'_>) {
        self.times = 0;
    }
}
