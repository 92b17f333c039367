//! What goes wrong in the middle of a run: who is named, how the run ends, and that nothing stays
//! behind on any machine, whatever happens.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use testbed::{
    Found, Launcher, Outcome, Room, Trace, program, shared_file, tests, tests_main, wait_until,
};

/// How long the machines may take to get to work.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a run may take to end after something has happened: silence is noticed after 2.5 s, and a
/// machine that does not answer is given up after 4 s, each a little later on a busy machine.
const END: Duration = Duration::from_secs(20);

/// How long participants may outlive their launcher.
const ORPHANED: Duration = Duration::from_secs(5);

/// More than a test takes: no run ends before something happens to it.
const ENDLESS: [&str; 6] = ["--laps", "20000", "--work", "5", "--file", "/mnt/lab/sections"];

fn main() {
    tests_main(tests![
        a_machine_cut_off_is_named_and_clears_itself,
        a_machine_cut_off_leaves_a_trace_that_can_be_read,
        a_machine_switched_off_is_named,
        two_machines_that_do_not_reach_each_other_end_the_run,
        a_short_cut_is_survived,
        a_killed_daemon_is_named,
        a_killed_daemon_leaves_its_trace,
        a_killed_daemon_of_a_chain_is_named,
        a_stopped_daemon_is_named_and_killed,
        a_killed_launcher_leaves_nothing_behind,
        a_killed_launcher_leaves_nothing_behind_that_is_stopped,
        a_cut_machine_clears_itself_of_what_is_stopped,
        a_killed_launcher_of_a_chain_leaves_nothing_behind,
        a_launcher_killed_while_it_launches_leaves_nothing_behind,
        a_stopped_launcher_is_as_good_as_dead,
        neighbours_end_a_stopped_daemon_without_launcher,
        ctrl_c_ends_everything,
        ctrl_c_while_a_machine_is_waited_for_ends_everything,
        two_runs_at_once_do_not_touch_each_other,
    ]);
}

/// A run of four daemons on as many machines, each of which has entered its critical section.
struct Running {
    // Before the room, in which it runs.
    launcher: Launcher,
    daemons: Vec<Found>,
    room: Room,
}

impl Running {
    fn start(arguments: &[&str]) -> Running {
        Running::on(4, "lab[01-04]\n", "4", arguments)
    }

    fn on(machines: u32, hosts: &str, processes: &str, arguments: &[&str]) -> Running {
        let room = Room::up(machines);
        let program = room.share_program();
        let arguments = [&["--processes", processes], &ENDLESS[..], arguments].concat();
        let mut launcher = room.launch(&program, hosts, &arguments);
        let file = room.shared().join("sections");
        let n: usize = processes.parse().expect("a number");
        launcher.while_running("everyone has entered", PATIENCE, || {
            (shared_file::sections(&file) > n).then_some(())
        });
        let mut daemons: Vec<Found> = room.processes();
        daemons.retain(|found| found.rank().is_some());
        daemons.sort_by_key(Found::rank);
        assert_eq!(daemons.len(), n, "{daemons:#?}");
        Running { launcher, daemons, room }
    }

    /// The daemon of this rank.
    fn daemon(&self, rank: u32) -> &Found {
        self.daemons.iter().find(|found| found.rank() == Some(rank)).expect("it runs")
    }

    fn signal(&self, rank: u32, signal: Signal) {
        kill(Pid::from_raw(self.daemon(rank).pid), signal).expect("it runs");
    }

    /// Waits for the end of the launcher, after which nothing may be left on any machine that it can
    /// reach.
    fn end(self) -> (Outcome, Room) {
        let outcome = self.launcher.outcome(END);
        assert_eq!(self.room.processes(), [], "when the launcher has ended, all has ended");
        (outcome, self.room)
    }
}

/// Waits until nothing of any run is left on any machine.
fn assert_nothing_left(room: &Room, within: Duration) {
    let begin = Instant::now();
    let mut left = room.processes();
    while !left.is_empty() {
        assert!(begin.elapsed() < within, "left after {within:?}: {left:#?}");
        std::thread::sleep(Duration::from_millis(20));
        left = room.processes();
    }
}

/// The properties that are violated if a process dies and the token with it, or on its way to it.
const OF_THE_TOKEN: [&str; 2] = ["exactly one token at any time", "exactly-once delivery"];

