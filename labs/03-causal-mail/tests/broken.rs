//! Each mistake is caught by the property that is there for it, in `simulate` and in `check`.

mod common;

use causal_mail::broken::{Broken, BrokenMailer};
use causal_mail::causal_mail::Request;
use causal_mail::ordering::{Order, Stamps};
use causal_mail::study::{World, run_in};
use common::{CAUSAL, NOT_HELD, ONCE, broken, random, triangle};
use labs::check::{Options as Search, check};
use labs::simulate::Chance;
use labs::testing::{only, violated};

/// Each mistake, the property that must notice it, and the length of the shortest run of the three
/// correspondents that breaks this property.
const MISTAKES: [(Broken, &str, usize); 6] = [
    (Broken::IgnoresClock, CAUSAL, 8),
    (Broken::LearnsNothing, CAUSAL, 8),
    (Broken::WaitsForOthers, NOT_HELD, 12),
    (Broken::WaitsForOthers, ONCE, 12),
    (Broken::TakesTwice, ONCE, 4),
    (Broken::AcksTooEarly, ONCE, 10),
];

/// A world in which the mistake can show: the ways round the four servers are slow in one direction.
fn world(how: Broken) -> World {
    let slow = "delay 0->1 90ms; delay 1->2 90ms; delay 2->3 90ms; delay 3->0 90ms";
    let mut world = World { faults: slow.parse().unwrap(), ..World::default() };
    match how {
        Broken::TakesTwice => world.network.duplication = Chance::percent(20),
        Broken::AcksTooEarly => world.crashes = 10,
        _ => {}
    }
    world
}

#[test]
fn simulated() {
    for (how, property, _) in MISTAKES {
        let mut caught = 0;
        for seed in 0..50 {
            let options = random(seed, [4, 3, 2, 2], Stamps::Full);
            let all = broken(options.processes(), how);
            let (verdicts, _) =
                run_in(&world(how), seed, all, 4, &options.specs(), BrokenMailer::stable);
            caught += u32::from(violated(&verdicts).contains(&property));
        }
        assert!(caught >= 45, "{how:?}: {property} is broken in {caught} of 50 runs");
    }
}

#[test]
fn checked() {
    let options = triangle(Order::Causal, Stamps::Full);
    let lengths = MISTAKES.map(|(how, property, _)| {
        let mut requests = vec![Vec::new(); 6];
        let mut search = Search { timeouts: 0, ..Search::default() };
        match how {
            Broken::TakesTwice => search.duplicates = 1,
            Broken::AcksTooEarly => {
                // What the network has taken is not lost with the power, but what it loses is sent again.
                search.losses = 1;
                requests[0].push(Request::Restart);
            }
            _ => {}
        }
        let demanded = only(property, options.specs(), 6);
        let outcome = check(broken(options.processes(), how), requests, &demanded, &search, |_| ());
        let counterexample = outcome.counterexample.expect(property);
        assert_eq!(counterexample.property, property, "{how:?}");
        (how, property, counterexample.steps.len())
    });
    assert_eq!(lengths, MISTAKES);
}
