//! Each lab on four machines, as a course runs it: everything holds, faults by plan strike there too, and
//! nothing is left on any machine.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use testbed::{Found, Launcher, Outcome, Room, tests, tests_main};

/// A run that is not waited upon takes less than a second on an idle machine; this one compiles.
const PATIENCE: Duration = Duration::from_secs(60);

const FOUR: &str = "lab[01-04] slots=2\n";

fn main() {
    tests_main(tests![
        chang_roberts_elects,
        failure_detectors_notice_who_is_stopped_continued_and_killed,
        failure_detectors_of_which_both_die,
        failure_detectors_notice_a_machine_that_is_cut_off,
        checkpoints_are_taken_and_restarted_from_by_either_protocol,
        a_restart_after_everything_was_killed,
        a_process_stands_still_by_plan_and_goes_on,
        a_process_is_killed_by_plan,
        messages_are_lost_by_plan,
        a_coordinator_killed_by_plan_starts_again_on_its_machine,
        a_client_whose_cable_is_pulled_loses_its_grant,
    ]);
}

/// One run of a lab on four machines, after which nothing may be left.
fn run(lab: &str, arguments: &[&str]) -> Outcome {
    let room = Room::up(4);
    let program = room.share(lab);
    let outcome = room.launch(&program, FOUR, arguments).outcome(PATIENCE);
    assert_eq!(room.processes(), [], "when the launcher has ended, all has ended");
    outcome
}

fn struck(outcome: &Outcome) -> Vec<u64> {
    let faults = outcome.report["faults"].as_array().expect("the report lists the faults");
    faults.iter().filter_map(|fault| fault["struck"].as_u64()).collect()
}

fn verdict<'a>(outcome: &'a Outcome, name: &str) -> &'a Value {
    let properties = outcome.report["properties"].as_array().expect("the report lists properties");
    let property = properties.iter().find(|property| property["name"] == name);
    &property.unwrap_or_else(|| panic!("no {name:?} in {:#?}", outcome.report))["holds"]
}

fn chang_roberts_elects() {
    for launch in ["star", "chain"] {
        let outcome = run("chang-roberts", &["--processes", "8", "--launch", launch]);
        outcome.assert_holds();
        assert_eq!(outcome.report["result"]["count"], 8, "{outcome:#?}");
    }
}

/// The daemons of a run, by rank.
fn daemons(room: &Room, launcher: &mut Launcher, count: usize) -> Vec<Found> {
    let mut all = launcher.while_running("all daemons", PATIENCE, || {
        let all: Vec<_> =
            room.processes().into_iter().filter(|found| found.rank().is_some()).collect();
        (all.len() == count).then_some(all)
    });
    all.sort_by_key(Found::rank);
    all
}

fn signal(found: &Found, signal: Signal) {
    kill(Pid::from_raw(found.pid), signal).expect("it runs");
}

/// Waits until the launcher says so on standard error.
fn wait_until_said(launcher: &mut Launcher, what: &str) {
    launcher.until_said(what, PATIENCE);
}