/// Asserts that the report says of a run that was cut short what can be said: these words of the problem,
/// nothing is violated but that the token may have died with a process, and whether everyone would have entered
/// is open.
fn assert_cut_short(outcome: &Outcome, words: &[&str]) {
    let properties = || outcome.report["properties"].as_array().into_iter().flatten();
    let violated = || properties().filter(|property| property["holds"] == false);
    // Where the token is when a process dies is chance.
    outcome.assert_problem(if violated().count() > 0 { 1 } else { 2 }, words);
    for property in violated() {
        let is_of_the_token = OF_THE_TOKEN.iter().any(|name| property["name"] == *name);
        assert!(is_of_the_token, "{property}");
    }
    let entries: Vec<_> = properties()
        .filter(|property| property["name"] == "every process enters K times")
        .collect();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["holds"], serde_json::Value::Null, "{}", entries[0]);
}

// -----------------------------------------------------------------------------------------------
// Machines

fn a_machine_cut_off_is_named_and_clears_itself() {
    let running = Running::start(&[]);
    running.room.act(&["cut", "3"]);
    let cut = Instant::now();
    // It hears nothing from the launcher, and can be told nothing.
    let on_the_machine =
        || running.room.processes().iter().filter(|found| found.machine == "lab03").count();
    wait_until("the machine that was cut off clears itself", ORPHANED, || {
        (on_the_machine() == 0).then_some(())
    });
    assert!(cut.elapsed() < ORPHANED);
    let (outcome, _room) = running.end();
    assert_cut_short(&outcome, &["p2 on lab03, process ", "not answer"]);
}

