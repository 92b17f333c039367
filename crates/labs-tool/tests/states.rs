//! The states of the processes on the page: found by the lab's program, if it is one.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use self::common::greet;

/// A folder with `labs`, and a trace that the example wrote.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::hard_link(env!("CARGO_BIN_EXE_labs"), folder.path().join("labs"))
        .or_else(|_| fs::copy(env!("CARGO_BIN_EXE_labs"), folder.path().join("labs")).map(drop))
        .unwrap();
    let mut simulate = Command::new(greet());
    simulate.args(["simulate", "--trace", "t.jsonl"]).current_dir(&folder);
    assert!(simulate.output().unwrap().status.success());
    folder
}

/// Draws the trace. Returns the page, and what was said.
fn drawn(folder: &Path, arguments: &[&str]) -> (String, String) {
    let mut command = Command::new(folder.join("labs"));
    command.args(["view", "t.jsonl", "--no-open"]).args(arguments).current_dir(folder);
    let Output { status, stderr, .. } = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(0), "{said}");
    (fs::read_to_string(folder.join("t.html")).unwrap(), said)
}

/// How a state begins on the page.
const STATE: &str = "\"Greet {";

#[test]
fn a_page_has_the_states_that_the_program_beside_finds() {
    let folder = folder();
    fs::hard_link(greet(), folder.path().join("greet"))
        .or_else(|_| fs::copy(greet(), folder.path().join("greet")).map(drop))
        .unwrap();
    let (page, said) = drawn(folder.path(), &[]);
    assert!(page.contains(STATE) && said.is_empty(), "{said}");
    let (page, said) = drawn(folder.path(), &["--no-states"]);
    assert!(!page.contains(STATE) && said.is_empty(), "{said}");
}

#[test]
fn a_page_is_drawn_without_states_where_they_cannot_be_found() {
    let folder = folder();
    let (page, said) = drawn(folder.path(), &[]);
    assert!(!page.contains(STATE));
    assert!(
        said.contains("shows no states: the trace is of the lab greet, and its program is not at")
    );

    // Some other program, which must not be run.
    let other = folder.path().join("greet");
    fs::write(&other, format!("#!/bin/sh\ntouch {}/run\n", folder.path().display())).unwrap();
    fs::set_permissions(&other, fs::Permissions::from_mode(0o700)).unwrap();
    let (page, said) = drawn(folder.path(), &[]);
    assert!(!page.contains(STATE) && said.contains("is no program of a lab"), "{said}");
    assert!(!folder.path().join("run").exists());

    // The program is given, and does not do what the trace says.
    let trace = fs::read_to_string(folder.path().join("t.jsonl")).unwrap();
    let other = trace.replace("Hello", "Goodbye");
    assert_ne!(trace, other);
    fs::write(folder.path().join("t.jsonl"), other).unwrap();
    let (page, said) = drawn(folder.path(), &["--program", greet().to_str().unwrap()]);
    assert!(!page.contains(STATE) && said.contains("does something else"), "{said}");
}

#[test]
fn a_trace_of_labs_itself_is_not_followed_for_ever() {
    let folder = folder();
    let trace = fs::read_to_string(folder.path().join("t.jsonl")).unwrap();
    let trace = trace.replacen("\"greet\"", "\"labs\"", 1);
    fs::write(folder.path().join("t.jsonl"), trace).unwrap();
    let (_, said) = drawn(folder.path(), &[]);
    assert!(said.contains("labs is no program of a lab"), "{said}");
    let mut replay = Command::new(folder.path().join("labs"));
    let output = replay.args(["replay", "t.jsonl"]).current_dir(&folder).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}
