//! Each mistake is caught by the property that is there for it, in `simulate` and in `check`.

mod common;

use common::{CLOSINGS, broken_ring, simulate, specs};
use labs::check::{Options as Search, check};
use labs::simulate::Network;
use labs::testing::{assert_saved_trace_shows_it, violated};
use token_ring::broken::Broken;
use token_ring::lab::Options;

/// Each mistake, the property that names it in every simulated run, and the length of the shortest run of
/// three processes that shows any violation.
const MISTAKES: [(Broken, &str, usize); 4] = [
    (Broken::SecondToken, "exactly one token at any time", 5),
    (Broken::KeepsToken, "every process enters K times", 7),
    (Broken::EntersWithoutToken, "mutual exclusion", 5),
    (Broken::SendsBothWays, "exactly one token at any time", 8),
];

#[test]
fn simulated() {
    for (how, property, _) in MISTAKES {
        for seed in 0..100 {
            let options = Options::new(3, 3, CLOSINGS[seed as usize % 2]);
            let demanded = specs(5, &options);
            let all = broken_ring(5, &options, how);
            let (verdicts, _) = simulate(seed, Network::default(), all, &demanded);
            let broken = violated(&verdicts);
            assert!(broken.contains(&property), "{how:?} with seed {seed}: {verdicts:?}");
            // What a mistake does not break is not said to be broken.
            if how == Broken::KeepsToken {
                assert_eq!(broken, [property], "seed {seed}: {verdicts:?}");
            }
        }
    }
}

#[test]
fn checked() {
    let options = Options::new(2, 2, CLOSINGS[0]);
    let demanded = specs(3, &options);
    for (how, _, length) in MISTAKES {
        let search = Search { timeouts: 9, ..Search::default() };
        let all = broken_ring(3, &options, how);
        let outcome = check(all, vec![Vec::new(); 3], &demanded, &search, |_| ());
        assert_eq!(outcome.holds(), Some(false), "{how:?}");
        let counterexample = outcome.counterexample.unwrap();
        assert_eq!(counterexample.steps.len(), length, "{how:?}: {counterexample}");
        assert_saved_trace_shows_it(&counterexample, 3, &demanded);
    }
}
