//! All orders, for few processes: two detectors, each with one process that it watches.

mod common;

use common::{ONE_LIST, checked, specs, system};
use labs::check::{Channels, Options as Search, Outcome, check};
use labs::testing::only;

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

/// Messages in any order, one of them lost and one that comes twice: however the detectors err then, neither has
/// a process on both lists or on none. Three processes, for there are many orders.
#[test]
fn no_assumption_on_channels_is_needed_to_keep_the_lists() {
    let options = checked(1, 2);
    let search = Search {
        channels: Channels::Unordered,
        timeouts: 2,
        losses: 1,
        duplicates: 1,
        ..Search::default()
    };
    let demanded = only(ONE_LIST, specs(3, &options), 3);
    let outcome = check(system(3, &options), vec![Vec::new(); 3], &demanded, &search, |_| ());
    assert_eq!(outcome.holds(), Some(true), "{:?}", outcome.verdicts);
    assert!(!outcome.verdicts[0].detail.contains("none of which"), "{:?}", outcome.verdicts);
    assert_eq!(outcome.states, 164_563);
}

/// Agreement within no time at all is too much to ask of channels that lose: what is told again, is told in
/// the next round, and there is none.
#[test]
fn a_lost_message_takes_another_round() {
    let outcome = searched(1, 2, Search { losses: 1, ..Search::default() });
    let counterexample = outcome.counterexample.unwrap();
    assert_eq!(counterexample.property, common::LISTS_AGREE, "{counterexample}");
}
