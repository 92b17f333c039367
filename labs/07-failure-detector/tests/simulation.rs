//! Many seeds of the right detectors, with every fault that they are there for, and how good they
//! are.

mod common;

use std::time::Duration;

use common::{INTERVAL, at_rest, set};
use failure_detector::lab::FailureDetectorLab;
use failure_detector::lists::List;
use labs::lab::{Lab, Prediction};
use labs::process::{ProcessId, split_mix};
use labs::simulate::{Chance, Network};
use labs::testing::{ProcessOf, Simulated};
use labs::verdict::Verdict;

type Run = Simulated<FailureDetectorLab>;

fn all_hold(verdicts: &[Verdict]) -> bool {
    verdicts.iter().all(|verdict| verdict.holds() == Some(true))
}

fn list_of(run: &Run, detector: usize, process: u32) -> Vec<List> {
    run.all[detector].process().detector().unwrap().lists().of(ProcessId(process))
}

fn lists_of(run: &Run, process: u32) -> [Vec<List>; 2] {
    [0, 1].map(|detector| list_of(run, detector, process))
}

/// A plan in which each fault happens in some of the seeds, and all are over after 4 of 8 seconds:
/// a death lasts.
fn faults(seed: u64, processes: u32) -> String {
    let mut stream = seed;
    let mut draw = |bound: u32| (split_mix(&mut stream) % u64::from(bound)) as u32;
    let mut rules = vec![format!("drop {}%", draw(30)), format!("duplicate {}%", draw(20))];
    if draw(2) == 0 {
        rules.push(format!("delay 0ms..{}ms from 1s to 3s", 1 + draw(600)));
    }
    let dies = draw(processes);
    if draw(2) == 0 {
        rules.push(format!("kill {dies} at {}ms", draw(4_000)));
    }
    // Who is dead cannot be stopped.
    let (stops, from) = (draw(processes), draw(3_000));
    if stops != dies {
        rules.push(format!("stop {stops} from {from}ms to {}ms", from + 1 + draw(1_000)));
    }
    if draw(3) == 0 {
        let half = |rest| {
            let ranks = (0..processes).filter(|rank| rank % 2 == rest);
            ranks.map(|rank| rank.to_string()).collect::<Vec<_>>().join(",")
        };
        let from = draw(3_000);
        let to = from + 1 + draw(1_000);
        rules.push(format!("partition {}|{} from {from}ms to {to}ms", half(0), half(1)));
    }
    if draw(3) == 0 {
        rules.push("reorder 20%".to_owned());
    }
    rules.join("; ")
}

#[test]
fn every_property_holds_on_a_thousand_seeds() {
    let (mut suspicions, mut restored, mut doubted) = (0, 0, 0);
    for seed in 0..1_000_u64 {
        let processes = 2 + (seed % 11) as u32;
        let plan = faults(seed, processes);
        let network = match seed % 2 {
            0 => Network::default(),
            _ => Network::unordered(),
        };
        let system = set(processes, 1 + (seed % 5) as u32, 80).on(network).suffering(&plan);
        let run = at_rest(&system, seed);
        assert!(all_hold(&run.verdicts), "{seed}, {plan}: {:#?}", run.verdicts);
        let count = |kind| run.judge.messages().get(kind).copied().unwrap_or(0);
        suspicions += count("SUSPECT");
        restored += count("RESTORE");
        let unknown = |mutant: &ProcessOf<FailureDetectorLab>| {
            let detector = mutant.process().detector();
            detector.map_or(0, |detector| detector.lists().on(List::Unknown).len())
        };
        doubted += run.all.iter().map(unknown).sum::<usize>();
    }
    // None of it holds because nothing happened.
    assert!(
        suspicions > 1_000 && restored > 1_000 && doubted > 100,
        "{suspicions} {restored} {doubted}"
    );
}

#[test]
fn without_faults_nobody_is_suspected_and_messages_are_as_predicted() {
    for watched in [0, 1, 4, 50] {
        let system = set(2 + 2 * watched, 1, 30);
        let run = at_rest(&system, 7);
        assert!(all_hold(&run.verdicts), "{:?}", run.verdicts);
        let predicted = system.lab.predicted();
        assert_eq!(
            run.judge.messages().keys().collect::<Vec<_>>(),
            predicted.keys().collect::<Vec<_>>()
        );
        for (kind, count) in run.judge.messages() {
            assert_eq!(predicted[kind], Prediction::Exactly(*count), "{kind}");
        }
    }
}

