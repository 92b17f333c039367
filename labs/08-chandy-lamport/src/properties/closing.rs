//! The end of a snapshot's run: CLOSE is the last message on each channel, and whoever finishes has all of them.
//!
//! A process sends CLOSE once on each of its channels, when it has recorded all waves, and nothing behind it. It says
//! that it is finished once, when it has sent its own and has those of all others: then everything that was
//! sent to it has arrived.

use std::collections::BTreeSet;

use labs::process::ProcessId;
use labs::trace::{Happening, Noted};
use labs::verdict::{Check, End, Judgement, Violation, Watch, Witness, counted};

use crate::snapshot::{CLOSE, Indication, Worth};

/// Watches how processes close their channels.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Closing {
    waves: u64,
    processes: Vec<One>,
}

/// One process.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
struct One {
    /// How many waves it has recorded.
    recorded: u64,
    /// The processes to which it has sent CLOSE.
    closed: BTreeSet<ProcessId>,
    /// The processes whose CLOSE has arrived.
    heard: BTreeSet<ProcessId>,
    is_finished: bool,
    /// What it did too early, unless the rest of its step makes up for it.
    early: Option<Violation>,
}

impl Closing {
    /// Watches so many processes that record so many waves.
    pub fn new(waves: u64, processes: u32) -> Self {
        Self { waves, processes: vec![One::default(); processes as usize] }
    }

    fn one(&mut self, process: ProcessId) -> &mut One {
        &mut self.processes[process.index()]
    }

    /// Whether a process may be finished: it has sent all and has all, and has recorded all waves.
    fn is_done(&self, process: ProcessId) -> bool {
        let (one, others) = (&self.processes[process.index()], self.processes.len() - 1);
        one.recorded >= self.waves && one.closed.len() == others && one.heard.len() == others
    }

    /// A new step of a process begins.
    fn end_step(&mut self, process: ProcessId) -> Check {
        let (waves, is_done) = (self.waves, self.is_done(process));
        let one = self.one(process);
        match one.early.take() {
            Some(_) if is_done => Ok(()),
            Some(_) if !one.is_finished && one.recorded >= waves => Ok(()),
            Some(violation) => Err(violation),
            None => Ok(()),
        }
    }

    fn close(&mut self, from: Witness, to: ProcessId) -> Check {
        let (process, waves) = (from.process, self.waves);
        let one = self.one(process);
        if one.recorded < waves {
            let recorded = format!("{} of {}", one.recorded, counted(waves, "wave"));
            let what = format!("{process} sends {to} {CLOSE}, and has recorded {recorded}");
            one.early.get_or_insert_with(|| Violation::new(what, [from]));
        }
        one.closed.insert(to);
        Ok(())
    }

    fn finish(&mut self, at: Witness) -> Check {
        let (process, is_done) = (at.process, self.is_done(at.process));
        let one = self.one(process);
        if std::mem::replace(&mut one.is_finished, true) {
            return Violation::check(format!("{process} finishes a second time"), [at]);
        }
        if !is_done {
            let what = format!("{process} finishes, and not all channels are closed");
            one.early.get_or_insert_with(|| Violation::new(what, [at]));
        }
        Ok(())
    }
}

impl<A: Worth> Watch<Indication<A>> for Closing {
    fn on_send(
        &mut self,
        from: Witness,
        to: ProcessId,
        message: &dyn Noted,
    ) -> Result<u64, Violation> {
        let (process, kind) = (from.process, message.kind());
        if self.one(process).closed.contains(&to) {
            let what = format!("{process} sends {to} {kind} behind its {CLOSE}");
            return Violation::check(what, [from]);
        }
        if kind == CLOSE {
            self.close(from, to)?;
        }
        Ok(0)
    }

    fn on_receive(&mut self, from: ProcessId, to: Witness, message: &dyn Noted, _: u64) -> Check {
        self.end_step(to.process)?;
        if message.kind() == CLOSE {
            self.one(to.process).heard.insert(from);
        }
        Ok(())
    }

    fn on_indication(&mut self, at: Witness, indication: &Indication<A>) -> Check {
        match indication {
            Indication::Recorded(_) => self.one(at.process).recorded += 1,
            Indication::Finished => return self.finish(at),
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

    fn at_end(&self, end: &End) -> Judgement {
        let mut ended = self.clone();
        let everyone = (0..self.processes.len() as u32).map(ProcessId);
        for process in everyone.clone() {
            if let Err(violation) = ended.end_step(process) {
                return Judgement::Violated(violation);
            }
        }
        match everyone.zip(&self.processes).find(|(_, one)| !one.is_finished) {
            Some((process, _)) => Judgement::not_yet(end, format!("{process} has not finished")),
            None => {
                let closed = self.processes.iter().map(|one| one.closed.len() as u64).sum();
                Judgement::Holds(counted(closed, "channel"))
            }
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        self.processes.iter().any(|one| !one.closed.is_empty())
    }
}
