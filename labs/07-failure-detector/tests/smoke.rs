//! Real processes on loopback, stopped, continued and killed; and the program's other verbs as they
//! are typed.

mod common;

use common::PROGRAM;
use labs::testing::{Ran, Running, assert_nothing_left, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

/// Ten heartbeats a second, and six must remain unanswered: nobody is suspected because a machine
/// that builds something else beside it lets a process wait.
const PACE: [&str; 4] = ["--interval", "100ms", "--threshold", "5"];

/// A run at this pace, to its end.
fn ran(arguments: &[&str]) -> Ran {
    PROGRAM.ran(&[arguments, &PACE].concat())
}

/// A run in which someone will be sent signals.
struct Run {
    running: Running,
    /// By rank.
    pids: Vec<u32>,
}

impl Run {
    /// Starts a run in which each detector watches so many processes, and waits until all are at
    /// work.
    fn start(watched: usize, arguments: &[&str]) -> Self {
        let text = watched.to_string();
        let arguments = [&["--watched", &text], arguments].concat();
        let running = PROGRAM.start(&[&["run"], &PACE[..], &arguments].concat());
        let mut pids = Vec::new();
        wait_until("the algorithm starts", || {
            pids = running.pids();
            // What the system tells of many processes is not the picture of one moment.
            pids.len() == 2 + 2 * watched && pids.iter().all(|&pid| works(pid))
        });
        Self { running, pids }
    }

    fn send(&self, signal: Signal, rank: usize) {
        kill(Pid::from_raw(self.pids[rank].cast_signed()), signal).unwrap();
    }

    /// Waits for both detectors to say so of a process of p1, in any order.
    fn both_say(&mut self, event: &str, process: u32) {
        self.wait_for(&[[0, 1], [1, 1]].map(|[detector, by]| {
            json!({ "event": event, "detector": detector, "by": by, "process": process })
        }));
    }

    /// Waits for events with at least these fields, in any order.
    fn wait_for(&mut self, events: &[Value]) {
        let mut missing = events.to_vec();
        self.running.read_until(&format!("{events:?}"), |line| {
            let said: Value = serde_json::from_str(line).unwrap();
            missing.retain(|event| {
                !event.as_object().unwrap().iter().all(|(key, value)| said[key] == *value)
            });
            missing.is_empty()
        });
    }

    fn end(self) -> Ran {
        let run = self.running.run().to_owned();
        let ran = self.running.end();
        assert_nothing_left(&run);
        ran
    }
}

/// Whether the process has written into its log that the algorithm starts.
fn works(pid: u32) -> bool {
    let Ok(fds) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    fds.filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .any(|log| std::fs::read_to_string(log).is_ok_and(|text| text.contains("algorithm starts")))
}

/// On which list each process is in the end, to p0 and to p1.
fn lists(ran: &Ran) -> Vec<[Value; 2]> {
    let rows = ran.report["places"].as_array().unwrap();
    rows.iter().map(|row| [row["to p0"].clone(), row["to p1"].clone()]).collect()
}

#[test]
fn a_quiet_run_holds_and_suspects_nobody() {
    let ran = ran(&["run", "--watched", "2", "--duration", "2s"]);
    assert!(ran.holds(), "{}", ran.report);
    assert_eq!(ran.status, 0, "{}", ran.report);
    assert_eq!(ran.report["processes"], 6);
    assert_eq!(ran.report["messages"]["HEARTBEAT"]["measured"], 20 * 6);
    assert!(ran.report["messages"]["SUSPECT"].is_null(), "{}", ran.report);
    assert_eq!(ran.report["result"]["quality"]["P_A"], 1.0);
}

/// SIGSTOP, SIGTSTP, SIGCONT and SIGKILL, each by hand, as one would from another terminal.
#[test]
fn every_signal_is_noticed_by_both_detectors() {
    let mut run = Run::start(2, &["--duration", "8s"]);
    assert_eq!(run.pids.len(), 6);
    for stop in [Signal::SIGSTOP, Signal::SIGTSTP] {
        run.send(stop, 3);
        run.both_say("suspect", 3);
        run.send(Signal::SIGCONT, 3);
        run.both_say("restore", 3);
    }
    run.send(Signal::SIGKILL, 5);
    run.both_say("suspect", 5);
    let ran = run.end();
    assert!(ran.holds(), "{}", ran.report);
    assert_eq!(ran.status, 0, "{}", ran.report);
    let lists = lists(&ran);
    assert_eq!(lists[5], ["dead", "dead"]);
    assert_eq!(lists[3], ["alive", "alive"]);
    let quality = &ran.report["result"]["quality"];
    assert!(quality["mistakes"].as_u64().unwrap() >= 2, "{quality}");
    assert_eq!(quality["T_D"]["count"], 1);
}

/// Restored each time, and no wiser.
#[test]
fn a_process_that_flaps_is_restored_each_time() {
    let mut run = Run::start(1, &["--duration", "10s"]);
    for _ in 0..4 {
        run.send(Signal::SIGSTOP, 3);
        run.both_say("suspect", 3);
        run.send(Signal::SIGCONT, 3);
        run.both_say("restore", 3);
    }
    let ran = run.end();
    assert!(ran.holds(), "{}", ran.report);
    assert!(ran.report["result"]["quality"]["mistakes"].as_u64().unwrap() >= 4, "{}", ran.report);
    assert_eq!(lists(&ran)[3], ["alive", "alive"]);
}

/// Nothing but objects, one a line: where everyone runs, each round with all that its detector
/// watches, each change.
#[test]
fn events_for_programs_are_one_object_a_line() {
    let plan = "stop 3 from 1s to 2500ms";
    let ran = ran(&["run", "--watched", "2", "--duration", "5s", "--faults", plan]);
    assert!(ran.holds(), "{}", ran.report);
    let events: Vec<Value> =
        ran.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |name: &str| events.iter().filter(|event| event["event"] == name).collect::<Vec<_>>();
    let (starts, rounds) = (of("start"), of("round"));
    let pids = |rows: &[&Value]| rows.iter().map(|row| row["pid"].clone()).collect::<Vec<_>>();
    let places = ran.report["places"].as_array().unwrap();
    assert_eq!(pids(&starts), pids(&places.iter().collect::<Vec<_>>()));
    for (detector, watched) in [(0, [1, 2, 4]), (1, [0, 3, 5])] {
        let own = rounds.iter().filter(|round| round["detector"] == detector);
        let sent = own.clone().map(|round| round["sent"].as_u64().unwrap());
        assert_eq!(sent.collect::<Vec<_>>(), (1..=50).collect::<Vec<_>>());
        for round in own {
            let rows = round["processes"].as_array().unwrap();
            assert_eq!(rows.iter().map(|row| row["process"].clone()).collect::<Vec<_>>(), watched);
            for row in rows {
                let answered = row["answered"].as_u64().unwrap();
                assert!(answered <= row["sent"].as_u64().unwrap(), "{round}");
                assert_eq!(row["sent"], round["sent"]);
            }
        }
    }
    let (suspects, restores) = (of("suspect"), of("restore"));
    for (changes, state) in [(&suspects, "dead"), (&restores, "alive")] {
        let of_three = changes.iter().filter(|change| change["process"] == 3);
        for change in of_three.clone() {
            assert_eq!((&change["by"], &change["state"]), (&json!(1), &json!(state)), "{change}");
            assert_eq!(change["since_s"], change["at_s"]);
        }
        assert_eq!(of_three.count(), 2, "by each detector");
    }
    // While it stood still, p1 said so in each round.
    let silent = rounds.iter().flat_map(|round| round["processes"].as_array().unwrap());
    let silent = silent.filter(|row| row["process"] == 3 && row["state"] == "dead");
    assert!(silent.count() >= 5);
    assert_eq!(of("finished").len(), 2);
}

/// Without `--json`, text.
#[test]
fn events_for_people_are_lines() {
    let plan = "kill 3 at 500ms";
    let arguments = ["run", "--watched", "1", "--duration", "3s", "--faults", plan];
    let output = PROGRAM.output(&[&arguments[..], &PACE].concat());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    for line in ["p0 runs on localhost, process ", "  p0: p3 is suspected, says p1\n"] {
        assert!(stderr.contains(line), "{stderr}");
    }
    assert!(!stderr.contains('{'), "{stderr}");
}

/// Who is still stopped when the run ends is suspected, rightly, and ended all the same.
#[test]
fn a_stopped_process_does_not_outlive_the_run() {
    let mut run = Run::start(1, &["--duration", "3s"]);
    run.send(Signal::SIGSTOP, 3);
    run.both_say("suspect", 3);
    let ran = run.end();
    assert!(ran.holds(), "{}", ran.report);
    assert_eq!(ran.status, 0, "{}", ran.report);
    assert_eq!(lists(&ran)[3], ["dead", "dead"]);
}

/// A detector that the plan stopped and does not continue finishes nothing more, and nobody waits
/// for it: the run ends by itself when the other is finished, long before its time-out.
#[test]
fn a_detector_that_is_stopped_for_good_does_not_hold_up_the_run() {
    let ran = ran(&["run", "--watched", "2", "--duration", "3s", "--faults", "stop 0 at 1s"]);
    assert!(ran.holds(), "{}", ran.report);
    assert_eq!((ran.status, ran.report.get("problems")), (0, None), "{}", ran.report);
    let elapsed = ran.report["elapsed_s"].as_f64().unwrap();
    assert!((3.0..20.0).contains(&elapsed), "{elapsed}");
    let to_p1: Vec<_> = lists(&ran).into_iter().map(|[_, to_p1]| to_p1).collect();
    assert_eq!(
        to_p1,
        [
            json!("dead"),
            Value::Null,
            json!("unknown"),
            json!("alive"),
            json!("unknown"),
            json!("alive")
        ]
    );
}

#[test]
fn the_processes_of_a_dead_detector_are_unknown() {
    let mut run = Run::start(2, &["--duration", "4s"]);
    run.send(Signal::SIGKILL, 1);
    let says = |event, process| json!({ "event": event, "detector": 0, "process": process });
    run.wait_for(&[says("suspect", 1), says("doubt", 3), says("doubt", 5)]);
    let ran = run.end();
    assert!(ran.holds(), "{}", ran.report);
    assert_eq!(ran.status, 0, "{}", ran.report);
    let to_p0: Vec<_> = lists(&ran).into_iter().map(|[to_p0, _]| to_p0).collect();
    assert_eq!(to_p0[1..], ["dead", "alive", "unknown", "alive", "unknown"]);
}

#[test]
fn with_both_detectors_dead_the_run_ends_and_nothing_is_left() {
    let run = Run::start(2, &["--duration", "60s"]);
    run.send(Signal::SIGKILL, 0);
    run.send(Signal::SIGKILL, 1);
    let ran = run.end();
    assert!(ran.holds(), "{}", ran.report);
    assert!(ran.report["elapsed_s"].as_f64().unwrap() < 30.0, "{}", ran.report);
    assert!(ran.report.to_string().contains("no detector lives"), "{}", ran.report);
}

#[test]
fn halves_that_were_cut_apart_agree_again() {
    let trace = tempfile::NamedTempFile::new().unwrap();
    let cut = "partition 0,2,4|1,3,5 from 1s to 2500ms; kill 4 at 1500ms";
    let path = trace.path().to_str().unwrap();
    let ran = ran(&["run", "--watched", "2", "--duration", "6s", "--faults", cut, "--trace", path]);
    assert!(ran.holds(), "{}", ran.report);
    assert_eq!(ran.status, 0, "{}", ran.report);
    // Each suspected the other, and p1 learned of p4 when they were together again.
    assert!(ran.report["result"]["quality"]["mistakes"].as_u64().unwrap() >= 2, "{}", ran.report);
    assert_eq!(lists(&ran)[4], ["dead", "dead"]);
    let verdicts = serde_json::to_value(PROGRAM.verified(trace.path())).unwrap();
    assert_eq!(verdicts, ran.report["properties"]);
}

#[test]
fn two_detectors_watch_fifty_each() {
    let faults = "stop 3 from 1s to 3s; kill 100 at 2s";
    let arguments = ["run", "--watched", "50", "--interval", "250ms", "--duration", "8s"];
    let ran = PROGRAM.ran(&[&arguments[..], &["--faults", faults]].concat());
    assert!(ran.holds(), "{}", ran.report);
    assert_eq!(ran.status, 0, "{}", ran.report);
    assert_eq!(ran.report["processes"], 102);
    let lists = lists(&ran);
    assert_eq!(
        (&lists[3], &lists[100]),
        (&[json!("alive"), json!("alive")], &[json!("dead"), json!("dead")])
    );
}

#[test]
fn a_mistake_shows_in_a_real_run() {
    for (mistake, property) in [
        ("never-suspects", "strong completeness"),
        ("suspects-for-ever", "eventual accuracy"),
        ("forgets-to-tell", "the lists agree when quiet"),
        ("lists-twice", "every process is on exactly one list"),
    ] {
        let faults = "stop 3 from 500ms to 2s; kill 4 at 500ms";
        let arguments = ["run", "--watched", "2", "--duration", "5s", "--faults", faults];
        let ran = ran(&[&arguments[..], &["--broken", mistake]].concat());
        assert_eq!(ran.status, 1, "{mistake}: {}", ran.report);
        assert_eq!(ran.verdict(property), false, "{mistake}: {}", ran.report);
    }
}

#[test]
fn the_same_plan_gives_the_same_lists_in_simulate() {
    let plan = "stop 3 from 500ms to 2s; kill 4 at 1s; stop 5 at 1s";
    let [run, simulated] = ["run", "simulate"].map(|verb| {
        let ran = ran(&[verb, "--watched", "2", "--duration", "4s", "--faults", plan]);
        assert!(ran.holds(), "{verb}: {}", ran.report);
        assert_eq!(ran.status, 0, "{verb}: {}", ran.report);
        lists(&ran)
    });
    assert_eq!(run, simulated);
}

/// Stopped, suspected, and killed while it stands still: it was suspected by mistake for seven of
/// its nine seconds.
#[test]
fn who_dies_suspected_counts_as_a_mistake() {
    let plan = "stop 3 at 1s; kill 3 at 9s";
    let ran = PROGRAM.ran(&["simulate", "--watched", "1", "--faults", plan]);
    assert!(ran.holds(), "{}", ran.report);
    let quality = &ran.report["result"]["quality"];
    assert_eq!((&quality["mistakes"], &quality["ended_by_death"]), (&json!(1), &json!(1)));
    assert_eq!(quality["T_D"]["max_s"], 0.0);
    // Suspected from 1.75 s to 9 s; three were watched for 10 s, and it for 9 s.
    assert_eq!(quality["T_M_s"], 7.25);
    assert_eq!(quality["P_A"], 1.0 - 7.25 / 39.0);
}

#[test]
fn a_sweep_that_is_interrupted_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let plot = folder.path().join("plot.svg");
    let arguments = ["simulate", "--sweep", "1,2,3", "--runs", "10000", "--plot"];
    let ran = PROGRAM.start(&[&arguments[..], &[plot.to_str().unwrap()]].concat()).interrupt();
    assert_eq!(ran.status, 2, "{}", ran.report);
    assert!(ran.problems().contains("interrupted"), "{}", ran.report);
    assert!(ran.report["result"]["rows"].as_array().unwrap().len() <= 1, "{}", ran.report);
}

