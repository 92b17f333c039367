//! Wireshark's view of a run, with the dissector of `tools/wireshark`: what `tshark` reads out of a capture must
//! be what stands in the trace, of a run that was exported and of one that really took place.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;
use testbed::{Room, Trace, program, tests, tests_main, wait_until};

const DISSECTOR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tools/wireshark/labs.lua");

/// A capture is written in blocks, some time after its packets.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is wrong with a capture, if anything is.
const TROUBLE: &str =
    "_ws.malformed || _ws.lua.error || netkit.malformed || netkit.too_long || netkit.type == 30";

fn main() {
    tests_main(tests![
        an_exported_run_is_read_as_it_was,
        frames_over_several_packets_are_put_together,
        what_is_no_frame_is_left_alone,
        the_limit_of_frames_is_a_preference,
        a_real_run_is_read_as_it_was,
    ]);
}

fn an_exported_run_is_read_as_it_was() {
    for (lab, arguments) in
        [("token-ring", &["--loss", "5%", "--seed", "3"][..]), ("chang-roberts", &[])]
    {
        let folder = TempDir::with_prefix("wireshark-").expect("there is a folder for them");
        let status = if lab == "token-ring" { 1 } else { 0 };
        let trace = exported(lab, arguments, status, folder.path());
        assert_same(&trace, &folder.path().join("t.pcap"));
    }
}

/// With 240 processes a vector clock alone is longer than a packet.
fn frames_over_several_packets_are_put_together() {
    let folder = TempDir::with_prefix("wireshark-").expect("there is a folder for them");
    let trace = exported("chang-roberts", &["--processes", "240"], 0, folder.path());
    let capture = folder.path().join("t.pcap");
    assert!(trace.count("send") > 500);
    assert!(fields(&capture, "tcp.len == 1460", &["frame.number"]).len() >= trace.count("send"));
    assert_same(&trace, &capture);
}

/// Text, and a message whose length says nothing of the kind, on a connection of its own each.
fn what_is_no_frame_is_left_alone() {
    let folder = TempDir::with_prefix("wireshark-").expect("there is a folder for them");
    exported("token-ring", &[], 0, folder.path());
    let capture = folder.path().join("t.pcap");
    let mut bytes = fs::read(&capture).expect("it was written");
    // The kind of every message begins with a sign that no kind has.
    for kind in ["ADDRESS", "ROLL", "TOKEN"] {
        let mut at = 0;
        while let Some(found) = find(&bytes[at..], kind.as_bytes()) {
            bytes[at + found] = b'\x01';
            at += found + 1;
        }
    }
    fs::write(&capture, bytes).expect("it can be written");
    assert_eq!(fields(&capture, "netkit", &["netkit.type"]), [] as [Vec<String>; 0]);
    assert_eq!(fields(&capture, "tcp.len > 0 && !_ws.lua.error", &["frame.number"]).len(), 34);
}

/// Every frame of a message is longer than this limit, which is not netkit's but smaller.
fn the_limit_of_frames_is_a_preference() {
    let folder = TempDir::with_prefix("wireshark-").expect("there is a folder for them");
    let trace = exported("token-ring", &[], 0, folder.path());
    let capture = folder.path().join("t.pcap");
    let frames = |limit: u32, filter: &str| {
        let preference = format!("netkit.max_frame:{limit}");
        let arguments = ["-o", &preference, "-Y", filter, "-T", "fields", "-e", "frame.number"];
        tshark(&capture, &arguments).lines().count()
    };
    let sent = trace.count("send");
    assert!(sent > 10);
    assert_eq!(frames(1 << 22, "netkit.type == 10"), sent);
    assert_eq!(frames(1 << 22, "netkit.too_long"), 0);
    // By hand, for what begins with a frame that is too long is not taken for netkit's.
    let decoded = ["-d", "tcp.port==47100,netkit", "-o", "netkit.max_frame:50"];
    let arguments = [&decoded[..], &["-Y", "netkit.too_long", "-T", "fields", "-e", "tcp.len"]];
    assert_eq!(tshark(&capture, &arguments.concat()).lines().count(), sent);
}

fn a_real_run_is_read_as_it_was() {
    let room = Room::up(3);
    let shared = room.share_program();
    let folder = TempDir::with_prefix("wireshark-").expect("there is a folder for them");
    let capture = folder.path().join("run.pcapng");
    let dumpcap = room.in_hub_network(|| Dumpcap::start(&capture));
    let arguments = ["--processes", "3", "--laps", "20", "--trace", "/mnt/lab/t.jsonl"];
    room.launch(&shared, "lab[01-03]\n", &arguments).outcome(PATIENCE).assert_holds();
    let trace = Trace::read(&room.shared().join("t.jsonl"));
    assert!(trace.count("send") > 60);
    wait_until("all messages are in the capture", PATIENCE, || {
        (ids(&capture).len() >= trace.count("send")).then_some(())
    });
    dumpcap.stop();
    assert_same(&trace, &capture);

    // Three processes to the launcher, their keepers too, and to each other in a ring.
    let hellos = fields(&capture, "netkit.type == 1", &["netkit.run"]);
    let run = trace.header["run"].as_str().expect("a run has a name");
    assert_eq!(hellos, vec![vec![run.to_owned()]; 9]);
    for (type_, least) in [(2, 6), (3, 6), (5, 21), (20, 12), (21, 9)] {
        let found = fields(&capture, &format!("netkit.type == {type_}"), &["netkit.type"]);
        assert!(found.len() >= least, "{} of type {type_}", found.len());
    }
    // The first envelope of each direction of each connection that carried anything.
    let first = fields(&capture, "netkit.number == 0 && netkit.seal", &["tcp.stream"]);
    assert!((9..=18).contains(&first.len()), "{}", first.len());
    let listed = tshark(&capture, &["-Y", "netkit.kind == \"TOKEN\""]);
    assert!(listed.contains("NETKIT"), "{listed}");
    assert!(listed.contains(" TOKEN 2-") && listed.contains("(Lamport "), "{listed}");
}

