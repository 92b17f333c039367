//! Each mistake is caught by the property that is there for it, in `simulate` and in `check`.

mod common;

use common::{
    EVENTUAL_ACCURACY, LISTS_AGREE, ONE_LIST, STRONG_COMPLETENESS, broken_system, checked, set,
    simulate, specs,
};
use failure_detector::broken::Broken;
use labs::check::Options as Search;
use labs::simulate::Network;
use labs::testing::{assert_saved_trace_shows_it, counterexample, only, violated};

/// Each mistake, a property that names it in every simulated run, and the length of the shortest run of four
/// processes that breaks this property alone.
const MISTAKES: [(Broken, &str, usize); 5] = [
    (Broken::NeverSuspects, STRONG_COMPLETENESS, 2),
    (Broken::SuspectsForEver, EVENTUAL_ACCURACY, 7),
    (Broken::ForgetsToTell, STRONG_COMPLETENESS, 17),
    (Broken::ForgetsToTell, LISTS_AGREE, 17),
    (Broken::ListsTwice, ONE_LIST, 2),
];

/// One process is stopped for a second and one dies, early enough for everyone to know.
const FAULTS: &str = "stop 3 from 1s to 2s; kill 4 at 2s";

#[test]
fn simulated() {
    for (how, property, _) in MISTAKES {
        for seed in 0..100 {
            let options = set(3, 60);
            let all = broken_system(6, &options, how);
            let demanded = specs(6, &options);
            let (verdicts, ..) = simulate(seed, Network::default(), FAULTS, all, &demanded);
            let broken = violated(&verdicts);
            assert!(broken.contains(&property), "{how:?} with seed {seed}: {verdicts:?}");
        }
    }
}

#[test]
fn checked_in_all_orders() {
    let options = checked(1, 2);
    let lengths = MISTAKES.map(|(how, property, _)| {
        let demanded = only(property, specs(4, &options), 4);
        let all = broken_system(4, &options, how);
        // What one detector keeps to itself shows only where the lists come to differ for good.
        let search = Search { crashes: 1, timeouts: 2, ..Search::default() };
        let counterexample = counterexample(all, &demanded, &search);
        assert_eq!(counterexample.property, property, "{how:?}");
        assert_saved_trace_shows_it(&counterexample, 4, &demanded);
        (how, property, counterexample.steps.len())
    });
    assert_eq!(lengths, MISTAKES);
}
