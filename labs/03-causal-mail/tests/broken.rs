//! Each mistake is caught by the property that is there for it, in `simulate` and in `check`.

mod common;

use causal_mail::causal_mail::{Mistake, Request};
use causal_mail::study::{World, run_in};
use common::{CAUSAL, NOT_HELD, ONCE, random, triangle};
use labs::check::{Options as Search, check};
use labs::simulate::Chance;
use labs::testing::violated;

/// Each mistake, the property that must notice it, and the length of the shortest run of the three
/// correspondents that breaks this property.
const MISTAKES: [(Mistake, &str, usize); 6] = [
    (Mistake::IgnoresClock, CAUSAL, 8),
    (Mistake::LearnsNothing, CAUSAL, 8),
    (Mistake::WaitsForOthers, NOT_HELD, 12),
    (Mistake::WaitsForOthers, ONCE, 12),
    (Mistake::TakesTwice, ONCE, 4),
    (Mistake::AcksTooEarly, ONCE, 10),
];

/// A world in which the mistake can show: the ways round the four servers are slow in one
/// direction.
fn world(mistake: Mistake) -> World {
    let slow = "delay 0->1 90ms; delay 1->2 90ms; delay 2->3 90ms; delay 3->0 90ms";
    let mut world = World { faults: slow.parse().unwrap(), ..World::default() };
    match mistake {
        Mistake::TakesTwice => world.network.duplication = Chance::percent(20),
        Mistake::AcksTooEarly => world.crashes = 10,
        _ => {}
    }
    world
}

#[test]
fn simulated() {
    for (mistake, property, _) in MISTAKES {
        let caught = (0..50).filter(|&seed| {
            let lab = random(seed, [4, 3, 2, 2], "full").lab;
            let (verdicts, _) = run_in(&world(mistake), seed, &lab, Some(mistake));
            violated(&verdicts).contains(&property)
        });
        let caught = caught.count();
        assert!(caught >= 45, "{mistake:?}: {property} is broken in {caught} of 50 runs");
    }
}

#[test]
fn checked() {
    let lengths = MISTAKES.map(|(mistake, property, _)| {
        let mut requests = vec![Vec::new(); 6];
        let mut search = Search { timeouts: 0, ..Search::default() };
        match mistake {
            Mistake::TakesTwice => search.duplicates = 1,
            Mistake::AcksTooEarly => {
                // What the network has taken is not lost with the power, but what it loses is sent
                // again.
                search.losses = 1;
                requests[0].push(Request::Restart);
            }
            _ => {}
        }
        let system = triangle("").judged_by(property).broken(mistake);
        let outcome = check(system.processes(), requests, &system.properties, &search, |_| ());
        let counterexample = outcome.counterexample.expect(property);
        assert_eq!(counterexample.property, property, "{mistake:?}");
        (mistake, property, counterexample.steps.len())
    });
    assert_eq!(lengths, MISTAKES);
}
