//! Real processes on loopback: what holds, what is said when something goes wrong, and that nothing is
//! left behind however a run ends.

mod common;

use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::ffi::OsStringExt;
use std::process::Command;
use std::time::{Duration, Instant};

use common::{PROGRAM, circulating, wait_until_circulating};
use labs::testing::{
    Ran, Running, assert_nothing_left, command_line, connections, left_of, sockets, wait_until,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A daemon that lost its launcher must be gone by then.
const LEFT_MAX: Duration = Duration::from_secs(5);

fn signal(pid: u32, signal: Signal) {
    kill(Pid::from_raw(pid as i32), signal).unwrap();
}

/// As the first command of the README builds it.
#[cfg(not(feature = "ssh"))]
#[test]
fn without_ssh_all_is_as_ever_on_this_machine_and_others_are_refused() {
    let ran = PROGRAM.ran(&["run", "--processes", "3"]);
    assert!(ran.status == 0 && ran.holds(), "{ran:?}");
    let folder = tempfile::tempdir().unwrap();
    let hosts = folder.path().join("hosts.txt");
    std::fs::write(&hosts, "localhost\nlab01\n").unwrap();
    let ran = PROGRAM.ran(&["run", "--processes", "2", "--hosts", hosts.to_str().unwrap()]);
    assert_eq!(ran.status, 2, "{ran:?}");
    let problem = "p1 not started: lab01: connect: this program was built without SSH";
    assert!(ran.problems().contains(problem), "{ran:?}");
    assert_nothing_left(ran.report["run"].as_str().unwrap());
}

/// File names need not be UTF-8: the files that are named are the files that are opened.
#[test]
fn a_file_name_may_be_any_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let name = |start: &[u8]| OsString::from_vec([start, b"\xff"].concat());
    let [trace, file] = [name(b"trace"), name(b"file")];
    for launch in ["star", "chain"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_token-ring"));
        command.args(["run", "--processes", "3", "--launch", launch]).current_dir(folder.path());
        let output = command.arg("--trace").arg(&trace).arg("--file").arg(&file).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{launch}: {output:?}");
        for name in [&trace, &file] {
            let written = std::fs::metadata(folder.path().join(name)).unwrap();
            assert!(written.len() > 0, "{launch}: {}", name.display());
            std::fs::remove_file(folder.path().join(name)).unwrap();
        }
    }
    let output = Command::new(env!("CARGO_BIN_EXE_token-ring"))
        .args(["run", "--hosts"])
        .arg(&trace)
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn all_ways_to_launch_and_close_hold() {
    for closing in ["forward", "first"] {
        for launch in ["star", "chain"] {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("shared");
            let ran = PROGRAM.ran(&[
                "run",
                "--processes",
                "8",
                "--entries",
                "5",
                "--closing",
                closing,
                "--launch",
                launch,
                "--file",
                file.to_str().unwrap(),
            ]);
            assert!(ran.holds(), "{closing} {launch}: {}", ran.report);
            assert_eq!(ran.status, 0);
            let address = if closing == "forward" { 7 } else { 0 };
            let messages = &ran.report["messages"];
            assert_eq!(messages["ADDRESS"]["measured"].as_u64().unwrap_or(0), address);
            assert_eq!(messages["ROLL"]["measured"], 8);
            assert_eq!(messages["TOKEN"], serde_json::json!({"measured": 40, "predicted": 40}));
            assert_forty_pairs(&std::fs::read_to_string(file).unwrap());
        }
    }
}

/// Begin and end of a section stand behind each other, forty times, each process five times.
fn assert_forty_pairs(text: &str) {
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 80);
    for pair in lines.chunks(2) {
        assert_eq!(pair[0].replacen("begin", "end", 1), pair[1]);
    }
    for rank in 0..8 {
        let begins = lines.iter().filter(|line| line.starts_with(&format!("begin p{rank} ")));
        assert_eq!(begins.count(), 5);
    }
}

#[test]
fn two_processes_are_a_ring() {
    for closing in ["forward", "first"] {
        let ran = PROGRAM.ran(&["run", "--processes", "2", "--closing", closing]);
        assert!(ran.holds(), "{closing}: {}", ran.report);
    }
}

