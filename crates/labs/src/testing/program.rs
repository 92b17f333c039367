//! Runs of a lab's program.

use std::cell::OnceCell;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use super::processes::{
    assert_nothing_left, command_line, connections, running_processes, sockets, wait_until,
};
use crate::verdict::Verdict;

/// A lab's program, by its path: `env!("CARGO_BIN_EXE_token-ring")`.
#[derive(Clone, Copy, Debug)]
pub struct Program(pub &'static str);

impl Program {
    /// A command that starts it, with nothing on its standard input.
    pub fn command(self) -> Command {
        let mut command = Command::new(self.0);
        command.stdin(Stdio::null()).env_remove("RUST_LOG");
        command
    }

    /// What came of it with these arguments.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn output(self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().expect("the program starts")
    }

    /// Runs it with `--json` to its end, and makes sure that nothing is left of the run.
    ///
    /// # Panics
    ///
    /// If it cannot be started, prints no report, or leaves something.
    pub fn ran(self, arguments: &[&str]) -> Ran {
        let mut all = arguments.to_vec();
        all.push("--json");
        let ran = Ran::of(&self.output(&all));
        assert_nothing_left(ran.report["run"].as_str().expect("a report names its run"));
        ran
    }

    /// The verdicts on a trace, from its file and what the program knows of its lab.
    ///
    /// # Panics
    ///
    /// If it is not the trace of a run of this lab.
    pub fn verified(self, trace: &Path) -> Vec<Verdict> {
        let trace = trace.to_str().expect("the tests name their files in UTF-8");
        let Ran { report, .. } = Ran::of(&self.output(&["verify", "--json", trace]));
        serde_json::from_value(report["properties"].clone()).expect("a report has verdicts")
    }

    /// Starts it with these arguments and `--json`.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn start(self, arguments: &[&str]) -> Running {
        let mut command = self.command();
        command.args(arguments).arg("--json").stdout(Stdio::piped()).stderr(Stdio::piped());
        Running::new(command.spawn().expect("the program starts"))
    }
}

/// A run of the program that has ended.
#[derive(Clone, Debug)]
pub struct Ran {
    /// Its exit status.
    pub status: i32,
    /// What it reported, as JSON.
    pub report: serde_json::Value,
    /// What it said on standard error.
    pub stderr: String,
}

impl Ran {
    /// Reads what it said.
    ///
    /// # Panics
    ///
    /// If it printed no report, or was killed.
    pub fn of(output: &Output) -> Self {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let report = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error} in {output:?}"));
        Self { status: output.status.code().expect("it was not killed"), report, stderr }
    }

    /// Whether all properties hold, of which there is at least one.
    ///
    /// # Panics
    ///
    /// If the report has no list of properties.
    pub fn holds(&self) -> bool {
        let verdicts = self.verdicts();
        !verdicts.is_empty() && verdicts.iter().all(|verdict| verdict["holds"] == true)
    }

    /// Whether the property of this name holds: true, false, or null.
    ///
    /// # Panics
    ///
    /// If the report has no such property.
    pub fn verdict(&self, name: &str) -> &serde_json::Value {
        let verdict = self.verdicts().iter().find(|verdict| verdict["name"] == name);
        &verdict.unwrap_or_else(|| panic!("no {name:?} in {}", self.report))["holds"]
    }

    /// Why the run did not come to its end.
    pub fn problems(&self) -> String {
        self.report["problems"].to_string()
    }

    fn verdicts(&self) -> &[serde_json::Value] {
        self.report["properties"].as_array().expect("a report lists the properties")
    }
}

/// A run in progress.
#[derive(Debug)]
pub struct Running {
    /// The launcher, whose standard output is a pipe, and its standard error was one.
    pub launcher: Child,
    /// The name of the run, once a participant was seen.
    run: OnceCell<String>,
    /// What it said on standard error, as far as it was read, and where the rest comes from.
    said: String,
    stderr: Option<BufReader<ChildStderr>>,
}

impl Running {
    /// The run of this launcher.
    pub fn new(mut launcher: Child) -> Self {
        let stderr = launcher.stderr.take().map(BufReader::new);
        Self { launcher, run: OnceCell::new(), said: String::new(), stderr }
    }

