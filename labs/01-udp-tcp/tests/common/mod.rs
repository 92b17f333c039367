//! The program under test.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long anything may take on a busy machine before it counts as not happening.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_udp-tcp");

/// What a program that has ended has said.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs it to its end.
pub(crate) fn run(arguments: &[&str]) -> Ran {
    let output = Command::new(PROGRAM).args(arguments).stdin(Stdio::null()).output().unwrap();
    Ran {
        status: output.status.code().expect("no signal ends it"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs what cannot be done, and returns the one line that says why.
pub(crate) fn refused(arguments: &[&str]) -> String {
    let ran = run(arguments);
    assert_eq!(ran.status, 2, "{arguments:?}: {ran:?}");
    assert_eq!(ran.stdout, "", "{arguments:?}");
    assert_eq!(ran.stderr.lines().count(), 1, "{arguments:?}: {ran:?}");
    assert!(ran.stderr.starts_with("udp-tcp: "), "{ran:?}");
    ran.stderr
}

/// A server that runs. Dropping it kills it.
pub(crate) struct Server {
    child: Child,
    lines: Receiver<String>,
    address: SocketAddr,
}

impl Server {
    /// A TCP server on a free port of all addresses.
    pub(crate) fn tcp(arguments: &[&str]) -> Server {
        Server::start("tcp-server", "listening on tcp ", arguments)
    }

    /// A UDP server on a free port of all addresses.
    pub(crate) fn udp(arguments: &[&str]) -> Server {
        Server::start("udp-server", "listening on udp ", arguments)
    }

    /// A TCP server that is started with this signal ignored.
    pub(crate) fn with_trap(signal: &str) -> Server {
        let mut shell = Command::new("sh");
        let trap = format!("trap '' {signal}; exec \"$@\"");
        shell.args(["-c", &trap, "sh", PROGRAM, "tcp-server", "--port", "0"]);
        Server::spawn(&mut shell, "listening on tcp ")
    }

    fn start(role: &str, ready: &str, arguments: &[&str]) -> Server {
        let mut command = Command::new(PROGRAM);
        Server::spawn(command.args([role, "--port", "0"]).args(arguments), ready)
    }

    fn spawn(command: &mut Command, ready: &str) -> Server {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines() {
                // A test that wants no more lines has ended.
                let _ = sender.send(line.unwrap());
            }
        });
        let first: String = lines.recv_timeout(PATIENCE).unwrap();
        let address = first.strip_prefix(ready).expect(&first).parse().unwrap();
        Server { child, lines, address }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Its address on loopback, of IPv4.
    pub(crate) fn loopback(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port()).into()
    }

    /// Its next line that has this in it.
    pub(crate) fn says(&mut self, text: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{text:?}"));
            if line.contains(text) {
                return line;
            }
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// Stops it, to be continued. When this returns it stands still.
    pub(crate) fn pause(&self) {
        self.signal(Signal::SIGSTOP);
        let path = format!("/proc/{}/stat", self.child.id());
        let begin = Instant::now();
        while !std::fs::read_to_string(&path).unwrap().contains(") T ") {
            assert!(begin.elapsed() < PATIENCE, "it does not stop");
            std::thread::yield_now();
        }
    }

    /// Ends it with a signal; it must end well. Returns its last line.
    pub(crate) fn stop(mut self, signal: Signal) -> String {
        self.signal(signal);
        let mut last = String::new();
        // The channel closes when the server does.
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            last = line;
        }
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}");
        last
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has most often ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