#[test]
fn the_report_is_as_published() {
    let ran = PROGRAM.ran(&["run", "--processes", "3", "--seed", "7"]);
    let report = &ran.report;
    assert_eq!(report["lab"], "token-ring");
    assert_eq!(report["verb"], "run");
    assert_eq!((&report["processes"], &report["seed"]), (&3.into(), &7.into()));
    assert_eq!(report["hosts"], serde_json::json!(["localhost"]));
    assert!(report["elapsed_s"].as_f64().unwrap() > 0.0);
    assert!(report["trace"].is_null());
    assert_eq!(report["result"]["roll_call"].as_array().unwrap().len(), 3);
    let logs = report["logs"].as_array().unwrap();
    assert_eq!(logs.len(), 3);
    for log in logs {
        let path = log.as_str().unwrap().strip_prefix("localhost:").unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.contains("joined the run"), "{text}");
        assert!(text.contains("finished"), "{text}");
    }
    assert_eq!(ran.stderr, "");
}

#[test]
fn participants_are_daemons() {
    let folder = tempfile::tempdir().unwrap();
    let running = circulating(&folder.path().join("shared"), &["--processes", "3"]);
    let own = session(std::process::id());
    for pid in running.pids() {
        let stat = stat(pid);
        // Fields of /proc/PID/stat after the name: state, parent, group, session, terminal.
        assert_eq!(stat[4], "0", "p{pid} has a terminal");
        assert_ne!(session(pid), own);
        assert_ne!(session(pid), pid, "a session's leader could get a terminal back");
        assert_eq!(std::fs::read_link(format!("/proc/{pid}/cwd")).unwrap().to_str(), Some("/"));
        for fd in 0..3 {
            let stream = std::fs::read_link(format!("/proc/{pid}/fd/{fd}")).unwrap();
            assert_eq!(stream.to_str(), Some("/dev/null"));
        }
    }
    signal(running.launcher.id(), Signal::SIGINT);
    running.end();
}

fn stat(pid: u32) -> Vec<String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, fields) = text.rsplit_once(')').unwrap();
    fields.split_whitespace().map(str::to_owned).collect()
}

fn session(pid: u32) -> u32 {
    stat(pid)[3].parse().unwrap()
}

/// What a run that was ended in the middle must say, and leave.
fn end_of(running: Running) -> (Ran, String) {
    let run = running.run().to_owned();
    let ran = running.end();
    assert!(!ran.holds());
    assert_nothing_left(&run);
    (ran, run)
}

#[test]
fn a_killed_process_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let running = circulating(&folder.path().join("shared"), &["--processes", "5"]);
    let pid = running.pids()[2];
    signal(pid, Signal::SIGKILL);
    let (ran, _) = end_of(running);
    assert_eq!(ran.status, 2, "{}", ran.report);
    let problems = ran.problems();
    assert!(problems.contains(&format!("p2 on localhost, process {pid}: it died")), "{problems}");
    assert!(problems.contains("noticed by"), "{problems}");
}

