//! What the indications and messages of a lab mean for a picture.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::process::ProcessId;

/// What the kinds of indications and messages of one lab mean for a picture. A lab says it, and the header
/// of each trace keeps it.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Meaning {
    /// Pairs of indications that begin and end a critical section: a bar on the line of the process.
    pub sections: BTreeSet<(String, String)>,
    /// Pairs of the indication that makes a token and the message that it is: a band along the processes
    /// that hold it, and along its messages.
    pub tokens: BTreeSet<(String, String)>,
    /// Indications of a suspicion: a mark.
    pub suspected: BTreeSet<String>,
    /// Indications that a suspicion is taken back: a mark.
    pub restored: BTreeSet<String>,
    /// Indications that a wave cuts a process there: a line through these events of all processes, one for
    /// each wave told.
    pub cuts: BTreeSet<String>,
    /// Indications that a message waits: with the next, a thin bar.
    pub held: BTreeSet<String>,
    /// Indications that a message waits no longer.
    pub delivered: BTreeSet<String>,
    /// What processes are in this run: a word beside the name, such as `coordinator`.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub roles: BTreeSet<(ProcessId, String)>,
}

/// Of how many processes a header tells the role: nobody reads more, and a header has an end.
pub const ROLES_MAX: usize = 256;

impl Meaning {
    /// Whether a lab says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// These indications begin and end a critical section.
    #[must_use]
    pub fn section(mut self, enter: &str, exits: &[&str]) -> Self {
        self.sections.extend(exits.iter().map(|&exit| (enter.to_owned(), exit.to_owned())));
        self
    }

    /// This indication makes a token, which is this message.
    #[must_use]
    pub fn token(mut self, created: &str, message: &str) -> Self {
        self.tokens.insert((created.to_owned(), message.to_owned()));
        self
    }

    /// What these processes are in this run, in a word or two. From [`ROLES_MAX`] processes on nothing is kept.
    #[must_use]
    pub fn roles(mut self, roles: impl IntoIterator<Item = (ProcessId, String)>) -> Self {
        let room = ROLES_MAX.saturating_sub(self.roles.len());
        self.roles.extend(roles.into_iter().take(room));
        self
    }

    /// Between these indications a message waits.
    #[must_use]
    pub fn waits(mut self, held: &str, delivered: &str) -> Self {
        self.held.insert(held.to_owned());
        self.delivered.insert(delivered.to_owned());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_have_an_end_and_survive_a_file() {
        let all = (0..1_000_000).map(|rank| (ProcessId(rank), "watched".to_owned()));
        let meaning = Meaning::default().roles(all);
        assert_eq!(meaning.roles.len(), ROLES_MAX);
        let json = serde_json::to_string(&meaning).unwrap();
        assert!(json.contains(r#""roles":[[0,"watched"],[1,"watched"]"#), "{json}");
        assert_eq!(serde_json::from_str::<Meaning>(&json).unwrap(), meaning);
        assert!(!serde_json::to_string(&Meaning::default()).unwrap().contains("roles"));
    }
}
