//! Real processes on loopback, and the program's other verbs as they are typed.

mod common;

use common::PROGRAM;
use serde_json::{Value, json};

#[test]
fn all_ways_to_launch_and_close_hold() {
    for closing in ["forward", "first"] {
        for launch in ["star", "chain"] {
            let ran = PROGRAM.ran(&["run", "-n", "8", "--closing", closing, "--launch", launch]);
            assert!(ran.holds(), "{closing} {launch}: {}", ran.report);
            assert_eq!(ran.status, 0);
            let messages = &ran.report["messages"];
            let address = if closing == "forward" { 7 } else { 0 };
            assert_eq!(messages["ADDRESS"]["measured"].as_u64().unwrap_or(0), address);
            assert_eq!(messages["ELECTED"], json!({"measured": 8, "predicted": 8}));
            assert_eq!(messages["NUMBER"], json!({"measured": 8, "predicted": 8}));
            assert_eq!(messages["ELECTION"]["measured"], messages["ELECTION"]["predicted"]);
        }
    }
}

#[test]
fn the_result_names_process_host_pid_identity_rank_and_leader() {
    let ran = PROGRAM.ran(&["run", "--processes", "4", "--ids", "sorted"]);
    assert!(ran.holds(), "{}", ran.report);
    let result = &ran.report["result"];
    assert_eq!((&result["leader"], &result["identity"]), (&json!(0), &json!(4)));
    assert_eq!(result["count"], 4);
    assert_eq!(
        result["elections"],
        json!({"predicted": 7, "best": 7, "mean": 4.0 * (1.0 + 0.5 + 1.0 / 3.0 + 0.25), "worst": 10})
    );
    let rows = ran.report["places"].as_array().unwrap();
    assert_eq!(rows.len(), 4);
    for (process, row) in (0..4).zip(rows) {
        assert_eq!(row["process"], process);
        assert_eq!(row["host"], "localhost");
        assert!(row["pid"].as_u64().unwrap() > 1);
        assert_eq!(row["identity"], 4 - process);
        assert_eq!(row["rank"], (4 - process) % 4);
        assert_eq!(row["leader"], 4);
    }
}

#[test]
fn the_same_seed_gives_the_same_identities_in_run_and_simulate() {
    let known = |verb: &str| -> Vec<Value> {
        let ran =
            PROGRAM.ran(&[verb, "-n", "5", "--seed", "11", "--initiators", "2", "--elect", "min"]);
        assert!(ran.holds(), "{}", ran.report);
        let rows = ran.report["places"].as_array().unwrap();
        rows.iter().map(|row| json!([row["identity"], row["rank"], row["leader"]])).collect()
    };
    assert_eq!(known("run"), known("simulate"));
}

#[test]
fn identities_come_from_a_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "70\n18446744073709551615\n12\n").unwrap();
    let path = file.path().to_str().unwrap();
    let ran = PROGRAM.ran(&["run", "--processes", "3", "--ids", path]);
    assert!(ran.holds(), "{}", ran.report);
    assert_eq!(ran.report["result"]["identity"], json!(u64::MAX));
    assert_eq!(ran.report["result"]["leader"], 1);
}

#[test]
fn a_real_run_is_judged_again_from_its_trace() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.jsonl");
    let ran = PROGRAM.ran(&["run", "-n", "5", "--trace", path.to_str().unwrap()]);
    let verdicts = serde_json::to_value(PROGRAM.verified(&path)).unwrap();
    assert_eq!(verdicts, ran.report["properties"]);
}

#[test]
fn a_mistake_shows_in_a_real_run() {
    for (mistake, property) in [
        ("forwards-smaller", "exactly one leader, agreed by all"),
        ("elects-on-any", "exactly one leader, agreed by all"),
        ("numbering-skips", "ranks 0 to N-1 in ring order"),
        ("equal-identities", "exactly one leader, agreed by all"),
    ] {
        let ran = PROGRAM.ran(&["run", "-n", "4", "--broken", mistake, "--timeout", "3"]);
        assert_eq!(ran.status, 1, "{mistake}: {}", ran.report);
        let verdicts = ran.report["properties"].as_array().unwrap();
        let verdict = verdicts.iter().find(|verdict| verdict["name"] == property).unwrap();
        assert_eq!(verdict["holds"], false, "{mistake}: {}", ran.report);
    }
}

