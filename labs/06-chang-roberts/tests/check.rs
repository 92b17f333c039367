//! All orders, for few processes.

mod common;

use chang_roberts::lab::ChangRobertsLab;
use common::{CLOSINGS, ELECTS, all_of, given};
use labs::check::{Channels, Options as Search};
use labs::testing::System;
use labs::verdict::Property;

fn states(lab: ChangRobertsLab) -> usize {
    let search = Search { timeouts: 0, ..Search::default() };
    let outcome = System::new(lab).check(&search);
    assert_eq!(outcome.holds(), Some(true), "{:?}", outcome.verdicts);
    outcome.states
}

/// The counts are pinned: the algorithm has no other behaviour than it had.
#[test]
fn every_order_holds() {
    // Best, worst, and one between.
    let rings: [&[u64]; 5] = [&[2, 1], &[3, 2, 1], &[1, 2, 3], &[2, 9, 4, 7], &[4, 8, 1, 9, 3]];
    let counts = CLOSINGS.map(|closing| {
        rings.map(|ring| states(given(ring, ring.len() as u32, ELECTS[0], closing)))
    });
    assert_eq!(counts, STATES);
}

const STATES: [[usize; 5]; 2] = [[10, 18, 22, 38, 77], [9, 17, 20, 37, 94]];

#[test]
fn few_initiators_and_the_smallest_hold_too() {
    for initiators in 1..=4 {
        for elect in ELECTS {
            states(given(&[2, 9, 4, 7], initiators, elect, CLOSINGS[0]));
        }
    }
}

/// Every order of deliveries gives the same leader, ranks and counts.
#[test]
fn fifo_is_not_needed() {
    let search = Search { channels: Channels::Unordered, timeouts: 0, ..Search::default() };
    let mut system = all_of(&[4, 8, 1, 9]);
    let outcome = system.check(&search);
    assert_eq!(outcome.holds(), Some(true), "{:?}", outcome.verdicts);
    system.properties.push(Property::fifo());
    assert_eq!(system.counterexample(&search).property, "FIFO", "messages did overtake each other");
}

#[test]
fn one_lost_message_is_enough() {
    let search = Search { losses: 1, timeouts: 0, ..Search::default() };
    let system = all_of(&[1, 2, 3]).judged_by("every process learns the leader");
    let found = system.counterexample(&search);
    assert_eq!(found.steps.len(), 4, "{found}");
}
