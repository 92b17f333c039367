//! `labs ps`, `stop`, `logs` and `hosts` on several machines: each with its own processes, `/tmp` and clock.

use std::io::{BufRead, BufReader, Write, read_to_string};
use std::net::TcpStream;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use testbed::{Room, tests, tests_main, wait_until};

/// What takes seconds on an idle machine; this one compiles.
const PATIENCE: Duration = Duration::from_secs(60);

const THREE: &str = "lab[01-03] slots=2\n";

fn main() {
    tests_main(tests![
        a_run_is_seen_read_and_ended_from_the_hub,
        logs_of_all_machines_are_followed,
        a_run_on_several_machines_is_shown_while_it_goes_on,
        what_a_killed_launcher_left_stopped_is_ended_elsewhere,
        a_room_is_tried_before_the_class,
    ]);
}

/// The room with `labs` and `token-ring` where all machines see them.
fn room() -> (Room, String, String) {
    let room = Room::up(3);
    let (labs, program) = (room.share("labs"), room.share_program());
    std::fs::write(room.on_disk("hub", "/root/room.txt"), THREE).expect("the hub has a disk");
    (room, labs, program)
}

fn say(room: &Room, words: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = room.hub(words).output().expect("the hub runs it");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (status.code(), text(stdout), text(stderr))
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// The hosts and ranks that `labs ps` shows.
fn rows(room: &Room, labs: &str) -> Vec<(String, Option<u64>)> {
    let (status, out, err) = say(room, &[labs, "ps", "--json"]);
    assert_eq!(status, Some(0), "{err}");
    let row = |row: &Value| (row["host"].as_str().unwrap().to_owned(), row["rank"].as_u64());
    json(&out).as_array().unwrap().iter().map(row).collect()
}

fn a_run_is_seen_read_and_ended_from_the_hub() {
    let (room, labs, program) = room();
    let launcher =
        room.launch(&program, THREE, &["--stay", "--processes", "6", "--trace", "/root/t"]);
    wait_until("all are there", PATIENCE, || (rows(&room, &labs).len() == 7).then_some(()));
    let seen = rows(&room, &labs);
    let expected: Vec<_> = [("lab01", 0), ("lab01", 1), ("lab02", 2), ("lab02", 3), ("lab03", 4)]
        .into_iter()
        .chain([("lab03", 5)])
        .map(|(host, rank)| (host.to_owned(), Some(rank)))
        .collect();
    assert_eq!(seen[1..], expected);

    let logs = wait_until("all have finished", PATIENCE, || {
        let (_, out, _) = say(&room, &[&labs, "logs"]);
        (out.matches(" finished").count() == 6).then_some(out)
    });
    for rank in 0..6 {
        assert!(logs.contains(&format!(" p{rank} @1 the algorithm starts")), "{logs}");
    }
    let lamport = |line: &str| line.split('@').nth(1)?.split(' ').next()?.parse::<u64>().ok();
    let times: Vec<_> = logs.lines().filter_map(lamport).collect();
    assert!(times.is_sorted() && times.len() >= 6, "{logs}");

    let (status, out, err) = say(&room, &[&labs, "stop"]);
    assert_eq!(status, Some(0), "{out} {err}");
    launcher.outcome(PATIENCE).assert_holds();
    assert_eq!(room.processes().len(), 0, "nothing is left on any machine");
    let (_, out, _) = say(&room, &[&labs, "ps"]);
    assert_eq!(out, "no run is alive\n");
    let (status, out, _) = say(&room, &[&labs, "replay", "/root/t"]);
    assert_eq!(status, Some(0), "a run on three machines happens again on one: {out}");
}

fn logs_of_all_machines_are_followed() {
    let (room, labs, program) = room();
    let staying = ["--stay", "--processes", "6", "--trace", "/root/t"];
    let launcher = room.launch(&program, THREE, &staying);
    wait_until("all are there", PATIENCE, || (rows(&room, &labs).len() == 7).then_some(()));
    let mut follow = room
        .hub(&[&labs, "logs", "--follow"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the hub runs it");
    let out = follow.stdout.take().expect("it is a pipe");
    let mut lines = BufReader::new(out).lines().map(|line| line.expect("it can be read"));
    let mut shown = Vec::new();
    // What was logged before, and what is while the reader waits.
    shown.extend(lines.by_ref().take_while(|line| !line.contains(" finished")));
    let (status, _, err) = say(&room, &[&labs, "stop"]);
    assert_eq!(status, Some(0), "{err}");
    launcher.outcome(PATIENCE).assert_holds();
    shown.extend(lines);
    let ended = follow.wait_with_output().expect("it ends with the run");
    let err = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(0), "{err}");
    for rank in 0..6 {
        for text in ["@1 the algorithm starts", "stopped by the launcher"] {
            let is_it =
                |line: &&String| line.contains(&format!(" p{rank} ")) && line.ends_with(text);
            assert_eq!(shown.iter().filter(is_it).count(), 1, "p{rank} {text}: {shown:#?}");
        }
    }
}

fn a_run_on_several_machines_is_shown_while_it_goes_on() {
    let (room, labs, program) = room();
    let slow = ["--view=8081", "--processes", "6", "--work", "20", "--laps", "10"];
    let mut launcher = room.launch(&program, THREE, &slow);
    launcher.until_said("the run is shown at http://127.0.0.1:8081/", PATIENCE);
    // The stream of events ends with the run.
    let told = room.in_hub_network(|| {
        let mut stream = TcpStream::connect("127.0.0.1:8081").expect("the hub serves");
        write!(stream, "GET /events HTTP/1.1\r\nHost: 127.0.0.1:8081\r\n\r\n").expect("it reads");
        read_to_string(stream).expect("it answers to the end")
    });
    let data = |kind: &str| -> Vec<Value> {
        let begin = format!("event: {kind}\ndata: ");
        let parts = told.split("\n\n").filter_map(|part| part.strip_prefix(&begin));
        parts.map(json).collect()
    };
    let (chunks, status) = (data("chunk"), data("status"));
    let events: u64 = chunks.iter().filter_map(|chunk| chunk["events"].as_u64()).sum();
    assert!(chunks.len() > 5 && events > 300, "{} chunks, {events} events", chunks.len());
    assert_eq!(status[0]["running"], true, "it began before the end");
    let last = status.last().expect("there is one");
    assert_eq!(last["running"], false);
    let holds = |verdict: &Value| verdict["holds"] == true;
    assert!(last["verdicts"].as_array().expect("a list").iter().all(holds), "{last}");
    let logs: Vec<_> =
        chunks.iter().filter_map(|chunk| chunk["logs"].as_array()).flatten().collect();
    for rank in 0..6 {
        let is_it = |line: &&&Value| {
            let text = line[2].as_str().expect("a text");
            line[0] == rank && line[1] == 1 && text.ends_with("the algorithm starts")
        };
        assert_eq!(logs.iter().filter(is_it).count(), 1, "p{rank}: {logs:?}");
    }
    launcher.until_said("the page stays at ", PATIENCE);
    assert_eq!(say(&room, &[&labs, "stop"]).0, Some(0));
    launcher.outcome(PATIENCE).assert_holds();
}

fn what_a_killed_launcher_left_stopped_is_ended_elsewhere() {
    let (room, labs, program) = room();
    let mut launcher = room.launch(&program, THREE, &["--stay", "--processes", "3"]);
    wait_until("all are there", PATIENCE, || (rows(&room, &labs).len() == 4).then_some(()));
    let (_, out, _) = say(&room, &[&labs, "ps", "--json"]);
    let run = json(&out)[0]["run"].as_str().unwrap().to_owned();
    // Everything on every machine stands still, the keepers too, so nothing there can end by itself.
    for found in &room.processes() {
        kill(Pid::from_raw(found.pid), Signal::SIGSTOP).expect("it is there");
    }
    launcher.signal(Signal::SIGKILL);
    let (status, out, err) = say(&room, &[&labs, "stop", "--json", &run]);
    assert_eq!(status, Some(0), "{out} {err}");
    let killed = json(&out)["killed"].to_string();
    for host in ["lab01", "lab02"] {
        assert!(killed.contains(host), "{killed}");
    }
    wait_until("all have ended", PATIENCE, || room.processes().is_empty().then_some(()));
}

fn a_room_is_tried_before_the_class() {
    let (room, labs, _) = room();
    let (status, out, err) = say(&room, &[&labs, "hosts", "/root/room.txt"]);
    assert_eq!(status, Some(0), "{out} {err}");
    assert_eq!(out.matches("ready\n").count(), 3, "{out}");

    // One is off, one admits nobody to other ports than SSH's, and one lets nothing else out to the hub.
    room.act(&["crash", "1"]);
    wall(&room, "2", "input", &["ct state established accept", "tcp dport != 22 drop"]);
    wall(&room, "3", "output", &["tcp sport 22 accept", "ip daddr 10.77.0.1 drop"]);
    let begin = Instant::now();
    let words = [&*labs, "hosts", "/root/room.txt", "--json", "--timeout", "3"];
    let (status, out, _) = say(&room, &words);
    assert!(begin.elapsed() < PATIENCE, "{:?}", begin.elapsed());
    assert_eq!(status, Some(2), "{out}");
    let all = json(&out);
    let mend = |at: usize| all[at]["mend"].to_string();
    assert!(mend(0).contains("lab01: connect: "), "{out}");
    assert!(mend(1).contains("lab02: this machine does not reach it on a free port"), "{out}");
    assert!(mend(2).contains("lab03: it does not reach this machine at 10.77.0.1:"), "{out}");
    for at in [1, 2] {
        assert_eq!((&all[at]["ssh"], &all[at]["tmp"]), (&"ok".into(), &"ok".into()), "{out}");
    }
}

/// Makes a machine drop what goes out or comes in.
fn wall(room: &Room, machine: &str, hook: &str, rules: &[&str]) {
    let nft = |words: &[&str]| room.act(&[&["on", machine, "nft"], words].concat());
    nft(&["add", "table", "inet", "wall"]);
    let chain = format!("{{ type filter hook {hook} priority 0; }}");
    nft(&["add", "chain", "inet", "wall", "wall", &chain]);
    for rule in rules {
        nft(&["add", "rule", "inet", "wall", "wall", rule]);
    }
}
