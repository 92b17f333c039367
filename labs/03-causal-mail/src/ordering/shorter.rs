//! The shorter clocks that a matrix contains, for the two orders that fail.
//!
//! The sum of a row is an entry of a *vector clock*: how many copies of mails one member has sent, to
//! whomever. The sum of the vector is a *scalar clock*. It grows along happened-before, as Lamport's
//! does. Both have lost the column of the reader: how many of these mails are for it.

use std::collections::BTreeMap;

use labs::clocks::SparseMatrix;

/// The vector: of each member that has sent any, how many copies.
pub fn vector<Name: Clone + Ord>(clock: &SparseMatrix<Name>) -> BTreeMap<Name, u64> {
    let mut vector = BTreeMap::<_, u64>::new();
    for (from, _, count) in clock.entries() {
        let sum = vector.entry(from.clone()).or_default();
        *sum = sum.saturating_add(count);
    }
    vector
}

/// The scalar: how many copies all have sent.
pub fn scalar<Name: Clone + Ord>(clock: &SparseMatrix<Name>) -> u64 {
    clock.entries().fold(0, |sum, (_, _, count)| sum.saturating_add(count))
}
