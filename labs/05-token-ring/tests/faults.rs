//! Plans of faults: the same text in a run of real processes and in the simulator, and the same comes of it.

mod common;

use common::PROGRAM;
use labs::testing::{Ran, assert_nothing_left};
use serde_json::Value;

/// Three laps of three processes; the token goes from p2 to p1, p0 and back to p2.
const RING: [&str; 8] = ["--processes", "3", "--laps", "3", "--timeout", "4", "--work", "10"];

/// The plan in both worlds.
fn both(plan: &str) -> [Ran; 2] {
    ["run", "simulate"].map(|verb| {
        let ran = PROGRAM.ran(&[&[verb, "--faults", plan], &RING[..]].concat());
        assert!(ran.report["faults"].is_array(), "{verb} {plan}: {}", ran.report);
        if verb == "run" {
            assert_nothing_left(ran.report["run"].as_str().unwrap());
        }
        ran
    })
}

fn struck(ran: &Ran) -> Vec<u64> {
    let faults = ran.report["faults"].as_array().unwrap();
    faults.iter().map(|fault| fault["struck"].as_u64().unwrap()).collect()
}

/// The exit status, and what was said.
fn refused(arguments: &[&str]) -> (i32, String) {
    let output = PROGRAM.output(arguments);
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

fn tokens(ran: &Ran) -> u64 {
    ran.report["messages"]["TOKEN"]["measured"].as_u64().unwrap()
}

#[test]
fn what_an_asynchronous_algorithm_allows_breaks_nothing() {
    for plan in
        ["delay 2->1 30ms", "stop 1 from 5ms to 200ms", "stop 1 after 2 TOKEN; continue 1 at 300ms"]
    {
        for ran in both(plan) {
            assert!(ran.holds(), "{plan}: {}", ran.report);
            assert_eq!(ran.report["assumptions_broken"], Value::Null, "{plan}");
            assert!(plan.contains("delay") || struck(&ran).iter().all(|&n| n == 1), "{plan}");
        }
    }
}

/// Longer than the silence after which a process that nobody stopped by plan is taken for gone.
#[test]
fn a_long_stop_by_plan_is_waited_for() {
    let plan = "stop 1 after 2 TOKEN; continue 1 at 4s";
    let ran = PROGRAM.ran(&["run", "--processes", "3", "--laps", "3", "--faults", plan]);
    assert!(ran.holds(), "{}", ran.report);
    assert_eq!(struck(&ran), [1, 1]);
    assert!(ran.report["elapsed_s"].as_f64().unwrap() > 3.9, "{}", ran.report);
}

#[test]
fn the_second_token_is_lost_and_that_is_said() {
    for ran in both("drop 2->1 after 2 TOKEN") {
        assert_eq!(ran.verdict("exactly one token at any time"), false, "{}", ran.report);
        assert!(ran.report.to_string().contains("lost on its way from p2 to p1"));
        // Two laps of three hops, and one into the void.
        assert_eq!((tokens(&ran), struck(&ran)), (7, vec![1]));
        let broken = &ran.report["assumptions_broken"];
        assert_eq!(broken[0], "reliable channels (drop 2->1 after 2 TOKEN)");
        assert_eq!(ran.status, 1);
    }
}

#[test]
fn a_token_that_arrives_twice_is_two_tokens() {
    for ran in both("duplicate 2->1 after 2 TOKEN") {
        assert_eq!(ran.verdict("exactly one token at any time"), false);
        assert_eq!(ran.verdict("exactly-once delivery"), false);
        assert_eq!(
            ran.report["assumptions_broken"][0],
            "no duplicates (duplicate 2->1 after 2 TOKEN)"
        );
    }
}

#[test]
fn who_is_killed_by_a_message_never_receives_it() {
    let [run, simulated] = both("kill 1 after 2 TOKEN");
    // One lap, and one hop to the one that is dead then.
    assert_eq!([tokens(&run), tokens(&simulated)], [4, 4]);
    assert_eq!((struck(&run), struck(&simulated)), (vec![1], vec![1]));
    for ran in [&run, &simulated] {
        assert_eq!(ran.verdict("exactly one token at any time"), false, "{}", ran.report);
        assert!(ran.report.to_string().contains("lost on its way from p2 to p1"));
        assert_eq!(ran.status, 1);
    }
    let problem = run.report["problems"][0].as_str().unwrap();
    assert!(problem.contains("p1 on localhost") && problem.contains("as the plan of faults says"));
    // Its journal is there although it was killed, and without --trace.
    assert_eq!(run.verdict("mutual exclusion"), true, "{}", run.report);
}

/// Nobody wrote down that it was lost.
#[test]
fn a_trace_shows_what_died_with_a_process() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace.jsonl");
    let arguments = ["run", "--faults", "kill 1 after 2 TOKEN", "--trace", trace.to_str().unwrap()];
    let ran = PROGRAM.ran(&[&arguments, &RING[..]].concat());
    let verdicts = PROGRAM.verified(&trace);
    let one_token = verdicts.iter().find(|verdict| verdict.name.contains("one token")).unwrap();
    assert!(one_token.is_violated(), "{verdicts:?}");
    assert_eq!(serde_json::to_value(&verdicts).unwrap(), ran.report["properties"]);
}

