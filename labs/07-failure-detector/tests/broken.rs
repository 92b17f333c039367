//! Each mistake is caught by the property that is there for it, in `simulate` and in `check`.

mod common;

use common::{
    ASKING, EVENTUAL_ACCURACY, LISTS_AGREE, ONE_LIST, STRONG_COMPLETENESS, at_rest, checked, set,
};
use failure_detector::two_levels::Mistake;
use labs::check::Options as Search;
use labs::testing::violated;

/// Each mistake, a property that names it in every simulated run, and the length of the shortest
/// run of four processes that breaks this property alone.
const MISTAKES: [(Mistake, &str, usize); 6] = [
    (Mistake::NeverSuspects, STRONG_COMPLETENESS, 2),
    (Mistake::SuspectsForEver, EVENTUAL_ACCURACY, 7),
    (Mistake::AsksTheLivingAlone, ASKING, 4),
    (Mistake::ForgetsToTell, STRONG_COMPLETENESS, 17),
    (Mistake::ForgetsToTell, LISTS_AGREE, 17),
    (Mistake::ListsTwice, ONE_LIST, 2),
];

/// One process is stopped for a second and one dies, early enough for everyone to know.
const FAULTS: &str = "stop 3 from 1s to 2s; kill 4 at 2s";

#[test]
fn simulated() {
    for (mistake, property, _) in MISTAKES {
        let system = set(6, 3, 60).suffering(FAULTS).broken(mistake);
        for seed in 0..100 {
            let verdicts = at_rest(&system, seed).verdicts;
            let broken = violated(&verdicts);
            assert!(broken.contains(&property), "{mistake:?} with seed {seed}: {verdicts:?}");
        }
    }
}

#[test]
fn checked_in_all_orders() {
    let lengths = MISTAKES.map(|(mistake, property, _)| {
        // What one detector keeps to itself shows only where the lists come to differ for good.
        let search = Search { crashes: 1, timeouts: 2, ..Search::default() };
        let system = checked(4, 1, 2).judged_by(property).broken(mistake);
        (mistake, property, system.counterexample(&search).steps.len())
    });
    assert_eq!(lengths, MISTAKES);
}
