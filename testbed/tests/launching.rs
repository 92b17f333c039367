//! Reaching machines and starting processes there: what works, and how what does not is said.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use testbed::{Outcome, Room, Trace, shared_file, tests, tests_main, wait_until};

/// A run that is not waited upon takes less than a second on an idle machine; this one compiles.
const PATIENCE: Duration = Duration::from_secs(60);

/// Four machines with room for two processes each.
const FOUR: &str = "lab[01-04] slots=2\n";

fn main() {
    tests_main(tests![
        a_star_closes_forward,
        a_star_closes_to_the_first,
        a_chain_closes_forward,
        a_chain_closes_to_the_first,
        sixteen_daemons_on_four_machines,
        an_ordinary_user_can_launch,
        this_machine_and_others_together,
        a_server_that_allows_little_is_asked_for_little,
        what_a_login_prints_does_no_harm,
        what_ssh_was_told_holds_here_too,
        a_configuration_means_what_ssh_makes_of_it,
        an_unknown_host_key_is_refused_or_accepted_and_remembered,
        a_changed_host_key_is_refused_whatever_is_said,
        a_key_that_nobody_knows_is_refused,
        a_machine_that_is_off_is_named_and_nothing_stays,
        a_machine_behind_a_pulled_cable_is_named,
        a_machine_that_never_says_a_word_is_named,
        a_firewall_towards_the_launcher_is_named,
        a_firewall_between_machines_is_named,
        an_account_with_few_processes_is_told_so,
        a_machine_without_a_network_says_so,
        a_missing_program_is_named,
        a_program_is_pushed_once,
        a_pushed_program_starts_the_next_in_a_chain,
    ]);
}

// -----------------------------------------------------------------------------------------------
// What works

fn a_star_closes_forward() {
    runs_to_its_end("star", "forward");
}

fn a_star_closes_to_the_first() {
    runs_to_its_end("star", "first");
}

fn a_chain_closes_forward() {
    runs_to_its_end("chain", "forward");
}

fn a_chain_closes_to_the_first() {
    runs_to_its_end("chain", "first");
}

fn runs_to_its_end(launch: &str, closing: &str) {
    let room = Room::up(4);
    let program = room.share_program();
    let arguments =
        ["--launch", launch, "--closing", closing, "--processes", "8", "--entries", "5"];
    let files = ["--file", "/mnt/lab/sections", "--trace", "/root/trace"];
    let arguments = [&arguments[..], &files[..]].concat();
    let outcome = room.launch(&program, FOUR, &arguments).outcome(PATIENCE);

    outcome.assert_holds();
    let report = &outcome.report;
    assert_eq!(report["lab"], "token-ring");
    assert_eq!(report["verb"], "run");
    assert_eq!(report["processes"], 8);
    // The token makes as many laps as there are entries; an address travels N-1 hops, or none.
    assert_eq!(report["messages"]["TOKEN"]["measured"], 40);
    assert_eq!(report["messages"]["TOKEN"]["predicted"], 40);
    let addresses = if closing == "forward" { 7 } else { 0 };
    assert_eq!(report["messages"]["ADDRESS"]["predicted"].as_u64().unwrap_or(0), addresses);
    assert_eq!(report["messages"]["ADDRESS"]["measured"].as_u64().unwrap_or(0), addresses);
    let places = places(&outcome);
    let machines: Vec<&str> = places.iter().map(|(host, _)| host.as_str()).collect();
    let expected =
        ["lab01", "lab01", "lab02", "lab02", "lab03", "lab03", "lab04", "lab04"].map(String::from);
    assert!(
        machines.iter().zip(&expected).all(|(host, name)| host.starts_with(name)),
        "{machines:?}"
    );
    assert_logs(&room, &outcome, 8);
    shared_file::assert_pairs(&room.shared().join("sections"), 40, 8);

    let trace = Trace::read(&room.on_disk("hub", "/root/trace"));
    assert_eq!(trace.header["run"], report["run"]);
    trace.assert_clocks();
    assert_eq!(trace.count("send"), trace.count("receive"));
    assert_eq!(trace.count("init"), 8);
    assert_eq!(room.processes(), []);
}

