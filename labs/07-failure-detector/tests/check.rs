//! All orders, for few processes: two detectors, each with one process that it watches.

mod common;

use common::{checked, specs, system};
use labs::check::{Channels, Options as Search, Outcome, check};

type P = failure_detector::two_levels::TwoLevels;

fn searched(threshold: u32, rounds: u32, search: Search) -> Outcome<P> {
    let options = checked(threshold, rounds);
    let search = Search { timeouts: rounds, ..search };
    let requests = vec![Vec::new(); 4];
    check(system(4, &options), requests, &specs(4, &options), &search, |_| ())
}

/// Holds of all runs, and of no property nothing: in some run someone is silent, and suspected.
fn states(threshold: u32, rounds: u32, search: Search) -> usize {
    let outcome = searched(threshold, rounds, search);
    assert_eq!(outcome.holds(), Some(true), "{:?}", outcome.verdicts);
    for verdict in &outcome.verdicts {
        assert!(!verdict.detail.contains("none of which"), "{verdict:?}");
    }
    outcome.states
}

/// The count is pinned: the algorithm has no other behaviour than it had. In two rounds a process comes to be
/// suspected that is only slow, and is restored.
#[test]
fn every_order_holds() {
    assert_eq!(states(1, 2, Search::default()), 28_588);
}

/// Whoever dies, and whenever: a detector too.
#[test]
fn every_death_at_every_moment_holds() {
    assert_eq!(states(1, 2, Search { crashes: 1, ..Search::default() }), 115_352);
}

/// Of one round, in any order, twice or not at all: a threshold of 1 is not reached, so nothing can differ.
#[test]
fn no_assumption_on_channels_is_needed_to_keep_the_lists() {
    let search =
        Search { channels: Channels::Unordered, losses: 1, duplicates: 1, ..Search::default() };
    let outcome = searched(1, 1, search);
    assert_eq!(outcome.holds(), Some(true), "{:?}", outcome.verdicts);
}

/// Agreement within no time at all is too much to ask of channels that lose: what is told again, is told in
/// the next round, and there is none.
#[test]
fn a_lost_message_takes_another_round() {
    let outcome = searched(1, 2, Search { losses: 1, ..Search::default() });
    let counterexample = outcome.counterexample.unwrap();
    assert_eq!(counterexample.property, common::LISTS_AGREE, "{counterexample}");
}
