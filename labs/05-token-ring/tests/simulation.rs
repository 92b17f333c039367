//! Many seeds of the right algorithm, and what becomes of it where its assumptions do not hold.

mod common;

use common::{CLOSINGS, ring};
use labs::lab::{Lab, Prediction};
use labs::simulate::{Chance, Network};
use labs::testing::violated;

#[test]
fn every_property_holds_on_a_thousand_seeds() {
    for seed in 0..1_000 {
        let processes = 2 + (seed % 9) as u32;
        let (laps, entries) = (1 + seed % 4, seed % 3);
        let system = ring(processes, laps.max(entries), entries, CLOSINGS[seed as usize % 2]);
        let run = system.simulate(seed);
        let holds = run.verdicts.iter().all(|verdict| verdict.holds() == Some(true));
        assert!(holds, "{seed}: {:?}", run.verdicts);
        for (kind, predicted) in system.lab.predicted() {
            let measured = run.judge.messages().get(&kind).copied().unwrap_or(0);
            assert_eq!(Prediction::Exactly(measured), predicted, "{kind} with seed {seed}");
        }
    }
}

/// The assumption is FIFO: the roll call may overtake the address without it.
#[test]
fn without_fifo_some_ring_never_closes() {
    let system = ring(4, 2, 1, CLOSINGS[0]).on(Network::unordered());
    let stuck = (0..100).filter(|&seed| {
        violated(&system.simulate(seed).verdicts).contains(&"one ring, two neighbours each")
    });
    assert!(stuck.count() > 0, "no seed of a hundred lets the roll call overtake the address");
}

/// The assumption is that nothing is lost.
#[test]
fn a_lost_token_is_noticed() {
    let network = Network { loss: Chance::percent(2), ..Network::default() };
    let system = ring(5, 50, 50, CLOSINGS[0]).on(network);
    let lost = (0..20).filter(|&seed| {
        let run = system.simulate(seed);
        let broken = violated(&run.verdicts);
        if run.judge.messages().contains_key("TOKEN") {
            let noticed = broken.contains(&"every process enters K times");
            assert!(noticed, "{seed}: {:?}", run.verdicts);
        }
        broken.contains(&"exactly one token at any time")
    });
    assert!(lost.count() > 10);
}

/// The assumption is that nothing is doubled.
#[test]
fn a_doubled_token_is_noticed() {
    let network = Network { duplication: Chance::percent(10), ..Network::default() };
    let verdicts = ring(5, 10, 10, CLOSINGS[0]).on(network).simulate(1).verdicts;
    let broken = violated(&verdicts);
    assert!(broken.contains(&"exactly one token at any time"), "{verdicts:?}");
    assert!(broken.contains(&"exactly-once delivery"), "{verdicts:?}");
}