// -----------------------------------------------------------------------------------------------

/// Simulates a run in this folder, and exports it to `t.pcap`.
fn exported(lab: &str, arguments: &[&str], status: i32, folder: &Path) -> Trace {
    let all = [&["simulate", "--trace", "t.jsonl"], arguments].concat();
    program::run(lab, &all, folder, status);
    program::run("labs", &["export", "t.jsonl", "--pcap", "--output", "t.pcap"], folder, 0);
    Trace::read(&folder.join("t.jsonl"))
}

/// Asserts that a capture holds the messages that a trace says were sent, with everything in their headers, and
/// nothing that cannot be read.
fn assert_same(trace: &Trace, capture: &Path) {
    let names =
        ["netkit.id", "netkit.kind", "netkit.from", "netkit.to", "netkit.lamport", "netkit.clock"];
    let lines = fields(capture, "netkit.type == 10", &names);
    // A packet with several frames has its values beside each other, with a stroke between.
    let mut found: Vec<Vec<String>> = lines.iter().flat_map(|line| messages(line)).collect();
    let mut sent: Vec<_> =
        trace.events.iter().filter(|event| event["event"] == "send").map(expected).collect();
    assert!(sent.len() > 10);
    found.sort();
    sent.sort();
    assert_eq!(found, sent);
    assert_eq!(fields(capture, TROUBLE, &["frame.number"]), [] as [Vec<String>; 0]);
}

fn expected(event: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let (message, clock) = (&event["message"], event["clock"].to_string());
    let plain = [&event["process"], &event["peer"], &event["lamport"]].map(Value::to_string);
    [vec![text(&message["id"]), text(&message["kind"])], plain.to_vec(), vec![clock]].concat()
}

/// The messages of one packet. A ping beside them has no fields of these.
fn messages(line: &[String]) -> Vec<Vec<String>> {
    let columns: Vec<Vec<&str>> = line.iter().map(|column| column.split('|').collect()).collect();
    (0..columns[0].len())
        .map(|i| columns.iter().map(|column| column[i].to_owned()).collect())
        .collect()
}

fn ids(capture: &Path) -> Vec<String> {
    let lines = fields(capture, "netkit.id", &["netkit.id"]);
    lines.iter().flat_map(|line| line[0].split('|')).map(str::to_owned).collect()
}

/// These fields of all packets that a filter lets pass.
fn fields(capture: &Path, filter: &str, names: &[&str]) -> Vec<Vec<String>> {
    let mut arguments = vec!["-Y", filter, "-T", "fields", "-E", "aggregator=|"];
    arguments.extend(names.iter().flat_map(|name| ["-e", name]));
    let text = tshark(capture, &arguments);
    text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

fn tshark(capture: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("tshark");
    command.arg("-X").arg(format!("lua_script:{DISSECTOR}")).arg("-r").arg(capture);
    let output = command.args(arguments).output().expect("tshark is installed");
    let said = String::from_utf8_lossy(&output.stderr);
    // A capture that is being written may end in the middle of a packet.
    assert!(output.status.success() || said.contains("cut short"), "{command:?}: {said}");
    assert!(!said.contains("Lua:"), "{said}");
    String::from_utf8(output.stdout).expect("it says nothing but text")
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// A capture in progress. Dropping it ends it.
struct Dumpcap(Child);

impl Dumpcap {
    /// Captures everything in the network of this thread.
    fn start(file: &Path) -> Dumpcap {
        let child = Command::new("dumpcap")
            .args(["-q", "-i", "any", "-w"])
            .arg(file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("dumpcap comes with tshark");
        let capture = Dumpcap(child);
        // The file is begun when packets are listened to.
        wait_until("the capture begins", PATIENCE, || {
            fs::metadata(file).is_ok_and(|about| about.len() > 0).then_some(())
        });
        capture
    }

    fn stop(mut self) {
        let pid = i32::try_from(self.0.id()).expect("process numbers are small");
        kill(Pid::from_raw(pid), Signal::SIGINT).expect("it is a child of this process");
        let status = self.0.wait().expect("it is a child of this process");
        assert!(status.success(), "dumpcap: {status}");
    }
}

impl Drop for Dumpcap {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