/// Every participant has a log, on its own machine, for its user alone.
fn assert_logs(room: &Room, outcome: &Outcome, processes: usize) {
    let logs: Vec<_> = outcome.report["logs"].as_array().into_iter().flatten().collect();
    assert_eq!(logs.len(), processes, "{logs:?}");
    for (rank, log) in logs.iter().enumerate() {
        let (host, path) = log.as_str().and_then(|log| log.split_once(':')).expect("host:path");
        let machine = &host.split_once('@').map_or(host, |(_, host)| host)[..5];
        let path = room.on_disk(machine, path);
        let text = fs::read_to_string(&path).expect("the log is where the report says");
        assert!(text.contains("the algorithm starts"), "p{rank}: {text}");
        assert!(path.to_string_lossy().contains(&format!("token-ring-{rank}-{machine}-")), "{log}");
        let folder = fs::metadata(path.parent().expect("it is in a folder")).expect("it exists");
        assert_eq!(folder.mode() & 0o777, 0o700);
    }
}

fn places(outcome: &Outcome) -> Vec<(String, u64)> {
    let places = outcome.report["places"].as_array().into_iter().flatten();
    let place = |place: &serde_json::Value| {
        let host = place["host"].as_str().expect("a host has a name").to_owned();
        (host, place["pid"].as_u64().expect("a process has a number"))
    };
    places.map(place).collect()
}

fn sixteen_daemons_on_four_machines() {
    let room = Room::up(4);
    let program = room.share_program();
    let arguments = ["--processes", "16", "--entries", "2", "--file", "/mnt/lab/sections"];
    let outcome = room.launch(&program, "lab[01-04] slots=4\n", &arguments).outcome(PATIENCE);
    outcome.assert_holds();
    let places = places(&outcome);
    for machine in 1..=4 {
        let name = format!("lab{machine:02}");
        assert_eq!(
            places.iter().filter(|(host, _)| host.starts_with(&name)).count(),
            4,
            "{places:?}"
        );
    }
    assert_logs(&room, &outcome, 16);
    shared_file::assert_pairs(&room.shared().join("sections"), 32, 16);
    assert_eq!(room.processes(), []);
}

fn an_ordinary_user_can_launch() {
    let room = Room::up(3);
    let program = room.share_program();
    let arguments = ["--processes", "6", "--file", "/mnt/lab/sections"];
    for launch in ["star", "chain"] {
        let file = room.shared().join("sections");
        let arguments = [&arguments[..], &["--launch", launch]].concat();
        let outcome = room.launch(&program, "student@lab[01-03]\n", &arguments).outcome(PATIENCE);
        outcome.assert_holds();
        assert_logs(&room, &outcome, 6);
        let log = outcome.report["logs"][0].as_str().expect("a log");
        assert!(log.contains("/tmp/labs-student/"), "{log}");
        assert_eq!(fs::metadata(&file).expect("it was written").uid(), 2000);
        shared_file::assert_pairs(&file, 30, 6);
        fs::remove_file(file).expect("it can be removed");
        assert_eq!(room.processes(), []);
    }
}

fn this_machine_and_others_together() {
    let room = Room::up(2);
    let program = room.share_program();
    let arguments = ["--processes", "5", "--file", "/mnt/lab/sections", "--trace", "/root/trace"];
    let hosts = "localhost\nlab01\nlab02 slots=2\n";
    let outcome = room.launch(&program, hosts, &arguments).outcome(PATIENCE);
    outcome.assert_holds();
    assert!(places(&outcome)[0].0.starts_with("localhost"), "{outcome:?}");
    shared_file::assert_pairs(&room.shared().join("sections"), 25, 5);
    Trace::read(&room.on_disk("hub", "/root/trace")).assert_clocks();
    assert_eq!(room.processes(), []);
}

/// A usual server allows ten sessions, and as many logins at once.
fn a_server_that_allows_little_is_asked_for_little() {
    let room = Room::up_with(2, "MaxSessions 2\nMaxStartups 2:100:2\n");
    let program = room.share_program();
    for (hosts, launch) in [
        ("lab01 slots=12\n".to_owned(), "star"),
        ("lab01\n".repeat(12), "star"),
        ("lab[01-02]\n".to_owned(), "chain"),
    ] {
        let arguments = ["--processes", "12", "--launch", launch];
        room.launch(&program, &hosts, &arguments).outcome(PATIENCE).assert_holds();
        assert_eq!(room.processes(), []);
    }
}