#[test]
fn a_killed_process_leaves_its_trace() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace.jsonl");
    let running = circulating(
        &folder.path().join("shared"),
        &["--processes", "4", "--trace", trace.to_str().unwrap()],
    );
    signal(running.pids()[1], Signal::SIGKILL);
    let (ran, _) = end_of(running);
    let holds = |name: &str| {
        let verdicts = ran.report["properties"].as_array().unwrap();
        verdicts.iter().find(|verdict| verdict["name"] == name).unwrap()["holds"].clone()
    };
    assert_eq!(holds("mutual exclusion"), true, "{}", ran.report);
    assert_eq!(holds("every process enters K times"), serde_json::Value::Null);
    let text = std::fs::read_to_string(trace).unwrap();
    assert!(
        text.lines().any(|l| l.contains(r#""process":1,"#) && l.contains(r#""event":"crash""#))
    );
}

#[test]
fn a_stopped_process_is_named_and_killed() {
    let folder = tempfile::tempdir().unwrap();
    let running = circulating(&folder.path().join("shared"), &["--processes", "4"]);
    let pid = running.pids()[3];
    signal(pid, Signal::SIGSTOP);
    let (ran, _) = end_of(running);
    assert_eq!(ran.status, 2);
    assert!(ran.problems().contains("p3 on localhost"), "{}", ran.report);
    assert!(ran.problems().contains("does not answer"), "{}", ran.report);
    assert!(ran.report["killed"].to_string().contains(&pid.to_string()), "{}", ran.report);
}

#[test]
fn an_interrupted_run_stops_everything_and_says_so() {
    for how in [Signal::SIGINT, Signal::SIGTERM] {
        let folder = tempfile::tempdir().unwrap();
        let running = circulating(&folder.path().join("shared"), &["--processes", "3"]);
        signal(running.launcher.id(), how);
        let (ran, _) = end_of(running);
        assert_eq!(ran.status, 2);
        assert!(ran.problems().contains("interrupted: everything was stopped"), "{}", ran.report);
    }
}

#[test]
fn a_simulation_and_a_search_that_are_interrupted_say_so() {
    for verb in ["simulate", "check"] {
        let arguments = [verb, "--laps", "100000000", "--timeout", "600"];
        let ran = PROGRAM.start(&arguments).interrupt();
        assert_eq!(ran.status, 2, "{verb}: {}", ran.report);
        assert!(ran.problems().contains("interrupted"), "{verb}: {}", ran.report);
        assert!(!ran.report["properties"].as_array().unwrap().is_empty(), "{}", ran.report);
    }
}

/// As `nohup` starts a program: it is to outlive its terminal.
#[test]
fn a_run_that_ignores_the_end_of_its_terminal_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shared");
    let command = format!("trap '' HUP; exec {} \"$@\"", PROGRAM.0);
    let launcher = Command::new("sh")
        .args(["-c", &command, "sh", "run", "-n", "2", "--laps", "60", "--work", "10", "--json"])
        .arg("--file")
        .arg(&file)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let running = Running::new(launcher);
    wait_until_circulating(&file);
    signal(running.launcher.id(), Signal::SIGHUP);
    let ran = running.end();
    assert!(ran.status == 0 && ran.holds(), "{}", ran.report);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the deadline is one of real time")]
fn a_killed_launcher_leaves_nobody_not_even_who_is_stopped() {
    for stopped in [1, 2] {
        let folder = tempfile::tempdir().unwrap();
        let mut running = circulating(&folder.path().join("shared"), &["--processes", "2"]);
        let run = running.run().to_owned();
        running.pids()[..stopped].iter().for_each(|&pid| signal(pid, Signal::SIGSTOP));
        signal(running.launcher.id(), Signal::SIGKILL);
        running.launcher.wait().unwrap();
        let killed = Instant::now();
        assert_nothing_left(&run);
        assert!(killed.elapsed() < LEFT_MAX, "{:?}", killed.elapsed());
    }
}

/// The keeper of a run on this machine: it has no rank.
fn keeper(run: &str) -> u32 {
    let is_keeper = |pid: &u32| command_line(*pid).is_some_and(|words| words[1] == "keeper");
    let keepers: Vec<_> = left_of(run).into_iter().filter(is_keeper).collect();
    assert_eq!(keepers.len(), 1, "{keepers:?}");
    keepers[0]
}

#[test]
fn a_run_does_without_its_keeper() {
    for how in [Signal::SIGKILL, Signal::SIGSTOP] {
        let folder = tempfile::tempdir().unwrap();
        let running = circulating(&folder.path().join("shared"), &["--processes", "2"]);
        let run = running.run().to_owned();
        signal(keeper(&run), how);
        signal(running.launcher.id(), Signal::SIGINT);
        let (ran, _) = end_of(running);
        assert!(ran.report.get("killed").is_none(), "{}", ran.report);
        // Nor does it stay itself.
        assert_nothing_left(&run);
    }
}

/// A launch that hangs half-way: two processes are here, and the third's machine takes the connection and
/// never says a word.
struct HalfLaunched {
    running: Running,
    _silent: std::net::TcpListener,
    _folder: tempfile::TempDir,
}

impl HalfLaunched {
    fn start() -> Self {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let hosts = folder.path().join("hosts.txt");
        let port = silent.local_addr().unwrap().port();
        std::fs::write(&hosts, format!("localhost slots=2\n127.0.0.1:{port}\n")).unwrap();
        let mut arguments = vec!["run", "--processes", "3", "--advertise", "127.0.0.1", "--hosts"];
        arguments.push(hosts.to_str().unwrap());
        let running = PROGRAM.start(&arguments);
        let joined = |pid: u32| {
            std::fs::read_to_string(log_of(pid)).is_ok_and(|log| log.contains("joined the run"))
        };
        wait_until("two processes have joined", || {
            let pids = running.pids();
            pids.len() == 2 && pids.into_iter().all(joined)
        });
        Self { running, _silent: silent, _folder: folder }
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the deadline is one of real time")]
fn who_has_joined_ends_when_the_launcher_falls_silent() {
    let mut half = HalfLaunched::start();
    let run = half.running.run().to_owned();
    signal(half.running.launcher.id(), Signal::SIGSTOP);
    let stopped = Instant::now();
    assert_nothing_left(&run);
    assert!(stopped.elapsed() < LEFT_MAX, "{:?}", stopped.elapsed());
    half.running.launcher.kill().unwrap();
    half.running.launcher.wait().unwrap();
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the deadline is one of real time")]
fn a_process_that_dies_while_others_are_launched_ends_the_run_at_once() {
    let half = HalfLaunched::start();
    let pid = half.running.pids()[0];
    let killed = Instant::now();
    signal(pid, Signal::SIGKILL);
    let (ran, _) = end_of(half.running);
    assert!(killed.elapsed() < LEFT_MAX, "{:?}", killed.elapsed());
    assert_eq!(ran.status, 2);
    let problems = ran.problems();
    assert!(problems.contains(&format!("p0 on localhost, process {pid}: it died")), "{problems}");
    assert!(!problems.contains("hand over"), "{problems}");
}

#[test]
fn a_process_that_is_ended_by_kill_hands_its_journal_over() {
    let folder = tempfile::tempdir().unwrap();
    let running = circulating(&folder.path().join("shared"), &["--processes", "3"]);
    signal(running.pids()[1], Signal::SIGTERM);
    let (ran, _) = end_of(running);
    assert_eq!(ran.status, 2, "{}", ran.report);
    assert!(ran.problems().contains("p1 on localhost"), "{}", ran.report);
    assert!(ran.problems().contains("ended by signal 15"), "{}", ran.report);
    let verdicts = ran.report["properties"].as_array().unwrap();
    let mutex = verdicts.iter().find(|verdict| verdict["name"] == "mutual exclusion").unwrap();
    assert_eq!(mutex["holds"], true, "{}", ran.report);
}

#[test]
fn what_was_not_seen_is_not_said_to_be_zero() {
    let folder = tempfile::tempdir().unwrap();
    let running = circulating(&folder.path().join("shared"), &["--processes", "3"]);
    signal(running.pids()[0], Signal::SIGKILL);
    let (ran, _) = end_of(running);
    assert!(ran.report["messages"]["TOKEN"]["measured"].is_null(), "{}", ran.report);
    assert!(ran.report["result"].is_null(), "{}", ran.report);
}

#[test]
fn a_trace_harms_no_other_file() {
    let folder = tempfile::tempdir().unwrap();
    let hosts = folder.path().join("hosts.txt");
    std::fs::write(&hosts, "localhost\n").unwrap();
    let hosts_text = hosts.to_str().unwrap();
    let output =
        PROGRAM.command().args(["run", "--hosts", hosts_text, "--trace", hosts_text]).output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("for something else"));
    assert_eq!(std::fs::read_to_string(&hosts).unwrap(), "localhost\n");

    let pipe = folder.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    for option in ["--trace", "--file"] {
        let output = PROGRAM.command().args(["run", option]).arg(&pipe).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("not an ordinary file"), "{said}");
    }
}

#[test]
fn a_run_that_takes_too_long_ends() {
    let ran = PROGRAM.ran(&["run", "--laps", "1000000", "--work", "1", "--timeout", "1"]);
    assert_eq!(ran.status, 2);
    let late =
        "time-out: p0, p1, p2, p3, p4 had not finished after 1 s; --timeout gives them longer";
    assert!(ran.problems().contains(late), "{}", ran.report);
    let verdicts = ran.report["properties"].as_array().unwrap();
    assert!(verdicts.iter().any(|v| v["name"] == "mutual exclusion" && v["holds"] == true));
    assert!(verdicts.iter().any(|v| v["kind"] == "liveness" && v["holds"].is_null()));
}

/// More time would not bring a token back.
#[test]
fn a_run_in_which_nothing_happens_is_not_advised_to_take_longer() {
    let faults = ["--faults", "drop 2->1 after 1 TOKEN"];
    let ran = PROGRAM.ran(&[&["run", "--timeout", "1"], &faults[..]].concat());
    assert_eq!(ran.status, 1, "{}", ran.report);
    assert!(ran.problems().contains("more time will hardly help"), "{}", ran.report);
    assert!(!ran.problems().contains("gives them longer"), "{}", ran.report);
}

#[test]
fn a_mistake_shows_in_a_real_run() {
    for (mistake, property) in [
        ("second-token", "exactly one token at any time"),
        ("enters-without-token", "mutual exclusion"),
        ("sends-both-ways", "exactly one token at any time"),
    ] {
        let ran = PROGRAM.ran(&["run", "--broken", mistake, "--timeout", "3"]);
        assert_eq!(ran.status, 1, "{mistake}: {}", ran.report);
        let verdicts = ran.report["properties"].as_array().unwrap();
        let verdict = verdicts.iter().find(|verdict| verdict["name"] == property).unwrap();
        assert_eq!(verdict["holds"], false, "{mistake}: {}", ran.report);
    }
}

/// Strangers of every kind trouble all participants and the launcher while the token circulates; the run
/// comes to its end and holds.
#[test]
fn strangers_disturb_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shared");
    let path = file.to_str().unwrap();
    let running = PROGRAM.start(&[
        "run",
        "--processes",
        "3",
        "--laps",
        "1000",
        "--work",
        "2",
        "--file",
        path,
    ]);
    wait_until_circulating(&file);
    let mut ports = listening_ports(running.launcher.id());
    let pids = running.pids();
    assert_eq!(pids.len(), 3);
    for pid in &pids {
        ports.extend(listening_ports(*pid));
    }
    assert_eq!(ports.len(), 4, "one port for the launcher and each participant");

    let log = pids.first().map(|pid| log_of(*pid)).unwrap();
    let mut held = Vec::new();
    for &port in &ports {
        let connect = || TcpStream::connect(("127.0.0.1", port)).unwrap();
        // Garbage, a frame that claims 4 GiB, and half a frame for ever.
        connect().write_all(&[0x5a; 4_096]).unwrap();
        connect().write_all(&[0xff; 8]).unwrap();
        let mut half = connect();
        half.write_all(&[0, 0, 0, 40, 1, 2, 3]).unwrap();
        held.push(half);
        // Someone with a browser is told what this is.
        let mut browser = connect();
        browser.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        let mut answer = String::new();
        browser.read_to_string(&mut answer).unwrap();
        assert!(answer.contains("netkit"), "{answer:?}");
    }
    // Ten thousand connections, as many at once as descriptors allow.
    for index in 0..10_000_usize {
        if let Ok(stream) = TcpStream::connect(("127.0.0.1", ports[index % ports.len()])) {
            held.push(stream);
        }
        if held.len() > 200 {
            held.drain(..100);
        }
    }
    let ran = running.end();
    assert!(ran.holds(), "{}", ran.report);
    assert_eq!(ran.report["messages"]["TOKEN"]["measured"], 3_000);
    let text = std::fs::read_to_string(log).unwrap();
    assert!(text.contains("stranger"), "the log says nothing of strangers: {text}");
}

fn log_of(pid: u32) -> std::path::PathBuf {
    let fds = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    fds.filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok())
        .find(|path| path.extension().is_some_and(|extension| extension == "log"))
        .unwrap()
}

