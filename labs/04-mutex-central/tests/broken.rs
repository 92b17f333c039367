//! Each mistake is caught by the property that is there for it, in `simulate` and in `check`.

mod common;

use common::{all, simulate, unclocked};
use labs::check::Options as Search;
use labs::simulate::{Ended, Limits};
use labs::testing::violated;
use mutex_central::mistake::Mistake;

/// Each mistake, the property that names it in every simulated run, and the property and length of the shortest
/// run of three clients that shows any violation.
const MISTAKES: [(Mistake, &str, &str, usize); 6] = [
    (Mistake::GrantsTwo, "mutual exclusion", "mutual exclusion", 4),
    (Mistake::ForgetsWaiter, "every request is served", "first come, first served", 6),
    (Mistake::Lifo, "first come, first served", "first come, first served", 6),
    (Mistake::IgnoresRelease, "one grant at a time", "every request is served", 7),
    (Mistake::AsksTwice, "3 messages an entry", "each step does its part", 2),
    (Mistake::NoFencing, "fencing tokens grow", "fencing tokens grow", 6),
];

#[test]
fn simulated() {
    for (mistake, property, _, _) in MISTAKES {
        for seed in 0..100 {
            let system = all(5, 3, [10, 2_000, 500]).broken(mistake);
            let verdicts = simulate(&system, seed).verdicts;
            let broken = violated(&verdicts);
            assert!(broken.contains(&property), "{mistake:?} with seed {seed}: {verdicts:?}");
        }
    }
}

/// A coordinator that forgets everything gives a token twice, or lets in a second client.
#[test]
fn a_forgotten_book_is_noticed() {
    for seed in 0..100 {
        let system = all(5, 3, [50, 2_000, 100]).broken(Mistake::ForgetsBook);
        let system = system.suffering("kill 0 at 170ms; restart 0 at 171ms");
        let verdicts = simulate(&system, seed).verdicts;
        let broken = violated(&verdicts);
        let noticed = ["fencing tokens grow", "one grant at a time", "every request is served"];
        assert!(noticed.iter().any(|name| broken.contains(name)), "{seed}: {verdicts:?}");
    }
}

/// Nothing ever ends: p1 asks again for ever, and waits longer than all others can keep it waiting.
#[test]
fn a_client_that_is_put_off_for_ever_is_noticed() {
    for seed in 0..20 {
        let limits = Limits { events: 10_000, ..Limits::default() };
        let system = all(5, 3, [10, 2_000, 500]).broken(Mistake::PutsOff).within(limits);
        let run = system.simulate(seed);
        assert_ne!(run.ended, Ended::Quiet);
        let verdict = run.verdicts.iter().find(|verdict| verdict.name == "every request is served");
        let detail = verdict.expect("it is demanded").detail();
        assert_eq!(detail, "p1 waits through 76 timeouts of its own, and may wait 75");
    }
}

#[test]
fn checked() {
    for (mistake, _, property, length) in MISTAKES {
        let found = unclocked(4, 1, [0; 3]).broken(mistake).counterexample(&Search::default());
        assert_eq!(found.property, property, "{found}");
        assert_eq!(found.steps.len(), length, "{mistake:?}: {found}");
    }
}

/// A livelock, beside the step that the coordinator must not take.
#[test]
fn a_client_that_is_put_off_for_ever_goes_round_in_check() {
    let system = unclocked(4, 1, [0; 3]).broken(Mistake::PutsOff);
    let outcome = system.check(&Search::default());
    let found = outcome.counterexample.expect("the coordinator must not tell p1 to wait");
    assert_eq!((&*found.property, found.steps.len()), ("each step does its part", 1));
    let [also] = &outcome.also[..] else { panic!("{:?}", outcome.also) };
    let round = &also.steps[also.cycle_from.expect("it never ends")..];
    assert_eq!(also.property, "every request is served");
    assert_eq!(round, ["p0 → p1 Wait", "p1 → p0 Retry { ask: 1 }"]);
    assert_eq!(outcome.verdicts.iter().filter(|verdict| verdict.holds() == Some(false)).count(), 4);
}
