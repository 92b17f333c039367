//! Many seeds of the right algorithm, and what becomes of it where its assumptions do not hold.

mod common;

use common::{CLOSINGS, ring, simulate, specs};
use labs::lab::{Lab, Prediction};
use labs::simulate::{Chance, Network};
use labs::testing::violated;
use token_ring::lab::{Options, TokenRingLab};

#[test]
fn every_property_holds_on_a_thousand_seeds() {
    for seed in 0..1_000 {
        let processes = 2 + (seed % 9) as u32;
        let (laps, entries) = (1 + seed % 4, seed % 3);
        let options = Options::new(laps.max(entries), entries, CLOSINGS[seed as usize % 2]);
        let demanded = specs(processes, &options);
        let (verdicts, judge) =
            simulate(seed, Network::default(), ring(processes, &options), &demanded);
        assert!(verdicts.iter().all(|verdict| verdict.holds == Some(true)), "{seed}: {verdicts:?}");
        for (kind, predicted) in TokenRingLab::predicted(&options, processes) {
            let measured = judge.messages().get(&kind).copied().unwrap_or(0);
            assert_eq!(Prediction::Exactly(measured), predicted, "{kind} with seed {seed}");
        }
    }
}

/// The assumption is FIFO: the roll call may overtake the address without it.
#[test]
fn without_fifo_some_ring_never_closes() {
    let options = Options::new(2, 1, CLOSINGS[0]);
    let demanded = specs(4, &options);
    let stuck = (0..100).filter(|&seed| {
        let (verdicts, _) = simulate(seed, Network::unordered(), ring(4, &options), &demanded);
        violated(&verdicts).contains(&"one ring, two neighbours each")
    });
    assert!(stuck.count() > 0, "no seed of a hundred lets the roll call overtake the address");
}

/// The assumption is that nothing is lost.
#[test]
fn a_lost_token_is_noticed() {
    let options = Options::new(50, 50, CLOSINGS[0]);
    let network = Network { loss: Chance::percent(2), ..Network::default() };
    let demanded = specs(5, &options);
    let lost = (0..20).filter(|&seed| {
        let (verdicts, judge) = simulate(seed, network.clone(), ring(5, &options), &demanded);
        let token_was_made = judge.messages().contains_key("TOKEN");
        let broken = violated(&verdicts);
        if token_was_made {
            assert!(broken.contains(&"every process enters K times"), "{seed}: {verdicts:?}");
        }
        broken.contains(&"exactly one token at any time")
    });
    assert!(lost.count() > 10);
}

/// The assumption is that nothing is doubled.
#[test]
fn a_doubled_token_is_noticed() {
    let options = Options::new(10, 10, CLOSINGS[0]);
    let network = Network { duplication: Chance::percent(10), ..Network::default() };
    let demanded = specs(5, &options);
    let (verdicts, _) = simulate(1, network, ring(5, &options), &demanded);
    let broken = violated(&verdicts);
    assert!(broken.contains(&"exactly one token at any time"), "{verdicts:?}");
    assert!(broken.contains(&"exactly-once delivery"), "{verdicts:?}");
}
