//! The coordinator and the client as programs.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use mutex_central::shared_file;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::PROGRAM;

/// A program that was started, and ends with the test.
pub(crate) struct Role {
    pub(crate) child: Child,
    out: BufReader<ChildStdout>,
}

impl Role {
    pub(crate) fn start(folder: &Path, arguments: &[&str]) -> Self {
        Self::start_as(PROGRAM.command(), folder, arguments)
    }

    /// The same, by this command.
    pub(crate) fn start_as(mut command: Command, folder: &Path, arguments: &[&str]) -> Self {
        command.args(arguments).args(["--secret", "secret"]).current_dir(folder);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self { child, out }
    }

    /// A coordinator, and where it listens.
    pub(crate) fn coordinator(folder: &Path, listen: &str, more: &[&str]) -> (Self, String) {
        let mut role = Self::start(folder, &[&["coordinator", "--listen", listen], more].concat());
        let mut line = role.line();
        if line.starts_with("goes on") {
            line = role.line();
        }
        let address = line.strip_prefix("listens on ").and_then(|rest| rest.split(';').next());
        let address = address.unwrap_or_else(|| panic!("{line:?}")).to_owned();
        (role, address)
    }

    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    /// Its exit status, and what it said since.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), rest)
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// So many sections are in the shared file, none within another, each with a greater token than the one before.
pub(crate) fn assert_file_holds(path: &Path, sections: usize) {
    let ends = std::fs::read_to_string(path).unwrap();
    let ends = ends.lines().filter(|line| line.starts_with("end ")).count();
    assert_eq!(ends, sections);
    for verdict in shared_file::judge(path, sections as u64, true) {
        assert_eq!(verdict.holds(), Some(true), "{verdict:?}");
    }
}
