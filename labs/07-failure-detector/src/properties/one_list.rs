//! Every process is on exactly one list of each failure detector, at every moment.
//!
//! Each change says on which lists the process stands after it, and each round how many stand on
//! each list: the sums must be those of the changes, and together all processes. So a list that
//! changed in silence shows too.
//!
//! A change changes something, and names the detector that found it out: the one that watches the process, or, where a
//! process becomes unknown, the one that says so.
//!
//! *Unknown* are the processes of a detector that is suspected, all of them, and no others.

use labs::process::ProcessId;
use labs::trace::Noted;
use labs::verdict::{Check, End, Judgement, TagsUnderWay, Violation, Watch, Witness};

use super::book::On;
use super::watcher;
use crate::lists::List;
use crate::two_levels::{DETECTORS, Indication, Listed};

/// No process is on two lists of a detector, or on none.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct OneList {
    /// Of each detector, by rank: where each process stands.
    on: [Vec<On>; 2],
    /// How many rounds and changes were looked at.
    looks: u64,
}

impl OneList {
    /// Watches lists on which so many processes stand as living.
    pub fn new(processes: u32) -> Self {
        let on = vec![On::ALIVE; processes as usize];
        Self { on: [on.clone(), on], looks: 0 }
    }

    fn listed(&mut self, detector: ProcessId, listed: &Listed) -> Result<(), String> {
        let Listed { process, on, by } = listed;
        let on = On::from(&on[..]);
        let place = self.on[detector.index()].get_mut(process.index());
        let place =
            place.ok_or_else(|| format!("{detector} lists {process}, which does not exist"))?;
        let before = std::mem::replace(place, on);
        let finder = if on == On::UNKNOWN { detector } else { watcher(*process) };
        if !on.is_one() {
            Err(format!("{process} is {} to {detector}", on.name()))
        } else if before == on {
            Err(format!("{detector} says that {process} is {}, and it was before", on.name()))
        } else if *by != finder {
            Err(format!("{detector} says that {by} found out of {process}, and it was {finder}"))
        } else {
            Ok(())
        }
    }

    /// Compares what a detector says of a round with what its changes said.
    fn counted(&self, detector: ProcessId, said: &Indication) -> Result<(), String> {
        let Indication::Round { alive, dead, unknown, .. } = said else { return Ok(()) };
        for (list, count) in List::ALL.into_iter().zip([alive, dead, unknown]) {
            let on = &self.on[detector.index()];
            let expected = on.iter().filter(|on| on.has(list)).count();
            if *count as usize != expected {
                let (name, text) = (list.name(), said.text());
                return Err(format!("{detector} does not have {expected} {name}: it says {text}"));
            }
        }
        self.unknown(detector)
    }

    /// Looks whether the unknown are the processes of a detector that is suspected.
    fn unknown(&self, detector: ProcessId) -> Result<(), String> {
        let on = &self.on[detector.index()];
        let other = DETECTORS[1 - detector.index()];
        let is_suspected = on.get(other.index()).is_some_and(|on| on.has(List::Dead));
        let wrong = (0..).map(ProcessId).zip(on).find(|(process, on)| {
            let is_orphan = is_suspected && watcher(*process) == other && *process != detector;
            on.has(List::Unknown) != is_orphan
        });
        let Some((process, on)) = wrong else { return Ok(()) };
        let suspects = if is_suspected { "suspects" } else { "does not suspect" };
        Err(format!("{process} is {} to {detector}, which {suspects} {other}", on.name()))
    }
}

impl Watch<Indication> for OneList {
    fn on_indication(&mut self, at: Witness, indication: &Indication) -> Check {
        if at.process.index() >= self.on.len() || *indication == Indication::Finished {
            return Ok(());
        }
        self.looks += 1;
        let looked = match indication.change() {
            Some((_, listed)) => self.listed(at.process, listed),
            None => self.counted(at.process, indication),
        };
        looked.or_else(|what| Violation::check(what, [at]))
    }

    fn at_end(&self, end: &End) -> Judgement {
        // One that has just changed may be in the middle of its step when a run is cut short.
        let wrong = DETECTORS.into_iter().find_map(|detector| self.unknown(detector).err());
        if let Some(what) = wrong {
            return Judgement::not_yet(end, what);
        }
        Judgement::Holds(format!("after each of {} changes and rounds", self.looks))
    }

    fn is_put_to_the_test(&self) -> bool {
        self.looks > 0
    }

    fn forget_history(&mut self, _: &mut TagsUnderWay<'_>) {
        // Where everyone stands is the present; how often it was looked is not.
        self.looks = 0;
    }
}
