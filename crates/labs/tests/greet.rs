//! The smallest lab in all three worlds: requests, and the overlays that lab 05 does not use.

use std::path::PathBuf;
use std::process::Command;

/// The example program, which `cargo test` builds beside the tests.
fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test.parent().unwrap().parent().unwrap();
    let program = target.join("examples/greet");
    assert!(program.exists(), "run `cargo build -p labs --example greet` first");
    program
}

fn report(arguments: &[&str]) -> serde_json::Value {
    let output = Command::new(program()).args(arguments).arg("--json").output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error} in {output:?}"));
    assert_eq!(output.status.code(), Some(0), "{report}");
    let verdicts = report["properties"].as_array().unwrap();
    assert!(verdicts.iter().all(|verdict| verdict["holds"] == true), "{report}");
    report
}

#[test]
fn all_overlays_in_all_worlds() {
    for (overlay, messages) in [("complete", 30), ("star", 10)] {
        for verb in ["run", "simulate"] {
            let report = report(&[verb, "--processes", "6", "--overlay", overlay]);
            let hello = &report["messages"]["HELLO"];
            assert_eq!(hello["measured"], messages, "{verb} {overlay}");
            assert_eq!(hello["predicted"], messages, "{verb} {overlay}");
        }
        let checked = report(&["check", "--processes", "3", "--overlay", overlay]);
        assert!(checked["states"].as_u64().unwrap() > 20);
    }
}

#[test]
fn the_chain_launches_any_overlay() {
    report(&["run", "--processes", "4", "--overlay", "complete", "--launch", "chain"]);
}

#[test]
fn only_what_went_wrong_breaks_an_assumption() {
    let broken = |option: &str, value: &str| {
        let output = Command::new(program()).args(["simulate", "--json", option, value]).output();
        let output = output.unwrap();
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        report["assumptions_broken"].as_array().cloned().unwrap_or_default()
    };
    assert_eq!(broken("--loss", "50%"), ["reliable channels (--loss)"]);
    assert_eq!(broken("--duplication", "50%"), ["no duplicates (--duplication)"]);
    assert_eq!(broken("--crash", "3@0"), ["no crash (--crash)"]);
    // Twenty messages, one on each channel.
    for (option, value) in
        [("--loss", "0.01%"), ("--duplication", "0.01%"), ("--reordering", "100%")]
    {
        assert_eq!(broken(option, value), [""; 0], "{option} {value}");
    }
}
