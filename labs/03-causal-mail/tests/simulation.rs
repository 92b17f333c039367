//! Many seeds of the right algorithm, with crashes, losses and delays, and what becomes of it
//! without the clock.

mod common;

use std::time::Duration;

use causal_mail::lab::CausalMailLab;
use causal_mail::study::{World, run_in};
use common::{CAUSAL, COST, FINISHES, IN_TURN, NOT_HELD, ONCE, all_hold, random, triangle};
use labs::lab::{Lab, Prediction, Verb};
use labs::process::split_mix;
use labs::simulate::{Chance, Ended, Limits, Network};
use labs::testing::{System, violated};

/// A world with slow ways between some servers, and crashes.
fn world(seed: u64) -> World {
    let mut random = seed;
    let mut server = || split_mix(&mut random) % 10;
    let slow = (0..12).map(|_| (server(), server())).filter(|(from, to)| from != to);
    let slow: Vec<_> = slow.map(|(from, to)| format!("delay {from}->{to} 90ms")).collect();
    World {
        faults: slow.join("; ").parse().unwrap(),
        crashes: (seed % 7) as u32,
        ..World::default()
    }
}

/// 10 servers with 10 users each; every seed has its own correspondence, delays, and crashes of
/// servers, which come back with what their disks kept.
#[test]
fn a_thousand_seeds_of_ten_servers_with_ten_users_each() {
    let mut held = 0;
    for seed in 0..1_000 {
        let stamps = if seed % 2 == 0 { "full" } else { "incremental" };
        let lab = random(seed, [10, 10, 1, 1], stamps).lab;
        let (verdicts, _) = run_in(&world(seed), seed, &lab, None);
        assert!(all_hold(&verdicts), "{seed}: {verdicts:?}");
        held += u32::from(!verdicts[1].detail().contains("nobody held"));
    }
    assert!(held > 200, "in {held} runs something had to wait: that is what they are for");
}

/// Mails are repeated until they are acknowledged, and taken once, so that no channel need be
/// reliable.
#[test]
fn a_network_that_loses_doubles_and_reorders_is_good_enough() {
    let network = Network {
        loss: Chance::percent(15),
        duplication: Chance::percent(15),
        reordering: Chance::percent(15),
        fifo: false,
        ..Network::default()
    };
    for seed in 0..200 {
        let run = random(seed, [3, 3, 2, 2], "full").on(network.clone()).simulate(seed);
        assert_eq!(run.ended, Ended::Quiet);
        assert!(all_hold(&run.verdicts), "{seed}: {:?}", run.verdicts);
    }
}

#[test]
fn the_number_of_messages_is_predicted() {
    for seed in 0..200 {
        let system = random(seed, [1 + seed as u32 % 5, 2, 2, 2], "full");
        let run = system.simulate(seed);
        assert!(all_hold(&run.verdicts), "{seed}: {:?}", run.verdicts);
        for (kind, predicted) in system.lab.predicted() {
            let measured = run.judge.messages().get(&kind).copied().unwrap_or(0);
            assert_eq!(Prediction::Exactly(measured), predicted, "{kind}, seed {seed}");
        }
    }
}

/// How many of a hundred seeds break the causal order, where the way from the first server to the
/// third is slow.
fn anomalies(order: &str) -> usize {
    let system = triangle(&format!("--order {order}")).suffering("delay 0->2 100ms");
    let broken = |seed: &u64| {
        let run = system.simulate(*seed);
        assert_eq!(run.ended, Ended::Quiet);
        let broken = violated(&run.verdicts);
        assert!(broken.is_empty() || broken == [CAUSAL], "{:?}", run.verdicts);
        !broken.is_empty()
    };
    (0..100).filter(broken).count()
}

/// Channels are FIFO, servers forward in order; without the clock it is not enough, and neither
/// with FIFO order.
#[test]
fn without_the_clock_an_answer_overtakes() {
    let anomalies = ["causal", "none", "fifo", "scalar"].map(anomalies);
    assert_eq!(anomalies, [0, 100, 100, 100]);
}

/// A mail that is lost comes a second later; a scalar does not say that it is missing.
#[test]
fn a_scalar_clock_breaks_the_order_where_mails_are_lost() {
    let broken = |order: &str| {
        let system = random_in_order(order).on(lossy());
        (1..=30).filter(|&seed| violated(&system.simulate(seed).verdicts) == [CAUSAL]).count()
    };
    assert!(broken("scalar") >= 3, "{} of 30 runs", broken("scalar"));
    assert_eq!(broken("causal"), 0);
}

fn lossy() -> Network {
    Network { loss: Chance::percent(10), ..Network::default() }
}

fn random_in_order(order: &str) -> System<CausalMailLab> {
    System::planned(Verb::Simulate, 6, 1, &format!("--order {order}"))
}

/// A user who counts the mails for others waits for them, and so does whoever waits for the answers. What is
/// read is in causal order all the same.
#[test]
fn a_vector_clock_waits_for_mails_to_others() {
    let system = random_in_order("vector");
    for seed in 0..100 {
        let run = system.simulate(seed);
        assert_eq!(run.ended, Ended::Quiet);
        assert_eq!(violated(&run.verdicts), [NOT_HELD, ONCE, IN_TURN, FINISHES, COST], "{seed}");
    }
}

/// A server that crashes and does not come back takes its users' mail with it, and nothing else
/// goes wrong.
#[test]
fn a_server_that_stays_down_delays_and_breaks_no_order() {
    let limits = Limits { time: Duration::from_secs(600), ..Limits::default() };
    let system = random(3, [4, 3, 2, 2], "full").suffering("kill 1 at 6ms").within(limits);
    let run = system.simulate(3);
    assert_eq!(run.ended, Ended::TimeLimit(limits.time), "the others try for ever");
    let holds: Vec<_> = run.verdicts.iter().map(|verdict| verdict.holds()).collect();
    let (yes, open) = (Some(true), None);
    assert_eq!(holds, [yes, yes, open, yes, open, yes, open, yes, yes], "{:?}", run.verdicts);
}
