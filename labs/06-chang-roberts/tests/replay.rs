//! A trace of each world is gone through again, and the same happens: with identities that are drawn, and
//! applications that ask.

mod common;

use common::PROGRAM;

#[test]
fn all_worlds_replay_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.jsonl");
    let path = path.to_str().unwrap();
    let all: [&[&str]; 4] = [
        &["run", "--processes", "6"],
        &["simulate", "--processes", "40", "--seed", "9"],
        &["simulate", "--processes", "300", "--loss", "10%"],
        &["check", "--losses", "1"],
    ];
    for arguments in all {
        PROGRAM.output(&[arguments, &["--trace", path]].concat());
        let output = PROGRAM.output(&["replay", "--json", path]);
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error} in {output:?}"));
        assert_eq!(output.status.code(), Some(0), "{arguments:?} {answer}");
        assert_eq!(answer["same"], true);
        assert!(answer["followed"].as_u64().unwrap() > 5, "{answer}");
    }
}
