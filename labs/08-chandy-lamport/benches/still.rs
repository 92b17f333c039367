//! How long an application stands still for a wave: blocking against recording, on the same load.
//!
//! ```text
//! cargo bench -p chandy-lamport
//! ```
//!
//! Real processes on this machine, once as fast as it is, and once with messages that take 20 ms, as between
//! distant machines. Both protocols alternate; the medians are compared.

use std::process::{Command, Stdio};

/// How many runs of each protocol. The median of an odd number is one of them.
const RUNS: usize = 5;

/// The loads: what they are called, and what the program is told.
const LOADS: [(&str, &[&str]); 2] =
    [("loopback", &[]), ("20 ms a message", &["--faults", "delay 20ms"])];

/// Five processes, each of which sends a message every two milliseconds, and ten waves.
const COMMON: [&str; 11] = [
    "run",
    "--processes",
    "5",
    "--waves",
    "10",
    "--every",
    "100",
    "--tick",
    "2",
    "--json",
    "--dir",
];

fn main() {
    println!("for one wave an application stands still, in ms (medians of {RUNS} runs)");
    println!("{:<18} {:>10} {:>10} {:>8}", "load", "blocking", "recording", "ratio");
    for (load, arguments) in LOADS {
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..RUNS {
            for (times, protocol) in times.iter_mut().zip(["blocking", "chandy-lamport"]) {
                times.push(still_ms(protocol, arguments));
            }
        }
        let [blocking, recording] = times.map(median);
        let ratio = blocking / recording;
        println!("{load:<18} {blocking:>10.3} {recording:>10.3} {ratio:>8.1}");
    }
}

/// How long an application of one process stood still for one wave, on average over a run.
fn still_ms(protocol: &str, arguments: &[&str]) -> f64 {
    let folder = tempfile::tempdir().expect("there is a place for a folder");
    let output = Command::new(env!("CARGO_BIN_EXE_chandy-lamport"))
        .args(COMMON)
        .arg(folder.path())
        .args(["--protocol", protocol])
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let report: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("the report is JSON");
    report["result"]["still_ms"]["mean"].as_f64().expect("the report says how long")
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
