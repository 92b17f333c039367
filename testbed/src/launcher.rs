//! A launcher that runs on the hub, and what came of it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::wait::wait_until;

/// A launcher that runs. Dropping it kills it.
#[derive(Debug)]
pub struct Launcher {
    child: Child,
    started: Instant,
    stdout: PathBuf,
    stderr: PathBuf,
}

/// How a launcher has ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its exit status; none if a signal ended it.
    pub status: Option<i32>,
    /// The report; null if there is none.
    pub report: Value,
    /// What it said on standard error.
    pub stderr: String,
    /// From its start to its end.
    pub took: Duration,
}

impl Launcher {
    /// Starts it, with its output in files of this name.
    pub(crate) fn start(mut command: Command, files: &Path) -> Launcher {
        let (stdout, stderr) = (files.with_extension("out"), files.with_extension("err"));
        let file = |path: &Path| File::create(path).expect("the room's folder can be written to");
        command.stdin(Stdio::null()).stdout(file(&stdout)).stderr(file(&stderr));
        let child = command.spawn().expect("bash is there");
        Launcher { child, started: Instant::now(), stdout, stderr }
    }

    /// Sends it a signal.
    ///
    /// # Panics
    ///
    /// If it has ended.
    pub fn signal(&mut self, signal: Signal) {
        assert!(self.is_running(), "the launcher has ended: {}", self.said());
        let pid = i32::try_from(self.child.id()).expect("process numbers are small");
        kill(Pid::from_raw(pid), signal).expect("it is a child of this process");
    }

    /// Whether it has not ended.
    ///
    /// # Panics
    ///
    /// If that cannot be found out.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("it is a child of this process").is_none()
    }

    /// Waits for something that shows while the launcher runs.
    ///
    /// # Panics
    ///
    /// If that takes longer than `at_most`, or the launcher ends before.
    pub fn while_running<T>(
        &mut self,
        what: &str,
        at_most: Duration,
        mut found: impl FnMut() -> Option<T>,
    ) -> T {
        wait_until(what, at_most, || {
            let value = found();
            assert!(value.is_some() || self.is_running(), "{what}: it ended: {}", self.said());
            value
        })
    }

    /// Waits until it says so on standard error.
    ///
    /// # Panics
    ///
    /// If that takes longer than `at_most`, or the launcher ends before.
    pub fn until_said(&mut self, what: &str, at_most: Duration) {
        let stderr = self.stderr.clone();
        let is_said = || fs::read_to_string(&stderr).is_ok_and(|text| text.contains(what));
        self.while_running(what, at_most, || is_said().then_some(()));
    }

    /// Waits for its end.
    ///
    /// # Panics
    ///
    /// If that takes longer than `at_most`.
    pub fn outcome(mut self, at_most: Duration) -> Outcome {
        let status: ExitStatus = wait_until("the end of the launcher", at_most, || {
            self.child.try_wait().expect("it is a child of this process")
        });
        let took = self.started.elapsed();
        let stdout = fs::read(&self.stdout).expect("this process made the file");
        let report = serde_json::from_slice(&stdout).unwrap_or(Value::Null);
        let stderr = fs::read_to_string(&self.stderr).expect("it says nothing but text");
        Outcome { status: status.code(), report, stderr, took }
    }

    fn said(&self) -> String {
        let text = |path| fs::read_to_string(path).unwrap_or_default();
        text(&self.stdout) + &text(&self.stderr)
    }
}

impl Drop for Launcher {
    fn drop(&mut self) {
        // It has most often ended, and been waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Outcome {
    /// Asserts that everything went well: exit status 0, and every property holds.
    ///
    /// # Panics
    ///
    /// If not.
    pub fn assert_holds(&self) {
        assert_eq!(self.status, Some(0), "{self:#?}");
        let properties = self.report["properties"].as_array().expect("the report lists properties");
        assert!(properties.len() >= 7, "{self:#?}");
        for property in properties {
            assert_eq!(property["holds"], true, "{property}");
        }
        assert!(self.report.get("problems").is_none(), "{self:#?}");
        assert!(self.report.get("killed").is_none(), "{self:#?}");
    }

    /// All that the report says went wrong, a line each.
    pub fn problems(&self) -> String {
        let problems = self.report["problems"].as_array();
        let lines = problems.into_iter().flatten().filter_map(Value::as_str);
        lines.map(|line| format!("{line}\n")).collect()
    }

    /// Asserts that it ended with this status and that the report's problems have these words in them.
    ///
    /// # Panics
    ///
    /// If not.
    pub fn assert_problem(&self, status: i32, words: &[&str]) {
        assert_eq!(self.status, Some(status), "{self:#?}");
        let problems = self.problems();
        for word in words {
            assert!(problems.contains(word), "no {word:?} in:\n{problems}");
        }
    }
}
