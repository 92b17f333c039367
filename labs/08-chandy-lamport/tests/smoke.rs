//! Real processes on loopback, and the program's other verbs as they are typed.

mod common;

use std::path::Path;

use chandy_lamport::bank::{Account, Transfer};
use chandy_lamport::checkpoint::Checkpoint;
use chandy_lamport::wave::Wave;
use chandy_lamport::work::{Message, State};
use common::{CHANNELS, CUT, PROGRAM, TOTAL};
use labs::files::LocalDisk;
use labs::process::ProcessId;
use labs::testing::{assert_nothing_left, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

/// Slow enough that messages are in transit when a wave passes.
const DELAY: [&str; 2] = ["--faults", "delay 20ms..40ms"];

/// A folder for checkpoints that does not exist yet.
fn folder() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoints").to_str().unwrap().to_owned();
    (folder, path)
}

fn inspected(dir: &str) -> Value {
    let output = PROGRAM.output(&["inspect", dir, "--json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn both_protocols_record_and_runs_go_on_from_it() {
    for protocol in ["chandy-lamport", "blocking"] {
        let (_keep, dir) = folder();
        let mut arguments = vec!["run", "--processes", "5", "--waves", "3", "--dir", &dir];
        arguments.extend(["--protocol", protocol]);
        arguments.extend(DELAY);
        let ran = PROGRAM.ran(&arguments);
        assert!(ran.holds(), "{protocol}: {}", ran.report);
        assert_eq!(ran.status, 0);
        assert_eq!(ran.report["messages"]["MARKER"], json!({"measured": 60, "predicted": 60}));
        assert_eq!(ran.report["messages"]["CLOSE"], json!({"measured": 20, "predicted": 20}));
        assert!(ran.report["result"]["in_transit"].as_u64() > Some(0), "{}", ran.report);

        let shown = inspected(&dir);
        assert_eq!((&shown["shown"], &shown["total"]), (&json!("3@p0"), &json!(500)));
        let under_way = shown["in_messages"].as_u64().unwrap();
        assert!(under_way > 0, "{shown}");

        // The number of processes is that of the checkpoints, and so is the money.
        let mut arguments = vec!["restart", "--from", &dir, "--protocol", protocol];
        arguments.extend(DELAY);
        let again = PROGRAM.ran(&arguments);
        assert!(again.holds(), "{protocol}: {}", again.report);
        assert_eq!(again.report["processes"], 5);
        let restored = &again.report["result"]["restored"];
        assert_eq!(restored["wave"], "3@p0");
        assert!(restored["received_again"].as_u64() > Some(0), "{}", again.report);
        let shown = inspected(&dir);
        assert_eq!((&shown["shown"], &shown["total"]), (&json!("6@p0"), &json!(500)));
    }
}

/// Where nothing but messages takes time, p0 waits for two of them, and the four others for one.
#[test]
fn the_time_that_an_application_stands_still_is_that_of_the_markers() {
    const WORDS: [&str; 4] = ["--json", "--latency", "20", "--protocol"];
    for (protocol, still) in [("blocking", 24.0), ("chandy-lamport", 0.0)] {
        let output =
            PROGRAM.output(&[&["simulate", "--initiators", "0"], &WORDS[..], &[protocol]].concat());
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let result = &report["result"];
        assert_eq!(result["recording_ms"], json!({"mean": 24.0, "max": 40.0}), "{result}");
        assert_eq!(result["still_ms"]["mean"], still, "{result}");
        assert_eq!(result["protocol"], protocol);
    }
}

/// Nothing is recorded where no marker arrives: there are no figures then.
#[test]
fn what_was_not_measured_is_no_zero() {
    let arguments = ["simulate", "-n", "2", "--loss", "100%"];
    let report = PROGRAM.ran(&arguments).report;
    let (result, nothing) = (&report["result"], json!({"mean": null, "max": null}));
    assert_eq!(result["in_transit"], Value::Null, "{result}");
    for times in ["recording_ms", "writing_ms", "still_ms"] {
        assert_eq!(result[times], nothing, "{result}");
    }
    let text = String::from_utf8(PROGRAM.output(&arguments).stdout).unwrap();
    assert!(text.contains("messages in transit: -\n"), "{text}");
    assert!(text.contains("stands still for - a wave, - at most"), "{text}");
}

/// Far more is in transit than a trace keeps of any value, and what it keeps is enough.
#[test]
fn thousands_of_messages_in_transit_are_judged_from_a_file_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.jsonl");
    let arguments = "simulate -n 3 --waves 1 --tick 1 --latency 2000 --messages 2000 --trace";
    let mut arguments: Vec<_> = arguments.split(' ').collect();
    arguments.push(path.to_str().unwrap());
    let ran = PROGRAM.ran(&arguments);
    assert!(ran.holds(), "{}", ran.report);
    assert!(ran.report["result"]["in_transit"].as_u64() > Some(3_000), "{}", ran.report);
    let again = serde_json::to_value(PROGRAM.verified(&path)).unwrap();
    assert_eq!(again, ran.report["properties"]);
}

#[test]
fn counters_and_several_initiators() {
    let (_keep, dir) = folder();
    let ran = PROGRAM.ran(&[
        "run",
        "-n",
        "4",
        "--application",
        "counter",
        "--initiators",
        "0,2,3",
        "--dir",
        &dir,
    ]);
    assert!(ran.holds(), "{}", ran.report);
    assert_eq!(ran.report["messages"]["MARKER"]["measured"], 3 * 3 * 4 * 3);
    let shown = inspected(&dir);
    assert_eq!(shown["waves"].as_array().unwrap().len(), 9);
    let again = PROGRAM.ran(&["restart", "--from", &dir, "--waves", "1"]);
    assert!(again.holds(), "{}", again.report);
}

/// `kill -9` of everything, the launcher included, while waves are recorded.
#[test]
fn after_kill_9_of_everything_a_run_goes_on_from_the_last_complete_wave() {
    let (_keep, dir) = folder();
    let mut running = PROGRAM.start(&[
        "run", "-n", "4", "--waves", "10000", "--every", "5", "--tick", "1", "--dir", &dir,
    ]);
    wait_until("some waves are complete", || {
        let files = std::fs::read_dir(&dir).map_or(0, Iterator::count);
        files > 4 * 5
    });
    let pids = running.pids();
    assert_eq!(pids.len(), 4);
    let run = running.run().to_owned();
    let launcher = running.launcher.id();
    for pid in std::iter::once(launcher).chain(pids) {
        kill(Pid::from_raw(pid as i32), Signal::SIGKILL).unwrap();
    }
    running.launcher.wait().unwrap();
    assert_nothing_left(&run);

    // Whatever was being written, there is an incomplete wave now.
    let lost = Path::new(&dir).join("wave-9999-by-p0.p1-of-4.checkpoint");
    std::fs::write(&lost, "of no use").unwrap();
    let shown = inspected(&dir);
    assert_eq!(shown["total"], 400);
    let again = PROGRAM.ran(&["restart", "--from", &dir, "--waves", "2"]);
    assert!(again.holds(), "{}", again.report);
    let restored = &again.report["result"]["restored"];
    assert_eq!(restored["wave"], shown["shown"]);
    let discarded = restored["discarded"].to_string();
    // Where the machine is busy more waves are incomplete than are named one by one.
    let named = discarded.contains("wave 9999@p0 was not complete, 1 of 4 files");
    assert!(named || discarded.contains("other waves were not complete"), "{discarded}");
    assert!(!lost.exists());
    // The first execution was to use numbers up to 10000.
    assert_eq!(inspected(&dir)["shown"], "10002@p0", "no number is used twice");
}

#[test]
fn without_fifo_a_real_run_is_wrong_and_says_which_assumption_was_broken() {
    let (_keep, dir) = folder();
    let ran = PROGRAM.ran(&[
        "run",
        "--tick",
        "1",
        "--faults",
        "reorder 50%",
        "--dir",
        &dir,
        "--timeout",
        "20",
    ]);
    assert_eq!(ran.status, 1, "{}", ran.report);
    let broken = [CUT, CHANNELS, TOTAL].map(|name| ran.verdict(name) == false);
    assert!(broken.contains(&true), "{}", ran.report);
    assert_eq!(ran.report["assumptions_broken"], json!(["FIFO (reorder 50%)"]), "{}", ran.report);
}

#[test]
fn a_real_run_is_judged_again_from_its_trace() {
    let (keep, dir) = folder();
    let path = keep.path().join("trace.jsonl");
    let ran = PROGRAM.ran(&["run", "-n", "3", "--trace", path.to_str().unwrap(), "--dir", &dir]);
    let mut verdicts = ran.report["properties"].as_array().unwrap().clone();
    let files = verdicts.pop().unwrap();
    assert_eq!(
        (&files["name"], &files["holds"]),
        (&json!("a file a process and wave, whole"), &json!(true))
    );
    let again = serde_json::to_value(PROGRAM.verified(&path)).unwrap();
    assert_eq!(again, Value::Array(verdicts));
}

#[test]
fn a_mistake_shows_in_a_real_run() {
    let (_keep, dir) = folder();
    let ran = PROGRAM.ran(&[
        "run",
        "--broken",
        "channel-forgotten",
        "--dir",
        &dir,
        "--tick",
        "1",
        DELAY[0],
        DELAY[1],
    ]);
    assert_eq!(ran.status, 1, "{}", ran.report);
    assert_eq!(ran.verdict(CHANNELS), false, "{}", ran.report);
    assert_eq!(ran.verdict("a file a process and wave, whole"), false, "{}", ran.report);
}

#[test]
fn what_cannot_be_is_refused_with_the_reason() {
    let (keep, dir) = folder();
    let ran = PROGRAM.ran(&["run", "-n", "2", "--waves", "1", "--dir", &dir]);
    assert!(ran.holds(), "{}", ran.report);
    let empty = keep.path().to_str().unwrap();
    let damaged = keep.path().join("damaged");
    std::fs::create_dir(&damaged).unwrap();
    for p in 0..2 {
        let name = format!("wave-1-by-p0.p{p}-of-2.checkpoint");
        let mut bytes = std::fs::read(Path::new(&dir).join(&name)).unwrap();
        bytes.pop();
        std::fs::write(damaged.join(name), bytes).unwrap();
    }
    let damaged = damaged.to_str().unwrap();
    for (arguments, reason) in [
        (&["run", "--dir", &dir][..], "checkpoints of an earlier run"),
        (&["restart", "--from", empty], "no wave is complete"),
        (&["restart", "--from", "/nowhere/at/all"], "cannot read the folder /nowhere/at/all"),
        (&["restart", "--from", damaged], "p0-of-2.checkpoint: it is damaged"),
        (&["inspect", damaged], "it is damaged"),
        (&["inspect", &dir, "--wave", "7@p0"], "wave 7@p0 is not complete"),
        (&["inspect", &dir, "--wave", "7"], "one looks like 2@p0"),
        (&["restart", "--from", &dir, "-n", "3"], "--processes 3: the other options mean 2"),
        (&["restart", "--from", &dir, "--application", "counter"], "of the other one"),
        (&["restart", "--from", &dir, "--money", "5"], "the money is that of the checkpoints"),
        (&["simulate", "--dir", &dir], "nothing is written in a model"),
        (&["simulate", "-n", "100000"], "channels times waves"),
        (&["run", "-n", "1000", "--waves", "10000"], "10000000 files, and there is room for"),
        (&["simulate", "--initiators", "5"], "numbered 0 to 4"),
        (&["simulate", "--initiators", "1,1"], "named twice"),
        (&["simulate", "--waves", "0"], "--waves 0: from 1"),
        (&["simulate", "--tick", "0"], "--tick 0: from 1"),
        (&["simulate", "--money", "18446744073709551615"], "--money: at most"),
    ] {
        let output = PROGRAM.output(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(reason), "{arguments:?}: {stderr}");
        assert!(output.stdout.is_empty());
    }
}

/// Neither over a checkpoint that is there, nor where one may come to be.
#[test]
fn a_trace_is_not_written_into_a_folder_of_checkpoints() {
    let (keep, dir) = folder();
    assert!(PROGRAM.ran(&["run", "-n", "2", "--waves", "1", "--dir", &dir]).holds());
    let other = keep.path().join("other");
    let other = other.to_str().unwrap();
    let there = format!("{dir}/wave-1-by-p0.p1-of-2.checkpoint");
    let before = std::fs::read(&there).unwrap();
    let next = format!("{dir}/wave-2-by-p0.p1-of-2.checkpoint");
    let first = format!("{other}/wave-1-by-p0.p1-of-2.checkpoint");
    for (arguments, trace, folder) in [
        (&["restart", "--from", &dir][..], &there, &*dir),
        (&["restart", "--from", &dir], &next, &dir),
        (&["restart", "--from", &dir, "--dir", other], &there, &dir),
        (&["restart", "--from", &dir, "--dir", other], &first, other),
        (&["run", "-n", "2", "--dir", other], &first, other),
    ] {
        let output = PROGRAM.output(&[arguments, &["--trace", trace]].concat());
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        let reason = format!("cannot write the trace to {trace}: {folder} is needed for something");
        assert!(stderr.contains(&reason), "{arguments:?}: {stderr}");
        assert_eq!(std::fs::read(&there).unwrap(), before, "{arguments:?}");
        assert!(!Path::new(&next).exists() && !Path::new(other).exists(), "{arguments:?}");
    }
}

/// A folder is one run's at a time, and what another one recorded stays as it is.
#[test]
fn nobody_goes_on_from_a_folder_that_a_run_is_using() {
    let (_keep, dir) = folder();
    let mut running = PROGRAM.start(&["run", "-n", "2", "--waves", "10000", "--dir", &dir]);
    let checkpoint = |number| format!("wave-{number}-by-p0.p1-of-2.checkpoint");
    wait_until("a wave is complete", || Path::new(&dir).join(checkpoint(2)).exists());
    for arguments in [&["restart", "--from", &dir][..], &["run", "-n", "2", "--dir", &dir]] {
        let output = PROGRAM.output(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains("a run is using this folder"), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
    assert_eq!(inspected(&dir)["total"], 200);
    assert_eq!(running.pids().len(), 2);
    let run = running.run().to_owned();
    running.launcher.kill().unwrap();
    running.launcher.wait().unwrap();
    assert_nothing_left(&run);
    let again = PROGRAM.ran(&["restart", "--from", &dir, "--waves", "1"]);
    assert!(again.holds(), "{}", again.report);
}

/// What is not complete stays until a run begins that goes on without it.
#[test]
fn a_restart_that_cannot_begin_changes_nothing() {
    let (_keep, dir) = folder();
    assert!(PROGRAM.ran(&["run", "-n", "2", "--waves", "1", "--dir", &dir]).holds());
    let lost = Path::new(&dir).join("wave-7-by-p0.p1-of-2.checkpoint");
    std::fs::write(&lost, "of no use").unwrap();
    for wrong in [
        &["--faults", "kill 9 at 1s"][..],
        &["--hosts", "/nowhere/at/all"],
        &["--trace", "/nowhere/at/all"],
        &["--initiators", "5"],
    ] {
        let output = PROGRAM.output(&[&["restart", "--from", &dir], wrong].concat());
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(lost.exists(), "{wrong:?}");
    }
    assert!(PROGRAM.ran(&["restart", "--from", &dir, "--waves", "1"]).holds());
    assert!(!lost.exists());
}

/// All checkpoints of a wave together may be larger than what a daemon is told when it starts.
#[test]
fn a_wave_of_several_mebibytes_is_gone_on_from() {
    let (_keep, dir) = folder();
    std::fs::create_dir(&dir).unwrap();
    let message = Message::Transfer(Transfer { count: 1, amount: 1 });
    let mut bytes = 0;
    for process in 0..3 {
        let others = (0..3).filter(|&other| other != process).map(ProcessId);
        let checkpoint = Checkpoint {
            wave: Wave { number: 1, initiator: ProcessId(0) },
            process: ProcessId(process),
            processes: 3,
            execution: "made".to_owned(),
            state: State::Bank(Account { count: 1, money: 10 }),
            held: Vec::new(),
            channels: others.map(|other| (other, vec![message; 8_000])).collect(),
        };
        checkpoint.write(&mut LocalDisk, Path::new(&dir)).unwrap();
        let path = Path::new(&dir).join(checkpoint.file_name());
        bytes += std::fs::metadata(path).unwrap().len();
    }
    assert!(bytes > 4 << 20, "{bytes}");
    let again = PROGRAM.ran(&["restart", "--from", &dir, "--waves", "1"]);
    assert!(again.holds(), "{}", again.report);
    assert_eq!(again.report["result"]["restored"]["received_again"], 3 * 2 * 8_000);
    assert_eq!(inspected(&dir)["total"], 3 * (10 + 2 * 8_000));
}

#[test]
fn inspect_shows_waves_that_are_not_complete_too() {
    let (_keep, dir) = folder();
    let ran = PROGRAM.ran(&["run", "-n", "2", "--waves", "2", "--dir", &dir]);
    assert!(ran.holds(), "{}", ran.report);
    let text = |dir: &str| String::from_utf8(PROGRAM.output(&["inspect", dir]).stdout).unwrap();
    assert!(text(&dir).contains("total 200: "), "{}", text(&dir));
    let file = |wave| Path::new(&dir).join(format!("wave-{wave}-by-p0.p1-of-2.checkpoint"));
    std::fs::remove_file(file(2)).unwrap();
    assert_eq!(inspected(&dir)["shown"], "1@p0");
    assert!(text(&dir).contains("wave 2@p0: not complete, 1 of 2 files"), "{}", text(&dir));
    std::fs::remove_file(file(1)).unwrap();
    assert_eq!(inspected(&dir)["shown"], Value::Null);
    assert!(text(&dir).ends_with("no wave is complete\n"), "{}", text(&dir));
}

/// Runs without `--dir` do not write into each other's folders.
#[test]
fn each_run_has_a_folder_of_its_own() {
    let here = tempfile::tempdir().unwrap();
    for number in 1..=2 {
        let mut command = PROGRAM.command();
        command.args(["run", "-n", "2", "--waves", "1"]).current_dir(here.path());
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let dir = here.path().join(format!("checkpoint-{number}"));
        let checkpoint = |name: &std::ffi::OsString| {
            Path::new(name).extension().is_some_and(|extension| extension == "checkpoint")
        };
        let names = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(names.filter(checkpoint).count(), 2);
    }
}
