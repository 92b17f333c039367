//! The lists of two failure detectors agree when quiet: what one has found out, the other knows
//! too, once it had the time to be told.
//!
//! *Quiet* means: both live, neither suspects the other, and the last change of a process is some rounds
//! ago. A suspicion of the last moment need not have arrived. While one detector suspects the
//! other, its lists say "unknown" of the other's processes, and are not compared.

use labs::process::ProcessId;
use labs::trace::Happening;
use labs::verdict::{Check, End, Judgement, Watch, Witness, counted};

use super::book::{Book, On, first_of};
use super::watcher;
use crate::two_levels::Indication;

/// Both detectors say the same of every process.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct ListsAgree {
    seen: Book,
}

impl ListsAgree {
    /// Watches lists on which so many processes stand as living. `settle`: after how many rounds
    /// the other detector must know.
    pub fn new(processes: u32, settle: u32) -> Self {
        Self { seen: Book::new(processes, settle) }
    }

    /// Whether the two can be compared; if not, why not.
    fn comparable(&self) -> Result<[ProcessId; 2], String> {
        let living: Vec<_> = self.seen.living_detectors().collect();
        let &[one, other] = &living[..] else {
            return Err(format!("{} left", counted(living.len() as u64, "detector")));
        };
        for (detector, suspected) in [(one, other), (other, one)] {
            if self.seen.on(detector, suspected) != On::ALIVE {
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

/// No event breaks it: who does not know yet may be told. Messages do not matter: what was told
/// must have arrived.
impl Watch<Indication> for ListsAgree {
    fn on_indication(&mut self, at: Witness, indication: &Indication) -> Check {
        self.seen.on_indication(at.process, indication);
        Ok(())
    }

    fn on_other(&mut self, at: Witness, happening: Happening<'_>) -> Check {
        self.seen.on_other(at.process, &happening);
        Ok(())
    }

    fn at_end(&self, end: &End) -> Judgement {
        let [one, other] = match self.comparable() {
            Ok(both) => both,
            Err(why) => return Judgement::Holds(format!("nothing to compare: {why}")),
        };
        let differ =
            |&process: &ProcessId| self.seen.on(one, process) != self.seen.on(other, process);
        let all: Vec<_> = self.seen.all_watched().filter(differ).collect();
        let is_old = |&&process: &&ProcessId| self.seen.is_settled(watcher(process), process);
        if let Some(&process) = all.iter().find(is_old) {
            let [first, second] = [one, other].map(|p| self.seen.on(p, process).name());
            let what = format!("{process} is {first} to {one} and {second} to {other}");
            return Judgement::not_yet(end, what);
        }
        let count = self.seen.all_watched().count();
        Judgement::Holds(match all.as_slice() {
            [] => format!("on all {count}"),
            fresh => {
                let agreed = count - fresh.len();
                format!("on {agreed} of {count}; {} changed just before the end", first_of(fresh))
            }
        })
    }

    fn is_put_to_the_test(&self) -> bool {
        self.seen.someone_is_not_alive()
    }
}