    /// Reads what the launcher says on standard error, line by line, until this is all that was waited for. What was
    /// read before does not count.
    ///
    /// # Panics
    ///
    /// If it comes to its end before.
    pub fn read_until(&mut self, what: &str, mut is_all: impl FnMut(&str) -> bool) {
        let stderr = self.stderr.as_mut().expect("standard error was a pipe");
        loop {
            let from = self.said.len();
            let bytes = stderr.read_line(&mut self.said).expect("a pipe can be read");
            assert!(bytes > 0, "it never says {what}, but {}", self.said);
            if is_all(self.said[from..].trim_end()) {
                return;
            }
        }
    }

    /// The process ids of the participants that live, in the order of their ranks.
    ///
    /// # Panics
    ///
    /// If the system does not tell which processes there are.
    pub fn pids(&self) -> Vec<u32> {
        self.participants().into_iter().map(|(_, pid)| pid).collect()
    }

    /// The participants that live: their ranks and process ids, in this order.
    ///
    /// # Panics
    ///
    /// If the system does not tell which processes there are.
    pub fn participants(&self) -> Vec<(u32, u32)> {
        let listening = sockets(self.launcher.id());
        // Daemons have no other tie to their launcher than the connection to it. The run's name and the
        // rank stand on their command lines.
        let mine = running_processes().into_iter().filter_map(|pid| {
            let words = command_line(pid)?;
            let after = |option: &str| {
                let at = words.iter().position(|word| word == option)?;
                words.get(at + 1).cloned()
            };
            let (run, rank) = (after("--run")?, after("--rank")?.parse().ok()?);
            let known = self.run.get().is_none_or(|mine| *mine == run);
            let is_mine =
                known && connections(pid).iter().any(|(_, peer)| listening.contains(peer));
            is_mine.then(|| {
                self.run.get_or_init(|| run);
                (rank, pid)
            })
        });
        let mut mine: Vec<_> = mine.collect();
        mine.sort_unstable();
        mine
    }

    /// The name of the run.
    ///
    /// # Panics
    ///
    /// If no participant lives, and none was seen before.
    pub fn run(&self) -> &str {
        if self.run.get().is_none() {
            self.participants();
        }
        self.run.get().expect("a participant lives, or was seen")
    }

    /// Presses Ctrl-C as soon as the launcher catches it, and waits for the end.
    ///
    /// # Panics
    ///
    /// If the launcher does not catch it, or prints no report.
    pub fn interrupt(self) -> Ran {
        let pid = self.launcher.id();
        wait_until("it catches Ctrl-C", || catches(pid, INTERRUPT));
        let number = format!("-{INTERRUPT}");
        let status = Command::new("kill").args([number, pid.to_string()]).status();
        assert!(status.is_ok_and(|status| status.success()), "{pid} cannot be interrupted");
        self.end()
    }

    /// Waits for the end.
    ///
    /// # Panics
    ///
    /// If the launcher prints no report.
    pub fn end(mut self) -> Ran {
        let (mut stdout, mut stderr) = (Vec::new(), self.said.into_bytes());
        let out = self.launcher.stdout.take().expect("standard output is a pipe");
        let err = self.stderr.expect("standard error was a pipe");
        // Both at once: a launcher that cannot write to one of them waits, and writes nothing to the other.
        std::thread::scope(|scope| {
            scope.spawn(|| read_all(err, &mut stderr));
            read_all(out, &mut stdout);
        });
        let status = self.launcher.wait().expect("the launcher is a child of this process");
        Ran::of(&Output { status, stdout, stderr })
    }
}

/// The number of SIGINT, everywhere.
const INTERRUPT: u32 = 2;

/// Whether a process has a handler for a signal.
fn catches(pid: u32, signal: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0");
    u64::from_str_radix(caught.trim(), 16).is_ok_and(|set| set & (1 << (signal - 1)) != 0)
}

fn read_all(mut from: impl Read, to: &mut Vec<u8>) {
    from.read_to_end(to).expect("a pipe can be read to its end");
}
