//! Many seeds of the right algorithms, and what becomes of them where their assumptions do not hold.

mod common;

use chang_roberts::identities::{Identities, Initiators, Order};
use chang_roberts::lab::{ChangRobertsLab, Options};
use common::{CLOSINGS, ELECTS, all_of, random, ring, simulate, specs};
use labs::lab::{Lab, Prediction};
use labs::simulate::{Chance, Network};
use labs::testing::violated;
use labs::verdict::Judge;
use proptest::prelude::*;

fn assert_as_predicted(judge: &Judge, options: &Options, processes: u32) {
    for (kind, predicted) in ChangRobertsLab::predicted(options, processes) {
        let measured = judge.messages().get(&kind).copied().unwrap_or(0);
        assert_eq!(Prediction::Exactly(measured), predicted, "{kind} of {options:?}");
    }
}

#[test]
fn every_property_holds_on_a_thousand_seeds() {
    for seed in 0..1_000_u64 {
        let processes = 2 + (seed % 19) as u32;
        let identities = Identities {
            order: [Order::Random, Order::Random, Order::Sorted, Order::Reverse][seed as usize % 4]
                .clone(),
            initiators: match seed % 3 {
                0 => Initiators::Some(1 + (seed / 3) as u32 % processes),
                _ => Initiators::All,
            },
            seed,
            ..Identities::default()
        };
        let (elect, closing) = (ELECTS[seed as usize / 4 % 2], CLOSINGS[seed as usize % 2]);
        let options = Options::new(identities, elect, closing);
        let demanded = specs(processes, &options);
        let (verdicts, judge) =
            simulate(seed, Network::default(), ring(processes, &options), &demanded);
        assert!(verdicts.iter().all(|verdict| verdict.holds == Some(true)), "{seed}: {verdicts:?}");
        assert_as_predicted(&judge, &options, processes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Whatever the identities, their order, the initiators and the network's timing.
    #[test]
    fn the_predicted_count_is_the_measured_one(
        identities in Just((1..=24_u64).map(|i| i * i).collect::<Vec<_>>()).prop_shuffle(),
        processes in 2_usize..=24,
        initiators in 1_u32..=24,
        min in any::<bool>(),
        ordered in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let given = identities[..processes].to_vec();
        let processes = processes as u32;
        let initiators = Initiators::Some(initiators.min(processes));
        let options = common::given(given, initiators, ELECTS[usize::from(min)], CLOSINGS[0]);
        let network = Network { fifo: ordered, ..Network::default() };
        let demanded = specs(processes, &options);
        let (_, judge) = simulate(seed, network, ring(processes, &options), &demanded);
        assert_as_predicted(&judge, &options, processes);
    }
}

/// 2N−1 at best, N(N+1)/2 at worst.
#[test]
fn sorted_identities_cost_least_and_reversed_ones_most() {
    for (order, elections) in [(Order::Sorted, 2 * 50 - 1), (Order::Reverse, 50 * 51 / 2)] {
        let identities = Identities { order, ..Identities::default() };
        let options = Options::new(identities, ELECTS[0], CLOSINGS[0]);
        let demanded = specs(50, &options);
        let (_, judge) = simulate(1, Network::default(), ring(50, &options), &demanded);
        assert_eq!(judge.messages()["ELECTION"], elections);
    }
}

/// Messages that overtake each other break FIFO, and nothing else: no other property needs it.
#[test]
fn without_fifo_all_else_holds() {
    let mut overtaken = 0;
    for seed in 0..200 {
        let options = random(seed);
        let demanded = specs(9, &options);
        let (verdicts, _) = simulate(seed, Network::unordered(), ring(9, &options), &demanded);
        let broken = violated(&verdicts);
        assert!(broken.iter().all(|&name| name == "FIFO"), "{seed}: {verdicts:?}");
        overtaken += broken.len();
    }
    assert!(overtaken > 100, "{overtaken}");
}

/// The assumption is that nothing is lost.
#[test]
fn a_lost_message_leaves_somebody_without_a_leader_or_a_rank() {
    let network = Network { loss: Chance::percent(5), ..Network::default() };
    for seed in 0..100 {
        let options = random(seed);
        let demanded = specs(8, &options);
        let (verdicts, judge) = simulate(seed, network.clone(), ring(8, &options), &demanded);
        let broken = violated(&verdicts);
        if judge.messages().get("NUMBER").is_none_or(|&count| count < 8) {
            assert!(broken.contains(&"the count is N"), "{seed}: {verdicts:?}");
            assert!(broken.contains(&"exactly-once delivery"), "{seed}: {verdicts:?}");
        }
        // Loss makes the algorithm fall silent, never lie.
        assert!(
            !broken.contains(&"exactly one leader, agreed by all") || {
                let verdict = &verdicts[0];
                verdict.detail == "nobody leads"
            }
        );
    }
}

/// A copy of a message costs more messages, and changes no result.
#[test]
fn doubled_messages_elect_the_same() {
    let network = Network { duplication: Chance::percent(20), ..Network::default() };
    for seed in 0..100 {
        let options = random(seed);
        let demanded = specs(8, &options);
        let (verdicts, _) = simulate(seed, network.clone(), ring(8, &options), &demanded);
        let named = ["ELECTION messages as predicted", "exactly-once delivery", "FIFO"];
        let broken = violated(&verdicts);
        assert!(broken.iter().all(|name| named.contains(name)), "{seed}: {verdicts:?}");
    }
}

/// Large rings are judged as small ones are.
#[test]
fn thirty_thousand_processes_elect_one() {
    let options = random(1);
    let demanded = specs(30_000, &options);
    let (verdicts, judge) = simulate(1, Network::default(), ring(30_000, &options), &demanded);
    assert!(verdicts.iter().all(|verdict| verdict.holds == Some(true)), "{verdicts:?}");
    assert_as_predicted(&judge, &options, 30_000);
}

/// The first process keeps what comes before it knows its successor: no message is lost with it.
#[test]
fn the_greatest_identity_may_be_that_of_the_first_process() {
    for identities in [[9, 1, 2], [1, 9, 2], [1, 2, 9]] {
        let options = all_of(&identities);
        let demanded = specs(3, &options);
        let (verdicts, _) = simulate(1, Network::default(), ring(3, &options), &demanded);
        assert!(verdicts.iter().all(|v| v.holds == Some(true)), "{identities:?}: {verdicts:?}");
    }
}
