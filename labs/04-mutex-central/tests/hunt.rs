//! Hunts: nothing is found in the algorithm, and each mistake is, without any other option.

use labs::testing::{Program, Ran, every_mistake_shows, nothing_is_found};
use mutex_central::mistake::Mistake;
use serde_json::json;

const PROGRAM: Program = Program(env!("CARGO_BIN_EXE_mutex-central"));

#[test]
fn the_algorithm_is_not_accused() {
    nothing_is_found(PROGRAM);
}

#[test]
fn every_mistake_shows_without_options() {
    every_mistake_shows::<Mistake>(PROGRAM);
}

#[test]
fn a_mistake_brings_what_it_needs_unless_it_is_given() {
    const PLAN: &str = "kill 0 at 30ms; restart 0 at 40ms";
    let simulated = |words: &[&str]| {
        let words = [&["simulate", "--broken", "forgets-book", "--json"], words].concat();
        Ran::of(&PROGRAM.output(&words)).report
    };
    let report = simulated(&[]);
    let brought = json!([{"by": "--broken forgets-book", "words": ["--faults", PLAN]}]);
    assert_eq!(report["brought"], brought);
    assert_eq!(report["faults"][0]["struck"], 1);
    let given = simulated(&["--faults", "kill 0 at 5ms; restart 0 at 6ms"]);
    assert_eq!(given["brought"], json!(null));
    assert_eq!(given["faults"][0]["rule"], "kill 0 at 5ms");
    let text = PROGRAM.output(&["simulate", "--broken", "forgets-book"]).stdout;
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains(&format!("--broken forgets-book brings --faults '{PLAN}'\n")), "{text}");
}

#[test]
fn the_trace_of_a_run_names_what_was_brought() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("t.jsonl");
    let path = trace.to_str().unwrap();
    PROGRAM.output(&["simulate", "--broken", "forgets-book", "--trace", path]);
    let text = std::fs::read_to_string(&trace).unwrap();
    assert!(text.lines().next().unwrap().contains("restart 0 at 40ms"), "{text}");
    let replayed = PROGRAM.output(&["replay", path]);
    assert!(replayed.status.success(), "{replayed:?}");
}

/// All wait for the coordinator: that it is gone for good is not the algorithm's fault.
#[test]
fn a_coordinator_that_stays_dead_is_an_assumption_broken() {
    let broken = |words: &[&str]| {
        let ran = Ran::of(&PROGRAM.output(&[&["simulate", "--json"], words].concat()));
        ran.report["assumptions_broken"].clone()
    };
    let dead = broken(&["--faults", "kill 0 at 10ms"]);
    assert_eq!(dead, json!(["p0 starts again when it dies"]));
    assert_eq!(broken(&["--faults", "kill 0 at 10ms; restart 0 at 20ms"]), json!(null));
    assert_eq!(broken(&["--faults", "kill 1 at 10ms"]), json!(null));
    let unheard = broken(&["--retry", "0", "--loss", "10%"]);
    assert_eq!(unheard, json!(["reliable channels (--loss)"]));
}
