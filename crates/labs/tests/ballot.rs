//! A process that is killed and started again goes on with what it had kept, in a real run as in the
//! simulator, and its author has written nothing for that.

use std::path::{Path, PathBuf};
use std::process::Command;

use labs::testing::{Ran, assert_nothing_left};

/// The voter dies when it has given its vote, and is there again before the second candidate asks.
const VOTER_DIES: &str = "kill 0 at 250ms; restart 0 at 350ms";

/// The example program, which `cargo test` builds beside the tests.
fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test.parent().unwrap().parent().unwrap();
    let program = target.join("examples/ballot");
    assert!(program.exists(), "run `cargo build -p labs --example ballot` first");
    program
}

fn ran(arguments: &[&str]) -> Ran {
    let output = Command::new(program()).args(arguments).arg("--json").output().unwrap();
    let ran = Ran::of(&output);
    if arguments[0] == "run" {
        assert_nothing_left(ran.report["run"].as_str().unwrap());
    }
    ran
}

/// The events of a trace: of which process, and what.
fn events(trace: &Path) -> Vec<(u64, String)> {
    let text = std::fs::read_to_string(trace).unwrap();
    let lines = text.lines().skip(1).map(|line| serde_json::from_str(line).unwrap());
    let event = |event: serde_json::Value| {
        (event["process"].as_u64().unwrap(), event["event"].as_str().unwrap().to_owned())
    };
    lines.map(event).collect()
}

#[test]
fn a_voter_that_starts_again_has_kept_its_vote() {
    for verb in ["run", "simulate"] {
        let ran = ran(&[verb, "-n", "4", "--faults", VOTER_DIES]);
        assert_eq!((ran.status, ran.holds()), (0, true), "{verb}: {}", ran.report);
        assert_eq!(ran.report["faults"][1]["struck"], 1, "{verb}: {}", ran.report);
    }
}

#[test]
fn a_voter_that_forgets_its_vote_is_caught() {
    for verb in ["run", "simulate"] {
        let ran = ran(&[verb, "--broken", "forgets-vote", "--faults", VOTER_DIES]);
        assert_eq!(ran.status, 1, "{verb}: {}", ran.report);
    }
}

#[test]
fn what_was_kept_is_kept_over_several_deaths() {
    let plan = format!("{VOTER_DIES}; kill 0 at 650ms; restart 0 at 750ms");
    let ran = ran(&["run", "-n", "4", "--faults", &plan]);
    assert_eq!((ran.status, ran.holds()), (0, true), "{}", ran.report);
}

/// p2 connects to p0 and p1. When it starts again, p1 is dead.
#[test]
fn one_that_starts_again_beside_a_dead_neighbour_takes_part() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace.jsonl");
    let plan = "kill 1 at 150ms; kill 2 at 200ms; restart 2 at 250ms";
    let ran = ran(&["run", "-n", "4", "--trace", trace.to_str().unwrap(), "--faults", plan]);
    assert_eq!((ran.status, ran.holds()), (0, true), "{}", ran.report);
    // It does not try the dead for a while first.
    assert!(ran.report["elapsed_s"].as_f64().unwrap() < 2.0, "{}", ran.report);
    let of = |process| {
        let events = events(&trace).into_iter().filter(move |(of, _)| *of == process);
        let said = events.map(|(_, event)| event);
        said.filter(|event| ["crash", "recover"].contains(&event.as_str())).collect()
    };
    let (dead, again): (Vec<_>, Vec<_>) = (of(1), of(2));
    assert_eq!(dead.last().unwrap(), "crash");
    assert_eq!(again, ["crash", "recover"]);
}