fn what_a_login_prints_does_no_harm() {
    let room = Room::up(2);
    let program = room.share_program();
    let login = room.on_disk("lab02", "/root/.bashrc");
    // Among other things, what the program itself would print.
    fs::write(&login, "echo Welcome; echo '@@netkit ok 1'; echo >&2 Beware").expect("a disk");
    let outcome = room.launch(&program, "lab[01-02]\n", &["--processes", "2"]).outcome(PATIENCE);
    outcome.assert_holds();
    assert_ne!(places(&outcome)[1].1, 1);

    fs::write(&login, "echo no shells today; exit 3").expect("a disk");
    let outcome = room.launch(&program, "lab[01-02]\n", &["--processes", "2"]).outcome(PATIENCE);
    outcome.assert_problem(2, &["p1 not started: lab02: start: ", "no shells today"]);
    assert_eq!(room.processes(), []);
}

/// Names and users from its configuration, and known hosts without their names, as Debian's ssh writes
/// them.
fn what_ssh_was_told_holds_here_too() {
    let room = Room::up(2);
    let program = room.share_program();
    let output = room.hub(&["ssh-keygen", "-H"]).output().expect("bash is there");
    assert!(output.status.success(), "{output:?}");
    let hashed = fs::read_to_string(known_hosts(&room)).expect("it is there");
    assert!(hashed.starts_with("|1|") && !hashed.contains("lab0"), "{hashed}");
    let config = "Host one\n  HostName lab01\n  User student\nHost two\n  HostName lab02\n";
    fs::write(room.on_disk("hub", "/root/.ssh/config"), config).expect("a disk");
    let outcome = room.launch(&program, "one\ntwo\n", &["--processes", "2"]).outcome(PATIENCE);
    outcome.assert_holds();
    let logs = &outcome.report["logs"];
    assert!(logs[0].as_str().is_some_and(|log| log.contains("/labs-student/")), "{logs}");
    assert!(logs[1].as_str().is_some_and(|log| log.contains("/labs-root/")), "{logs}");
    assert_eq!(room.processes(), []);
}

// -----------------------------------------------------------------------------------------------
// Whom to trust

fn known_hosts(room: &Room) -> PathBuf {
    room.on_disk("hub", "/root/.ssh/known_hosts")
}

fn an_unknown_host_key_is_refused_or_accepted_and_remembered() {
    let room = Room::up(3);
    let program = room.share_program();
    let file = known_hosts(&room);
    let all = fs::read_to_string(&file).expect("the room has made it");
    let known: Vec<&str> = all.lines().filter(|line| !line.starts_with("lab02,")).collect();
    let known = "# a comment that must stay\n".to_owned() + &known.join("\n") + "\n";
    fs::write(&file, &known).expect("it can be written");

    let refused = room.launch(&program, "lab[01-03]\n", &[]).outcome(PATIENCE);
    refused.assert_problem(2, &["lab02: host key: ", "--accept-new"]);
    assert!(!refused.problems().contains("lab01: host key"), "{}", refused.problems());
    assert_eq!(fs::read_to_string(&file).expect("it stays"), known);
    assert_eq!(room.processes(), []);

    room.launch(&program, "lab[01-03]\n", &["--accept-new"]).outcome(PATIENCE).assert_holds();
    let after = fs::read_to_string(&file).expect("it stays");
    let added = after.strip_prefix(&known).expect("what was there stays as it was");
    let key = all.lines().find(|line| line.starts_with("lab02,")).and_then(|l| l.split_once(' '));
    assert!(added.starts_with("lab02"), "{added}");
    assert!(added.trim_end().ends_with(key.expect("a line has a key").1), "{added}");

    room.launch(&program, "lab[01-03]\n", &[]).outcome(PATIENCE).assert_holds();
    assert_eq!(fs::read_to_string(&file).expect("it stays"), after, "once is enough");
    assert_eq!(room.processes(), []);
}

fn a_changed_host_key_is_refused_whatever_is_said() {
    let room = Room::up(2);
    let program = room.share_program();
    room.act(&["rekey", "2"]);
    let before = fs::read_to_string(known_hosts(&room)).expect("the room has made it");
    for arguments in [&[][..], &["--accept-new"]] {
        let outcome = room.launch(&program, "lab[01-02]\n", arguments).outcome(PATIENCE);
        outcome.assert_problem(2, &["lab02: host key: ", "known_hosts"]);
        assert_eq!(fs::read_to_string(known_hosts(&room)).expect("it stays"), before);
        assert_eq!(room.processes(), []);
    }
    // What to do about it works.
    let output = room.hub(&["ssh-keygen", "-R", "lab02"]).output().expect("bash is there");
    assert!(output.status.success(), "{output:?}");
    room.launch(&program, "lab[01-02]\n", &["--accept-new"]).outcome(PATIENCE).assert_holds();
}

