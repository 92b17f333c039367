//! A run while it goes on, for programs: a JSON object for each change, and one for each round of a
//! detector.
//!
//! They say what the table of [`screen`](crate::screen) shows. Times are in seconds since the
//! start.

use labs::process::Kind;
use serde_json::{Value, json};

use crate::table::{News, Table};
use crate::two_levels::{DETECTORS, Indication};

/// The event for programs, of a table that has taken note of it; nothing if it is none that they
/// need.
pub fn to_json(table: &Table, news: &News, at_s: f64) -> Option<Value> {
    let (detector, said) = match news {
        News::Died(process) => {
            return Some(json!({ "event": "died", "at_s": at_s, "process": process }));
        }
        News::Said(detector, said) => (*detector, said),
    };
    match said {
        Indication::Suspect(listed) | Indication::Restore(listed) | Indication::Doubt(listed) => {
            let (event, by) = (said.kind().to_lowercase(), listed.by);
            let mut object =
                json!({ "event": event, "at_s": at_s, "detector": detector, "by": by });
            let standing = table.standing(detector, listed.process)?;
            let standing = serde_json::to_value(standing).ok()?;
            object.as_object_mut()?.extend(standing.as_object()?.clone());
            Some(object)
        }
        // Watched processes are finished as soon as they begin.
        _ if !DETECTORS.contains(&detector) => None,
        Indication::Round { round, answered, .. } => {
            let standings = answered.keys().filter_map(|&p| table.standing(detector, p));
            Some(json!({
                "event": "round",
                "at_s": at_s,
                "detector": detector,
                "sent": round,
                "processes": standings.collect::<Vec<_>>(),
            }))
        }
        Indication::Finished => {
            Some(json!({ "event": "finished", "at_s": at_s, "detector": detector }))
        }
    }
}

#[cfg(test)]
mod tests;
