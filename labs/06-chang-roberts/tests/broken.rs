//! Each mistake is caught by the property that is there for it, in `simulate` and in `check`.

mod common;

use chang_roberts::broken::Broken;
use common::{all_of, broken_ring, random, ring, simulate, specs};
use labs::check::{Channels, Options as Search};
use labs::simulate::Network;
use labs::testing::{assert_saved_trace_shows_it, counterexample, only, violated};
use labs::verdict::Spec;

const ONE_LEADER: &str = "exactly one leader, agreed by all";
const GREATEST: &str = "the greatest identity among the initiators leads";
const LEARNS: &str = "every process learns the leader";
const RANKS: &str = "ranks 0 to N-1 in ring order";
const COUNT: &str = "the count is N";
const ELECTIONS: &str = "ELECTION messages as predicted";
const RING: &str = "one ring, two neighbours each";

/// Each mistake, a property that names it in every simulated run, and the length of the shortest run of
/// three processes that breaks this property.
const MISTAKES: [(Broken, &str, usize); 12] = [
    (Broken::SwallowsGreater, ONE_LEADER, 5),
    (Broken::SwallowsGreater, LEARNS, 5),
    (Broken::SwallowsGreater, RING, 5),
    (Broken::ForwardsSmaller, ONE_LEADER, 10),
    (Broken::ForwardsSmaller, GREATEST, 8),
    (Broken::ForwardsSmaller, ELECTIONS, 5),
    (Broken::ElectsOnAny, ONE_LEADER, 3),
    (Broken::ElectsOnAny, GREATEST, 1),
    (Broken::NumberingSkips, RANKS, 11),
    (Broken::NumberingSkips, COUNT, 13),
    (Broken::EqualIdentities, ONE_LEADER, 3),
    (Broken::EqualIdentities, GREATEST, 1),
];

#[test]
fn simulated() {
    for (how, property, _) in MISTAKES {
        for seed in 0..100 {
            let options = random(seed);
            let demanded = specs(5, &options);
            let all = broken_ring(5, &options, how);
            let (verdicts, _) = simulate(seed, Network::default(), all, &demanded);
            let broken = violated(&verdicts);
            assert!(broken.contains(&property), "{how:?} with seed {seed}: {verdicts:?}");
        }
    }
}

#[test]
fn checked() {
    let options = all_of(&[1, 3, 2]);
    let lengths = MISTAKES.map(|(how, property, _)| {
        let demanded = only(property, specs(3, &options), 3);
        let all = broken_ring(3, &options, how);
        let counterexample = counterexample(all, &demanded, &Search::default());
        assert_eq!(counterexample.property, property, "{how:?}");
        assert_saved_trace_shows_it(&counterexample, 3, &demanded);
        (how, property, counterexample.steps.len())
    });
    assert_eq!(lengths, MISTAKES);
}

/// What the algorithm cannot break, the network can.
#[test]
fn channels_are_watched_too() {
    let options = all_of(&[1, 3, 2]);
    let unordered = Search { channels: Channels::Unordered, ..Search::default() };
    let fifo = counterexample(ring(3, &options), &[Spec::Fifo], &unordered);
    assert_eq!(fifo.steps.len(), 2, "{fifo}");
    let losing = Search { losses: 1, ..Search::default() };
    let lost = counterexample(ring(3, &options), &[Spec::ExactlyOnce], &losing);
    assert_eq!(lost.steps.len(), 1, "{lost}");
}
