//! What came of all runs of a hunt.

use std::collections::BTreeMap;

use serde::Serialize;

use super::hunter::Outcome;
use crate::verdict::PropertyKind;

/// What came of all runs.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Tally {
    /// How many runs there were.
    pub(super) runs: u64,
    /// How many of them did not come to their end: only what an event breaks was judged.
    pub(super) runs_cut_short: u64,
    /// How many events they had.
    pub(super) events: u64,
    /// What went wrong, and how many times.
    pub(super) faults: BTreeMap<&'static str, u64>,
    /// The properties, in the order of the lab.
    pub(super) properties: Vec<Property>,
}

/// What came of one property.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Property {
    pub(super) name: String,
    pub(super) kind: PropertyKind,
    /// In how many runs it was judged.
    pub(super) judged: u64,
    /// In how many of these anything happened that could have broken it.
    pub(super) tested: u64,
    /// Whether it held in each run in which it was judged; null if there was none.
    pub(super) holds: Option<bool>,
}

impl Tally {
    pub(super) fn add(&mut self, outcome: &Outcome) {
        self.runs += 1;
        self.runs_cut_short += u64::from(!outcome.is_complete && !outcome.is_found());
        self.events += outcome.events;
        for (kind, times) in &outcome.faults {
            *self.faults.entry(kind).or_default() += times;
        }
        for (verdict, &tested) in outcome.verdicts.iter().zip(&outcome.tested) {
            // Where something was taken away that the algorithm assumes, it is to blame for nothing.
            let holds = verdict.holds().filter(|holds| *holds || outcome.is_found());
            let property = self.property(&verdict.name, verdict.kind);
            property.judged += u64::from(holds.is_some());
            property.tested += u64::from(holds.is_some() && tested);
            if let Some(holds) = holds {
                property.holds = Some(property.holds.unwrap_or(true) && holds);
            }
        }
    }

    /// The property of this name. What is demanded may depend on what is drawn.
    fn property(&mut self, name: &str, kind: PropertyKind) -> &mut Property {
        let at = self.properties.iter().position(|property| property.name == name);
        let at = at.unwrap_or_else(|| {
            let name = name.to_owned();
            self.properties.push(Property { name, kind, judged: 0, tested: 0, holds: None });
            self.properties.len() - 1
        });
        &mut self.properties[at]
    }
}
