use proptest::prelude::*;

use super::{Causality, Lamport, Matrix, Vector};
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

proptest! {
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
