//! Each mistake is caught by the property that is there for it, in `simulate` and in `check`.

mod common;

use chang_roberts::election::Mistake;
use common::{all_of, random, simulate};
use labs::check::Options as Search;
use labs::testing::violated;

const ONE_LEADER: &str = "exactly one leader, agreed by all";
const GREATEST: &str = "the greatest identity among the initiators leads";
const LEARNS: &str = "every process learns the leader";
const RANKS: &str = "ranks 0 to N-1 in ring order";
const COUNT: &str = "the count is N";
const ELECTIONS: &str = "messages as predicted";
const RING: &str = "one ring, two neighbours each";

/// Each mistake, a property that names it in every simulated run, and the length of the shortest run of
/// three processes that breaks this property.
const MISTAKES: [(Mistake, &str, usize); 12] = [
    (Mistake::SwallowsGreater, ONE_LEADER, 5),
    (Mistake::SwallowsGreater, LEARNS, 5),
    (Mistake::SwallowsGreater, RING, 5),
    (Mistake::ForwardsSmaller, ONE_LEADER, 10),
    (Mistake::ForwardsSmaller, GREATEST, 8),
    (Mistake::ForwardsSmaller, ELECTIONS, 5),
    (Mistake::ElectsOnAny, ONE_LEADER, 3),
    (Mistake::ElectsOnAny, GREATEST, 1),
    (Mistake::NumberingSkips, RANKS, 11),
    (Mistake::NumberingSkips, COUNT, 13),
    (Mistake::EqualIdentities, ONE_LEADER, 3),
    (Mistake::EqualIdentities, GREATEST, 1),
];

#[test]
fn simulated() {
    for (mistake, property, _) in MISTAKES {
        for seed in 0..100 {
            let verdicts = simulate(&random(5, seed).broken(mistake), seed).verdicts;
            let broken = violated(&verdicts);
            assert!(broken.contains(&property), "{mistake:?} with seed {seed}: {verdicts:?}");
        }
    }
}

#[test]
fn checked() {
    let lengths = MISTAKES.map(|(mistake, property, _)| {
        let system = all_of(&[1, 3, 2]).broken(mistake).judged_by(property);
        let found = system.counterexample(&Search::default());
        assert_eq!(found.property, property, "{mistake:?}");
        (mistake, property, found.steps.len())
    });
    assert_eq!(lengths, MISTAKES);
}

/// What the algorithm cannot break, the network can.
#[test]
fn channels_are_watched_too() {
    let losing = Search { losses: 1, ..Search::default() };
    let lost = all_of(&[1, 3, 2]).judged_by("exactly-once delivery").counterexample(&losing);
    assert_eq!(lost.steps.len(), 1, "{lost}");
}
