//! All orders, for few processes.

mod common;

use common::{CLOSINGS, ring};
use labs::check::{Channels, Options as Search};

fn states(processes: u32, laps: u64, entries: u64, closing: &str) -> usize {
    let search = Search { timeouts: 9, ..Search::default() };
    let outcome = ring(processes, laps, entries, closing).check(&search);
    assert_eq!(outcome.holds(), Some(true), "{:?}", outcome.verdicts);
    outcome.states
}

/// The counts are pinned: the algorithm has no other behaviour than it had.
#[test]
fn every_order_holds() {
    let counts = CLOSINGS.map(|closing| {
        [(2, 1, 1), (3, 2, 2), (4, 2, 1), (5, 3, 3)]
            .map(|(processes, laps, entries)| states(processes, laps, entries, closing))
    });
    assert_eq!(counts, STATES);
}

/// For each way of closing: 2, 3, 4 and 5 processes.
const STATES: [[usize; 4]; 2] = [[8, 19, 23, 46], [7, 16, 17, 36]];

#[test]
fn without_fifo_the_ring_may_never_close_and_the_shortest_way_to_it_is_found() {
    let search = Search { channels: Channels::Unordered, timeouts: 9, ..Search::default() };
    let found = ring(3, 1, 1, CLOSINGS[0]).counterexample(&search);
    // The roll call arrives while the address is still under way.
    assert!(found.steps[0].starts_with("p2 → p1 Roll"), "{found}");
}

#[test]
fn one_lost_message_is_enough() {
    let search = Search { losses: 1, timeouts: 9, ..Search::default() };
    let found = ring(3, 1, 1, CLOSINGS[1]).counterexample(&search);
    assert_eq!(found.steps.len(), 1, "{found}");
    assert!(found.steps[0].starts_with("p2 ⇥ p1 Roll"), "{found}");
}