/// What `detector` says for programs of a process, found out by `by`.
fn change(by: u32, detector: u32, event: &str, process: u32) -> String {
    format!(r#""by":{by},"detector":{detector},"event":"{event}","process":{process},"#)
}

/// By hand, as a student does it: p4 is stopped and continued, p5 killed.
fn failure_detectors_notice_who_is_stopped_continued_and_killed() {
    let room = Room::up(4);
    let program = room.share("failure-detector");
    let arguments = ["--watched", "4", "--duration", "20s", "--interval", "200ms"];
    let mut launcher = room.launch(&program, "lab[01-04] slots=3\n", &arguments);
    wait_until_said(&mut launcher, r#"{"event":"start","host":"lab04","pid":"#);
    let daemons = daemons(&room, &mut launcher, 10);

    signal(&daemons[4], Signal::SIGSTOP);
    signal(&daemons[5], Signal::SIGKILL);
    for event in
        [change(0, 0, "suspect", 4), change(1, 1, "suspect", 5), change(1, 0, "suspect", 5)]
    {
        wait_until_said(&mut launcher, &event);
    }
    signal(&daemons[4], Signal::SIGCONT);
    wait_until_said(&mut launcher, &change(0, 1, "restore", 4));
    let outcome = launcher.outcome(PATIENCE);
    assert_eq!(room.processes(), [], "when the launcher has ended, all has ended");
    assert_eq!(outcome.status, Some(0), "{outcome:#?}");
    assert_eq!(verdict(&outcome, "strong completeness"), true);
}

/// The cable of a machine is cut: nobody can fetch what its processes did last. That they are gone is what this lab is
/// about, so the survivors are judged, in the run and from its trace.
fn failure_detectors_notice_a_machine_that_is_cut_off() {
    let room = Room::up(4);
    let program = room.share("failure-detector");
    let arguments = ["--watched", "4", "--duration", "15s", "--interval", "200ms"];
    let arguments = [&arguments[..], &["--trace", "/mnt/lab/trace"]].concat();
    let mut launcher = room.launch(&program, "lab[01-04] slots=3\n", &arguments);
    wait_until_said(&mut launcher, r#""event":"round""#);
    // There are p6, p7 and p8.
    room.act(&["cut", "3"]);
    for event in [change(0, 1, "suspect", 8), change(1, 0, "suspect", 7)] {
        wait_until_said(&mut launcher, &event);
    }
    let outcome = launcher.outcome(PATIENCE);
    assert_eq!(outcome.status, Some(0), "{outcome:#?}");
    assert_eq!(outcome.report.get("problems"), None, "{outcome:#?}");
    for property in outcome.report["properties"].as_array().into_iter().flatten() {
        assert_eq!(property["holds"], true, "{outcome:#?}");
    }
    let deaths = outcome.report["result"]["deaths"].as_array().expect("the result lists deaths");
    let dead: Vec<_> = deaths.iter().map(|death| death["process"].as_u64()).collect();
    assert_eq!(dead, [Some(6), Some(7), Some(8)], "{outcome:#?}");
    let verified = room.hub(&[&program, "verify", "--json"]).arg("/mnt/lab/trace").output();
    let verified = verified.expect("the program runs");
    assert!(verified.status.success(), "{verified:?}");
}

/// Nobody is left to watch anyone, and one of the watched stands still: all end all the same.
fn failure_detectors_of_which_both_die() {
    let plan = "kill 0 at 1s; kill 1 at 2s; stop 5 at 1s";
    let arguments = ["--duration", "20s", "--interval", "200ms", "--faults", plan];
    let outcome = run("failure-detector", &arguments);
    assert_eq!(struck(&outcome), [1, 1, 1], "{outcome:#?}");
    assert_eq!(outcome.report.get("problems"), None, "{outcome:#?}");
    let deaths = outcome.report["result"]["deaths"].as_array().expect("the result lists deaths");
    let died = deaths.iter().map(|death| (death["process"].as_u64(), death["died_s"].as_f64()));
    let [(Some(0), Some(first)), (Some(1), Some(second))] = died.collect::<Vec<_>>()[..] else {
        panic!("p0 and p1 died: {outcome:#?}");
    };
    assert!(1.0 <= first && first <= second && 2.0 <= second, "{first} {second}");
    // With the last of them the run ends, and not when the 20 s are over.
    let elapsed = outcome.report["elapsed_s"].as_f64().expect("the report says how long it took");
    assert!(second <= elapsed && elapsed < 10.0, "{elapsed}: {outcome:#?}");
}

/// Checkpoints on the disk that all machines share.
fn checkpoints_are_taken_and_restarted_from_by_either_protocol() {
    for protocol in ["chandy-lamport", "blocking"] {
        let room = Room::up(4);
        let program = room.share("chandy-lamport");
        let checkpoint = ["--processes", "5", "--waves", "3", "--protocol", protocol];
        let arguments = [&checkpoint[..], &["--dir", "/mnt/lab/one"]].concat();
        let outcome = room.launch(&program, FOUR, &arguments).outcome(PATIENCE);
        outcome.assert_holds();
        assert_eq!(outcome.report["messages"]["MARKER"]["measured"], 60, "{outcome:#?}");
        let arguments = ["--from", "/mnt/lab/one", "--dir", "/mnt/lab/two", "--protocol", protocol];
        let outcome = room.launch_verb(&program, "restart", FOUR, &arguments).outcome(PATIENCE);
        outcome.assert_holds();
        assert_eq!(outcome.report["processes"], 5);
        assert_eq!(verdict(&outcome, "the total is conserved"), true);
        assert_eq!(room.processes(), [], "when the launcher has ended, all has ended");
    }
}

/// The launcher and all daemons die by `kill -9`, after some waves and in the middle of others.
fn a_restart_after_everything_was_killed() {
    let room = Room::up(4);
    let program = room.share("chandy-lamport");
    let arguments =
        ["--processes", "5", "--waves", "1000", "--every", "20", "--dir", "/mnt/lab/one"];
    let mut launcher = room.launch(&program, FOUR, &arguments);
    let folder = room.shared().join("one");
    launcher.while_running("some waves", PATIENCE, || {
        (std::fs::read_dir(&folder).ok()?.count() > 30).then_some(())
    });
    launcher.signal(Signal::SIGKILL);
    room.processes().iter().for_each(|found| {
        // Some have noticed, and ended.
        let _ = kill(Pid::from_raw(found.pid), Signal::SIGKILL);
    });
    drop(launcher);
    testbed::wait_until("all are dead", PATIENCE, || room.processes().is_empty().then_some(()));
    let arguments = ["--from", "/mnt/lab/one", "--dir", "/mnt/lab/two", "--waves", "2"];
    let outcome = room.launch_verb(&program, "restart", FOUR, &arguments).outcome(PATIENCE);
    outcome.assert_holds();
    assert_eq!(room.processes(), [], "when the launcher has ended, all has ended");
}

// -----------------------------------------------------------------------------------------------
// Plans of faults

/// Longer than the silence after which a process that nobody stopped by plan is taken for gone; another is
/// stopped by a message, and continued by the launcher.
fn a_process_stands_still_by_plan_and_goes_on() {
    let plan = "stop 2 from 200ms to 4s; stop 1 after 2 TOKEN; continue 1 at 1s";
    let outcome = run("token-ring", &["--processes", "8", "--work", "5", "--faults", plan]);
    outcome.assert_holds();
    assert_eq!(struck(&outcome), [1, 1, 1]);
    assert!(outcome.report["elapsed_s"].as_f64() > Some(3.9), "{outcome:#?}");
}

/// It stands still when it is killed: nobody but its machine can do that.
fn a_process_is_killed_by_plan() {
    let plan = "stop 5 at 100ms; kill 5 at 1s";
    let arguments = ["--processes", "8", "--work", "5", "--laps", "1000", "--faults", plan];
    let outcome = run("token-ring", &arguments);
    // If it held the token, that is lost.
    let status = if verdict(&outcome, "exactly one token at any time") == false { 1 } else { 2 };
    outcome.assert_problem(status, &["p5 on lab03", "it died", "as the plan of faults says"]);
    assert_eq!(struck(&outcome), [1, 1]);
    // Its journal was fetched from its machine.
    assert_eq!(verdict(&outcome, "mutual exclusion"), true, "{outcome:#?}");
}

fn messages_are_lost_by_plan() {
    let arguments = ["--processes", "8", "--timeout", "3", "--faults", "drop 4->3 after 2 TOKEN"];
    let outcome = run("token-ring", &arguments);
    assert_eq!(outcome.status, Some(1), "{outcome:#?}");
    assert_eq!(verdict(&outcome, "exactly one token at any time"), false);
    assert_eq!(struck(&outcome), [1]);
}

/// p0 of lab 04 on its machine, killed and started again there over SSH: the line goes on.
fn a_coordinator_killed_by_plan_starts_again_on_its_machine() {
    let arguments = ["--clients", "5", "--entries", "4", "--work", "20", "--retry", "100"];
    let files = ["--file", "/mnt/lab/sections", "--state", "/mnt/lab/state"];
    let plan = ["--faults", "kill 0 at 300ms; restart 0 at 600ms"];
    let outcome = run("mutex-central", &[&arguments[..], &files, &plan].concat());
    outcome.assert_holds();
    assert_eq!(struck(&outcome), [1, 1], "{outcome:#?}");
    assert_eq!(outcome.report["result"]["entries"], 20, "{outcome:#?}");
}

/// The coordinator hears nothing from it any more, not even that its section is over, and revokes the grant when
/// the lease is. The other enters; when the cable is back, all requests are served.
fn a_client_whose_cable_is_pulled_loses_its_grant() {
    let room = Room::up(3);
    let program = room.share("mutex-central");
    let arguments = ["--clients", "2", "--entries", "4", "--work", "400", "--lease", "500"];
    let file = ["--file", "/mnt/lab/sections"];
    let hosts = "lab[01-03]\n";
    let mut launcher = room.launch(&program, hosts, &[&arguments[..], &file].concat());
    let path = room.shared().join("sections");
    let begins = |whose: &str| {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let last = text.lines().next_back().unwrap_or_default().to_owned();
        last.starts_with(whose).then_some(())
    };
    launcher.while_running("p1 is inside", PATIENCE, || begins("begin p1 "));
    room.act(&["cut", "2"]);
    launcher.while_running("p2 is inside", PATIENCE, || begins("begin p2 "));
    room.act(&["heal", "2"]);
    let outcome = launcher.outcome(PATIENCE);
    assert_eq!(room.processes(), [], "when the launcher has ended, all has ended");
    let properties = outcome.report["properties"].as_array().cloned().unwrap_or_default();
    let holds = |name: &str| {
        let property = properties.iter().find(|property| property["name"] == name);
        property.map(|property| property["holds"].clone())
    };
    // Nothing orders the section behind the cut cable and the next; the tokens do.
    assert_eq!(holds("mutual exclusion"), Some(false.into()), "{outcome:#?}");
    assert_eq!(holds("fencing tokens grow"), Some(true.into()), "{outcome:#?}");
    assert!(outcome.report["result"]["revoked"].as_u64() > Some(0), "{outcome:#?}");
}
