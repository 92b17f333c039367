//! `labs ps`, `stop`, `logs` and `hosts`: this machine alone, and over SSH with a server inside the test.

#[path = "../common/mod.rs"]
mod common;
mod here;
mod hosts;
mod live;
mod over_ssh;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use self::common::greet;

/// A command of `labs` with these arguments.
fn command(arguments: &[&str]) -> Command {
    let mut labs = Command::new(env!("CARGO_BIN_EXE_labs"));
    labs.args(arguments).stdin(Stdio::null()).env_remove("RUST_LOG").env_remove("SSH_AUTH_SOCK");
    labs
}

/// What came of it.
fn labs(arguments: &[&str]) -> Said {
    Said::of(&command(arguments).output().unwrap())
}

#[derive(Debug)]
struct Said {
    status: i32,
    out: String,
    err: String,
}

impl Said {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let status = output.status.code().expect("it was not killed");
        Self { status, out: text(&output.stdout), err: text(&output.stderr) }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

/// A run of `greet` that has finished and stays, until this is dropped.
struct Staying {
    launcher: Child,
    run: String,
}

/// A test that failed leaves nothing.
impl Drop for Staying {
    fn drop(&mut self) {
        let _ = self.launcher.kill();
        let _ = self.launcher.wait();
    }
}

impl Staying {
    fn start(arguments: &[&str]) -> Self {
        let mut launcher = Command::new(greet())
            .args(["run", "--stay", "--json", "--timeout", "60"])
            .args(arguments)
            .env_remove("RUST_LOG")
            .env_remove("SSH_AUTH_SOCK")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stderr = BufReader::new(launcher.stderr.take().unwrap());
        stderr.read_line(&mut line).unwrap();
        let run = line.trim().strip_suffix('`').and_then(|line| line.rsplit(' ').next());
        let run = run.unwrap_or_else(|| panic!("it says how to end it: {line:?}")).to_owned();
        assert!(line.contains("labs stop"), "{line}");
        // The pipe stays open: what else it says must not end it.
        launcher.stderr = Some(stderr.into_inner());
        Self { launcher, run }
    }

    /// What it reports once it has ended.
    fn report(mut self) -> Said {
        let stdout = std::io::read_to_string(self.launcher.stdout.take().unwrap()).unwrap();
        let status = self.launcher.wait().unwrap();
        Said::of(&Output { status, stdout: stdout.into_bytes(), stderr: Vec::new() })
    }

    /// What `labs ps` shows of it, with these arguments.
    fn rows(&self, arguments: &[&str]) -> Vec<Value> {
        let said = labs(&[&["ps", "--json"], arguments].concat());
        assert_eq!(said.status, 0, "{said:?}");
        let rows = said.json();
        rows.as_array().unwrap().iter().filter(|row| row["run"] == *self.run).cloned().collect()
    }
}

/// A file of a folder, as an argument.
fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
