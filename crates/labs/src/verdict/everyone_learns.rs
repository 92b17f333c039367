//! Every process learns the leader.

use super::name::Name;
use super::{End, PropertyKind, Violation, Watch, not_yet, number_told};
use crate::process::ProcessId;
use crate::trace::Happening;

/// The monitor of [`Spec::EveryoneLearns`](super::Spec::EveryoneLearns).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct EveryoneLearns {
    learned: Name,
    /// Who knows the leader.
    knows: Vec<bool>,
}

impl EveryoneLearns {
    /// Watches that each process says once who leads.
    pub fn new(learned: String, processes: u32) -> Self {
        Self { learned: learned.into(), knows: vec![false; processes as usize] }
    }
}

impl Watch for EveryoneLearns {
    fn name(&self) -> (String, PropertyKind) {
        ("every process learns the leader".to_owned(), PropertyKind::Liveness)
    }

    fn on_event(&mut self, process: ProcessId, happening: Happening<'_>, _: u64) {
        if number_told(happening, &self.learned).is_some() {
            self.knows[process.index()] = true;
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        self.knows.contains(&true)
    }

    /// No event breaks it: what did not happen yet may still happen.
    fn violation(&self) -> Option<&Violation> {
        None
    }

    fn unbroken(&self, end: &End) -> (Option<bool>, String) {
        let mut ignorant = (0_u32..).zip(&self.knows).filter(|&(_, &knows)| !knows);
        let Some((rank, _)) = ignorant.next() else {
            return (Some(true), format!("all {} know it", self.knows.len()));
        };
        let among = match ignorant.count() {
            0 => String::new(),
            others => format!(", and {others} more do not"),
        };
        not_yet(end, format!("{} does not know the leader{among}", ProcessId(rank)))
    }
}
