//! The program under test.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use tempfile::TempDir;

/// How long anything may take on a busy machine before it counts as not happening.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How long a server may take to end when a test does.
const LAST_WORDS: Duration = Duration::from_secs(5);

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_fingerd");

/// A program of this folder that takes the place of `finger`.
pub(crate) fn finger(name: &str) -> String {
    format!("{}/tests/fingers/{name}.sh", env!("CARGO_MANIFEST_DIR"))
}

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

/// A server that runs, with its files in a folder of its own. Dropping it ends it.
pub(crate) struct Server {
    child: Child,
    pub(crate) folder: TempDir,
    address: SocketAddr,
}

impl Server {
    /// With this script in place of `finger`.
    pub(crate) fn with(script: &str, arguments: &[&str]) -> Server {
        Server::start(&[&["--finger", &finger(script)], arguments].concat())
    }

    pub(crate) fn start(arguments: &[&str]) -> Server {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Server::command(&folder, arguments);
        Server::spawn(&mut command, folder)
    }

    pub(crate) fn spawn(command: &mut Command, folder: TempDir) -> Server {
        let mut child = command.spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut first).unwrap();
        let address = first.trim_end().strip_prefix("listening on tcp ").expect(&first);
        Server { address: address.parse().unwrap(), child, folder }
    }

    /// The command of a server with its files in this folder.
    pub(crate) fn command(folder: &TempDir, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(["serve", "--port", "0"]).stdin(Stdio::null()).stdout(Stdio::piped());
        command.arg("--pid-file").arg(folder.path().join("pid"));
        command.arg("--log-file").arg(folder.path().join("log"));
        if geteuid().is_root() {
            // Whoever else it became could perhaps not reach the scripts.
            command.args(["--user", "root"]);
        }
        command.args(arguments);
        command
    }

    pub(crate) fn port(&self) -> String {
        self.address.port().to_string()
    }

    pub(crate) fn pid(&self) -> i32 {
        self.child.id().try_into().unwrap()
    }

    pub(crate) fn pid_file(&self) -> PathBuf {
        self.folder.path().join("pid")
    }

    pub(crate) fn connect(&self) -> TcpStream {
        connect((Ipv4Addr::LOCALHOST, self.address.port()).into())
    }

    /// All that it answers to this.
    pub(crate) fn ask(&self, query: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect();
        stream.write_all(query.as_ref()).unwrap();
        rest(stream)
    }

    /// A line of its log that has this in it, as soon as there is one.
    pub(crate) fn logs(&self, text: &str) -> String {
        wait_until(text, || {
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap();
            log.lines().find(|line| line.contains(text)).map(str::to_owned)
        })
    }

    pub(crate) fn stop(mut self, signal: Signal) -> TempDir {
        kill(Pid::from_raw(self.pid()), signal).unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}");
        std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has most often ended. If not, it is asked first: it ends its children itself.
        if let Ok(None) = self.child.try_wait() {
            let _ = kill(Pid::from_raw(self.pid()), Signal::SIGTERM);
            let begin = Instant::now();
            while matches!(self.child.try_wait(), Ok(None)) && begin.elapsed() < LAST_WORDS {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// All that still comes.
pub(crate) fn rest(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    // A client that has heard everything closes.
    let _ = stream.shutdown(Shutdown::Both);
    String::from_utf8(answer).unwrap()
}

/// Waits for what only looking can tell.
pub(crate) fn wait_until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(value) = found() {
            return value;
        }
        assert!(begin.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until a process has ended, buried or not.
pub(crate) fn wait_for_end(pid: &str) {
    wait_until(&format!("the end of {pid}"), || {
        let about = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let state = about.rsplit(')').next().unwrap_or_default().trim_start().to_owned();
        (state.is_empty() || state.starts_with(['Z', 'X'])).then_some(())
    });
}
