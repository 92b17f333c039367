//! Real processes on loopback: what holds, and what happens to the others when one is killed, stopped, cut off, or
//! killed and started again.

mod common;

use std::path::Path;

use common::PROGRAM;
use labs::testing::{Ran, Running, assert_nothing_left, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

fn signal(pid: u32, signal: Signal) {
    kill(Pid::from_raw(pid as i32), signal).unwrap();
}

/// The last line of the shared file: the word, the process id, the token.
fn last_line(file: &Path) -> Option<(String, u32, u64)> {
    let text = std::fs::read_to_string(file).ok()?;
    let words: Vec<_> = text.lines().next_back()?.split(' ').collect();
    let [word, _, name, token] = words[..] else { return None };
    Some((word.to_owned(), name.split_once('/')?.1.parse().ok()?, token.parse().ok()?))
}

/// A run with a shared file and a trace, in which each client works for 300 ms.
struct Lab {
    folder: tempfile::TempDir,
    running: Running,
}

impl Lab {
    fn start(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [file, trace] =
            ["file", "trace"].map(|name| folder.path().join(name).display().to_string());
        let arguments = ["run", "--work", "300", "--file", &file, "--trace", &trace];
        let running = PROGRAM.start(&[&arguments, more].concat());
        Self { folder, running }
    }

    fn file(&self) -> std::path::PathBuf {
        self.folder.path().join("file")
    }

    /// Waits until a client has just entered, and returns its process id and its token.
    fn somebody_inside(&self) -> (u32, u64) {
        let mut inside = None;
        wait_until("somebody is inside", || {
            inside = last_line(&self.file()).filter(|(word, ..)| word == "begin");
            inside.is_some()
        });
        inside.map(|(_, pid, token)| (pid, token)).unwrap()
    }

    /// Its end: what was reported, the lines of the file, the trace.
    fn end(self) -> (Ran, Vec<String>, String) {
        self.running.participants();
        let run = self.running.run().to_owned();
        let ran = self.running.end();
        assert_nothing_left(&run);
        let text = std::fs::read_to_string(self.folder.path().join("file")).unwrap();
        let trace = self.folder.path().join("trace");
        // The file of the clients is judged by itself.
        let again = serde_json::to_value(PROGRAM.verified(&trace)).unwrap();
        let again = again.as_array().unwrap();
        assert_eq!(again[..], ran.report["properties"].as_array().unwrap()[..again.len()]);
        let trace = std::fs::read_to_string(trace).unwrap();
        (ran, text.lines().map(str::to_owned).collect(), trace)
    }
}

#[test]
fn all_hold_and_an_entry_costs_three_messages() {
    let folder = tempfile::tempdir().unwrap();
    for launch in ["star", "chain"] {
        let file = folder.path().join(launch);
        let ran = PROGRAM.ran(&[
            "run",
            "--clients",
            "6",
            "--entries",
            "10",
            "--launch",
            launch,
            "--file",
            file.to_str().unwrap(),
        ]);
        assert!(ran.holds(), "{}", ran.report);
        assert_eq!((ran.status, &ran.report["processes"]), (0, &json!(7)));
        for kind in ["REQUEST", "GRANT", "RELEASE"] {
            assert_eq!(ran.report["messages"][kind], json!({"measured": 60, "predicted": 60}));
        }
        let text = std::fs::read_to_string(file).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 120);
        for (pair, token) in lines.chunks(2).zip(1..) {
            assert_eq!(pair[0].replacen("begin", "end", 1), pair[1]);
            assert!(pair[0].ends_with(&format!(" {token}")), "{pair:?}");
        }
        let rows = ran.report["places"].as_array().unwrap();
        assert_eq!(rows[0]["role"], "coordinator");
        assert!(rows[1..].iter().all(|row| row["role"] == "client" && row["entries"] == 10));
    }
}

#[test]
fn a_client_killed_in_its_section_lets_the_next_in_at_once() {
    let lab = Lab::start(&["--clients", "3", "--entries", "2", "--lease", "30000"]);
    let (pid, token) = lab.somebody_inside();
    signal(pid, Signal::SIGKILL);
    let (ran, lines, _) = lab.end();
    // Nobody has waited for the lease of half a minute.
    assert!(ran.holds() && ran.status == 0, "{}", ran.report);
    assert!(ran.report["elapsed_s"].as_f64().unwrap() < 20.0);
    assert_eq!(ran.report["result"]["revoked"], 1);
    let end =
        lines.iter().find(|line| line.starts_with("end") && line.ends_with(&format!(" {token}")));
    assert_eq!(end, None, "{lines:?}");
    assert!(last_line_of(&lines).starts_with("end"), "{lines:?}");
}

fn last_line_of(lines: &[String]) -> &str {
    lines.last().expect("somebody wrote")
}

