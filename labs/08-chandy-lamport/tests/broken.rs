//! Each mistake is caught by the property that is there for it, in `simulate` and in `check`.

mod common;

use std::time::Duration;

use chandy_lamport::snapshot::Slip;
use common::{BLOCKED, CHANNELS, CUT, EVERY_WAVE, MARKERS, TICKS, TOTAL, at_rest, checked};
use labs::check::{Channels, Options as Search};
use labs::lab::Lab;
use labs::simulate::{Chance, Network};
use labs::testing::{System, violated};

/// Each mistake, the options with which it shows, and a property that names it in every simulated run; with
/// a number of processes, and the length of the shortest of their runs that breaks this property.
const MISTAKES: [(Slip, &str, &str, u32, usize); 12] = [
    (Slip::MarkerAfterMessage, "", CUT, 2, 3),
    (Slip::MarkerAfterMessage, "--waves 2 --messages 2", TOTAL, 2, 7),
    (Slip::MarkerAfterMessage, "", EVERY_WAVE, 2, 5),
    (Slip::StateRecordedLate, "", CHANNELS, 2, 4),
    (Slip::StateRecordedLate, "", MARKERS, 2, 3),
    (Slip::ChannelForgotten, "", CHANNELS, 2, 5),
    (Slip::ChannelForgotten, "", TOTAL, 2, 5),
    (Slip::WavesMixed, "--initiators 0,1", CHANNELS, 2, 5),
    (Slip::WavesMixed, "--initiators 0,1", TOTAL, 2, 5),
    (Slip::ResumesEarly, "--protocol blocking", BLOCKED, 3, 2),
    (Slip::LosesHeld, "--protocol blocking", TICKS, 2, 5),
    (Slip::MarkerTwice, "--waves 2 --messages 0", MARKERS, 2, 4),
];

#[test]
fn simulated() {
    // So slow that messages are in transit on each channel.
    let latency = Duration::from_millis(5)..=Duration::from_millis(20);
    let network = Network { latency, ..Network::default() };
    for (how, words, property, _, _) in MISTAKES {
        // How many waves and messages is for the checker.
        let words = words.split("--waves").next().unwrap();
        let words = format!("{words} --tick 1 --waves 4 --every 4 --messages 100");
        let system = System::typed(5, &words).broken(how.into()).on(network.clone());
        let caught = |seed: &u64| violated(&at_rest(&system, *seed).verdicts).contains(&property);
        let caught = (0..100).filter(caught).count();
        let least = match property {
            // A wrong state may have the right total by chance.
            TOTAL => 90,
            // A marker that waits for a message is sent in the end, if there is another message.
            EVERY_WAVE => 5,
            _ => 100,
        };
        assert!(caught >= least, "{how:?} {property}: {caught} of 100");
    }
}

#[test]
fn checked_in_every_order() {
    let lengths = MISTAKES.map(|(how, words, property, processes, _)| {
        let system = checked(processes, words).broken(how.into()).judged_by(property);
        let search = Search { timeouts: system.lab.timeouts(), ..Search::default() };
        let counterexample = system.counterexample(&search);
        assert_eq!(counterexample.property, property, "{how:?}");
        (how, words, property, processes, counterexample.steps.len())
    });
    assert_eq!(lengths, MISTAKES);
}

/// What the protocols cannot break, the network can.
#[test]
fn channels_are_watched_in_simulations_too() {
    let losing = Network { loss: Chance::percent(10), ..Network::default() };
    let doubling = Network { duplication: Chance::percent(10), ..Network::default() };
    let networks = [
        (Network::default(), &[][..]),
        (Network::unordered(), &["FIFO"][..]),
        (losing, &["exactly-once delivery"]),
        (doubling, &["exactly-once delivery"]),
    ];
    for (network, property) in networks {
        let words = "--tick 1 --waves 2 --every 4 --messages 100";
        let mut system = System::typed(5, words).on(network);
        system.properties.retain(|property| property.pattern.is_some());
        for seed in 0..100 {
            let verdicts = at_rest(&system, seed).verdicts;
            assert_eq!(violated(&verdicts), property, "{seed}: {verdicts:?}");
        }
    }
}

#[test]
fn channels_are_watched_too() {
    let system = |property| checked(2, "").judged_by(property);
    let unordered = Search { channels: Channels::Unordered, ..Search::default() };
    let fifo = system("FIFO").counterexample(&unordered);
    assert_eq!(fifo.steps.len(), 4, "{fifo}");
    let losing = Search { losses: 1, ..Search::default() };
    let lost = system("exactly-once delivery").counterexample(&losing);
    assert_eq!(lost.steps.len(), 2, "{lost}");
    // The marker is lost, and both have nothing more to send.
    let incomplete = system(EVERY_WAVE).counterexample(&losing);
    assert_eq!(incomplete.steps.len(), 6, "{incomplete}");
}
