//! Many seeds of the right algorithms, and what becomes of them where their assumptions do not hold.

mod common;

use chang_roberts::lab::ChangRobertsLab;
use common::{CLOSINGS, ELECTS, all_of, given, random, simulate};
use labs::lab::{Lab, Prediction, Verb};
use labs::simulate::{Chance, Network};
use labs::testing::{Simulated, System, violated};
use labs::verdict::Property;
use labs::verdict::Verdict;
use proptest::prelude::*;

fn assert_as_predicted(run: &Simulated<ChangRobertsLab>, lab: &ChangRobertsLab) {
    for (kind, predicted) in lab.predicted() {
        let measured = run.judge.messages().get(&kind).copied().unwrap_or(0);
        assert_eq!(Prediction::Exactly(measured), predicted, "{kind} of {lab:?}");
    }
}

fn all_hold(verdicts: &[Verdict]) -> bool {
    verdicts.iter().all(|verdict| verdict.holds() == Some(true))
}

#[test]
fn every_property_holds_on_a_thousand_seeds() {
    for seed in 0..1_000_u64 {
        let processes = 2 + (seed % 19) as u32;
        let order = ["random", "random", "sorted", "reverse"][seed as usize % 4];
        let initiators = match seed % 3 {
            0 => (1 + (seed / 3) as u32 % processes).to_string(),
            _ => "all".to_owned(),
        };
        let elect = ["max", "min"][seed as usize / 4 % 2];
        let closing = ["forward", "first"][seed as usize % 2];
        let options =
            format!("--ids {order} --initiators {initiators} --elect {elect} --closing {closing}");
        let system = System::planned(Verb::Simulate, processes, seed, &options);
        let run = simulate(&system, seed);
        assert!(all_hold(&run.verdicts), "{seed}: {:?}", run.verdicts);
        assert_as_predicted(&run, &system.lab);
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
        let initiators = initiators.min(processes as u32);
        let elect = ELECTS[usize::from(min)];
        let lab = given(&identities[..processes], initiators, elect, CLOSINGS[0]);
        let network = Network { fifo: ordered, ..Network::default() };
        let run = simulate(&System::new(lab.clone()).on(network), seed);
        assert_as_predicted(&run, &lab);
    }
}

/// 2N−1 at best, N(N+1)/2 at worst.
#[test]
fn sorted_identities_cost_least_and_reversed_ones_most() {
    for (order, elections) in [("--ids sorted", 2 * 50 - 1), ("--ids reverse", 50 * 51 / 2)] {
        let run = simulate(&System::typed(50, order), 1);
        assert_eq!(run.judge.messages()["ELECTION"], elections);
    }
}

/// Messages that overtake each other break nothing.
#[test]
fn without_fifo_all_holds() {
    let mut overtaken = 0;
    for seed in 0..200 {
        let mut system = random(9, seed).on(Network::unordered());
        system.properties.push(Property::fifo());
        let verdicts = simulate(&system, seed).verdicts;
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
        let run = simulate(&random(8, seed).on(network.clone()), seed);
        let verdicts = run.verdicts;
        let broken = violated(&verdicts);
        if run.judge.messages().get("NUMBER").is_none_or(|&count| count < 8) {
            assert!(broken.contains(&"the count is N"), "{seed}: {verdicts:?}");
            assert!(broken.contains(&"exactly-once delivery"), "{seed}: {verdicts:?}");
        }
        // Loss makes the algorithm fall silent, never lie.
        assert!(
            !broken.contains(&"exactly one leader, agreed by all")
                || verdicts[0].detail() == "nobody leads"
        );
    }
}

/// A copy of a message costs more messages, of which nothing was predicted, and changes no result.
#[test]
fn doubled_messages_elect_the_same() {
    let network = Network { duplication: Chance::percent(20), ..Network::default() };
    for seed in 0..100 {
        let verdicts = simulate(&random(8, seed).on(network.clone()), seed).verdicts;
        let broken = violated(&verdicts);
        assert!(broken.iter().all(|name| *name == "exactly-once delivery"), "{seed}: {verdicts:?}");
    }
}

/// Large rings are judged as small ones are.
#[test]
fn thirty_thousand_processes_elect_one() {
    let system = random(30_000, 1);
    let run = simulate(&system, 1);
    assert!(all_hold(&run.verdicts), "{:?}", run.verdicts);
    assert_as_predicted(&run, &system.lab);
}

/// The first process keeps what comes before it knows its successor: no message is lost with it.
#[test]
fn the_greatest_identity_may_be_that_of_the_first_process() {
    for identities in [[9, 1, 2], [1, 9, 2], [1, 2, 9]] {
        let verdicts = simulate(&all_of(&identities), 1).verdicts;
        assert!(all_hold(&verdicts), "{identities:?}: {verdicts:?}");
    }
}
