//! Every process is on exactly one list of each failure detector, at every moment.
//!
//! Each change says on which lists the process stands after it, and each round how many stand on each list:
//! the sums must be those of the changes, and together all processes. So a list that changed in silence shows
//! too.

use super::name::Name;
use super::two_levels::{Lists, Said, is_detector, said};
use super::{End, PropertyKind, TagsUnderWay, Violation, Watch, Witness};
use crate::process::ProcessId;
use crate::trace::{Happening, Noted};

/// The monitor of [`Spec::OneList`](super::Spec::OneList).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct OneList {
    round: Name,
    /// Of each detector, by rank: where each process stands.
    on: [Vec<Lists>; 2],
    /// How many rounds and changes were looked at.
    looks: u64,
    violation: Option<Violation>,
}

/// The names of the numbers in the indication of a round.
const COUNTS: [&str; 3] = ["alive", "dead", "unknown"];

impl OneList {
    /// Watches lists on which all processes stand as living, and the rounds that this indication ends.
    pub fn new(round: String, processes: u32) -> Self {
        let on = vec![Lists::ALIVE; processes as usize];
        Self { round: round.into(), on: [on.clone(), on], looks: 0, violation: None }
    }

    fn listed(&mut self, detector: ProcessId, process: ProcessId, on: Lists) -> Result<(), String> {
        let place = self.on[detector.index()].get_mut(process.index());
        *place.ok_or_else(|| format!("{detector} lists {process}, which does not exist"))? = on;
        if on.is_one() {
            return Ok(());
        }
        Err(format!("{process} is {} to {detector}", on.name()))
    }

    /// Compares what a round says with what the changes said.
    fn counted(&self, detector: ProcessId, round: &dyn Noted) -> Result<(), String> {
        let text = round.text();
        for (index, name) in COUNTS.into_iter().enumerate() {
            let on = &self.on[detector.index()];
            let expected = on.iter().filter(|lists| lists.has(index)).count() as u64;
            if number_in(&text, name) != Some(expected) {
                return Err(format!("{detector} does not have {expected} {name}: it says {text}"));
            }
        }
        Ok(())
    }
}

/// The number under a name: 7 in `Round { alive: 7, dead: 0 }`.
fn number_in(text: &str, name: &str) -> Option<u64> {
    let (_, rest) = text.split_once(&format!(" {name}: "))?;
    rest.split([',', ' ']).next()?.parse().ok()
}

impl Watch for OneList {
    fn name(&self) -> (String, PropertyKind) {
        ("every process is on exactly one list".to_owned(), PropertyKind::Safety)
    }

    fn on_event(&mut self, process: ProcessId, happening: Happening<'_>, n: u64) {
        let Happening::Indication(value) = happening else { return };
        if !is_detector(process) || self.violation.is_some() {
            return;
        }
        let looked = match said(value, &self.round) {
            None => return,
            Some(Said::Round) => self.counted(process, value),
            Some(Said::Listed(other, on)) => self.listed(process, other, on),
        };
        self.looks += 1;
        if let Err(what) = looked {
            self.violation = Some(Violation { what, witnesses: vec![Witness { process, n }] });
        }
    }

    fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    fn unbroken(&self, _: &End) -> (Option<bool>, String) {
        (Some(true), format!("after each of {} changes and rounds", self.looks))
    }

    fn is_put_to_the_test(&self) -> bool {
        self.on.iter().flatten().any(|&on| on != Lists::ALIVE)
    }

    fn forget_history(&mut self, _: &mut TagsUnderWay<'_>) {
        // Where everyone stands is the present; how often it was looked is not.
        self.looks = 0;
    }
}
