//! Hunts: nothing is found in the algorithm, and each mistake is, without any other option.

use labs::testing::{Program, Ran, every_mistake_shows, hunted, nothing_is_found, violated};
use token_ring::token_ring::Mistake;

const PROGRAM: Program = Program(env!("CARGO_BIN_EXE_token-ring"));

#[test]
fn the_algorithm_is_not_accused() {
    nothing_is_found(PROGRAM);
}

#[test]
fn every_mistake_shows_without_options() {
    every_mistake_shows::<Mistake>(PROGRAM);
}

#[test]
fn what_is_given_is_not_drawn_and_stays() {
    let found =
        hunted(PROGRAM, &["--broken", "second-token", "-n", "4", "--laps", "3", "--work", "2"]);
    let command = found["violation"]["command"].as_str().unwrap();
    for words in ["-n 4", "--laps 3", "--work 2", "--broken second-token"] {
        assert!(command.contains(words), "{command}");
    }
}

/// Its latencies are those of the file, so that no others are drawn; what it loses accuses nobody.
#[test]
fn a_network_of_regions_is_hunted_in() {
    let campus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../networks/campus.json");
    let nothing = hunted(PROGRAM, &["--runs", "300", "--network", campus]);
    assert_eq!(nothing["violation"], serde_json::Value::Null);
    let found = hunted(PROGRAM, &["--broken", "second-token", "--network", campus]);
    for command in ["command", "found_as"] {
        let command = found["violation"][command].as_str().unwrap();
        assert!(command.contains("--network") && !command.contains("--latency"), "{command}");
    }
}

#[test]
fn the_trace_of_what_was_found_is_judged_and_replayed_alike() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("found.jsonl");
    let path = trace.to_str().unwrap();
    let found = hunted(PROGRAM, &["--broken", "second-token", "--trace", path]);
    assert_eq!(found["violation"]["trace"], path);
    let property = found["violation"]["property"].as_str().unwrap();
    assert!(violated(&PROGRAM.verified(&trace)).contains(&property));
    let replayed = PROGRAM.output(&["replay", path]);
    assert!(replayed.status.success(), "{replayed:?}");
}

#[test]
fn a_story_ends_with_what_is_wrong() {
    let output = PROGRAM.output(&["hunt", "--broken", "enters-without-token"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.trim_end().ends_with("p1 ! Entered"), "{text}");
    assert!(text.contains("\n  token-ring simulate --broken enters-without-token -n 2"), "{text}");
}

#[test]
fn ctrl_c_gives_the_report_until_then() {
    let ran = PROGRAM.start(&["hunt", "--for", "600"]).interrupt();
    assert_eq!(ran.status, 2, "{}", ran.report);
    assert!(ran.report["problems"].to_string().contains("interrupted"), "{}", ran.report);
}

#[test]
fn what_cannot_be_hunted_is_said_in_one_line() {
    let said = |words: &[&str]| {
        let output = PROGRAM.output(&[&["hunt"], words].concat());
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let laps = said(&["--entries", "3", "--laps", "1"]);
    assert!(laps.contains("--entries 3 with --laps 1"), "{laps}");
    assert!(said(&["--for", "0"]).contains("above 0"));
    assert!(said(&["--jobs", "0"]).contains("from 1 to"));
    assert!(said(&["--trace", "/nowhere/found.jsonl"]).contains("cannot write the trace"));
}

#[test]
fn many_seeds_give_one_report() {
    let simulated = |words: &[&str]| {
        let words = [&["simulate", "--json"], words].concat();
        let mut ran = Ran::of(&PROGRAM.output(&words));
        ran.report["elapsed_s"] = serde_json::Value::Null;
        ran
    };
    let all = simulated(&["--seeds", "1..20", "--jobs", "2"]);
    assert_eq!((all.status, all.holds()), (0, true), "{}", all.report);
    assert_eq!(all.report["result"]["held"], 20);
    assert_eq!(all.report["seeds"], serde_json::json!([1, 20]));
    let tokens = serde_json::json!({"min": 25, "max": 25, "mean": 25.0});
    assert_eq!(all.report["messages"]["TOKEN"]["measured"], tokens);
    assert_eq!(all.report, simulated(&["--seeds", "1..20", "--jobs", "1"]).report);
    // With some seeds the message is lost that matters.
    let some = simulated(&["--seeds", "1..40", "--loss", "1%"]);
    let first = some.report["result"]["first_seed_not_held"].as_u64().unwrap();
    assert_eq!(some.status, 1);
    assert!(some.report["result"]["held"].as_u64() > Some(0), "{}", some.report);
    for seed in 1..=first {
        let one = simulated(&["--seed", &seed.to_string(), "--loss", "1%"]);
        assert_eq!(one.holds(), seed < first, "seed {seed}");
    }
}

#[test]
fn the_trace_of_many_seeds_is_of_the_first_that_does_not_hold() {
    let folder = tempfile::tempdir().unwrap();
    let [trace, same] = ["many.jsonl", "one.jsonl"].map(|name| folder.path().join(name));
    let [path, other] = [&trace, &same].map(|path| path.to_str().unwrap());
    let words = ["simulate", "--loss", "1%", "--seeds", "1..40", "--trace", path, "--json"];
    let first =
        Ran::of(&PROGRAM.output(&words)).report["result"]["first_seed_not_held"].to_string();
    PROGRAM.output(&["simulate", "--loss", "1%", "--trace", other, "--json", "--seed", &first]);
    assert_eq!(std::fs::read(&trace).unwrap(), std::fs::read(&same).unwrap());
}

#[test]
fn seeds_that_are_none_are_refused() {
    let said = |seeds: &str| {
        let output = PROGRAM.output(&["simulate", "--seeds", seeds]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(said("5..1").contains("exchange its ends"));
    assert!(said("1").contains("such as 1..1000"));
    assert!(said("0..18446744073709551615").contains("at most"));
    let both = PROGRAM.output(&["simulate", "--seeds", "1..2", "--seed", "1"]);
    assert_eq!(both.status.code(), Some(2));
}

/// Two tokens run round for ever: the run ends when it is clear what is wrong.
#[test]
fn a_run_ends_soon_after_a_violation() {
    let words =
        ["simulate", "--broken", "sends-both-ways", "--laps", "4000000", "--timeout", "600"];
    let ran = Ran::of(&PROGRAM.output(&[&words[..], &["--json"]].concat()));
    assert_eq!(ran.status, 1, "{}", ran.report);
    assert!(ran.report["elapsed_s"].as_f64() < Some(60.0), "{}", ran.report);
    let unknown = "some time after a property was violated for good";
    assert!(ran.report["properties"].to_string().contains(unknown), "{}", ran.report);
    assert!(ran.problems().contains("null"), "{}", ran.report);
}