/// The client stands still in its critical section, past its lease; another enters; the client goes on, and its
/// end of a section that is over is not written.
#[test]
fn a_client_stopped_past_its_lease_does_not_write_with_its_stale_token() {
    let lab = Lab::start(&["--clients", "2", "--entries", "3", "--lease", "600"]);
    let (pid, token) = lab.somebody_inside();
    signal(pid, Signal::SIGSTOP);
    wait_until("the next is inside", || {
        last_line(&lab.file()).is_some_and(|(_, _, other)| other > token)
    });
    signal(pid, Signal::SIGCONT);
    let (ran, lines, trace) = lab.end();
    // Its section lasted while another began: that nothing of it was written is what fencing is for.
    assert_eq!(*ran.verdict("mutual exclusion"), json!(false), "{}", ran.report);
    for property in
        ["one grant at a time", "fencing tokens grow", "no stale write in the shared file"]
    {
        assert_eq!(*ran.verdict(property), json!(true), "{property}: {}", ran.report);
    }
    assert!(ran.report["result"]["revoked"].as_u64().unwrap() >= 1, "{}", ran.report);
    let mine: Vec<_> = lines.iter().filter(|line| line.ends_with(&format!(" {token}"))).collect();
    assert_eq!(mine.len(), 1, "the stale end was written: {lines:?}");
    let refused = format!("\"text\":\"Refused({token})\"");
    assert!(trace.contains(&refused), "nobody tried to write");
    // Its work was done again, under a new token: it did all it wanted to.
    let ends =
        lines.iter().filter(|line| line.starts_with("end ") && line.contains(&format!("/{pid} ")));
    assert_eq!(ends.count(), 3, "{lines:?}");
}

#[test]
fn a_client_that_is_cut_off_is_given_up_and_comes_back() {
    let lab = Lab::start(&[
        "--clients",
        "2",
        "--entries",
        "2",
        "--lease",
        "500",
        "--retry",
        "100",
        "--faults",
        "delay 2->0 100ms from 0s to 100ms; partition 0|1 from 150ms to 1500ms",
    ]);
    let (ran, lines, _) = lab.end();
    assert!(ran.holds(), "{}", ran.report);
    assert!(ran.report["messages"]["RETRY"]["measured"].as_u64() > Some(0), "{}", ran.report);
    assert!(lines.iter().filter(|line| line.starts_with("end")).count() >= 4, "{lines:?}");
}

#[test]
fn the_coordinator_killed_and_started_again_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let lab = Lab::start(&[
        "--clients",
        "3",
        "--entries",
        "2",
        "--retry",
        "100",
        "--state",
        state.to_str().unwrap(),
        "--faults",
        "kill 0 at 400ms; restart 0 at 700ms; kill 0 at 1200ms; restart 0 at 1300ms",
    ]);
    let (ran, lines, trace) = lab.end();
    assert!(ran.holds() && ran.status == 0, "{}", ran.report);
    assert_eq!(lines.len(), 12, "{lines:?}");
    let events = |name: &str| {
        let event = format!("\"event\":\"{name}\"");
        trace.lines().filter(|l| l.contains("\"process\":0,") && l.contains(&event)).count()
    };
    assert_eq!((events("crash"), events("recover"), events("stop")), (2, 2, 1));
    let faults: Vec<_> =
        ran.report["faults"].as_array().unwrap().iter().map(|f| &f["struck"]).collect();
    assert_eq!(faults, [1, 1, 1, 1]);
    let book = mutex_central::state_file::load(&state).unwrap().unwrap();
    assert_eq!((book.token, book.inside), (6, None));
}

/// What could not be stored is not acknowledged: nobody is let in, and the run says why it ended.
#[test]
fn a_state_that_cannot_be_stored_ends_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    std::fs::create_dir(folder.path().join("state.new")).unwrap();
    let ran = PROGRAM.ran(&["run", "--clients", "3", "--state", state.to_str().unwrap()]);
    assert_eq!(ran.status, 2, "{}", ran.report);
    assert!(ran.report.to_string().contains("cannot store the state in "), "{}", ran.report);
    assert_eq!(ran.report["messages"]["GRANT"]["received"].as_u64().unwrap_or(0), 0);
}

/// A message kills it, at that very message; the restart finds it dead.
#[test]
fn a_coordinator_killed_by_a_message_starts_again() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let ran = PROGRAM.ran(&[
        "run",
        "--clients",
        "3",
        "--retry",
        "50",
        "--work",
        "10",
        "--state",
        state.to_str().unwrap(),
        "--faults",
        "kill 0 after 4 RELEASE; restart 0 at 600ms",
    ]);
    assert!(ran.holds(), "{}", ran.report);
    let faults: Vec<_> =
        ran.report["faults"].as_array().unwrap().iter().map(|f| &f["struck"]).collect();
    assert_eq!(faults, [1, 1], "{}", ran.report);
}