#[test]
fn who_is_killed_at_a_time_is_named() {
    let [run, _] = both("stop 0 at 1ms; kill 0 at 100ms");
    let problem = run.report["problems"][0].as_str().unwrap();
    assert!(problem.contains("p0 on localhost") && problem.contains("it died"), "{problem}");
    assert_eq!(struck(&run), [1, 1]);
}

#[test]
fn who_stands_still_at_the_end_leaves_nothing_behind() {
    let [run, simulated] = both("stop 0 at 1ms");
    for ran in [&run, &simulated] {
        assert_eq!(ran.verdict("every process enters K times"), &Value::Null);
        assert_eq!(ran.status, 2, "{}", ran.report);
    }
    // Continued at the end, it told what it knew.
    assert_eq!(run.verdict("mutual exclusion"), true, "{}", run.report);
}

#[test]
fn impossible_plans_are_refused_before_anything_starts() {
    for (plan, why) in [
        ("kill 3", "there is no p3"),
        ("continue 1 at 2s", "not stopped"),
        ("explode 1", "is no fault"),
        ("@/nonexistent/plan", "No such file"),
    ] {
        for verb in ["run", "simulate", "check"] {
            let (status, stderr) = refused(&[verb, "-n", "3", "--faults", plan]);
            assert_eq!(status, 2);
            assert!(stderr.contains(why), "{verb} {plan}: {stderr}");
        }
    }
}

#[test]
fn a_plan_may_stand_in_a_file() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut file, b"# a lesson\ndrop 2->1\n\tafter 1 TOKEN\n").unwrap();
    let path = format!("@{}", file.path().display());
    let (status, stderr) = refused(&["simulate", "--faults", &path]);
    assert_eq!(status, 2, "a rule has one line");
    assert!(stderr.contains("is no fault"), "{stderr}");
    std::fs::write(file.path(), "# a lesson\ndrop 2->1 after 1 TOKEN # this one\n").unwrap();
    let ran = PROGRAM.ran(&["simulate", "-n", "3", "--faults", &path]);
    assert_eq!(struck(&ran), [1]);
}

#[test]
fn the_checker_tries_each_fault_at_every_moment() {
    for plan in ["drop 2->1", "duplicate 1->0"] {
        let ran = PROGRAM.ran(&["check", "-n", "3", "--faults", plan]);
        assert_eq!(ran.verdict("exactly one token at any time"), false, "{plan}: {}", ran.report);
        // That the plan itself breaks it is no discovery.
        assert!(!ran.report["properties"].to_string().contains("exactly-once delivery"));
        assert!(ran.report["assumptions_broken"].is_array());
    }
    let (status, stderr) = refused(&["check", "--faults", "drop 1->0 10%"]);
    assert!(status == 2 && stderr.contains("leave out how often"), "{stderr}");
    let (status, stderr) = refused(&["check", "--faults", "kill 1 at 2s"]);
    assert!(status == 2 && stderr.contains("leave out when"), "{stderr}");
}

