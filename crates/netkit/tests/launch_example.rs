//! The example `launch`: real daemons on this machine, and nothing left of them.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

/// Where cargo has built the example, beside the folder of this test. It is built with the tests,
/// unless only this one was asked for.
fn example() -> PathBuf {
    let deps = env::current_exe().unwrap();
    let path = deps.ancestors().nth(2).unwrap().join("examples/launch");
    assert!(path.exists(), "build it first: cargo build -p netkit --example launch");
    path
}

/// Starts the example, and reads the process numbers of its daemons.
fn start(processes: usize) -> (Child, BufReader<ChildStdout>, Vec<u32>) {
    let mut command = Command::new(example());
    let mut child = command.arg(processes.to_string()).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut pids = Vec::new();
    while pids.len() < processes {
        let mut line = String::new();
        assert_ne!(output.read_line(&mut line).unwrap(), 0, "it ended early");
        let (_, pid) = line.trim_end().split_once(" started on localhost as ").expect(&line);
        pids.push(pid.parse().unwrap());
    }
    (child, output, pids)
}

/// Waits until none of the daemons lives.
fn await_end(pids: &[u32]) {
    let deadline = Instant::now() + Duration::from_secs(10);
    for pid in pids {
        // Nobody but the system's first process is told when a daemon ends.
        let lives = || fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty());
        while lives() {
            assert!(Instant::now() < deadline, "{pid} lives on");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn every_daemon_says_hello_and_none_is_left() {
    let (mut child, mut output, pids) = start(6);
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    for rank in 0..6 {
        assert!(rest.contains(&format!("hello from p{rank} on ")), "{rest}");
    }
    assert!(rest.ends_with("all 6 have said hello; goodbye\n"), "{rest}");
    assert!(rest.contains("23 bytes of secret"), "{rest}");
    assert!(child.wait().unwrap().success());
    await_end(&pids);
}

#[test]
fn a_launcher_that_is_killed_leaves_no_daemon() {
    let (mut child, _output, pids) = start(4);
    child.kill().unwrap();
    child.wait().unwrap();
    await_end(&pids);
}
