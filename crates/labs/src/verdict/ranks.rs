//! Ranks 0 to N−1 in ring order, without gap or repeat.
//!
//! Ring order is the order in which the numbering message goes round: who receives it takes the rank
//! behind that of its sender, and one process, which had received none, takes 0.

use super::name::Name;
use super::{End, PropertyKind, Violation, Watch, Witness, not_yet, number_told};
use crate::process::ProcessId;
use crate::trace::Happening;

/// The monitor of [`Spec::Ranks`](super::Spec::Ranks).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Ranks {
    numbered: Name,
    message: Name,
    /// Who sent the message to each process.
    predecessor: Vec<Option<ProcessId>>,
    rank: Vec<Option<u64>>,
    /// Who has rank 0.
    first: Option<Witness>,
    violation: Option<Violation>,
}

impl Ranks {
    /// Watches the ranks that processes say they have (`numbered`), and the message that carries them.
    pub fn new(numbered: String, message: String, processes: u32) -> Self {
        Self {
            numbered: numbered.into(),
            message: message.into(),
            predecessor: vec![None; processes as usize],
            rank: vec![None; processes as usize],
            first: None,
            violation: None,
        }
    }

    /// What is wrong with this rank of this process, if anything is.
    fn mistake(&self, process: ProcessId, rank: u64) -> Option<String> {
        if let Some(before) = self.rank[process.index()] {
            return Some(format!("{process} takes rank {rank}, and has {before} already"));
        }
        match (self.predecessor[process.index()], self.first) {
            (Some(sender), _) => {
                let before = self.rank[sender.index()];
                let follows = before.and_then(|before| before.checked_add(1)) == Some(rank);
                let before = before.map_or("no rank".to_owned(), |before| format!("rank {before}"));
                (!follows).then(|| {
                    format!("{process} takes rank {rank}, and {sender} in front of it has {before}")
                })
            }
            (None, Some(first)) => {
                Some(format!("{process} begins with rank {rank}, and {} began", first.process))
            }
            (None, None) => {
                (rank != 0).then(|| format!("{process} begins with rank {rank}, not 0"))
            }
        }
    }
}

impl Watch for Ranks {
    fn name(&self) -> (String, PropertyKind) {
        ("ranks 0 to N-1 in ring order".to_owned(), PropertyKind::Safety)
    }

    fn on_receive(&mut self, from: ProcessId, to: ProcessId, kind: &str, _: u64, _: u64) {
        if *kind == *self.message {
            self.predecessor[to.index()].get_or_insert(from);
        }
    }

    fn on_event(&mut self, process: ProcessId, happening: Happening<'_>, n: u64) {
        let Some(rank) = number_told(happening, &self.numbered) else { return };
        let event = Witness { process, n };
        if let Some(what) = self.mistake(process, rank) {
            self.violation.get_or_insert(Violation { what, witnesses: vec![event] });
            return;
        }
        self.rank[process.index()] = Some(rank);
        if rank == 0 {
            self.first = Some(event);
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        self.first.is_some()
    }

    fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    fn unbroken(&self, end: &End) -> (Option<bool>, String) {
        let nobody = (0_u32..).zip(&self.rank).find(|(_, rank)| rank.is_none());
        match (nobody, self.first) {
            (Some((rank, _)), _) => not_yet(end, format!("{} has no rank", ProcessId(rank))),
            (None, first) => {
                let first =
                    first.map_or(String::new(), |first| format!("0 is {}, ", first.process));
                (Some(true), format!("{first}and {} is the last", self.rank.len() - 1))
            }
        }
    }
}
