//! What is drawn as what, in the page of one trace.
//!
//! The lab says it in the header of each trace ([`Meaning`]). Its patterns say it too: what is pairwise
//! ordered are sections. Beside these, indications by the usual names are taken for what they say:
//! `Suspect`, `Suspected` and `Doubt`, `Restore` and `Restored`, `Cut`, `Held`, `Delivered`.

use crate::trace::{Header, Meaning};
use crate::verdict::Pattern;

/// What the kinds of indications and messages of a trace mean.
pub fn of(header: &Header) -> Meaning {
    let mut meaning = header.meaning.clone();
    let patterns = header.properties.iter().filter_map(|property| property.pattern.as_ref());
    for pattern in patterns {
        if let Pattern::PairwiseOrdered { enter, exit } = pattern {
            meaning.sections.insert((enter.clone(), exit.clone()));
        }
    }
    let usual = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    meaning.suspected.extend(usual(&["Suspect", "Suspected", "Doubt"]));
    meaning.restored.extend(usual(&["Restore", "Restored"]));
    meaning.cuts.extend(usual(&["Cut"]));
    meaning.held.extend(usual(&["Held"]));
    meaning.delivered.extend(usual(&["Delivered"]));
    meaning
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::trace::Identity;
    use crate::verdict::Property;

    #[test]
    fn the_lab_and_its_patterns_say_what_is_drawn() {
        let identity = Identity {
            lab: "any".to_owned(),
            verb: "run".to_owned(),
            run: "r".to_owned(),
            processes: 2,
            seed: 1,
        };
        let said = Meaning::default().section("In", &["Out", "Thrown"]).waits("Arrived", "Read");
        let properties = vec![Property::fifo(), Property::pairwise_ordered("m", "Enter", "Exit")];
        let meaning = of(&Header::new(identity, Vec::new(), properties, said));
        let pair = |enter: &str, exit: &str| (enter.to_owned(), exit.to_owned());
        let sections = [pair("Enter", "Exit"), pair("In", "Out"), pair("In", "Thrown")];
        assert_eq!(meaning.sections, BTreeSet::from(sections));
        assert_eq!(meaning.held, BTreeSet::from(["Arrived".to_owned(), "Held".to_owned()]));
        assert!(meaning.cuts.contains("Cut"));
    }
}