/// A message that reaches the dead is lost, whoever else would be stopped by it.
#[test]
fn the_dead_are_not_stopped() {
    for ran in both("kill 1 at 15ms; stop 1 after 1 TOKEN") {
        assert_eq!(struck(&ran)[0], 1, "{}", ran.report);
    }
    let plan = "kill 1 at 1ms; stop 1 after 1 TOKEN";
    let ran = PROGRAM.ran(&[&["simulate", "--faults", plan], &RING[..]].concat());
    assert_eq!(struck(&ran), [1, 0]);
    assert_eq!(ran.verdict("exactly one token at any time"), false, "{}", ran.report);
}

/// What struck at a process is known although it dies later; and what kills it by hand is not the plan.
#[test]
fn the_dead_have_told_what_struck_there() {
    for ran in both("drop 2->1 after 2 TOKEN; kill 2 at 500ms") {
        assert_eq!(ran.verdict("exactly one token at any time"), false);
        let drops = struck(&ran)[0];
        assert_eq!(drops, 1, "{}", ran.report);
        let broken = ran.report["assumptions_broken"].to_string();
        assert!(broken.contains("reliable channels"), "{broken}");
    }
}

#[test]
fn two_rules_at_one_message_strike_at_that_message() {
    let [run, simulated] = both("stop 1 after 2 TOKEN; kill 1 after 2 TOKEN");
    assert_eq!([tokens(&run), tokens(&simulated)], [4, 4]);
    assert_eq!((struck(&run), struck(&simulated)), (vec![0, 1], vec![0, 1]));
}

/// The run is over when nothing is left to do, and not when the plan is.
#[test]
fn a_fault_after_the_end_never_strikes() {
    for ran in both("kill 1 at 60m") {
        assert!(ran.holds(), "{}", ran.report);
        assert_eq!(struck(&ran), [0]);
        assert_eq!(ran.report["assumptions_broken"], Value::Null);
    }
}

/// What the options allow everywhere, a rule does not restrict; and what did not happen is no excuse.
#[test]
fn the_checker_blames_what_happened() {
    let arguments = ["check", "-n", "3", "--losses", "1", "--faults", "drop 0->1"];
    let ran = PROGRAM.ran(&arguments);
    assert_eq!(ran.status, 1, "{}", ran.report);
    let arguments = ["check", "-n", "3", "--broken", "second-token", "--faults", "drop 0->1"];
    let ran = PROGRAM.ran(&arguments);
    assert_eq!(ran.status, 1, "{}", ran.report);
    assert_eq!(ran.report["assumptions_broken"], Value::Null, "{}", ran.report);
}

#[test]
fn a_plan_in_a_file_stands_in_the_trace_and_is_not_overwritten_by_it() {
    let folder = tempfile::tempdir().unwrap();
    let (plan, trace) = (folder.path().join("plan"), folder.path().join("trace"));
    std::fs::write(&plan, "drop 2->1 after 1 TOKEN").unwrap();
    let at_plan = format!("@{}", plan.display());
    let (plan, trace) = (plan.to_str().unwrap(), trace.to_str().unwrap());
    for verb in ["run", "simulate"] {
        let (status, stderr) = refused(&[verb, "--faults", &at_plan, "--trace", plan]);
        assert!(status == 2 && stderr.contains("for something else"), "{verb}: {stderr}");
    }
    PROGRAM.ran(&["simulate", "--faults", &at_plan, "--trace", trace]);
    let header = std::fs::read_to_string(trace).unwrap();
    assert!(header.lines().next().unwrap().contains("\"drop 2->1 after 1 TOKEN\""), "{header}");
}
