//! `labs replay`: the program of the lab is found, and goes through the trace.

mod common;

use std::path::Path;
use std::process::{Command, Output};

use self::common::greet;

/// `labs replay`, with the program named: the example is not beside it.
fn replay(trace: &Path, program: &Path) -> Output {
    let mut labs = Command::new(env!("CARGO_BIN_EXE_labs"));
    labs.arg("replay").arg(trace).arg("--program").arg(program).output().unwrap()
}

/// Has the lab write a trace.
fn traced(verb: &str, trace: &Path) {
    let output = Command::new(greet()).arg(verb).arg("--trace").arg(trace).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn labs_replays_what_the_program_of_the_lab_knows() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("-t.jsonl");
    for verb in ["run", "simulate"] {
        traced(verb, &trace);
        let output = replay(&trace, &greet());
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(said.contains("the same: "), "{said}");
        assert_eq!(said.contains("byte for byte"), verb == "simulate", "{said}");
    }
}

#[test]
fn labs_says_which_program_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("t.jsonl");
    traced("simulate", &trace);
    let text = std::fs::read_to_string(&trace).unwrap();
    let said = |lab: &str| {
        std::fs::write(&trace, text.replacen("\"greet\"", lab, 1)).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_labs")).arg("replay").arg(&trace).output();
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let missing = said("\"no-such-lab\"");
    assert!(
        missing.contains("its program is not at") && missing.contains("--program"),
        "{missing}"
    );
    assert!(said("\"../../bin/sh\"").contains("is not the name of a program"));
    assert!(said("\"\"").contains("is not the name of a program"));
}