fn a_key_that_nobody_knows_is_refused() {
    let room = Room::up(2);
    let program = room.share_program();
    let other = room.on_disk("hub", "/root/.ssh/other");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&other)
        .status()
        .expect("ssh-keygen is there");
    assert!(made.success());
    let right = room.on_disk("hub", "/root/.ssh/id_ed25519");
    fs::rename(&right, room.on_disk("hub", "/root/.ssh/right")).expect("it is there");
    fs::remove_file(right.with_extension("pub")).expect("it is there");

    let arguments = ["-i", "/root/.ssh/other"];
    let outcome = room.launch(&program, "lab[01-02]\n", &arguments).outcome(PATIENCE);
    outcome.assert_problem(2, &["lab01: authenticate: ", "lab02: authenticate: "]);
    assert_eq!(room.processes(), []);

    let arguments = ["-i", "/root/.ssh/right"];
    room.launch(&program, "lab[01-02]\n", &arguments).outcome(PATIENCE).assert_holds();
    assert_eq!(room.processes(), []);
}

// -----------------------------------------------------------------------------------------------
// Who cannot be reached

/// Longer than any step of a launch may take, and than cleaning up after it.
const GIVEN_UP: Duration = Duration::from_secs(25);

fn a_machine_that_is_off_is_named_and_nothing_stays() {
    let room = Room::up(4);
    let program = room.share_program();
    room.act(&["crash", "3"]);
    for launch in ["star", "chain"] {
        let arguments = ["--processes", "4", "--launch", launch];
        let outcome = room.launch(&program, "lab[01-04]\n", &arguments).outcome(GIVEN_UP);
        outcome.assert_problem(2, &["p2 not started", "lab03: connect: "]);
        for property in outcome.report["properties"].as_array().into_iter().flatten() {
            assert_eq!(property["holds"], serde_json::Value::Null, "{property}");
        }
        assert_eq!(room.processes(), []);
    }
    room.act(&["boot", "3"]);
    room.launch(&program, "lab[01-04]\n", &["--processes", "4"]).outcome(PATIENCE).assert_holds();
}

fn a_machine_behind_a_pulled_cable_is_named() {
    let room = Room::up(2);
    let program = room.share_program();
    room.act(&["cut", "2"]);
    let outcome = room.launch(&program, "lab[01-02]\n", &[]).outcome(GIVEN_UP);
    outcome.assert_problem(2, &["lab02: connect: "]);
    assert_eq!(room.processes(), []);
    room.act(&["heal", "2"]);
    room.launch(&program, "lab[01-02]\n", &[]).outcome(PATIENCE).assert_holds();
}

