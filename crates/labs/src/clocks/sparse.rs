//! The matrix clock without its zeros.
//!
//! A matrix of a thousand users has a million entries, and most pairs of users have never written to each
//! other. This form keeps an entry only where there is something to count, and its members need no rank: any
//! ordered name does. What it says is the same as what [`Matrix`](super::Matrix) says.
//!
//! A matrix may also be a *part* of another: [`SparseMatrix::only`] takes out the entries that matter to
//! somebody. This is what an incremental stamp is.

use std::collections::BTreeMap;
use std::fmt::Debug;

use serde::{Deserialize, Serialize};

use super::Causality;
use crate::process::ProcessId;

/// Counts of messages sent, for each sender and receiver between whom there was one.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct SparseMatrix<Name: Ord = ProcessId> {
    /// Row by row: of each sender, its receivers. No entry is 0, and no row is empty.
    rows: BTreeMap<Name, BTreeMap<Name, u64>>,
}

impl<Name: Ord> Default for SparseMatrix<Name> {
    fn default() -> Self {
        Self { rows: BTreeMap::new() }
    }
}

impl<Name: Clone + Ord> SparseMatrix<Name> {
    /// The clock before any message.
    pub fn new() -> Self {
        Self::default()
    }

    /// `from` sends a message to `to`. Returns its number on that channel, counted from 1.
    pub fn tick(&mut self, from: &Name, to: &Name) -> u64 {
        let entry = self.of(from, to).saturating_add(1);
        self.learn(from, to, entry);
        entry
    }

    /// At least `count` messages from `from` to `to` are known of. Returns whether that is news.
    pub fn learn(&mut self, from: &Name, to: &Name, count: u64) -> bool {
        if count <= self.of(from, to) {
            return false;
        }
        self.rows.entry(from.clone()).or_default().insert(to.clone(), count);
        true
    }

    /// A message brought `other`: each entry becomes the greater of the two.
    pub fn merge(&mut self, other: &Self) {
        for (from, to, count) in other.entries() {
            self.learn(from, to, count);
        }
    }

    /// How this stamp stands to `other`.
    pub fn compare(&self, other: &Self) -> Causality {
        let at_most = |a: &Self, b: &Self| a.entries().all(|(from, to, n)| n <= b.of(from, to));
        Causality::from_at_most(at_most(self, other), at_most(other, self))
    }

    /// How many messages from `from` to `to` are known.
    pub fn of(&self, from: &Name, to: &Name) -> u64 {
        self.rows.get(from).and_then(|row| row.get(to)).copied().unwrap_or(0)
    }

    /// Every sender, receiver and count that is not 0, in the order of the names.
    pub fn entries(&self) -> impl Iterator<Item = (&Name, &Name, u64)> {
        self.rows.iter().flat_map(|(from, row)| row.iter().map(move |(to, &n)| (from, to, n)))
    }

    /// Those of the entries that `wanted` says yes to.
    #[must_use]
    pub fn only(&self, mut wanted: impl FnMut(&Name, &Name) -> bool) -> Self {
        let mut part = Self::new();
        for (from, to, count) in self.entries().filter(|(from, to, _)| wanted(from, to)) {
            part.rows.entry(from.clone()).or_default().insert(to.clone(), count);
        }
        part
    }

    /// What keeps `to` from delivering a message with this stamp: from whom, and up to which number it must
    /// have delivered before. `delivered(from, number)` says whether `to` has delivered all of somebody's
    /// messages up to this number.
    ///
    /// Nothing comes out exactly if the message may be delivered: the rule of Raynal, Schiper and Toueg.
    pub fn missing<'a>(
        &'a self,
        to: &'a Name,
        delivered: impl Fn(&Name, u64) -> bool + 'a,
    ) -> impl Iterator<Item = (&'a Name, u64)> + 'a {
        let column = self.rows.iter().filter_map(|(from, row)| Some((from, *row.get(to)?)));
        column.filter(move |&(from, number)| !delivered(from, number))
    }

    /// How many entries are not 0.
    pub fn len(&self) -> usize {
        self.rows.values().map(BTreeMap::len).sum()
    }

    /// Whether no message is known of.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}
