//! Each mistake is caught by the property that is there for it, in `simulate` and in `check`.

mod common;

use common::{all_broken, simulate, specs};
use labs::check::{Options as Search, check};
use labs::simulate::Network;
use labs::testing::violated;
use mutex_central::broken::Broken;
use mutex_central::lab::Options;

/// Each mistake, the property that names it in every simulated run, and the property and length of the shortest
/// run of three clients that shows any violation.
const MISTAKES: [(Broken, &str, &str, usize); 6] = [
    (Broken::GrantsTwo, "mutual exclusion", "mutual exclusion", 3),
    (Broken::ForgetsWaiter, "every request is served", "first come, first served", 6),
    (Broken::Lifo, "first come, first served", "first come, first served", 6),
    (Broken::IgnoresRelease, "mutual exclusion", "every request is served", 7),
    (Broken::AsksTwice, "3 messages an entry", "3 messages an entry", 3),
    (Broken::NoFencing, "fencing tokens grow", "fencing tokens grow", 6),
];

#[test]
fn simulated() {
    for (how, property, _, _) in MISTAKES {
        for seed in 0..100 {
            let options = Options::new(3, 10, 2_000, 500);
            let demanded = specs(5, &options);
            let all = all_broken(5, &options, how);
            let (verdicts, _) = simulate(seed, Network::default(), all, &demanded, "");
            let broken = violated(&verdicts);
            assert!(broken.contains(&property), "{how:?} with seed {seed}: {verdicts:?}");
        }
    }
}

/// A coordinator that forgets everything gives a token twice, or lets in a second client.
#[test]
fn a_forgotten_book_is_noticed() {
    for seed in 0..100 {
        let options = Options::new(3, 50, 2_000, 100);
        let demanded = specs(5, &options);
        let all = all_broken(5, &options, Broken::ForgetsBook);
        let plan = "kill 0 at 170ms; restart 0 at 171ms";
        let (verdicts, _) = simulate(seed, Network::default(), all, &demanded, plan);
        let broken = violated(&verdicts);
        let noticed = ["fencing tokens grow", "mutual exclusion", "every request is served"];
        assert!(noticed.iter().any(|name| broken.contains(name)), "{seed}: {verdicts:?}");
    }
}

#[test]
fn checked() {
    let options = Options::new(1, 0, 0, 0);
    let demanded = specs(4, &options);
    for (how, _, property, length) in MISTAKES {
        let all = all_broken(4, &options, how);
        let outcome = check(all, vec![Vec::new(); 4], &demanded, &Search::default(), |_| ());
        assert_eq!(outcome.holds(), Some(false), "{how:?}");
        let counterexample = outcome.counterexample.unwrap();
        assert_eq!(counterexample.property, property, "{counterexample}");
        assert_eq!(counterexample.steps.len(), length, "{how:?}: {counterexample}");
    }
}