fn listening_ports(pid: u32) -> Vec<u16> {
    let all = connections(pid);
    let ports: Vec<u16> =
        all.iter().filter(|(_, peer)| *peer == 0).map(|(port, _)| *port).collect();
    assert!(ports.iter().all(|port| sockets(pid).contains(port)));
    ports
}

/// A hello that was overheard is worth nothing: the answer to it needs the secret.
#[test]
fn a_replayed_hello_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let running = circulating(&folder.path().join("shared"), &["--processes", "3"]);
    let port = listening_ports(running.pids()[0])[0];
    // The first frame of a handshake, for p0, as p1 would send it: whoever overhears one has its bytes.
    let membership = netkit::Membership {
        run: running.run().to_owned(),
        secret: netkit::Secret::random().unwrap(),
        me: 1,
    };
    let (_, hello) = netkit::membership::Handshake::initiate(membership, 0).unwrap();
    let mut stranger = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stranger.write_all(&u32::to_be_bytes(hello.len() as u32)).unwrap();
    stranger.write_all(&hello).unwrap();
    // It is challenged, cannot answer, says nonsense instead, and is cut off.
    let mut length = [0; 4];
    stranger.read_exact(&mut length).unwrap();
    let mut challenge = vec![0; u32::from_be_bytes(length) as usize];
    stranger.read_exact(&mut challenge).unwrap();
    stranger.write_all(&u32::to_be_bytes(hello.len() as u32)).unwrap();
    stranger.write_all(&hello).unwrap();
    let mut rest = Vec::new();
    let end = stranger.read_to_end(&mut rest);
    assert!(matches!(end, Ok(0) | Err(_)), "it was answered: {rest:?}");
    // The run did not notice: it circulates on.
    let lines = || std::fs::read_to_string(folder.path().join("shared")).unwrap().lines().count();
    let before = lines();
    wait_until("the token goes on", || lines() > before + 20);
    signal(running.launcher.id(), Signal::SIGINT);
    let (ran, _) = end_of(running);
    assert!(!ran.problems().contains("died"), "{}", ran.report);
}

