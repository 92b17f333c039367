//! One ring: the processes form a single cycle, in which each has exactly two neighbours.
//!
//! Seen from the message that goes once round: who sent it to whom is the successor of each process.

use super::name::Name;
use super::{End, PropertyKind, Violation, Watch, Witness, not_yet};
use crate::process::ProcessId;

/// The monitor of [`Spec::SingleRing`](super::Spec::SingleRing).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SingleRing {
    message: Name,
    successor: Vec<Option<ProcessId>>,
    predecessor: Vec<Option<ProcessId>>,
    violation: Option<Violation>,
}

impl SingleRing {
    /// Watches the message that goes once round.
    pub fn new(message: String, processes: u32) -> Self {
        let nobody = vec![None; processes as usize];
        Self {
            message: message.into(),
            successor: nobody.clone(),
            predecessor: nobody,
            violation: None,
        }
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

impl Watch for SingleRing {
    fn name(&self) -> (String, PropertyKind) {
        ("one ring, two neighbours each".to_owned(), PropertyKind::Safety)
    }

    fn on_send(&mut self, from: ProcessId, to: ProcessId, kind: &str, n: u64) -> u64 {
        if *kind != *self.message || self.violation.is_some() {
            return 0;
        }
        let successor = *self.successor[from.index()].get_or_insert(to);
        let predecessor = *self.predecessor[to.index()].get_or_insert(from);
        let what = if successor != to {
            format!("{from} has two successors, {successor} and {to}")
        } else if predecessor != from {
            format!("{to} has two predecessors, {predecessor} and {from}")
        } else {
            return 0;
        };
        self.violation = Some(Violation { what, witnesses: vec![Witness { process: from, n }] });
        0
    }

    fn is_put_to_the_test(&self) -> bool {
        self.successor.iter().any(Option::is_some)
    }

    fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    fn unbroken(&self, end: &End) -> (Option<bool>, String) {
        let processes = self.successor.len();
        match self.round_trip() {
            Ok(met) if met == processes => {
                (Some(true), format!("{processes} processes in one cycle"))
            }
            Ok(met) => (Some(false), format!("p0 is in a cycle of {met} among {processes}")),
            Err(last) => not_yet(end, format!("{last} has no successor")),
        }
    }
}
