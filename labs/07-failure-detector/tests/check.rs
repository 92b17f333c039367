//! All orders, for few processes: two detectors, each with one process that it watches.

mod common;

use std::time::Duration;

use common::{ONE_LIST, checked};
use failure_detector::lab::FailureDetectorLab;
use labs::check::{Channels, Options as Search};
use labs::testing::System;

/// Ten times what a search takes on an idle machine: a busy one must not end it.
const PATIENCE: Duration = Duration::from_secs(300);

/// Holds of all runs, and of no property nothing: in some run someone is silent, and suspected.
fn states(system: &System<FailureDetectorLab>, search: Search) -> usize {
    let outcome = system.check(&Search { timeouts: 2, time: PATIENCE, ..search });
    assert_eq!(outcome.holds(), Some(true), "{:?}", outcome.verdicts);
    for verdict in &outcome.verdicts {
        assert!(!verdict.detail().contains("none of which"), "{verdict:?}");
    }
    outcome.states
}

/// The count is pinned: the algorithm has no other behaviour than it had. In two rounds a process
/// comes to be suspected that is only slow, and is restored.
#[test]
fn every_order_holds() {
    assert_eq!(states(&checked(4, 1, 2), Search::default()), 28_903);
}

/// Whoever dies, and whenever: a detector too.
#[test]
fn every_death_at_every_moment_holds() {
    let search = Search { crashes: 1, ..Search::default() };
    assert_eq!(states(&checked(4, 1, 2), search), 116_873);
}

/// Messages in any order, one of them lost and one that comes twice: however the detectors err
/// then, neither has a process on both lists or on none. Three processes, for there are many
/// orders.
#[test]
fn no_assumption_on_channels_is_needed_to_keep_the_lists() {
    let search =
        Search { channels: Channels::Unordered, losses: 1, duplicates: 1, ..Search::default() };
    assert_eq!(states(&checked(3, 1, 2).judged_by(ONE_LIST), search), 164_563);
}

/// Agreement within no time at all is too much to ask of channels that lose: what is told again, is
/// told in the next round, and there is none.
#[test]
fn a_lost_message_takes_another_round() {
    let search = Search { losses: 1, timeouts: 2, time: PATIENCE, ..Search::default() };
    let counterexample = checked(4, 1, 2).counterexample(&search);
    assert_eq!(counterexample.property, common::LISTS_AGREE, "{counterexample}");
}