#[test]
fn a_sweep_writes_a_table_and_a_plot() {
    let folder = tempfile::tempdir().unwrap();
    let plot = folder.path().join("plot.svg");
    let ran = PROGRAM.ran(
        &[
            &["simulate", "--sweep", "1,2", "--sweep-losses", "20%,30%", "--sweep-delays", "5,20"]
                [..],
            &["--runs", "10", "--plot", plot.to_str().unwrap()],
        ]
        .concat(),
    );
    assert!(ran.holds(), "{}", ran.report);
    let rows = ran.report["result"]["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 2 * 2 * 2);
    for row in rows {
        let [measured, predicted] =
            ["measured_s", "predicted_s"].map(|key| row["T_MR"][key].as_f64().unwrap());
        // Thousands of mistakes each.
        assert!((measured / predicted - 1.0).abs() < 0.1, "{row}");
        let [longest, bound] = ["max_s", "bound_s"].map(|key| row["T_D"][key].as_f64().unwrap());
        assert!(longest <= bound, "{row}");
    }
    let svg = std::fs::read_to_string(plot).unwrap();
    assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
    // Four pairs of loss and delay, and the detection time: each a line of theory.
    assert_eq!(svg.matches("<polyline").count(), 5);
}

#[test]
fn what_cannot_be_is_refused_with_the_reason() {
    for (arguments, reason) in [
        (&["run", "--watched", "3", "-n", "4"][..], "the other options mean 8"),
        (&["simulate", "--watched", "100001"], "a whole number from 0 to 100000"),
        (&["simulate", "-n", "200003"], "--processes 200003: at most 200002"),
        (&["run", "--interval", "5"], "5\" is no time"),
        (&["run", "--interval", "0ms"], "from 1ms to"),
        (&["run", "--threshold", "0"], "a whole number from 1 to"),
        (&["simulate", "--duration", "86400s", "--interval", "1ms"], "intervals of 1ms"),
        (&["run", "--duration", "70s", "--timeout", "60"], "mean a run of 70.25 s"),
        (&["run", "--sweep", "1"], "--sweep: only in `simulate`"),
        (&["simulate", "--sweep", "0"], "--sweep 0: a threshold"),
        (&["simulate", "--sweep", "1", "--sweep-losses", "x"], "--sweep-losses"),
        (&["simulate", "--sweep", "1", "--sweep-delays", "0"], "--sweep-delays 0"),
        (&["simulate", "--runs", "9"], "--sweep"),
        (&["simulate", "--sweep", "1", "--threshold", "2"], "cannot be used with"),
        (&["simulate", "--sweep", "1", "--loss", "50%"], "--loss is what these runs vary"),
        (&["simulate", "--sweep", "1", "--loss", "0%"], "--loss is what these runs vary"),
        (&["simulate", "--sweep", "1", "--latency", "400"], "--latency is what these runs vary"),
        (&["run", "--faults", "kill 10 at 1s"], "10"),
    ] {
        let output = PROGRAM.output(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(reason), "{arguments:?}: {stderr}");
        assert!(output.stdout.is_empty());
    }
}
