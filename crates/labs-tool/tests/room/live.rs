//! `run --view`: the page of a run in progress.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, Stdio};

use labs::testing::assert_nothing_left;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::{Said, greet, labs};

/// A run with a page, until this is dropped.
struct Viewed {
    launcher: Child,
    stderr: BufReader<ChildStderr>,
    /// Where the page is: `127.0.0.1:PORT`.
    address: String,
}

impl Drop for Viewed {
    fn drop(&mut self) {
        let _ = self.launcher.kill();
        let _ = self.launcher.wait();
    }
}

impl Viewed {
    fn start(arguments: &[&str]) -> Self {
        let mut launcher = Command::new(greet())
            .args(["run", "--view", "--json"])
            .args(arguments)
            .env_remove("RUST_LOG")
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(launcher.stderr.take().unwrap());
        let mut viewed = Self { launcher, stderr, address: String::new() };
        let said = viewed.line();
        let address = said.split("http://").nth(1).and_then(|rest| rest.split('/').next());
        viewed.address = address.unwrap_or_else(|| panic!("it says where: {said:?}")).to_owned();
        viewed
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stderr.read_line(&mut line).unwrap();
        line
    }

    /// What the server answers, to the end.
    fn ask(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        answer
    }

    /// The answer of a run that has ended: its events come to an end.
    fn all_events(&self) -> (u64, Value) {
        let answer = self.ask("/events");
        let data = |kind: &'static str| {
            let named = format!("event: {kind}\ndata: ");
            let parts = answer.split("\n\n").map(str::trim_start).map(str::to_owned);
            parts.filter_map(move |part| part.split(&named).nth(1).map(str::to_owned))
        };
        let chunk = |text: String| serde_json::from_str::<Value>(&text).unwrap();
        let events = data("chunk").map(|text| chunk(text)["events"].as_u64().unwrap()).sum();
        (events, chunk(data("status").last().unwrap()))
    }
}

#[test]
fn the_page_grows_with_the_run_and_stays() {
    let mut viewed = Viewed::start(&["--processes", "4"]);
    assert!(viewed.ask("/").contains("greet"), "the page is there before the run has ended");
    let mut said = viewed.line();
    while !said.contains("the page stays at") {
        assert!(!said.is_empty(), "it says that the page stays");
        said = viewed.line();
    }
    // Each starts, asks, sends 3 messages, receives 3, indicates, and stops.
    let (events, status) = viewed.all_events();
    assert_eq!(events, 4 * (1 + 1 + 3 + 3 + 1 + 1));
    assert!(status.to_string().contains("12 messages, each delivered once"), "{status}");
    assert!(!status.to_string().contains("unknown"), "it knows how the run ended: {status}");

    let run = said.trim().strip_suffix('`').unwrap().rsplit(' ').next().unwrap().to_owned();
    let stopped = labs(&["stop", &run]);
    assert_eq!(stopped.status, 0, "{stopped:?}");
    let report = std::io::read_to_string(viewed.launcher.stdout.take().unwrap()).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["run"], *run);
    assert_eq!(viewed.launcher.wait().unwrap().code(), Some(0), "as the run deserves");
    assert_nothing_left(&run);
}

#[test]
fn a_process_that_fails_says_why_on_the_page() {
    let mut viewed = Viewed::start(&["--stay", "--processes", "3"]);
    let said = viewed.line();
    let run = said.trim().strip_suffix('`').unwrap().rsplit(' ').next().unwrap().to_owned();
    let rows = labs(&["ps", "--json"]);
    let rows: Vec<Value> = serde_json::from_str(&rows.out).unwrap();
    let row = rows.iter().find(|row| row["run"] == *run && row["rank"] == 1).unwrap();
    let pid = i32::try_from(row["pid"].as_i64().unwrap()).unwrap();
    kill(Pid::from_raw(pid), Signal::SIGTERM).unwrap();
    while !viewed.line().contains("the page stays at") {}
    let answer = viewed.ask("/events");
    assert!(answer.contains("ERROR it was ended by signal 15"), "{answer}");
    assert_eq!(labs(&["stop", &run]).status, 0);
    assert_eq!(viewed.launcher.wait().unwrap().code(), Some(2));
}

#[test]
fn stopping_a_run_that_stays_ends_its_page_too() {
    let mut viewed = Viewed::start(&["--stay"]);
    let said = viewed.line();
    let run = said.trim().strip_suffix('`').unwrap().rsplit(' ').next().unwrap().to_owned();
    assert!(said.contains("the processes stay"), "{said}");
    assert_eq!(labs(&["stop", &run]).status, 0);
    assert_eq!(viewed.launcher.wait().unwrap().code(), Some(0));
    assert_nothing_left(&run);
}

#[test]
fn a_death_that_only_the_launcher_saw_is_shown() {
    let mut viewed = Viewed::start(&["--processes", "3", "--faults", "kill 2 after 1 HELLO"]);
    while !viewed.line().contains("the page stays at") {}
    let (events, status) = viewed.all_events();
    assert!(events > 3, "{status}");
    // Of the kill there is no line in any journal; what the launcher adds is part of the page.
    let chunks = viewed.ask("/events");
    assert!(chunks.contains("died") || status.to_string().contains("died"), "{status} {chunks}");
}

#[test]
fn a_port_that_is_taken_is_said() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let output = Command::new(greet()).args(["run", &format!("--view={port}")]).output().unwrap();
    let said = Said::of(&output);
    assert_eq!((said.status, said.err.lines().count()), (2, 1), "{said:?}");
    assert!(said.err.contains(&format!("--view cannot listen on 127.0.0.1:{port}")), "{said:?}");
}