#[test]
fn nonsense_gets_one_line_and_status_2() {
    let full = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(full.path(), "begin\n").unwrap();
    let full = full.path().to_str().unwrap();
    for (arguments, expected) in [
        (&["run", "--processes", "1"][..], "takes 2 to"),
        (&["run", "--processes", "99999"], "takes 2 to"),
        (&["run", "--entries", "3", "--laps", "2"], "give it at least --laps 3"),
        (&["run", "--laps", "0"], "at least one lap"),
        (&["run", "--processes", "-3"], "a whole number from 0 to"),
        (&["simulate", "--laps", "many"], "it takes a whole number"),
        (&["run", "--faults", "kill 0 after 1 TOKN"], "there are ADDRESS, ROLL, TOKEN"),
        (&["simulate", "--faults", "drop after 1 token"], "no message is of kind token"),
        (&["run", "--hosts", "/nowhere/hosts.txt"], "/nowhere/hosts.txt"),
        (&["run", "--trace", "/nowhere/trace"], "cannot write the trace to /nowhere/trace"),
        (&["run", "--file", "/nowhere/file"], "cannot use the shared file /nowhere/file"),
        (&["run", "--file", full], "it is not empty"),
        (&["simulate", "--file", full], "use it with `run`"),
        (&["simulate", "--crash", "9"], "processes are numbered 0 to 4"),
        (&["simulate", "--latency", "5..1"], "exchange them"),
        (&["check", "--processes", "40"], "takes 2 to 16"),
        (&["run", "--timeout", "0"], "above 0"),
        (&["participant", "--run", "x", "--rank", "0"], "for the launcher to use"),
        (&["reap", "--run", "../x"], "run"),
    ] {
        let output = PROGRAM.command().args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(expected), "{arguments:?}: {said}");
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[test]
fn help_teaches() {
    let help = |arguments: &[&str]| {
        let output = PROGRAM.command().args(arguments).output().unwrap();
        assert!(output.status.success());
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let whole = help(&["--help"]);
    for word in ["run", "simulate", "check", "Exit status"] {
        assert!(whole.contains(word), "{whole}");
    }
    assert!(!whole.contains("participant"), "{whole}");
    assert!(help(&["run", "--help"]).contains("--closing"));
}
