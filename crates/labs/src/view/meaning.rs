//! What the indications of a lab mean for a picture.
//!
//! Which indication begins a critical section, and which message is the token, stands in the properties
//! that the lab demands of its runs, and so in the header of every trace. The names of their fields say
//! what is meant, whatever the property: an indication named by `enter` begins a section, in this lab
//! and in any to come.
//!
//! | field | drawn as |
//! |---|---|
//! | `enter`, `exit` | a bar on the process's line, from the one to the other |
//! | `created` with `message`, in one property | the token: a band along who holds it and along its messages |
//! | `suspected`, `restored` | a mark at whoever suspects, or no longer does |
//! | `cut` | a cut: a line through these events of all processes, one for each wave told |
//! | `held`, `delivered` | a thin bar while a message waits; both tell the same of the same message |
//!
//! Beside these, indications by the usual names are taken for what they say: `Suspect` and
//! `Suspected`, `Restore` and `Restored`, `Cut`, `Held`, `Delivered`.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use crate::verdict::Spec;

/// What the kinds of indications and messages of one lab mean.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Meaning {
    /// Pairs of indications that begin and end a critical section.
    pub sections: BTreeSet<(String, String)>,
    /// Pairs of the indication that makes a token and the message that it is.
    pub tokens: BTreeSet<(String, String)>,
    /// Indications of a suspicion.
    pub suspected: BTreeSet<String>,
    /// Indications that a suspicion is taken back.
    pub restored: BTreeSet<String>,
    /// Indications that a wave cuts a process there.
    pub cuts: BTreeSet<String>,
    /// Indications that a message waits.
    pub held: BTreeSet<String>,
    /// Indications that a message waits no longer.
    pub delivered: BTreeSet<String>,
}

impl Meaning {
    /// What these properties say, and the usual names.
    pub fn of(specs: &[Spec]) -> Self {
        let mut meaning = Self::usual();
        for spec in specs {
            if let Ok(Value::Object(fields)) = serde_json::to_value(spec) {
                meaning.learn(&|name| fields.get(name)?.as_str().map(str::to_owned));
            }
        }
        meaning
    }

    fn usual() -> Self {
        let some = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Self {
            suspected: some(&["Suspect", "Suspected"]),
            restored: some(&["Restore", "Restored"]),
            cuts: some(&["Cut"]),
            held: some(&["Held"]),
            delivered: some(&["Delivered"]),
            ..Self::default()
        }
    }

    fn learn(&mut self, field: &dyn Fn(&str) -> Option<String>) {
        self.sections.extend(field("enter").zip(field("exit")));
        self.tokens.extend(field("created").zip(field("message")));
        self.suspected.extend(field("suspected"));
        self.restored.extend(field("restored"));
        self.cuts.extend(field("cut"));
        self.held.extend(field("held"));
        self.delivered.extend(field("delivered"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_name_what_is_drawn() {
        let meaning = Meaning::of(&[
            Spec::MutualExclusion { enter: "In".into(), exit: "Out".into() },
            Spec::OneToken { created: "Made".into(), message: "TOKEN".into() },
            Spec::Entries { enter: "In".into(), times: 3 },
            Spec::SingleRing { message: "ROLL".into() },
            Spec::Fifo,
            Spec::ConsistentCut { cut: "Sliced".into(), message: "TRANSFER".into() },
        ]);
        assert_eq!(meaning.sections, BTreeSet::from([("In".into(), "Out".into())]));
        assert_eq!(meaning.tokens, BTreeSet::from([("Made".into(), "TOKEN".into())]));
        assert_eq!(meaning.cuts, BTreeSet::from(["Cut".into(), "Sliced".into()]));
    }

    #[test]
    fn a_property_of_a_lab_to_come_is_understood_by_its_fields() {
        let mut meaning = Meaning::default();
        meaning.learn(&|name| (name == "suspected").then(|| "Lost".to_owned()));
        assert_eq!(meaning.suspected, BTreeSet::from(["Lost".into()]));
        assert!(meaning.sections.is_empty());
    }
}
