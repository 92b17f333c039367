use proptest::prelude::*;

use super::{Causality, Lamport, Matrix, SparseMatrix, Vector};
use crate::process::ProcessId;

const P0: ProcessId = ProcessId(0);
const P1: ProcessId = ProcessId(1);
const P2: ProcessId = ProcessId(2);

#[test]
fn a_receipt_is_later_than_its_sending() {
    let (mut sender, mut receiver) = (Lamport(7), Lamport(2));
    let stamp = sender.tick();
    receiver.merge(stamp);
    assert_eq!(receiver.tick(), Lamport(9));
}

#[test]
fn lamport_orders_what_is_concurrent() {
    let (mut a, mut b) = (Lamport::default(), Lamport::default());
    let first = a.tick();
    b.tick();
    let second = b.tick();
    // No message between them, and yet the numbers differ: the converse does not hold.
    assert!(first < second);
}

#[test]
fn vectors_tell_before_from_concurrent() {
    let (mut a, mut b) = (Vector::new(3), Vector::new(3));
    a.tick(P0);
    b.tick(P1);
    assert_eq!(a.compare(&b), Causality::Concurrent);
    assert_eq!(b.compare(&a), Causality::Concurrent);
    let sent = a.clone();
    b.merge(&sent);
    b.tick(P1);
    assert_eq!(sent.compare(&b), Causality::Before);
    assert_eq!(b.compare(&sent), Causality::After);
    assert_eq!(b.compare(&b.clone()), Causality::Equal);
}

#[test]
fn missing_entries_are_zero() {
    assert_eq!(Vector::from(vec![]).compare(&Vector::new(4)), Causality::Equal);
    assert_eq!(Vector::from(vec![0, 1]).compare(&Vector::from(vec![1])), Causality::Concurrent);
}

#[test]
fn a_matrix_counts_channels() {
    let (mut a, mut b) = (Matrix::new(3), Matrix::new(3));
    assert_eq!(a.tick(P0, P2), 1);
    assert_eq!(a.tick(P0, P2), 2);
    assert_eq!(b.tick(P1, P0), 1);
    assert_eq!(a.compare(&b), Causality::Concurrent);
    let stamp = a.clone();
    b.merge(&stamp);
    assert_eq!((b.of(P0, P2), b.of(P1, P0), b.of(P2, P0)), (2, 1, 0));
    assert_eq!(stamp.compare(&b), Causality::Before);
}

/// The three correspondents: p0 writes to p2 and then to p1, who answers to p2.
#[test]
fn an_answer_waits_for_what_it_answers() {
    let mut p0 = Matrix::new(3);
    let first = p0.clone();
    p0.tick(P0, P2);
    let second = p0.clone();
    p0.tick(P0, P1);
    let mut p1 = Matrix::new(3);
    assert!(second.allows(P1, &[0, 0, 0]), "nothing was sent to p1 before");
    p1.merge(&second);
    p1.tick(P0, P1);
    let answer = p1.clone();
    assert!(!answer.allows(P2, &[0, 0, 0]), "the first message of p0 comes before the answer");
    assert!(first.allows(P2, &[0, 0, 0]));
    assert!(answer.allows(P2, &[1, 0, 0]));
}

#[test]
fn a_sparse_matrix_names_what_is_missing() {
    let mut clock = SparseMatrix::new();
    clock.tick(&"alice", &"carol");
    assert_eq!(clock.tick(&"alice", &"carol"), 2);
    clock.tick(&"alice", &"bob");
    assert_eq!(clock.missing(&"carol", |_, _| false).collect::<Vec<_>>(), [(&"alice", 2)]);
    assert_eq!(clock.missing(&"carol", |_, number| number <= 2).count(), 0);
    assert_eq!(clock.missing(&"dave", |_, _| false).count(), 0);
    assert!(!clock.learn(&"alice", &"carol", 2) && clock.learn(&"alice", &"carol", 3));
    let part = clock.only(|_, to| *to == "bob");
    assert_eq!((part.len(), part.of(&"alice", &"bob")), (1, 1));
    assert_eq!(part.compare(&clock), Causality::Before);
}

proptest! {
    /// The two forms of the matrix say the same, whatever is done to them.
    #[test]
    fn a_sparse_matrix_is_the_dense_one_without_zeros(
        ticks in prop::collection::vec((0_usize..3, 0_u32..3, 0_u32..3), 0..30),
        merges in prop::collection::vec((0_usize..3, 0_usize..3), 0..6),
        delivered in prop::collection::vec(0_u64..4, 3),
    ) {
        let mut dense = [Matrix::new(3), Matrix::new(3), Matrix::new(3)];
        let mut sparse: [SparseMatrix; 3] = Default::default();
        for (at, from, to) in ticks {
            let (from, to) = (ProcessId(from), ProcessId(to));
            prop_assert_eq!(dense[at].tick(from, to), sparse[at].tick(&from, &to));
        }
        for (to, from) in merges {
            let (d, s) = (dense[from].clone(), sparse[from].clone());
            dense[to].merge(&d);
            sparse[to].merge(&s);
        }
        for (d, s) in dense.iter().zip(&sparse) {
            for (from, to) in [(P0, P1), (P1, P2), (P2, P0), (P1, P1)] {
                prop_assert_eq!(d.of(from, to), s.of(&from, &to));
            }
            let missing = s.missing(&P1, |from, number| delivered[from.index()] >= number);
            prop_assert_eq!(d.allows(P1, &delivered), missing.count() == 0);
            prop_assert_eq!(d.compare(&dense[0]), s.compare(&sparse[0]));
        }
    }

    /// Against the definition, entry by entry.
    #[test]
    fn compare_is_the_pointwise_order(a in stamps(), b in stamps()) {
        let at_most = |a: &[u64], b: &[u64]| a.iter().zip(b).all(|(a, b)| a <= b);
        let expected = match (at_most(&a, &b), at_most(&b, &a)) {
            (true, true) => Causality::Equal,
            (true, false) => Causality::Before,
            (false, true) => Causality::After,
            (false, false) => Causality::Concurrent,
        };
        prop_assert_eq!(Vector::from(a).compare(&Vector::from(b)), expected);
    }

    #[test]
    fn merge_is_the_least_upper_bound(a in stamps(), b in stamps(), c in stamps()) {
        let (a, b, c) = (Vector::from(a), Vector::from(b), Vector::from(c));
        let mut merged = a.clone();
        merged.merge(&b);
        let below = |x: &Vector, y: &Vector| {
            matches!(x.compare(y), Causality::Before | Causality::Equal)
        };
        prop_assert!(below(&a, &merged));
        prop_assert!(below(&b, &merged));
        if below(&a, &c) && below(&b, &c) {
            prop_assert!(below(&merged, &c));
        }
    }
}

/// Small entries, so that equal ones are common.
fn stamps() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(0_u64..3, 4)
}
