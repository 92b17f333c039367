//! The lists of two failure detectors agree when quiet: what one has found out, the other knows too, once it had
//! the time to be told.
//!
//! *Quiet* means: both live, neither suspects the other, and the last change of a process is some rounds
//! ago. A suspicion of the last moment need not have arrived. While one detector suspects the other, its lists
//! say "unknown" of the other's processes, and are not compared.

use super::two_levels::{Lists, TwoLevels, Words, first_of, watcher};
use super::{End, PropertyKind, TagsUnderWay, Violation, Watch, counted, not_yet};
use crate::process::ProcessId;
use crate::trace::Happening;

/// The monitor of [`Spec::ListsAgree`](super::Spec::ListsAgree).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ListsAgree {
    seen: TwoLevels,
}

impl ListsAgree {
    /// Watches lists on which all processes stand as living, and the rounds that this indication ends.
    pub fn new(round: String, settle: u64, processes: u32) -> Self {
        // Messages do not matter: what was told must have arrived.
        let words = Words { heartbeat: String::new(), answer: String::new(), round };
        Self { seen: TwoLevels::new(words, settle, processes) }
    }

    /// Whether the two can be compared; if not, why not.
    fn comparable(&self) -> Result<[ProcessId; 2], String> {
        let living: Vec<_> = self.seen.living_detectors().collect();
        let &[one, other] = &living[..] else {
            return Err(format!("{} left", counted(living.len() as u64, "detector")));
        };
        for (detector, suspected) in [(one, other), (other, one)] {
            if self.seen.on(detector, suspected) != Lists::ALIVE {
                return Err(format!("{detector} suspects {suspected} in the end"));
            }
            if !self.seen.is_settled(detector, suspected) {
                return Err(format!(
                    "{detector} suspected {suspected} until shortly before the end"
                ));
            }
        }
        Ok([one, other])
    }
}

impl Watch for ListsAgree {
    fn name(&self) -> (String, PropertyKind) {
        ("the lists agree when quiet".to_owned(), PropertyKind::Liveness)
    }

    fn on_event(&mut self, process: ProcessId, happening: Happening<'_>, _: u64) {
        self.seen.on_event(process, happening);
    }

    /// No event breaks it: who does not know yet may be told.
    fn violation(&self) -> Option<&Violation> {
        None
    }

    fn unbroken(&self, end: &End) -> (Option<bool>, String) {
        let [one, other] = match self.comparable() {
            Ok(both) => both,
            Err(why) => return (Some(true), format!("nothing to compare: {why}")),
        };
        let differ =
            |&process: &ProcessId| self.seen.on(one, process) != self.seen.on(other, process);
        let all: Vec<_> = self.seen.all_watched().filter(differ).collect();
        let is_old = |&&process: &&ProcessId| self.seen.is_settled(watcher(process), process);
        if let Some(&process) = all.iter().find(is_old) {
            let [first, second] = [one, other].map(|p| self.seen.on(p, process).name());
            let what = format!("{process} is {first} to {one} and {second} to {other}");
            return not_yet(end, what);
        }
        let count = self.seen.all_watched().count();
        let detail = match all.as_slice() {
            [] => format!("on all {count}"),
            fresh => {
                let agreed = count - fresh.len();
                format!("on {agreed} of {count}; {} changed just before the end", first_of(fresh))
            }
        };
        (Some(true), detail)
    }

    fn is_put_to_the_test(&self) -> bool {
        self.seen.someone_is_not_alive()
    }

    fn forget_history(&mut self, tags: &mut TagsUnderWay<'_>) {
        self.seen.forget_history(tags);
    }
}
