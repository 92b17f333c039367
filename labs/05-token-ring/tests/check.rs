//! All orders, for few processes.

mod common;

use common::{CLOSINGS, ring, specs};
use labs::check::{Channels, Options as Search, check};
use token_ring::lab::Options;

fn states(processes: u32, options: &Options) -> usize {
    let search = Search { timeouts: 9, ..Search::default() };
    let requests = vec![Vec::new(); processes as usize];
    let demanded = specs(processes, options);
    let outcome = check(ring(processes, options), requests, &demanded, &search, |_| ());
    assert_eq!(outcome.holds(), Some(true), "{:?}", outcome.verdicts);
    outcome.states
}

/// The counts are pinned: the algorithm has no other behaviour than it had.
#[test]
fn every_order_holds() {
    let counts = CLOSINGS.map(|closing| {
        [(2, 1, 1), (3, 2, 2), (4, 2, 1), (5, 3, 3)].map(|(processes, laps, entries)| {
            states(processes, &Options::new(laps, entries, closing))
        })
    });
    assert_eq!(counts, STATES);
}

/// For each way of closing: 2, 3, 4 and 5 processes.
const STATES: [[usize; 4]; 2] = [[8, 19, 23, 46], [7, 16, 17, 36]];

#[test]
fn without_fifo_the_ring_may_never_close_and_the_shortest_way_to_it_is_found() {
    let options = Options::new(1, 1, CLOSINGS[0]);
    let search = Search { channels: Channels::Unordered, timeouts: 9, ..Search::default() };
    let demanded = specs(3, &options);
    let outcome = check(ring(3, &options), vec![Vec::new(); 3], &demanded, &search, |_| ());
    assert_eq!(outcome.holds(), Some(false));
    let counterexample = outcome.counterexample.unwrap();
    // The roll call arrives while the address is still under way.
    assert!(counterexample.steps[0].starts_with("p2 → p1 Roll"), "{counterexample}");
}

#[test]
fn one_lost_message_is_enough() {
    let options = Options::new(1, 1, CLOSINGS[1]);
    let search = Search { losses: 1, timeouts: 9, ..Search::default() };
    let demanded = specs(3, &options);
    let outcome = check(ring(3, &options), vec![Vec::new(); 3], &demanded, &search, |_| ());
    let counterexample = outcome.counterexample.unwrap();
    assert_eq!(counterexample.steps.len(), 1, "{counterexample}");
    assert!(counterexample.steps[0].starts_with("p2 ⇥ p1 Roll"), "{counterexample}");
}
