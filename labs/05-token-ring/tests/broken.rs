//! Each mistake is caught by the property that is there for it, in `simulate` and in `check`.

mod common;

use common::{CLOSINGS, ring};
use labs::check::Options as Search;
use labs::testing::violated;
use token_ring::token_ring::Mistake;

/// Each mistake, the property that names it in every simulated run, and the length of the shortest run of
/// three processes that shows any violation.
const MISTAKES: [(Mistake, &str, usize); 4] = [
    (Mistake::SecondToken, "exactly one token at any time", 5),
    (Mistake::KeepsToken, "every process enters K times", 7),
    (Mistake::EntersWithoutToken, "mutual exclusion", 5),
    (Mistake::SendsBothWays, "exactly one token at any time", 8),
];

#[test]
fn simulated() {
    for (mistake, property, _) in MISTAKES {
        for seed in 0..100 {
            let system = ring(5, 3, 3, CLOSINGS[seed as usize % 2]).broken(mistake);
            let verdicts = system.simulate(seed).verdicts;
            let broken = violated(&verdicts);
            assert!(broken.contains(&property), "{mistake:?} with seed {seed}: {verdicts:?}");
            // What a mistake does not break is not said to be broken.
            if mistake == Mistake::KeepsToken {
                assert_eq!(
                    broken,
                    [property, "messages as predicted"],
                    "seed {seed}: {verdicts:?}"
                );
            }
        }
    }
}

#[test]
fn checked() {
    for (mistake, _, length) in MISTAKES {
        let search = Search { timeouts: 9, ..Search::default() };
        let found = ring(3, 2, 2, CLOSINGS[0]).broken(mistake).counterexample(&search);
        assert_eq!(found.steps.len(), length, "{mistake:?}: {found}");
    }
}