#[test]
fn a_coordinator_that_does_not_come_back_leaves_requests_unserved() {
    let ran = PROGRAM.ran(&["run", "--retry", "20", "--work", "20", "--faults", "kill 0 at 100ms"]);
    assert_eq!(ran.status, 1, "{}", ran.report);
    assert_eq!(*ran.verdict("every request is served"), json!(false));
    assert_eq!(*ran.verdict("mutual exclusion"), json!(true));
    assert!(ran.report["result"]["gave_up"].as_u64() > Some(0));
}

#[test]
fn a_mistake_shows_in_a_real_run() {
    for (mistake, property) in [
        ("grants-two", "mutual exclusion"),
        ("forgets-waiter", "every request is served"),
        ("lifo", "first come, first served"),
        ("ignores-release", "one grant at a time"),
        ("asks-twice", "3 messages an entry"),
        ("no-fencing", "fencing tokens grow"),
    ] {
        let ran = PROGRAM
            .ran(&["run", "--broken", mistake, "--work", "5", "--lease", "200", "--retry", "40"]);
        assert_eq!(ran.status, 1, "{mistake}: {}", ran.report);
        assert_eq!(*ran.verdict(property), json!(false), "{mistake}: {}", ran.report);
    }
}

/// Without tokens a client that wakes writes into the section of another: the file shows it.
#[test]
fn without_fencing_a_stale_write_stands_in_the_file() {
    let lab = Lab::start(&["--clients", "2", "--lease", "600", "--broken", "no-fencing"]);
    let (pid, _) = lab.somebody_inside();
    signal(pid, Signal::SIGSTOP);
    wait_until("the next is inside", || {
        last_line(&lab.file()).is_some_and(|(word, other, _)| word == "begin" && other != pid)
    });
    signal(pid, Signal::SIGCONT);
    let (ran, ..) = lab.end();
    for property in ["no stale write in the shared file", "mutual exclusion in the shared file"] {
        assert_eq!(*ran.verdict(property), json!(false), "{}", ran.report);
    }
}

/// The book of so many clients is cut in a trace: then nobody judges what is stored.
#[test]
fn a_trace_of_many_clients_is_judged_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace");
    let trace = path.to_str().unwrap();
    let ran = PROGRAM.ran(&["simulate", "-n", "300", "--entries", "1", "--trace", trace]);
    assert!(ran.holds(), "{}", ran.report);
    assert!(std::fs::read_to_string(&path).unwrap().contains("\"cut\":"));
    let verdicts = serde_json::to_value(PROGRAM.verified(&path)).unwrap();
    assert_eq!(verdicts, ran.report["properties"]);
}

#[test]
fn what_cannot_be_is_refused_with_the_reason() {
    let full = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(full.path(), "begin\n").unwrap();
    let full = full.path().to_str().unwrap();
    let empty = tempfile::NamedTempFile::new().unwrap();
    let empty = empty.path().to_str().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let one = folder.path().join("one");
    let one = one.to_str().unwrap();
    let restart = "kill 0 at 1s; restart 0 at 2s";
    for (arguments, expected) in [
        (&["run", "--clients", "4", "-n", "3"][..], "the other options mean 5"),
        (&["run", "--clients", "0"], "'0' for '--clients <N>'"),
        (&["run", "--work", "2000", "--lease", "100"], "give a longer lease"),
        (&["run", "--file", full], "it is not empty"),
        (&["run", "--state", full], "it is not empty"),
        (&["run", "--state", empty], "it is there already, and empty"),
        (&["run", "--broken", "forgets-book"], "none does: add --faults 'kill 0 at"),
        (&["simulate", "--broken", "forgets-book", "--faults", "kill 0 at 1s"], "none does: add"),
        (&["check", "--broken", "forgets-book"], "one that has died stays dead: take `simulate`"),
        (&["run", "--file", one, "--state", one], "is needed for something else"),
        (&["simulate", "--file", full], "use it with `run`"),
        (&["check", "--state", full], "use it with `run`"),
        (&["run", "--faults", restart], "nothing of p0 outlives it"),
        (&["run", "--faults", "kill 1 at 1s; restart 1 at 2s"], "nothing of p1 outlives it"),
        (&["simulate", "--faults", "kill 1 at 1s; restart 1 at 2s"], "nothing of p1 outlives it"),
        (&["simulate", "--faults", "restart 0 at 2s"], "kill it first"),
        (&["check", "--faults", "kill 0; restart 0 at 2s"], "starts nobody again"),
        (&["run", "--work", "9999999"], "at most 3600000"),
        (&["client", "--number", "0"], "--number"),
    ] {
        let output = PROGRAM.output(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(expected), "{arguments:?}: {stderr}");
        assert!(output.stdout.is_empty());
    }
}