/// What each list says in the end of each story.
#[test]
fn the_lists_tell_what_happened() {
    use List::{Alive, Dead, Unknown};
    let stories: [(&str, u32, [&[List]; 2]); 7] = [
        ("kill 4 at 1s", 4, [&[Dead], &[Dead]]),
        ("stop 5 at 1s", 5, [&[Dead], &[Dead]]),
        ("stop 5 from 1s to 3s", 5, [&[Alive], &[Alive]]),
        ("kill 1 at 1s", 1, [&[Dead], &[Alive]]),
        ("kill 1 at 1s", 3, [&[Unknown], &[Alive]]),
        // Each half goes on by itself, and does not know of the other.
        ("partition 0,2,4|1,3,5 from 1s", 4, [&[Alive], &[Unknown]]),
        ("partition 0,2,4|1,3,5 from 1s to 3s", 4, [&[Alive], &[Alive]]),
    ];
    for (faults, process, expected) in stories {
        let run = at_rest(&set(6, 3, 60).suffering(faults), 1);
        assert!(all_hold(&run.verdicts), "{faults}: {:?}", run.verdicts);
        assert_eq!(lists_of(&run, process), expected, "p{process} after {faults}");
    }
}

#[test]
fn both_detectors_dead_leaves_nobody_to_tell() {
    let faults = "kill 0 at 1s; kill 1 at 1s; kill 4 at 2s";
    let verdicts = at_rest(&set(6, 3, 60).suffering(faults), 1).verdicts;
    assert!(all_hold(&verdicts), "{verdicts:?}");
    assert_eq!(verdicts[0].detail(), "no detector lives");
}

/// A process that is stopped again and again is restored as often, on both sides.
#[test]
fn a_process_that_flaps_is_restored_each_time() {
    let stops =
        (0..8).map(|i| format!("stop 3 from {}ms to {}ms", i * 1_000 + 100, i * 1_000 + 600));
    let faults = stops.collect::<Vec<_>>().join("; ");
    let run = at_rest(&set(6, 2, 100).suffering(&faults), 1);
    assert!(all_hold(&run.verdicts), "{:?}", run.verdicts);
    assert_eq!(run.judge.messages()["SUSPECT"], 8);
    assert_eq!(run.judge.messages()["RESTORE"], 8);
    assert_eq!(lists_of(&run, 3), [[List::Alive], [List::Alive]]);
}

/// Delays beyond the threshold: a detector that is complete cannot be accurate. It is again, once
/// they are over.
#[test]
fn accuracy_needs_delays_below_the_bound() {
    let latency = |ms: u64| Duration::from_millis(ms)..=Duration::from_millis(ms);
    for (ms, faults, suspected) in [
        // A round trip of 1.9 intervals, and one of 2.1.
        (95, "", false),
        (105, "", true),
        (5, "delay 105ms from 1s to 3s", true),
    ] {
        let network = Network { latency: latency(ms), ..Network::default() };
        let run = at_rest(&set(6, 2, 60).on(network).suffering(faults), 1);
        let was_suspected = run.judge.messages().contains_key("SUSPECT");
        assert_eq!(was_suspected, suspected, "{ms} {faults}: {:?}", run.verdicts);
        assert!(all_hold(&run.verdicts), "{ms} {faults}: {:?}", run.verdicts);
        let alive = list_of(&run, 0, 2) == [List::Alive];
        assert!(alive, "{ms} {faults}: it answered all in the end");
    }
    assert_eq!(INTERVAL, Duration::from_millis(100));
}

/// Each message is lost for ever: completeness holds, and nothing is left of accuracy.
#[test]
fn a_network_that_passes_nothing_leaves_everyone_suspected() {
    let network = Network { loss: Chance::ALWAYS, ..Network::default() };
    let run = at_rest(&set(6, 2, 30).on(network), 1);
    assert!(all_hold(&run.verdicts), "{:?}", run.verdicts);
    assert_eq!(list_of(&run, 0, 2), [List::Dead]);
    assert_eq!(list_of(&run, 0, 3), [List::Unknown]);
}
