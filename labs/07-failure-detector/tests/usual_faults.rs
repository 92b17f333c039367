//! What `simulate` brings unless somebody says what goes wrong.

mod common;

use common::PROGRAM;
use labs::testing::Ran;
use serde_json::Value;

fn simulated(words: &[&str]) -> Value {
    let words = [&["simulate", "--json"][..], words].concat();
    Ran::of(&PROGRAM.output(&words)).report
}

fn count(report: &Value, kind: &str) -> u64 {
    report["messages"][kind]["measured"].as_u64().unwrap_or(0)
}

/// A student who types nothing sees what the detectors are for, and each property is put to the test.
#[test]
fn a_run_without_options_shows_what_detectors_do() {
    let report = simulated(&[]);
    assert_eq!(report["brought"][0]["words"][0], "--faults", "{report}");
    assert!(count(&report, "SUSPECT") > 0 && count(&report, "RESTORE") > 0, "{report}");
    let properties = report["properties"].as_array().unwrap();
    for property in properties {
        assert_eq!([&property["holds"], &property["tested"]], [true, true], "{property}");
    }
    for rule in report["faults"].as_array().unwrap() {
        assert!(rule["struck"].as_u64().unwrap() > 0, "{rule}");
    }
}

/// Whatever says what goes wrong, or how messages travel, is all that goes wrong.
#[test]
fn nothing_is_brought_where_somebody_says_what_goes_wrong() {
    let plot = tempfile::NamedTempFile::new().unwrap();
    for words in [
        &["--faults", "none"][..],
        &["--faults", "kill 4 at 1s"],
        &["--crash", "4"],
        &["--duplication", "10%"],
        &["--latency", "5"],
        &["--loss", "1%"],
        &["--reordering", "10%"],
        &["--slow", "0->1 5"],
        &["--unordered"],
        &["--sweep", "1", "--runs", "1", "--plot", plot.path().to_str().unwrap()],
    ] {
        let report = simulated(words);
        assert!(report["brought"].as_array().is_none_or(Vec::is_empty), "{words:?}: {report}");
    }
    assert_eq!(count(&simulated(&["--faults", "none"]), "SUSPECT"), 0);
}
