//! netkit's way over SSH, from the host file to the daemon, against a server inside the test.

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Mutex;

use netkit::hosts::Hosts;
use netkit::launch::{Job, LaunchError, LaunchEvent, LaunchOptions, Program, launch_all};

mod copy;
mod host_keys;
mod login;
mod many;
mod run;
mod start;

/// The program that is started.
const DAEMON: &str = env!("CARGO_BIN_EXE_test-daemon");

/// A job of the test's daemon.
fn job(arguments: &[&str]) -> Job {
    Job {
        program: Program::Here(DAEMON.into()),
        arguments: arguments.iter().map(|argument| argument.to_string()).collect(),
        environment: vec![("COLOUR".to_owned(), "it's green".to_owned())],
        stdin: b"secret".to_vec(),
    }
}

/// Where daemons report to.
struct Launcher(TcpListener);

impl Launcher {
    fn new() -> Launcher {
        Launcher(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    /// A job that reports here.
    fn job(&self, rank: u32) -> Job {
        job(&["daemon", &self.0.local_addr().unwrap().to_string(), &rank.to_string()])
    }

    /// What the next `n` daemons say, sorted; they live for as long as the connections.
    fn hear(&self, n: usize) -> (Vec<String>, Vec<TcpStream>) {
        let mut connections = Vec::new();
        let mut lines = Vec::new();
        for _ in 0..n {
            let (connection, _) = self.0.accept().unwrap();
            let mut line = String::new();
            BufReader::new(&connection).read_line(&mut line).unwrap();
            lines.push(line.trim_end().to_owned());
            connections.push(connection);
        }
        lines.sort();
        (lines, connections)
    }
}

/// What a launch reported.
#[derive(Debug, Default)]
struct Report {
    /// Rank, index of the host, process number.
    started: Vec<(u32, usize, u32)>,
    failed: Vec<(Vec<u32>, usize, LaunchError)>,
}

/// Launches `processes` ranks on the hosts.
fn launch(
    hosts: &str,
    processes: u32,
    options: &LaunchOptions,
    job_for: &(dyn Fn(u32, IpAddr) -> Job + Sync),
) -> Report {
    let hosts = Hosts::parse(hosts).unwrap();
    let report = Mutex::new(Report::default());
    launch_all(&hosts, &hosts.place(processes), options, job_for, &|event| {
        let mut report = report.lock().unwrap();
        match event {
            LaunchEvent::Started { rank, host, pid } => report.started.push((rank, host, pid)),
            LaunchEvent::Failed { ranks, host, error } => report.failed.push((ranks, host, error)),
            LaunchEvent::Progress { .. } => {}
        }
    });
    let mut report = report.into_inner().unwrap();
    report.started.sort_unstable();
    report.failed.sort_by(|a, b| a.0.cmp(&b.0));
    report
}

/// Tries to start one daemon that fails; returns why.
fn refusal(host: &str, options: &LaunchOptions) -> LaunchError {
    let mut report = launch(host, 1, options, &|_, _| job(&["fail", "it was started"]));
    assert_eq!(report.started, []);
    report.failed.pop().unwrap().2
}

/// Starts one daemon that reports back; panics if that fails.
fn succeed(host: &str, options: &LaunchOptions) {
    let launcher = Launcher::new();
    let report = launch(host, 1, options, &|rank, _| launcher.job(rank));
    assert!(report.failed.is_empty(), "{}", report.failed[0].2);
    let (lines, _daemons) = launcher.hear(1);
    let pid = report.started[0].2;
    assert_eq!(lines, [format!("0 {pid} secret it's green")]);
}

/// The last part of a path.
fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}