#[test]
fn of_many_processes_the_first_and_the_last_are_shown() {
    let output = PROGRAM.output(&["simulate", "-n", "100"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("\np9 ") && text.contains("\n...\np90 ") && !text.contains("\np10 "),
        "{text}"
    );
}

#[test]
fn a_sweep_that_is_interrupted_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let plot = folder.path().join("plot.svg");
    let arguments = ["simulate", "--sweep", "500,1000", "--runs", "10000", "--plot"];
    let ran = PROGRAM.start(&[&arguments[..], &[plot.to_str().unwrap()]].concat()).interrupt();
    assert_eq!(ran.status, 2, "{}", ran.report);
    assert!(ran.problems().contains("interrupted"), "{}", ran.report);
    assert!(ran.report["result"]["sizes"].as_array().unwrap().len() <= 1, "{}", ran.report);
}

#[test]
fn a_sweep_writes_a_table_and_a_plot() {
    let folder = tempfile::tempdir().unwrap();
    let plot = folder.path().join("plot.svg");
    let ran = PROGRAM.ran(&[
        "simulate",
        "--sweep",
        "5,50",
        "--runs",
        "40",
        "--plot",
        plot.to_str().unwrap(),
    ]);
    assert!(ran.holds(), "{}", ran.report);
    let sizes = ran.report["result"]["sizes"].as_array().unwrap();
    assert_eq!(sizes.len(), 2);
    for size in sizes {
        let [mean, predicted] = ["mean", "predicted"].map(|key| size[key].as_f64().unwrap());
        // The standard deviation of one run is about a fifth of the mean here, of forty a thirtieth.
        assert!((mean / predicted - 1.0).abs() < 0.15, "{size}");
    }
    let svg = std::fs::read_to_string(plot).unwrap();
    assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
    assert_eq!(svg.matches("<circle").count(), 2 + 1, "two sizes and the legend");
}

#[test]
fn what_cannot_be_is_refused_with_the_reason() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "7 8 7").unwrap();
    let twice = file.path().to_str().unwrap();
    let identities = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(identities.path(), "7 8 9").unwrap();
    let ids = identities.path().to_str().unwrap();
    let needed = format!("cannot write the trace to {ids}: {ids} is needed for something else");
    for (arguments, reason) in [
        (&["run", "-n", "3", "--ids", ids, "--trace", ids][..], &*needed),
        (&["simulate", "-n", "3", "--ids", ids, "--trace", ids], &needed),
        (&["check", "-n", "3", "--ids", ids, "--trace", ids], &needed),
        (&["run", "-n", "3", "--ids", twice], "7 stands in it twice"),
        (&["check", "--ids", "/nowhere/at/all"], "--ids /nowhere/at/all: No such file"),
        (&["check", "--ids", "/dev/null"], "--ids /dev/null: it is not an ordinary file"),
        (&["simulate", "--sweep", "9", "--plot", "/dev/null"], "it is not an ordinary file"),
        (&["simulate", "--initiators", "9"], "--initiators 9: there are 8 processes"),
        (&["simulate", "--initiators", "0"], "a number of processes from 1"),
        (&["run", "--sweep", "10"], "--sweep: only in `simulate`"),
        (&["simulate", "--sweep", "1"], "--sweep 1: a ring has from 2"),
        (&["simulate", "--sweep", "9", "--ids", "sorted"], "its orders are random"),
        (&["simulate", "--sweep", "9", "-n", "4"], "--processes is for one run"),
        (&["simulate", "--sweep", "9", "--timeout", "4"], "--timeout is for one run"),
        (&["simulate", "--runs", "9"], "--sweep"),
    ] {
        let output = PROGRAM.output(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(reason), "{arguments:?}: {stderr}");
        assert!(output.stdout.is_empty());
    }
    assert_eq!(std::fs::read_to_string(ids).unwrap(), "7 8 9");
}

/// The same plan in both worlds: the order of a channel is lost, and Chang and Roberts do not assume it.
#[test]
fn channels_may_reorder() {
    let plans = ["reorder", "reorder; delay 20ms"];
    for (verb, plan) in ["run", "simulate"].into_iter().flat_map(|verb| plans.map(|p| (verb, p))) {
        let ran = PROGRAM.ran(&[verb, "--processes", "6", "--seed", "7", "--faults", plan]);
        assert_eq!(ran.verdict("exactly one leader, agreed by all"), true, "{verb}");
        assert_eq!(ran.verdict("messages as predicted"), true, "{verb}");
        assert!(ran.report["assumptions_broken"][0].is_null(), "{verb}: {}", ran.report);
        assert!(ran.report["faults"][0]["struck"].as_u64().unwrap() > 3);
        assert_eq!(ran.status, 0);
    }
}