fn a_machine_that_never_says_a_word_is_named() {
    let room = Room::up(2);
    let program = room.share_program();
    room.act(&["on", "2", "bash", "-c", "kill -STOP $(pgrep -o sshd)"]);
    let outcome = room.launch(&program, "lab[01-02]\n", &["--processes", "2"]).outcome(GIVEN_UP);
    outcome.assert_problem(2, &["p1 not started: lab02: connect: ", "no SSH server answered"]);
    assert_eq!(room.processes(), []);
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

fn a_firewall_towards_the_launcher_is_named() {
    let room = Room::up(2);
    let program = room.share_program();
    wall(&room, "2", "output", &["tcp sport 22 accept", "ip daddr 10.77.0.1 drop"]);
    let outcome = room.launch(&program, "lab[01-02]\n", &["--processes", "2"]).outcome(GIVEN_UP);
    outcome.assert_problem(2, &["p1 not started: lab02: start: ", "10.77.0.1:", "firewall"]);
    assert_eq!(room.processes(), []);
}

fn a_firewall_between_machines_is_named() {
    let room = Room::up(3);
    let program = room.share_program();
    wall(&room, "2", "input", &["ct state established accept", "tcp dport != 22 drop"]);
    let arguments = ["--processes", "3", "--timeout", "8"];
    let outcome = room.launch(&program, "lab[01-03]\n", &arguments).outcome(GIVEN_UP);
    outcome.assert_problem(2, &["p1", "could not connect to their neighbours"]);
    assert_eq!(room.processes(), []);
}

// -----------------------------------------------------------------------------------------------
// The program

/// Rooms often limit the processes of an account (`ulimit -u`), and threads count among them.
fn an_account_with_few_processes_is_told_so() {
    let room = Room::up(1);
    let program = room.share_program();
    let student = ["--reuid=2000", "--regid=2000", "--clear-groups", "prlimit"];
    let student = [&["timeout", "20", "setpriv"], &student[..]].concat();
    for limit in 1..10 {
        let limit = format!("--nproc={limit}");
        let run = [&limit, &program, "run", "--json", "--processes", "3"];
        let begun = Instant::now();
        let mut command = room.hub(&[&student[..], &run].concat());
        let output = command.env("RUST_LOG", "off").output().expect("bash is there");
        let said = String::from_utf8_lossy(&output.stderr);
        let report: serde_json::Value =
            serde_json::from_slice(&output.stdout).unwrap_or(serde_json::Value::Null);
        let problems = report["problems"].as_array().map(Vec::len);
        let told = format!("{said}{report}");
        assert_eq!(output.status.code(), Some(2), "{limit}: {told}");
        assert!(begun.elapsed() < Duration::from_secs(10), "{limit}: {:?}", begun.elapsed());
        assert!(told.contains("see `ulimit -u`"), "{limit}: {told}");
        assert!(!told.contains("panicked") && said.lines().count() <= 1, "{limit}: {told}");
        assert!(problems.is_none_or(|lines| lines <= 3), "{limit}: {told}");
    }
    wait_until("nothing is left", GIVEN_UP, || room.processes().is_empty().then_some(()));
}

/// Not even with itself can it speak. The reason is that of the daemon, which knows it.
fn a_machine_without_a_network_says_so() {
    let room = Room::up(1);
    let program = room.share_program();
    let run = ["unshare", "--net", &program, "run", "--json", "--processes", "2"];
    let output = room.hub(&run).output().expect("bash is there");
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(said.contains("cannot connect to the launcher at 127.0.0.1:"), "{said}");
    assert!(said.contains("is there a network?"), "{said}");
    assert_eq!(room.processes(), []);
}

fn a_missing_program_is_named() {
    let room = Room::up(2);
    let program = room.keep_program_on_hub();
    for launch in ["star", "chain"] {
        let arguments = ["--launch", launch];
        let outcome = room.launch(&program, "lab[01-02]\n", &arguments).outcome(PATIENCE);
        outcome.assert_problem(2, &["lab01: start: no program at /root/token-ring", "--push"]);
        assert_eq!(room.processes(), []);
    }
}

/// The copies of the program on a machine: path, number of the file, time of its last change.
fn copies(room: &Room, machine: &str) -> Vec<(PathBuf, u64, i64)> {
    let folder = room.on_disk(machine, "/root/.cache/netkit");
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let about = |entry: fs::DirEntry| {
        let about = entry.metadata().expect("it is there");
        (entry.path(), about.ino(), about.mtime_nsec())
    };
    entries.map(about).collect()
}

fn a_program_is_pushed_once() {
    let room = Room::up(3);
    let program = room.keep_program_on_hub();
    let arguments = ["--push", "--processes", "6", "--file", "/mnt/lab/sections"];
    let outcome = room.launch(&program, "lab[01-03]\n", &arguments).outcome(PATIENCE);
    outcome.assert_holds();
    shared_file::assert_pairs(&room.shared().join("sections"), 30, 6);
    let machines = ["lab01", "lab02", "lab03"];
    let first = machines.map(|machine| copies(&room, machine));
    let here = fs::metadata(room.on_disk("hub", &program)).expect("it is there").len();
    for copies in &first {
        let [(path, ..)] = &copies[..] else { panic!("one copy, and no other file: {copies:?}") };
        assert_eq!(fs::metadata(path).expect("it is there").len(), here);
    }

    room.launch(&program, "lab[01-03]\n", &arguments[..3]).outcome(PATIENCE).assert_holds();
    assert_eq!(machines.map(|machine| copies(&room, machine)), first, "not copied again");

    // Another version is another file.
    fs::OpenOptions::new()
        .append(true)
        .open(room.on_disk("hub", &program))
        .and_then(|mut file| std::io::Write::write_all(&mut file, b"\n"))
        .expect("the program can be changed");
    room.launch(&program, "lab[01-03]\n", &arguments[..3]).outcome(PATIENCE).assert_holds();
    assert_eq!(machines.map(|machine| copies(&room, machine).len()), [2; 3]);
    assert_eq!(room.processes(), []);
}

fn a_pushed_program_starts_the_next_in_a_chain() {
    let room = Room::up(3);
    let program = room.keep_program_on_hub();
    let arguments = ["--push", "--launch", "chain", "--processes", "6"];
    room.launch(&program, "lab[01-03]\n", &arguments).outcome(PATIENCE).assert_holds();
    for machine in ["lab01", "lab02", "lab03"] {
        assert_eq!(copies(&room, machine).len(), 1, "{machine}");
    }
    assert_eq!(room.processes(), []);
}

// -----------------------------------------------------------------------------------------------
// The SSH configuration

/// The files of cases that netkit's own tests read too.
const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/netkit/tests/ssh-config");

/// More configurations of the same kinds, each a whole file.
const MORE_CASES: [(&str, &str); 26] = [
    ("unknown-option", "Host lab\n  HostName 127.0.0.1\nNoSuchOption yes\n"),
    ("unknown-option-ignored", "IgnoreUnknown NoSuch*\nNoSuchOption yes\nHost lab\n  BASE\n"),
    ("port-no-number", "Host other\n  Port many\nHost lab\n  BASE\n"),
    ("timeout-none", "Host lab\n  BASE\n  ConnectTimeout none\n"),
    ("match-exec", "Match host lab exec \"test 1 = 1\"\n  BASE\n"),
    ("match-exec-fails", "Match host lab exec false\n  User root\nHost lab\n  BASE\n"),
    ("match-user", "Match user root\n  User root\nHost lab\n  BASE\n"),
    ("include-home", "Include ~/case/conf.d/*.conf\nHost lab\n  BASE\n"),
    ("include-missing", "Include DIR/nothing/*\nHost lab\n  BASE\n"),
    ("name-from-token", "Host lab\n  BASE\nHost 127.0.0.1\n  HostName %h\n"),
    ("quoted-user", "Host lab\n  User \"bashu\"\n  BASE\n"),
    ("key-in-home", "Host lab\n  HostName 127.0.0.1\n  User bashu\n  IdentityFile ~/.ssh/labkey\n"),
    ("key-of-nobody", "Host lab\n  BASE\n  IdentityFile %z/key\n"),
    ("identities-only", "Host lab\n  BASE\n  IdentitiesOnly yes\n"),
    ("no-keys", "Host lab\n  BASE\n  PubkeyAuthentication no\n"),
    ("only-rsa", "Host lab\n  BASE\n  PubkeyAcceptedAlgorithms rsa-sha2-512\n"),
    ("open-key", "Host lab\n  HostName 127.0.0.1\n  User bashu\n  IdentityFile DIR/open\n"),
    ("alias-unknown", "Host lab\n  BASE\n  HostKeyAlias nobody\n"),
    ("known-nowhere", "Host lab\n  BASE\n  UserKnownHostsFile /dev/null\n"),
    ("trust-all", "Host lab\n  BASE\n  UserKnownHostsFile /dev/null\n  StrictHostKeyChecking no\n"),
    (
        "accept-new",
        "Host lab\n  BASE\n  UserKnownHostsFile DIR/new\n  StrictHostKeyChecking accept-new\n",
    ),
    (
        "trust-all-forget",
        "Host lab\n  BASE\n  UserKnownHostsFile none\n  StrictHostKeyChecking no\n",
    ),
    ("known-none", "Host lab\n  BASE\n  UserKnownHostsFile none\n"),
    ("key-type-it-lacks", "Host lab\n  BASE\n  HostKeyAlgorithms ssh-rsa\n"),
    ("exec-in-the-background", "Match exec \"sleep 60 & true\"\nHost lab\n  BASE\n"),
    ("two-words-file", "Host lab\n  BASE\n  UserKnownHostsFile \"DIR/k h\"\n"),
];

/// Brings a case to the hub. Its machine, user and key become those of the room.
fn bring(room: &Room, text: &[u8], path: &str) {
    let pairs: [(&str, &str); 7] = [
        ("BASE", "HostName 127.0.0.1\n  Port 22222\n  User bashu\n  IdentityFile KEY"),
        ("127.0.0.1", "10.77.0.11"),
        ("bashu", "student"),
        ("fishu", "root"),
        ("wronguser", "root"),
        ("KEY", "/root/case/key"),
        ("DIR", "/root/case"),
    ];
    // Latin-1 is kept: every byte becomes one character, and a byte again.
    let mut text: String = text.iter().map(|&byte| char::from(byte)).collect();
    for (from, to) in pairs {
        text = text.replace(from, to);
    }
    let bytes: Vec<u8> =
        text.chars().map(|c| u8::try_from(u32::from(c)).expect("a byte")).collect();
    fs::write(room.on_disk("hub", path), bytes).expect("a disk");
}

/// Keys and known hosts for the cases.
fn prepare_cases(room: &Room) {
    let script = "mkdir -p case/conf.d && cd case && mkdir 'conf.d/a folder' && \
                  for to in key 'key#1' open ../.ssh/labkey; do cp ../.ssh/id_ed25519 \"$to\"; done; \
                  chmod 644 open; grep '^lab01,' ../.ssh/known_hosts > kh2; cp kh2 'k h'; \
                  sed 's/^[^ ]*/machine-seven/' kh2 >> ../.ssh/known_hosts";
    let script = format!("cd /root && {script}");
    let output = room.hub(&["bash", "-c", &script]).output().expect("bash is there");
    assert!(output.status.success(), "{output:?}");
}

/// Whom `ssh lab` logs in as; none if it does not.
fn whom_ssh_logs_in(room: &Room) -> Option<String> {
    let words = ["timeout", "20", "ssh", "-o", "BatchMode=yes", "lab", "id", "-un"];
    let output = room.hub(&words).output().expect("bash is there");
    let user = String::from_utf8(output.stdout).expect("a name");
    output.status.success().then(|| user.trim().to_owned())
}

fn a_configuration_means_what_ssh_makes_of_it() {
    let room = Room::up_with(1, "Port 22\nPort 22222\n");
    let program = room.share_program();
    prepare_cases(&room);
    let (mut wrong, mut logins) = (Vec::new(), 0);
    let mut names: Vec<_> = fs::read_dir(CASES).expect("there are cases").flatten().collect();
    names.sort_by_key(fs::DirEntry::file_name);
    assert_eq!(names.len(), 28);
    for case in names {
        for inner in fs::read_dir(case.path().join("conf.d")).into_iter().flatten().flatten() {
            let name = inner.file_name().into_string().expect("a name");
            let text = fs::read(inner.path()).expect("it is there");
            bring(&room, &text, &format!("/root/case/conf.d/{name}"));
        }
        let text = fs::read(case.path().join("config")).expect("it is there");
        bring(&room, &text, "/root/.ssh/config");
        logins += compare(&room, &program, &case.file_name().to_string_lossy(), &mut wrong);
        room.act(&["run", "bash", "-c", "rm -f /root/case/conf.d/*.conf"]);
    }
    for (name, text) in MORE_CASES {
        bring(&room, text.as_bytes(), "/root/.ssh/config");
        logins += compare(&room, &program, name, &mut wrong);
        room.act(&["run", "rm", "-f", "/root/case/new"]);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(logins, 26 + 15, "ssh itself logs in with most of them");
    assert_eq!(room.processes(), []);
}

/// Logs in by `ssh` and by a launch: as the same user, or not at all. Counts logins by `ssh`.
fn compare(room: &Room, program: &str, name: &str, wrong: &mut Vec<String>) -> usize {
    let wanted = whom_ssh_logs_in(room);
    room.act(&["run", "rm", "-f", "/root/case/new"]);
    let outcome = room.launch(program, "lab slots=2\n", &["--processes", "2"]).outcome(PATIENCE);
    let log = outcome.report["logs"][0].as_str().unwrap_or_default();
    let found = log.split("/labs-").nth(1).and_then(|rest| rest.split('/').next());
    let found = found.filter(|_| outcome.status == Some(0)).map(str::to_owned);
    if found != wanted {
        let problems = outcome.problems();
        wrong.push(format!("{name}: ssh logs in {wanted:?}, a launch {found:?}: {problems}"));
    }
    if name == "c36-identity-missing" {
        outcome.assert_problem(2, &["there is no key /root/case/no-such-key"]);
    }
    usize::from(wanted.is_some())
}
