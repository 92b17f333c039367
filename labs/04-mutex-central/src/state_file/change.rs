//! What a turn has changed in the book: a book of thousands is not written again for each client.

use std::collections::BTreeMap;

use labs::process::ProcessId;
use serde::{Deserialize, Serialize};

use crate::book::{Book, Wish};

/// What must be done to one book to have the other.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    /// The last token.
    token: u64,
    /// The client that is inside.
    inside: Option<Wish>,
    /// Wishes that are in the line no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    gone: Vec<Wish>,
    /// Wishes that came to its end, after those have gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    joined: Vec<Wish>,
    /// Last wishes that are others than before, or new.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    wishes: BTreeMap<ProcessId, u64>,
}

impl Change {
    /// No client is ever taken off the list of wishes, and no two wishes in the line are the same.
    pub(super) fn between(before: &Book, after: &Book) -> Self {
        let mut stayed = 0;
        let mut gone = Vec::new();
        for wish in &before.line {
            match after.line.get(stayed) == Some(wish) {
                true => stayed += 1,
                false => gone.push(*wish),
            }
        }
        let is_new = |(client, ask): &(&ProcessId, &u64)| before.wishes.get(client) != Some(ask);
        Self {
            token: after.token,
            inside: after.inside,
            gone,
            joined: after.line.range(stayed..).copied().collect(),
            wishes: after
                .wishes
                .iter()
                .filter(is_new)
                .map(|(&client, &ask)| (client, ask))
                .collect(),
        }
    }

    pub(super) fn apply(self, book: &mut Book) {
        book.token = self.token;
        book.inside = self.inside;
        book.line.retain(|wish| !self.gone.contains(wish));
        book.line.extend(self.joined);
        book.wishes.extend(self.wishes);
    }
}
