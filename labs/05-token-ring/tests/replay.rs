//! A trace of each world is gone through again, and the same happens.

mod common;

use std::fs;
use std::path::Path;

use common::PROGRAM;
use serde_json::Value;

/// Writes a trace with these arguments, whatever they show.
fn trace(path: &Path, arguments: &[&str]) {
    let mut all = arguments.to_vec();
    all.extend(["--trace", path.to_str().unwrap()]);
    let output = PROGRAM.output(&all);
    assert!(path.exists(), "{output:?}");
}

/// What came of a replay: its exit status, and the answer.
fn replay(path: &Path, more: &[&str]) -> (Option<i32>, Value) {
    let mut all = vec!["replay", "--json", path.to_str().unwrap()];
    all.extend(more);
    let output = PROGRAM.output(&all);
    let answer = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error} in {output:?}"));
    (output.status.code(), answer)
}

#[test]
fn all_worlds_replay_the_same_broken_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.jsonl");
    let mistakes = ["second-token", "sends-both-ways", "enters-without-token"];
    let broken = mistakes.iter().flat_map(|mistake| {
        ["run", "simulate", "check"].map(|verb| {
            // Tokens that multiply never come to rest.
            let timeout =
                if *mistake == "sends-both-ways" && verb != "check" { "0.3" } else { "60" };
            vec![verb, "--broken", *mistake, "--timeout", timeout]
        })
    });
    let right = [
        vec!["run", "--processes", "4", "--closing", "first"],
        vec!["run", "--launch", "chain", "--work", "1"],
        vec!["simulate", "--processes", "9", "--seed", "5", "--loss", "3%"],
        vec!["simulate", "--unordered", "--duplication", "20%"],
        vec!["simulate", "--faults", "kill 2 at 20ms; drop 0->4 30%"],
        vec!["check", "--losses", "1"],
    ];
    for arguments in right.into_iter().chain(broken) {
        trace(&path, &arguments);
        let (status, answer) = replay(&path, &[]);
        assert_eq!(
            (status, &answer["same"]),
            (Some(0), &Value::Bool(true)),
            "{arguments:?} {answer}"
        );
        assert_eq!(answer["events"], answer["followed"]);
        assert!(answer["events"].as_u64().unwrap() > 5, "{answer}");
        let again = if arguments[0] == "simulate" { Value::Bool(true) } else { Value::Null };
        assert_eq!(answer["again"], again);
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_run_whose_process_was_killed_replays_as_far_as_it_went() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.jsonl");
    trace(&path, &["run", "--laps", "200", "--work", "1", "--faults", "kill 2 after 20 TOKEN"]);
    let (status, answer) = replay(&path, &[]);
    assert_eq!(status, Some(0), "{answer}");
    assert!(fs::read_to_string(&path).unwrap().contains(r#""event":"crash""#));
}

#[test]
fn the_states_stand_at_the_events() {
    let folder = tempfile::tempdir().unwrap();
    let (path, states) = (folder.path().join("t.jsonl"), folder.path().join("s.jsonl"));
    trace(&path, &["run", "--processes", "3", "--laps", "2"]);
    let (status, answer) = replay(&path, &["--states", states.to_str().unwrap()]);
    assert_eq!(status, Some(0), "{answer}");
    let (before, after) =
        (fs::read_to_string(&path).unwrap(), fs::read_to_string(&states).unwrap());
    assert_eq!(before.lines().next(), after.lines().next(), "the header");
    assert_eq!(before.lines().count(), after.lines().count());
    let mut entries_left = Vec::new();
    for (before, after) in before.lines().zip(after.lines()).skip(1) {
        let before: Value = serde_json::from_str(before).unwrap();
        let mut after: Value = serde_json::from_str(after).unwrap();
        let state = after.as_object_mut().unwrap().remove("state");
        assert_eq!(before, after, "but for the state, all is as it was");
        assert_eq!(state.is_none(), before["event"] == "stop");
        let Some(Value::String(state)) = state.filter(|_| before["process"] == 1) else { continue };
        let left = state.split("entries_left: ").nth(1).and_then(|rest| rest.split(',').next());
        entries_left.push(left.unwrap().parse::<u32>().unwrap());
    }
    entries_left.dedup();
    assert_eq!(entries_left, [2, 1, 0], "p1 entered twice");
    // Other readers pass over the field.
    assert_eq!(replay(&states, &[]).0, Some(0));
    let itself =
        PROGRAM.output(&["replay", path.to_str().unwrap(), "--states", path.to_str().unwrap()]);
    assert_eq!(itself.status.code(), Some(2));
    assert_eq!(fs::read_to_string(&path).unwrap(), before, "a trace is not written over");
}

#[test]
fn what_was_changed_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.jsonl");
    let trace = |arguments: &[&str], change: &dyn Fn(String) -> String| {
        trace(&path, arguments);
        let text = change(fs::read_to_string(&path).unwrap());
        fs::write(&path, text).unwrap();
        let (status, answer) = replay(&path, &[]);
        assert_eq!(status, Some(1), "{answer}");
        answer["differences"].to_string()
    };
    let said = trace(&["run"], &|text| text.replace("Roll([\\\"", "Roll([\\\"x"));
    assert!(said.contains("does `p4 ↗ p3 Roll("), "{said}");
    let said = trace(&["simulate"], &|text| text.replacen("\"at_us\":0,", "\"at_us\":1,", 1));
    assert!(said.contains("run again by its seed: line 2 was `p0 starts`"), "{said}");
    let said = trace(&["simulate"], &|text| {
        text.replace("\"seed\":1,", "\"seed\":2,").replace("simulated-1", "simulated-2")
    });
    assert!(said.contains("run again by its seed: line 1 was"), "{said}");
    let last = |text: String| text.lines().take(40).map(|line| format!("{line}\n")).collect();
    let said = trace(&["simulate"], &last);
    assert!(said.contains("line 41 was the end, and is now `"), "{said}");
    let said =
        trace(&["check", "--broken", "second-token"], &|text| text.replace("Created", "Craeted"));
    assert!(said.contains("does `p"), "{said}");
}

#[test]
fn a_file_cannot_do_harm() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.jsonl");
    trace(&path, &["simulate", "--processes", "3"]);
    let good = fs::read_to_string(&path).unwrap();
    let refused = |text: &str, why: &str| {
        fs::write(&path, text).unwrap();
        let output = PROGRAM.output(&["replay", path.to_str().unwrap()]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(why) && said.lines().count() == 1, "{said}");
    };
    refused(&good.replace("token-ring", "chang-roberts"), "is of chang-roberts");
    refused(&good.replace("\"simulate\"", "\"explore\""), "is not a world that can be replayed");
    refused(&good.replace("\"simulate\"", "\"run\""), "does not say how its processes were made");
    refused(&good.replace("\"--processes\",\"3\"", "\"--proc\",\"3\""), "its arguments are not");
    refused(&good.replace("\"--processes\",\"3\"", "\"--help\""), "its arguments are not");
    refused(&good.replace("\"--processes\",\"3\"", "\"-n9\""), "its arguments mean 9");
    let target = folder.path().join("target");
    let more = format!("\"-n3\",\"--trace\",\"{}\"", target.display());
    let named = good.replace("\"--processes\",\"3\"", &more);
    fs::write(&path, named).unwrap();
    replay(&path, &[]);
    assert!(!target.exists(), "nothing is written where a trace says");
    refused("{}\n", "this is not a trace");
    let odd = r#""verb":"run","setup":{"options":{"closing":7},"places":[]}"#;
    refused(
        &good.replace("\"verb\":\"simulate\"", odd),
        "its options are not those of this program",
    );
}
