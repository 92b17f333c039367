//! What the indications of a lab mean for a picture.
//!
//! Which indication begins a critical section, and which message is the token, stands in the properties
//! that the lab demands of its runs, and so in the header of every trace. The names of their fields say
//! what is meant, whatever the property: an indication named by `enter` begins a section, in this lab
//! and in any to come.
//!
//! | field | drawn as |
//! |---|---|
//! | `enter`, `exit` or `exits` | a bar on the process's line, from the one to the other |
//! | `created` with `message`, in one property | the token: a band along who holds it and along its messages |
//! | `suspected`, `restored` | a mark at whoever suspects, or no longer does |
//! | `cut` | a cut: a line through these events of all processes, one for each wave told |
//! | `held`, `delivered`, or `arrived`, `read` | a thin bar while a message waits; both tell the same of it |
//!
//! Beside these, indications by the usual names are taken for what they say: `Suspect`,
//! `Suspected` and `Doubt`, `Restore` and `Restored`, `Cut`, `Held`, `Delivered`.

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
                meaning.learn(&|name| fields.get(name).map(strings).unwrap_or_default());
            }
        }
        meaning
    }

    fn usual() -> Self {
        let some = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Self {
            suspected: some(&["Suspect", "Suspected", "Doubt"]),
            restored: some(&["Restore", "Restored"]),
            cuts: some(&["Cut"]),
            held: some(&["Held"]),
            delivered: some(&["Delivered"]),
            ..Self::default()
        }
    }

    /// Takes what the fields of one property say. Each may name several kinds.
    fn learn(&mut self, field: &dyn Fn(&str) -> Vec<String>) {
        let ends = [field("exit"), field("exits")].concat();
        self.sections.extend(pairs(&field("enter"), &ends));
        self.tokens.extend(pairs(&field("created"), &field("message")));
        self.suspected.extend(field("suspected"));
        self.restored.extend(field("restored"));
        self.cuts.extend(field("cut"));
        for (begin, end) in [("held", "delivered"), ("arrived", "read")] {
            for (begin, end) in pairs(&field(begin), &field(end)) {
                self.held.insert(begin);
                self.delivered.insert(end);
            }
        }
    }
}

/// The kinds in a field: one, or a list of them.
fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::String(one) => vec![one.clone()],
        Value::Array(all) => all.iter().flat_map(strings).collect(),
        _ => Vec::new(),
    }
}

fn pairs(begins: &[String], ends: &[String]) -> Vec<(String, String)> {
    let with = |begin: &String| ends.iter().map(|end| (begin.clone(), end.clone())).collect();
    begins.iter().flat_map(|begin| -> Vec<_> { with(begin) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a property with these fields says, each of which names its own name.
    fn kind(name: &str, fields: &[&str]) -> Vec<String> {
        fields.iter().filter(|&&field| field == name).map(|field| field.to_uppercase()).collect()
    }

    #[test]
    fn a_section_may_end_in_several_ways() {
        let value = serde_json::json!({ "enter": "In", "exits": ["Out", "Thrown"], "times": 3 });
        let mut meaning = Meaning::default();
        meaning.learn(&|name| value.get(name).map(strings).unwrap_or_default());
        let sections = ["Out", "Thrown"].map(|exit| ("In".to_owned(), exit.to_owned()));
        assert_eq!(meaning.sections, BTreeSet::from(sections));
    }

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

    /// A message that is read was not held by any process that never says that it arrived.
    #[test]
    fn what_waits_has_a_begin_and_an_end() {
        let mut meaning = Meaning::default();
        meaning.learn(&|name| kind(name, &["read"]));
        assert!(meaning.delivered.is_empty());
        meaning.learn(&|name| kind(name, &["arrived", "read"]));
        assert_eq!(meaning.held, BTreeSet::from(["ARRIVED".into()]));
        assert_eq!(meaning.delivered, BTreeSet::from(["READ".into()]));
    }

    #[test]
    fn a_property_of_a_lab_to_come_is_understood_by_its_fields() {
        let mut meaning = Meaning::default();
        meaning.learn(&|name| kind(name, &["suspected"]));
        assert_eq!(meaning.suspected, BTreeSet::from(["SUSPECTED".into()]));
        assert!(meaning.sections.is_empty());
    }
}
