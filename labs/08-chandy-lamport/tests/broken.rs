//! Each mistake is caught by the property that is there for it, in `simulate` and in `check`.

mod common;

use std::time::Duration;

use chandy_lamport::broken::Broken;
use chandy_lamport::lab::ChandyLamportLab;
use common::{
    BLOCKED, CHANNELS, CUT, EVERY_WAVE, MARKERS, TOTAL, all, broken, options, simulate, specs,
};
use labs::check::{Channels, Options as Search};
use labs::lab::{Lab, Verb};
use labs::simulate::{Chance, Network};
use labs::testing::{assert_saved_trace_shows_it, counterexample, only, violated};
use labs::verdict::Spec;

/// Each mistake, the options with which it shows, and a property that names it in every simulated run; with
/// a number of processes, and the length of the shortest of their runs that breaks this property.
const MISTAKES: [(Broken, &str, &str, u32, usize); 11] = [
    (Broken::MarkerAfterMessage, "", CUT, 2, 3),
    (Broken::MarkerAfterMessage, "--waves 2 --messages 2", TOTAL, 2, 7),
    (Broken::MarkerAfterMessage, "", EVERY_WAVE, 2, 5),
    (Broken::StateRecordedLate, "", CHANNELS, 2, 4),
    (Broken::StateRecordedLate, "", MARKERS, 2, 2),
    (Broken::ChannelForgotten, "", CHANNELS, 2, 5),
    (Broken::ChannelForgotten, "", TOTAL, 2, 5),
    (Broken::WavesMixed, "--initiators 0,1", CHANNELS, 2, 5),
    (Broken::WavesMixed, "--initiators 0,1", TOTAL, 2, 5),
    (Broken::ResumesEarly, "--protocol blocking", BLOCKED, 3, 3),
    (Broken::MarkerTwice, "--waves 2 --messages 0", MARKERS, 2, 4),
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
        let options = options(&words, Verb::Simulate, 5);
        let demanded = specs(5, &options);
        let caught = |seed: &u64| {
            let all = broken(5, &options, how);
            let (verdicts, _) = simulate(*seed, network.clone(), "", all, &demanded);
            violated(&verdicts).contains(&property)
        };
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
fn checked() {
    let lengths = MISTAKES.map(|(how, words, property, processes, _)| {
        let options = options(words, Verb::Check, processes);
        let demanded = only(property, specs(processes, &options), processes);
        let timeouts = ChandyLamportLab::timeouts(&options);
        let search = Search { timeouts, ..Search::default() };
        let counterexample = counterexample(broken(processes, &options, how), &demanded, &search);
        assert_eq!(counterexample.property, property, "{how:?}");
        assert_saved_trace_shows_it(&counterexample, processes, &demanded);
        (how, words, property, processes, counterexample.steps.len())
    });
    assert_eq!(lengths, MISTAKES);
}

/// What the protocols cannot break, the network can.
#[test]
fn channels_are_watched_in_simulations_too() {
    let options = options("--tick 1 --waves 2 --every 4 --messages 100", Verb::Simulate, 5);
    let demanded = [Spec::Fifo, Spec::ExactlyOnce];
    let losing = Network { loss: Chance::percent(10), ..Network::default() };
    let doubling = Network { duplication: Chance::percent(10), ..Network::default() };
    let networks = [
        (Network::default(), &[][..]),
        (Network::unordered(), &["FIFO"][..]),
        (losing, &["exactly-once delivery"]),
        (doubling, &["exactly-once delivery"]),
    ];
    for (network, property) in networks {
        for seed in 0..100 {
            let (verdicts, _) = simulate(seed, network.clone(), "", all(5, &options), &demanded);
            assert_eq!(violated(&verdicts), property, "{seed} {network:?}: {verdicts:?}");
        }
    }
}

#[test]
fn channels_are_watched_too() {
    let options = options("", Verb::Check, 2);
    let unordered = Search { channels: Channels::Unordered, ..Search::default() };
    let fifo = counterexample(all(2, &options), &[Spec::Fifo], &unordered);
    assert_eq!(fifo.steps.len(), 4, "{fifo}");
    let losing = Search { losses: 1, ..Search::default() };
    let lost = counterexample(all(2, &options), &[Spec::ExactlyOnce], &losing);
    assert_eq!(lost.steps.len(), 2, "{lost}");
    // The marker is lost, and both have nothing more to send.
    let demanded = only(EVERY_WAVE, specs(2, &options), 2);
    let incomplete = counterexample(all(2, &options), &demanded, &losing);
    assert_eq!(incomplete.steps.len(), 6, "{incomplete}");
}
