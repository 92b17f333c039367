//! The lists of a detector: who lives, who is dead, and of whom it cannot tell.

use std::collections::BTreeSet;

use labs::process::ProcessId;
use serde::{Deserialize, Serialize};

/// A list. Every process is on exactly one.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum List {
    /// Its detector has answers from it.
    Alive,
    /// Its detector suspects it. It may be wrong.
    Dead,
    /// Its detector is suspected itself, so nobody can tell.
    Unknown,
}

impl List {
    /// All lists, in the order in which people read them.
    pub const ALL: [Self; 3] = [Self::Alive, Self::Dead, Self::Unknown];

    /// As the table and the report name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Dead => "dead",
            Self::Unknown => "unknown",
        }
    }
}

/// The lists of one detector, over all processes of both.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Lists {
    alive: BTreeSet<ProcessId>,
    dead: BTreeSet<ProcessId>,
    unknown: BTreeSet<ProcessId>,
}

impl Lists {
    /// All of them live.
    pub fn all_alive(processes: impl IntoIterator<Item = ProcessId>) -> Self {
        Self { alive: processes.into_iter().collect(), ..Self::default() }
    }

    /// Who is on a list.
    pub fn on(&self, list: List) -> &BTreeSet<ProcessId> {
        match list {
            List::Alive => &self.alive,
            List::Dead => &self.dead,
            List::Unknown => &self.unknown,
        }
    }

    /// Whether a process is on a list.
    pub fn has(&self, list: List, process: ProcessId) -> bool {
        self.on(list).contains(&process)
    }

    /// The lists that a process is on: one, if the detector makes no mistake.
    pub fn of(&self, process: ProcessId) -> Vec<List> {
        List::ALL.into_iter().filter(|&list| self.has(list, process)).collect()
    }

    /// Puts a process on a list, and strikes it from the others.
    pub fn put(&mut self, process: ProcessId, list: List) {
        for other in List::ALL {
            self.on_mut(other).remove(&process);
        }
        self.put_too(process, list);
    }

    /// Puts a process on a list, and leaves it on the others.
    pub(crate) fn put_too(&mut self, process: ProcessId, list: List) {
        self.on_mut(list).insert(process);
    }

    fn on_mut(&mut self, list: List) -> &mut BTreeSet<ProcessId> {
        match list {
            List::Alive => &mut self.alive,
            List::Dead => &mut self.dead,
            List::Unknown => &mut self.unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_on_one_list_unless_someone_errs() {
        let one = ProcessId(3);
        let mut lists = Lists::all_alive([one, ProcessId(4)]);
        for list in [List::Dead, List::Unknown, List::Dead, List::Alive] {
            lists.put(one, list);
            assert_eq!(lists.of(one), [list]);
        }
        lists.put_too(one, List::Dead);
        assert_eq!(lists.of(one), [List::Alive, List::Dead]);
        assert_eq!(lists.of(ProcessId(4)), [List::Alive]);
        assert_eq!(lists.of(ProcessId(9)), []);
    }
}
