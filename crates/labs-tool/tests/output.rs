//! Standard output that cannot be written, and that nobody reads to the end.

mod common;

use std::fs::File;
use std::process::{Command, Stdio};

use self::common::greet;

/// Everything that writes to standard output: verbs of a lab, and those of the tool.
fn commands(folder: &tempfile::TempDir) -> Vec<Command> {
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (hosts, trace, page) = (path("hosts.txt"), path("t.jsonl"), path("t.html"));
    std::fs::write(&hosts, "localhost\n").unwrap();
    let simulated = Command::new(greet()).args(["simulate", "--trace", &trace]).output().unwrap();
    assert!(simulated.status.success(), "{simulated:?}");
    let run = Command::new(greet()).args(["run", "--json"]).output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
    let run = report["run"].as_str().unwrap();
    let command = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).env_remove("RUST_LOG");
        command
    };
    let greet = greet();
    let lab = |arguments: &[&str]| command(greet.to_str().unwrap(), arguments);
    let tool = |arguments: &[&str]| command(env!("CARGO_BIN_EXE_labs"), arguments);
    vec![
        lab(&["run"]),
        lab(&["simulate", "--json"]),
        lab(&["check"]),
        lab(&["replay", &trace]),
        tool(&["ps"]),
        tool(&["ps", "--json"]),
        tool(&["hosts", &hosts]),
        tool(&["logs", run]),
        tool(&["stop", run]),
        tool(&["stop", run, "--json"]),
        tool(&["verify", &trace]),
        tool(&["view", &trace, "--output", &page, "--no-open", "--no-states"]),
        tool(&["view", &trace, "--serve", "--no-open"]),
        tool(&["export", &trace, "--shiviz"]),
        tool(&["here", "ps"]),
    ]
}

#[test]
fn what_cannot_be_written_is_an_error_of_one_line() {
    let folder = tempfile::tempdir().unwrap();
    for mut command in commands(&folder) {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = command.stdout(full).stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{command:?}: {said}");
        assert!(said.contains("No space left on device"), "{command:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{command:?}: {said}");
    }
}

/// By itself the system ends a program at this limit, without a word.
#[test]
fn a_file_beyond_the_limit_of_length_is_an_error_of_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (trace, page, cut) = (path("t.jsonl"), path("t.html"), path("cut.jsonl"));
    let simulated = Command::new(greet()).args(["simulate", "--trace", &trace]).output().unwrap();
    assert!(simulated.status.success(), "{simulated:?}");
    let (greet, tool) = (greet(), env!("CARGO_BIN_EXE_labs"));
    let view = ["view", &trace, "--output", &page, "--no-open", "--no-states"];
    for (program, arguments) in [
        (tool, &view[..]),
        (greet.to_str().unwrap(), &["simulate", "--processes", "40", "--trace", &cut]),
    ] {
        let limited = ["-c", "ulimit -f 1 && exec \"$0\" \"$@\"", program];
        let output = Command::new("bash").args(limited).args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        assert!(said.contains("File too large; raise the limit"), "{arguments:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{arguments:?}: {said}");
    }
}

#[test]
fn that_nobody_reads_on_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    // A page is served all the same, until Ctrl-C.
    let ends = |command: &Command| command.get_args().all(|argument| argument != "--serve");
    for mut command in commands(&folder).into_iter().filter(ends) {
        let (read, write) = std::io::pipe().unwrap();
        drop(read);
        let output = command.stdout(write).stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*said), (Some(0), ""), "{command:?}");
    }
}
