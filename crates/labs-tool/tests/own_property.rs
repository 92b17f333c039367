//! A property that only one lab has: `labs verify` and `labs view` ask the program of the lab, and say
//! *unknown* without it.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use self::common::example;

/// A folder with `labs`, and nothing beside it.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    link(Path::new(env!("CARGO_BIN_EXE_labs")), &folder.path().join("labs"));
    folder
}

fn link(program: &Path, at: &Path) {
    fs::hard_link(program, at).or_else(|_| fs::copy(program, at).map(drop)).unwrap();
}

fn report(program: &Path, folder: &TempDir, arguments: &[&str], status: i32) -> Value {
    let mut command = Command::new(program);
    let output = command.args(arguments).arg("--json").current_dir(folder).output().unwrap();
    assert_eq!(output.status.code(), Some(status), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn relay(folder: &TempDir, arguments: &[&str], status: i32) -> Value {
    report(&example("relay"), folder, arguments, status)
}

fn verify(folder: &TempDir, status: i32) -> Value {
    report(&folder.path().join("labs"), folder, &["verify", "t.jsonl"], status)
}

/// Whether the lab's own property and the general one hold.
fn holds(report: &Value) -> [&Value; 2] {
    let properties = report["properties"].as_array().unwrap();
    assert_eq!(properties.len(), 3, "{report}");
    ["ranks in order", "everyone gets the list"]
        .map(|name| &properties.iter().find(|property| property["name"] == name).unwrap()["holds"])
}

#[test]
fn a_lab_of_its_own_brings_property_mistake_and_prediction() {
    let folder = folder();
    for verb in ["run", "simulate"] {
        let report = relay(&folder, &[verb, "--processes", "4"], 0);
        assert_eq!(holds(&report), [true, true]);
        assert_eq!(report["messages"]["LIST"], json!({ "measured": 4, "predicted": 4 }));
        let broken = relay(&folder, &[verb, "--processes", "4", "--broken", "forgets-itself"], 1);
        assert_eq!(holds(&broken)[0], false, "{broken}");
    }
    assert_eq!(holds(&relay(&folder, &["check"], 0)), [true, true]);
    let broken = relay(&folder, &["check", "--broken", "forgets-itself"], 1);
    assert_eq!(holds(&broken)[0], false);
}

#[test]
fn the_program_of_the_lab_judges_what_is_its_own() {
    let folder = folder();
    relay(&folder, &["simulate", "--trace", "t.jsonl"], 0);
    let alone = verify(&folder, 2);
    assert_eq!(holds(&alone), [&Value::Null, &json!(true)]);
    let why = alone["problems"][0].as_str().unwrap();
    assert!(
        why.contains("some properties were not judged: the trace is of the lab relay"),
        "{why}"
    );
    assert!(why.contains("name it with --program"), "{why}");
    let program = example("relay");
    let named = ["verify", "--program", program.to_str().unwrap(), "t.jsonl"];
    let labs = folder.path().join("labs");
    assert_eq!(holds(&report(&labs, &folder, &named, 0)), [true, true]);

    link(&example("relay"), &folder.path().join("relay"));
    assert_eq!(holds(&verify(&folder, 0)), [true, true]);
    relay(&folder, &["simulate", "--trace", "t.jsonl", "--broken", "forgets-itself"], 1);
    let broken = verify(&folder, 1);
    assert_eq!(holds(&broken)[0], false);
    let detail = broken["properties"][0]["detail"].as_str().unwrap();
    assert_eq!(detail, "p2 stands where p1 belongs");
    // So it does with a run of real processes.
    relay(&folder, &["run", "--trace", "t.jsonl"], 0);
    assert_eq!(holds(&verify(&folder, 0)), [true, true]);
}

/// What the page of the trace says of the properties, as in a report; and what `labs view` says.
fn drawn(folder: &TempDir) -> (Value, String) {
    let mut labs = Command::new(folder.path().join("labs"));
    let view = labs.args(["view", "--no-open", "t.jsonl"]).current_dir(folder).output().unwrap();
    assert_eq!(view.status.code(), Some(0), "{view:?}");
    let page = fs::read_to_string(folder.path().join("t.html")).unwrap();
    let (_, verdicts) = page.split_once(r#""verdicts":"#).unwrap();
    let verdicts = serde_json::Deserializer::from_str(verdicts).into_iter().next().unwrap();
    let verdicts: Value = verdicts.unwrap();
    (json!({ "properties": verdicts }), String::from_utf8(view.stderr).unwrap())
}

#[test]
fn a_page_says_what_the_program_of_the_lab_does() {
    let folder = folder();
    relay(&folder, &["simulate", "--trace", "t.jsonl", "--broken", "forgets-itself"], 1);
    let (alone, said) = drawn(&folder);
    assert_eq!(holds(&alone)[0], &Value::Null);
    assert!(
        said.contains("labs: some properties were not judged: the trace is of the lab"),
        "{said}"
    );

    link(&example("relay"), &folder.path().join("relay"));
    let (judged, said) = drawn(&folder);
    assert_eq!((holds(&judged)[0], said.as_str()), (&json!(false), ""));
}

/// The list of so many processes is longer than what a trace keeps of a value.
#[test]
fn what_a_trace_cuts_is_judged_whole_by_the_run_alone() {
    let folder = folder();
    link(&example("relay"), &folder.path().join("relay"));
    let arguments = ["simulate", "--processes", "1200", "--trace", "t.jsonl"];
    assert_eq!(holds(&relay(&folder, &arguments, 0)), [true, true]);
    let trace = fs::read_to_string(folder.path().join("t.jsonl")).unwrap();
    assert!(trace.contains(r#""data":{"cut":"#));
    let judged = verify(&folder, 2);
    assert_eq!(holds(&judged), [&Value::Null, &json!(true)]);
    let detail = judged["properties"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("what a process said cannot be read in the trace"), "{detail}");
}

#[test]
fn a_trace_of_an_older_format_is_refused_with_one_line() {
    let folder = folder();
    let old =
        r#"{"trace":1,"lab":"relay","verb":"run","run":"r","processes":2,"seed":0,"arguments":[]}"#;
    fs::write(folder.path().join("t.jsonl"), format!("{old}\n")).unwrap();
    for verb in [&["verify"][..], &["view", "--no-open"], &["export", "--shiviz"], &["replay"]] {
        let mut labs = Command::new(folder.path().join("labs"));
        let output: Output = labs.args(verb).arg("t.jsonl").current_dir(&folder).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{verb:?}: {said}");
        assert!(said.contains("the trace has format 1, and this program reads format 2"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}
