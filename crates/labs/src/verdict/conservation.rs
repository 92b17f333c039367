//! Conservation: what all processes and channels hold together is the same in every recorded global state.
//!
//! Money that is only passed on, say. A wave that misses a message in transit, or records one that is part
//! of a state as well, shows another total. The reverse does not hold: a wrong wave may have the right
//! total by chance, so this is a corollary, not a proof. [`ConsistentCut`](super::ConsistentCut) and
//! [`ChannelStates`](super::ChannelStates) say what a right one is.

use std::collections::BTreeMap;

use super::name::Name;
use super::{End, PropertyKind, TagsUnderWay, Violation, Watch, Witness, counted, told};
use crate::process::ProcessId;
use crate::snapshot::{Recorded, Wave};
use crate::trace::Happening;

/// The monitor of [`Spec::Conservation`](super::Spec::Conservation).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Conservation {
    recorded: Name,
    total: u64,
    processes: u32,
    /// Of each wave that not all have recorded yet, what is recorded.
    waves: BTreeMap<Wave, Sum>,
    complete: u64,
    unreadable: u64,
    violation: Option<Violation>,
}

#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Sum {
    processes: u32,
    worth: u64,
}

impl Conservation {
    /// Watches processes that say with indications of kind `recorded` what they recorded: together `total`.
    pub fn new(recorded: String, total: u64, processes: u32) -> Self {
        Self {
            recorded: recorded.into(),
            total,
            processes,
            waves: BTreeMap::new(),
            complete: 0,
            unreadable: 0,
            violation: None,
        }
    }

    fn record(&mut self, recorded: &Recorded, at: Witness) {
        let wave = recorded.wave;
        let sum = self.waves.entry(wave).or_default();
        sum.processes += 1;
        sum.worth = sum.worth.saturating_add(recorded.worth);
        if sum.processes < self.processes {
            return;
        }
        let (worth, total) = (sum.worth, self.total);
        self.waves.remove(&wave);
        self.complete += 1;
        if worth != total {
            self.violation.get_or_insert_with(|| Violation {
                what: format!("wave {wave} recorded {worth} in all, and there are {total}"),
                witnesses: vec![at],
            });
        }
    }
}

impl Watch for Conservation {
    fn name(&self) -> (String, PropertyKind) {
        ("the total is conserved".to_owned(), PropertyKind::Safety)
    }

    fn on_event(&mut self, process: ProcessId, happening: Happening<'_>, n: u64) {
        match told::<Recorded>(happening, &self.recorded) {
            Some(Ok(recorded)) => self.record(&recorded, Witness { process, n }),
            Some(Err(_)) => self.unreadable += 1,
            None => {}
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        !self.waves.is_empty()
    }

    fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    fn unbroken(&self, _: &End) -> (Option<bool>, String) {
        if self.unreadable > 0 {
            return (None, super::unreadable(self.unreadable));
        }
        if self.complete == 0 {
            return (None, "not judged: no wave was recorded by all".to_owned());
        }
        (Some(true), format!("{} in each of {}", self.total, counted(self.complete, "wave")))
    }

    /// Whether there was a wave makes a difference, how many there were does not.
    fn forget_history(&mut self, _: &mut TagsUnderWay<'_>) {
        self.complete = self.complete.min(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Note;

    #[test]
    fn of_no_wave_nothing_is_said() {
        let mut watched = Conservation::new("Recorded".to_owned(), 5, 2);
        let holds = |watched: &Conservation| watched.verdict(&End::Complete).holds;
        for (process, worth, after) in [(0, 2, None), (1, 3, Some(true)), (0, 1, Some(true))] {
            let text = format!("Recorded(1@p0, worth {worth})");
            let note = Note { kind: "Recorded".to_owned(), text };
            watched.on_event(ProcessId(process), Happening::Indication(&note), 1);
            assert_eq!(holds(&watched), after);
        }
        watched.forget_history(&mut |_| {});
        assert_eq!(holds(&watched), Some(true));
    }
}
