//! What the indications and messages of a lab mean for a picture.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

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
}

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

    /// Between these indications a message waits.
    #[must_use]
    pub fn waits(mut self, held: &str, delivered: &str) -> Self {
        self.held.insert(held.to_owned());
        self.delivered.insert(delivered.to_owned());
        self
    }
}
