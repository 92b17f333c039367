//! Each lab on four machines, as a course runs it: everything holds, faults by plan strike there too, and
//! nothing is left on any machine.

use std::time::Duration;

use serde_json::Value;
use testbed::{Outcome, Room, tests, tests_main};

/// A run that is not waited upon takes less than a second on an idle machine; this one compiles.
const PATIENCE: Duration = Duration::from_secs(60);

const FOUR: &str = "lab[01-04] slots=2\n";

fn main() {
    tests_main(tests![
        chang_roberts_elects,
        a_process_stands_still_by_plan_and_goes_on,
        a_process_is_killed_by_plan,
        messages_are_lost_by_plan,
    ]);
}

/// One run of a lab on four machines, after which nothing may be left.
fn run(lab: &str, arguments: &[&str]) -> Outcome {
    let room = Room::up(4);
    let program = room.share(lab);
    let outcome = room.launch(&program, FOUR, arguments).outcome(PATIENCE);
    assert_eq!(room.processes(), [], "when the launcher has ended, all has ended");
    outcome
}

fn struck(outcome: &Outcome) -> Vec<u64> {
    let faults = outcome.report["faults"].as_array().expect("the report lists the faults");
    faults.iter().filter_map(|fault| fault["struck"].as_u64()).collect()
}

fn verdict<'a>(outcome: &'a Outcome, name: &str) -> &'a Value {
    let properties = outcome.report["properties"].as_array().expect("the report lists properties");
    let property = properties.iter().find(|property| property["name"] == name);
    &property.unwrap_or_else(|| panic!("no {name:?} in {:#?}", outcome.report))["holds"]
}

fn chang_roberts_elects() {
    for launch in ["star", "chain"] {
        let outcome = run("chang-roberts", &["--processes", "8", "--launch", launch]);
        outcome.assert_holds();
        assert_eq!(outcome.report["result"]["count"], 8, "{outcome:#?}");
    }
}

// -----------------------------------------------------------------------------------------------
// Plans of faults

/// Longer than the silence after which a process that nobody stopped by plan is taken for gone; another is
/// stopped by a message, and continued by the launcher.
fn a_process_stands_still_by_plan_and_goes_on() {
    let plan = "stop 2 from 200ms to 4s; stop 1 after 2 TOKEN; continue 1 at 1s";
    let outcome = run("token-ring", &["--processes", "8", "--work", "5", "--faults", plan]);
    outcome.assert_holds();
    assert_eq!(struck(&outcome), [1, 1, 1]);
    assert!(outcome.report["elapsed_s"].as_f64() > Some(3.9), "{outcome:#?}");
}

/// It stands still when it is killed: nobody but its machine can do that.
fn a_process_is_killed_by_plan() {
    let plan = "stop 5 at 100ms; kill 5 at 1s";
    let arguments = ["--processes", "8", "--work", "5", "--laps", "1000", "--faults", plan];
    let outcome = run("token-ring", &arguments);
    // If it held the token, that is lost.
    let status = if verdict(&outcome, "exactly one token at any time") == false { 1 } else { 2 };
    outcome.assert_problem(status, &["p5 on lab03", "it died", "as the plan of faults says"]);
    assert_eq!(struck(&outcome), [1, 1]);
    // Its journal was fetched from its machine.
    assert_eq!(verdict(&outcome, "mutual exclusion"), true, "{outcome:#?}");
}

fn messages_are_lost_by_plan() {
    let arguments = ["--processes", "8", "--timeout", "3", "--faults", "drop 4->3 after 2 TOKEN"];
    let outcome = run("token-ring", &arguments);
    assert_eq!(outcome.status, Some(1), "{outcome:#?}");
    assert_eq!(verdict(&outcome, "exactly one token at any time"), false);
    assert_eq!(struck(&outcome), [1]);
}
