//! Logical clocks: what a process can know of the order of events without a clock on the wall.
//!
//! | clock | stamps | answers | bytes a message |
//! |---|---|---|---|
//! | [`Lamport`] | one number | if *a* happened before *b*, then *a*'s stamp is smaller; not the converse | 8 |
//! | [`Vector`] | a number for each process | whether *a* happened before *b*, the converse, or neither | 8·N |
//! | [`Matrix`] | a number for each pair | also what each process knows of the others | 8·N² |
//!
//! All three have the same operations: *tick* on an event of one's own, *merge* what a message
//! brought. The vector and the matrix also *compare*, into [`Causality`]. The matrix alone knows what a
//! receiver must wait for: it has a *delivery condition*. [`SparseMatrix`] is the matrix without its zeros,
//! for members that have names and not ranks.

mod lamport;
mod matrix;
mod sparse;
#[cfg(test)]
mod tests;
mod vector;

pub use self::lamport::Lamport;
pub use self::matrix::Matrix;
pub use self::sparse::SparseMatrix;
pub use self::vector::Vector;

/// How two events, or two stamps, stand to each other under happened-before.
///
/// A partial order has four answers and not three, which is why this is not `std`'s `Ordering`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Causality {
    /// The first happened before the second.
    Before,
    /// They are the same.
    Equal,
    /// The second happened before the first.
    After,
    /// Neither happened before the other.
    Concurrent,
}

impl Causality {
    /// From whether the first is at most the second in every entry, and the second at most the
    /// first.
    fn from_at_most(first: bool, second: bool) -> Self {
        match (first, second) {
            (true, true) => Self::Equal,
            (true, false) => Self::Before,
            (false, true) => Self::After,
            (false, false) => Self::Concurrent,
        }
    }
}