/// Nobody can fetch the events of p1. Those of the others are there, and what needs p1's is said to.
fn a_machine_cut_off_leaves_a_trace_that_can_be_read() {
    let running = Running::start(&["--trace", "/root/trace"]);
    running.room.act(&["cut", "2"]);
    let (outcome, room) = running.end();
    assert_cut_short(&outcome, &["p1 on lab02, process ", "not answer"]);
    let folder = room.on_disk("hub", "/root");
    let trace = Trace::read(&folder.join("trace"));
    let of = |process: u32| trace.events.iter().filter(move |event| event["process"] == process);
    assert_eq!(of(1).count(), 0);
    assert!(of(0).any(|event| event["event"] == "stop"));
    let is_from_p1 = |event: &serde_json::Value| event["event"] == "receive" && event["peer"] == 1;
    assert!(trace.events.iter().any(is_from_p1));

    let missing = "the trace lacks the events of p1";
    let verified = program::run("labs", &["verify", "--json", "trace"], &folder, 2);
    let verified: serde_json::Value = serde_json::from_slice(&verified).expect("it is JSON");
    for property in verified["properties"].as_array().expect("a list") {
        assert_eq!(property["holds"], serde_json::Value::Null, "{property}");
        assert!(property["detail"].as_str().expect("a text").contains(missing), "{property}");
    }
    program::run("labs", &["view", "--no-open", "--no-logs", "trace"], &folder, 0);
    let page = std::fs::read_to_string(folder.join("trace.html")).expect("it was written");
    assert!(page.contains(r#""missing":[{"process":1,"from":1}]"#));
    assert!(page.contains("TokenRing {"), "the states of the others are known");
    for format in ["--mermaid", "--shiviz", "--pcap"] {
        assert!(!program::run("labs", &["export", format, "trace"], &folder, 0).is_empty());
    }
    let replayed = program::run("labs", &["replay", "trace"], &folder, 2);
    let replayed = String::from_utf8_lossy(&replayed);
    assert!(replayed.contains("the same as far as it could be followed"), "{replayed}");
    let unknown = "not followed: p1 from its event 1 on: the trace lacks it";
    assert!(replayed.contains(unknown), "{replayed}");
    assert_eq!(replayed.matches("not followed").count(), 1, "{replayed}");
}

fn a_machine_switched_off_is_named() {
    let running = Running::start(&[]);
    running.room.act(&["crash", "4"]);
    let (outcome, room) = running.end();
    assert_cut_short(&outcome, &["p3 on lab04, process ", "not answer"]);
    // It comes back, and can be used again.
    room.act(&["boot", "4"]);
    std::fs::remove_file(room.shared().join("sections")).expect("it was written");
    let program = "/mnt/lab/token-ring";
    let again = room.launch(program, "lab[01-04]\n", &["--processes", "4"]).outcome(PATIENCE);
    again.assert_holds();
}

fn two_machines_that_do_not_reach_each_other_end_the_run() {
    let running = Running::start(&[]);
    running.room.act(&["part", "2", "3"]);
    let (outcome, room) = running.end();
    // The launcher reaches both; either may complain first.
    let problems = outcome.problems();
    assert!(problems.contains("p1 on lab02") || problems.contains("p2 on lab03"), "{problems}");
    assert_cut_short(&outcome, &[]);
    room.act(&["join"]);
}

fn a_short_cut_is_survived() {
    let room = Room::up(2);
    let program = room.share_program();
    let arguments =
        ["--processes", "2", "--laps", "600", "--work", "5", "--file", "/mnt/lab/sections"];
    let mut launcher = room.launch(&program, "lab[01-02]\n", &arguments);
    let file = room.shared().join("sections");
    launcher
        .while_running("it runs", PATIENCE, || (shared_file::sections(&file) > 4).then_some(()));
    room.act(&["cut", "2"]);
    std::thread::sleep(Duration::from_millis(300));
    room.act(&["heal", "2"]);
    launcher.outcome(PATIENCE).assert_holds();
    shared_file::assert_pairs(&file, 1200, 2);
    assert_eq!(room.processes(), []);
}

// -----------------------------------------------------------------------------------------------
// Daemons

fn a_killed_daemon_is_named() {
    let running = Running::start(&[]);
    running.signal(1, Signal::SIGKILL);
    let (outcome, _room) = running.end();
    assert_cut_short(&outcome, &["p1 on lab02, process ", "died"]);
    let place = &outcome.report["places"][1];
    let named = format!("p1 on lab02, process {}: ", place["pid"]);
    assert!(outcome.problems().contains(&named), "{named} in {}", outcome.problems());
}

fn a_killed_daemon_leaves_its_trace() {
    let running = Running::start(&["--trace", "/root/trace"]);
    running.signal(3, Signal::SIGKILL);
    let (outcome, room) = running.end();
    assert_cut_short(&outcome, &["p3 on lab04, process ", "died"]);
    let trace = Trace::read(&room.on_disk("hub", "/root/trace"));
    trace.assert_clocks();
    assert_eq!(trace.count("crash"), 1);
    let mut of_the_dead = trace.events.iter().filter(|event| event["process"] == 3);
    assert!(of_the_dead.clone().count() > 5, "its events were fetched from its machine");
    assert_eq!(of_the_dead.next_back().expect("there are some")["event"], "crash");
}

fn a_killed_daemon_of_a_chain_is_named() {
    let running = Running::start(&["--launch", "chain", "--closing", "first"]);
    running.signal(0, Signal::SIGKILL);
    let (outcome, _room) = running.end();
    assert_cut_short(&outcome, &["p0 on lab01, process ", "died"]);
}

fn a_stopped_daemon_is_named_and_killed() {
    let running = Running::start(&[]);
    running.signal(2, Signal::SIGSTOP);
    let (outcome, _room) = running.end();
    assert_cut_short(&outcome, &["p2 on lab03, process ", "not answer"]);
    let killed = outcome.report["killed"].as_array().expect("something was killed");
    let pid = &outcome.report["places"][2]["pid"];
    assert_eq!(killed, &[serde_json::json!(format!("process {pid} on lab03"))]);
}

// -----------------------------------------------------------------------------------------------
// The launcher

fn a_killed_launcher_leaves_nothing_behind() {
    let mut running = Running::start(&[]);
    running.launcher.signal(Signal::SIGKILL);
    assert_nothing_left(&running.room, ORPHANED);
}

/// Each is alone on its machine.
fn a_killed_launcher_leaves_nothing_behind_that_is_stopped() {
    for mode in ["star", "chain"] {
        let mut running = Running::start(&["--launch", mode]);
        (0..4).for_each(|rank| running.signal(rank, Signal::SIGSTOP));
        running.launcher.signal(Signal::SIGKILL);
        assert_nothing_left(&running.room, ORPHANED);
    }
}

/// No connection of it ends, and its process hears nothing.
fn a_cut_machine_clears_itself_of_what_is_stopped() {
    let running = Running::start(&[]);
    running.signal(2, Signal::SIGSTOP);
    running.room.act(&["cut", "3"]);
    let on_the_machine =
        || running.room.processes().iter().filter(|found| found.machine == "lab03").count();
    wait_until("the machine that was cut off clears itself", ORPHANED, || {
        (on_the_machine() == 0).then_some(())
    });
    let (outcome, _room) = running.end();
    assert_cut_short(&outcome, &[]);
}

fn a_killed_launcher_of_a_chain_leaves_nothing_behind() {
    let mut running = Running::start(&["--launch", "chain", "--trace", "/root/trace"]);
    running.launcher.signal(Signal::SIGKILL);
    assert_nothing_left(&running.room, ORPHANED);
}

fn a_launcher_killed_while_it_launches_leaves_nothing_behind() {
    let (room, mut launcher) = launching_for_ever();
    launcher.signal(Signal::SIGKILL);
    assert_nothing_left(&room, ORPHANED);
}

/// As when Ctrl-Z is pressed: nobody can tell that from a dead one.
fn a_stopped_launcher_is_as_good_as_dead() {
    let mut running = Running::start(&[]);
    running.launcher.signal(Signal::SIGSTOP);
    // The launcher itself has no `--run`, and does not count.
    assert_nothing_left(&running.room, ORPHANED);
    running.launcher.signal(Signal::SIGCONT);
    let (outcome, _room) = running.end();
    assert_cut_short(&outcome, &[]);
    let problems = outcome.problems();
    assert!((0..4).any(|rank| problems.contains(&format!("p{rank} on lab0"))), "{problems}");
}

fn neighbours_end_a_stopped_daemon_without_launcher() {
    let mut running = Running::on(2, "lab[01-02] slots=2\n", "4", &[]);
    running.signal(1, Signal::SIGSTOP);
    running.launcher.signal(Signal::SIGKILL);
    assert_nothing_left(&running.room, ORPHANED);
}

fn ctrl_c_ends_everything() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut running = Running::start(&["--trace", "/root/trace"]);
        running.launcher.signal(signal);
        let (outcome, room) = running.end();
        assert_cut_short(&outcome, &["interrupted: everything was stopped"]);
        let trace = Trace::read(&room.on_disk("hub", "/root/trace"));
        trace.assert_clocks();
        assert!(trace.count("receive") > 4);
    }
}

