//! One ring: the processes form a single cycle, in which each has exactly two neighbours.
//!
//! Seen from the messages that go round: each process's successor is the one that it sends them to, whatever
//! their kind.

use super::Name;
use crate::process::ProcessId;
use crate::trace::Noted;
use crate::verdict::watch::Watch;
use crate::verdict::{End, Judgement, Violation, Witness, counted};

/// The monitor of [`Pattern::OneRing`](super::Pattern::OneRing).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct OneRing {
    messages: Vec<Name>,
    successor: Vec<Option<ProcessId>>,
    predecessor: Vec<Option<ProcessId>>,
    /// Whether the message was sent at all.
    heard: bool,
}

impl OneRing {
    pub(super) fn new(messages: Vec<Name>, processes: u32) -> Self {
        let nobody = vec![None; processes as usize];
        Self { messages, successor: nobody.clone(), predecessor: nobody, heard: false }
    }

    /// How many processes one meets, starting at p0, before meeting p0 again.
    fn round_trip(&self) -> Result<usize, ProcessId> {
        if self.successor.is_empty() {
            return Ok(0);
        }
        let mut at = ProcessId(0);
        for met in 1..=self.successor.len() {
            at = self.successor[at.index()].ok_or(at)?;
            if at == ProcessId(0) {
                return Ok(met);
            }
        }
        // Each process has one predecessor at the most, so this walk cannot enter a side loop.
        unreachable!("a walk that avoids p0 enters some process twice, from two predecessors")
    }
}

impl Watch<dyn Noted + '_> for OneRing {
    fn on_send(
        &mut self,
        from: Witness,
        to: ProcessId,
        message: &dyn Noted,
    ) -> Result<u64, Violation> {
        if !self.messages.iter().any(|kind| kind.is(message)) {
            return Ok(0);
        }
        self.heard = true;
        let process = from.process;
        let successor = *self.successor[process.index()].get_or_insert(to);
        let predecessor = *self.predecessor[to.index()].get_or_insert(process);
        if successor != to {
            let what = format!("{process} has two successors, {successor} and {to}");
            Violation::check(what, [from])
        } else if predecessor != process {
            let what = format!("{to} has two predecessors, {predecessor} and {process}");
            Violation::check(what, [from])
        } else {
            Ok(0)
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        self.heard
    }

    fn at_end(&self, end: &End) -> Judgement {
        let processes = self.successor.len();
        match self.round_trip() {
            Ok(met) if met == processes => {
                Judgement::Holds(format!("{} in one cycle", counted(processes as u64, "process")))
            }
            Ok(met) => Judgement::violated(format!("p0 is in a cycle of {met} among {processes}")),
            Err(last) => Judgement::not_yet(end, format!("{last} has no successor")),
        }
    }
}
