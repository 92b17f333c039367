//! Many seeds of the right detectors, with every fault that they are there for, and how good they are.

mod common;

use std::time::Duration;

use common::{INTERVAL, set, simulate, specs, system};
use failure_detector::lab::FailureDetectorLab;
use failure_detector::lists::List;
use failure_detector::two_levels::TwoLevels;
use labs::lab::{Lab, Prediction};
use labs::process::{ProcessId, split_mix};
use labs::simulate::{Chance, Network};
use labs::verdict::Verdict;

fn all_hold(verdicts: &[Verdict]) -> bool {
    verdicts.iter().all(|verdict| verdict.holds == Some(true))
}

fn list_of(all: &[TwoLevels], detector: usize, process: u32) -> Vec<List> {
    all[detector].detector().unwrap().lists().of(ProcessId(process))
}

/// A plan in which each fault happens in some of the seeds, and all are over after 4 of 8 seconds: a death lasts.
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
        let options = set(1 + (seed % 5) as u32, 80);
        let plan = faults(seed, processes);
        let all = system(processes, &options);
        let network = match seed % 2 {
            0 => Network::default(),
            _ => Network::unordered(),
        };
        let demanded = specs(processes, &options);
        let (verdicts, judge, all) = simulate(seed, network, &plan, all, &demanded);
        assert!(all_hold(&verdicts), "{seed}, {plan}: {verdicts:#?}");
        let count = |kind| judge.messages().get(kind).copied().unwrap_or(0);
        suspicions += count("SUSPECT");
        restored += count("RESTORE");
        let unknown = |p: &TwoLevels| p.detector().map_or(0, |d| d.lists().on(List::Unknown).len());
        doubted += all.iter().map(unknown).sum::<usize>();
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
        let (processes, options) = (2 + 2 * watched, set(1, 30));
        let all = system(processes, &options);
        let demanded = specs(processes, &options);
        let (verdicts, judge, _) = simulate(7, Network::default(), "", all, &demanded);
        assert!(all_hold(&verdicts), "{verdicts:?}");
        let predicted = FailureDetectorLab::predicted(&options, processes);
        assert_eq!(
            judge.messages().keys().collect::<Vec<_>>(),
            predicted.keys().collect::<Vec<_>>()
        );
        for (kind, count) in judge.messages() {
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
        let options = set(3, 60);
        let (verdicts, _, all) =
            simulate(1, Network::default(), faults, system(6, &options), &specs(6, &options));
        assert!(all_hold(&verdicts), "{faults}: {verdicts:?}");
        let lists = [0, 1].map(|detector| list_of(&all, detector, process));
        assert_eq!([&lists[0][..], &lists[1][..]], expected, "p{process} after {faults}");
    }
}

#[test]
fn both_detectors_dead_leaves_nobody_to_tell() {
    let options = set(3, 60);
    let faults = "kill 0 at 1s; kill 1 at 1s; kill 4 at 2s";
    let (verdicts, ..) =
        simulate(1, Network::default(), faults, system(6, &options), &specs(6, &options));
    assert!(all_hold(&verdicts), "{verdicts:?}");
    assert_eq!(verdicts[0].detail, "no detector lives");
}

/// A process that is stopped again and again is restored as often, on both sides.
#[test]
fn a_process_that_flaps_is_restored_each_time() {
    let options = set(2, 100);
    let stops =
        (0..8).map(|i| format!("stop 3 from {}ms to {}ms", i * 1_000 + 100, i * 1_000 + 600));
    let faults = stops.collect::<Vec<_>>().join("; ");
    let (verdicts, judge, all) =
        simulate(1, Network::default(), &faults, system(6, &options), &specs(6, &options));
    assert!(all_hold(&verdicts), "{verdicts:?}");
    assert_eq!(judge.messages()["SUSPECT"], 8);
    assert_eq!(judge.messages()["RESTORE"], 8);
    assert_eq!([0, 1].map(|detector| list_of(&all, detector, 3)), [[List::Alive], [List::Alive]]);
}

/// Delays beyond the threshold: a detector that is complete cannot be accurate. It is again, once they are over.
#[test]
fn accuracy_needs_delays_below_the_bound() {
    let options = set(2, 60);
    let latency = |ms: u64| Duration::from_millis(ms)..=Duration::from_millis(ms);
    for (ms, faults, suspected) in [
        // A round trip of 1.9 intervals, and one of 2.1.
        (95, "", false),
        (105, "", true),
        (5, "delay 105ms from 1s to 3s", true),
    ] {
        let network = Network { latency: latency(ms), ..Network::default() };
        let (verdicts, judge, all) =
            simulate(1, network, faults, system(6, &options), &specs(6, &options));
        assert_eq!(
            judge.messages().contains_key("SUSPECT"),
            suspected,
            "{ms} {faults}: {verdicts:?}"
        );
        assert!(all_hold(&verdicts), "{ms} {faults}: {verdicts:?}");
        let alive = list_of(&all, 0, 2) == [List::Alive];
        assert!(alive, "{ms} {faults}: it answered all in the end");
    }
    assert_eq!(INTERVAL, Duration::from_millis(100));
}

/// Each message is lost for ever: completeness holds, and nothing is left of accuracy.
#[test]
fn a_network_that_passes_nothing_leaves_everyone_suspected() {
    let options = set(2, 30);
    let network = Network { loss: Chance::ALWAYS, ..Network::default() };
    let (verdicts, _, all) = simulate(1, network, "", system(6, &options), &specs(6, &options));
    assert!(all_hold(&verdicts), "{verdicts:?}");
    assert_eq!(list_of(&all, 0, 2), [List::Dead]);
    assert_eq!(list_of(&all, 0, 3), [List::Unknown]);
}