/// A launch of which two daemons are there, while the third machine keeps it waiting.
fn launching_for_ever() -> (Room, Launcher) {
    let room = Room::up(3);
    let program = room.share_program();
    // A machine that takes connections and never says a word.
    room.act(&["on", "2", "bash", "-c", "kill -STOP $(pgrep -o sshd)"]);
    let mut launcher = room.launch(&program, "lab[01-03]\n", &["--processes", "3"]);
    launcher.while_running("the two others are there", PATIENCE, || {
        let ranks: BTreeSet<_> = room.processes().iter().filter_map(Found::rank).collect();
        (ranks == BTreeSet::from([0, 2])).then_some(())
    });
    (room, launcher)
}

fn ctrl_c_while_a_machine_is_waited_for_ends_everything() {
    let (room, mut launcher) = launching_for_ever();
    launcher.signal(Signal::SIGINT);
    let outcome = launcher.outcome(END);
    outcome.assert_problem(2, &["interrupted: everything was stopped"]);
    assert_eq!(room.processes(), []);
}

fn two_runs_at_once_do_not_touch_each_other() {
    let running = Running::start(&[]);
    let arguments = ["--processes", "8", "--file", "/mnt/lab/others"];
    let other = running.room.launch("/mnt/lab/token-ring", "lab[01-04]\n", &arguments);
    other.outcome(PATIENCE).assert_holds();
    shared_file::assert_pairs(&running.room.shared().join("others"), 40, 8);
    let mut left = running.room.processes();
    left.retain(|found| found.rank().is_some());
    assert_eq!(left.len(), 4, "those of the first run");

    // Nor when one of them has to be cleaned up after.
    let mut third = running.room.launch(
        "/mnt/lab/token-ring",
        "lab[01-04]\n",
        &["--processes", "4", "--laps", "20000", "--work", "5", "--file", "/mnt/lab/third"],
    );
    let file = running.room.shared().join("third");
    third.while_running("it runs", PATIENCE, || (shared_file::sections(&file) > 8).then_some(()));
    let first = running.daemon(0).word_after("--run").expect("it is of a run").to_owned();
    let victim = running
        .room
        .processes()
        .into_iter()
        .find(|found| found.rank() == Some(0) && found.word_after("--run") != Some(&first));
    kill(Pid::from_raw(victim.expect("it runs").pid), Signal::SIGKILL).expect("it runs");
    third.outcome(END).assert_problem(2, &["p0 on lab01"]);
    let before = shared_file::sections(&running.room.shared().join("sections"));
    wait_until("the first run goes on", PATIENCE, || {
        let now = shared_file::sections(&running.room.shared().join("sections"));
        (now > before + 8).then_some(())
    });
}
