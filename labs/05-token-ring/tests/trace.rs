//! The vector clocks of real runs are exact, by a reader of our own that shares no code with the
//! writer: it computes from the messages alone who knows of which events.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::PROGRAM;
use serde_json::Value;

/// The events of a trace, in the order of the file.
fn events(path: &std::path::Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().skip(1).map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Checks every clock against the set of events that happened before, built by definition: what
/// happened before in the same process, and, for a receipt, all that the sender knew.
fn assert_exact(events: &[Value], processes: usize) {
    let mut past: Vec<BTreeSet<(u64, u64)>> = vec![BTreeSet::new(); processes];
    let mut lamport = vec![0; processes];
    let mut sent: BTreeMap<String, (BTreeSet<(u64, u64)>, u64)> = BTreeMap::new();
    for event in events {
        let (process, n) = (event["process"].as_u64().unwrap(), event["n"].as_u64().unwrap());
        let at = process as usize;
        let id = event["message"]["id"].as_str().map(str::to_owned);
        if event["event"] == "receive" {
            let (known, time) = &sent[id.as_ref().unwrap()];
            past[at].extend(known);
            lamport[at] = lamport[at].max(*time);
        }
        past[at].insert((process, n));
        lamport[at] += 1;
        if event["event"] == "send" {
            assert_eq!(id.as_deref(), Some(format!("{process}-{n}").as_str()));
            sent.insert(id.unwrap(), (past[at].clone(), lamport[at]));
        }
        let counted: Vec<u64> = (0..processes as u64)
            .map(|other| past[at].iter().filter(|(whose, _)| *whose == other).count() as u64)
            .collect();
        let written: Vec<u64> = serde_json::from_value(event["clock"].clone()).unwrap();
        assert_eq!(written, counted, "{event}");
        assert_eq!(written[at], n, "{event}");
        assert_eq!(event["lamport"].as_u64(), Some(lamport[at]), "{event}");
    }
}

fn traced(arguments: &[&str], processes: usize) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.jsonl");
    let mut all = arguments.to_vec();
    all.extend(["--trace", path.to_str().unwrap()]);
    let ran = PROGRAM.ran(&all);
    assert!(ran.holds(), "{}", ran.report);
    assert_eq!(ran.report["trace"].as_str(), path.to_str());
    let events = events(&path);
    assert_exact(&events, processes);
    events
}

#[test]
fn clocks_of_a_real_run_are_exact() {
    let events = traced(&["run", "--processes", "4", "--laps", "3"], 4);
    // What must be there: starts, the token's hops, sections, and the end of each process.
    let count = |event: &str| events.iter().filter(|e| e["event"] == event).count();
    assert_eq!((count("init"), count("stop")), (4, 4));
    assert_eq!(count("send"), 3 + 4 + 12);
    assert_eq!(count("receive"), count("send"));
    assert!(events.iter().any(|e| e["message"]["text"] == "Token { lap: 3 }"));
}

#[test]
fn clocks_of_a_simulated_run_are_exact() {
    traced(&["simulate", "--processes", "6", "--laps", "4", "--seed", "3"], 6);
}

#[test]
fn the_same_seed_writes_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, seed: &str| {
        let path = folder.path().join(name);
        let path_text = path.to_str().unwrap().to_owned();
        PROGRAM.ran(&[
            "simulate",
            "--processes",
            "100",
            "--laps",
            "20",
            "--seed",
            seed,
            "--trace",
            &path_text,
        ]);
        std::fs::read(path).unwrap()
    };
    let (one, two, other) = (write("one", "7"), write("two", "7"), write("other", "8"));
    assert!(one == two, "the same seed gave different files");
    assert!(one != other, "another seed gave the same file");
}

#[test]
fn a_check_writes_its_counterexample() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.jsonl");
    let path = path.to_str().unwrap();
    let ran = PROGRAM.ran(&["check", "--broken", "second-token", "--trace", path]);
    assert_eq!(ran.status, 1);
    let events = events(path.as_ref());
    assert_exact(&events, 3);
    assert_eq!(events.iter().filter(|e| e["value"]["kind"] == "Created").count(), 1, "by p1");
    assert!(!events.iter().any(|e| e["value"]["kind"] == "RollCall"), "before the roll is called");
}
