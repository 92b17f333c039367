//! What the tests of this lab share.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use labs::lab::{Lab, Place};
use labs::overlay::ring::Closing;
use labs::simulate::{Ended, Limits, Network, Simulation};
use labs::trace::Recorder;
use labs::verdict::{Judge, Spec, Verdict};
use token_ring::broken::{Broken, BrokenTokenRing};
use token_ring::lab::{Options, TokenRingLab};
use token_ring::token_ring::TokenRing;

pub(crate) const CLOSINGS: [Closing; 2] = [Closing::Forward, Closing::First];

pub(crate) fn ring(processes: u32, options: &Options) -> Vec<TokenRing> {
    let place = |rank| Place::simulated(rank, processes);
    (0..processes).map(|rank| TokenRingLab::process(options, &place(rank))).collect()
}

pub(crate) fn broken_ring(processes: u32, options: &Options, how: Broken) -> Vec<BrokenTokenRing> {
    ring(processes, options).into_iter().map(|p| TokenRingLab::broken(p, &how)).collect()
}

pub(crate) fn specs(processes: u32, options: &Options) -> Vec<Spec> {
    TokenRingLab::properties(options, processes)
}

/// A simulated run, judged: its verdicts and its counts.
pub(crate) fn simulate<P: labs::process::Process>(
    seed: u64,
    network: Network,
    all: Vec<P>,
    specs: &[Spec],
) -> (Vec<Verdict>, Judge) {
    let processes = all.len() as u32;
    let recorder = Recorder::new(processes, Judge::new(specs, processes));
    let mut simulation = Simulation::new(seed, network, all, recorder).unwrap();
    // A token that doubled at every hop would never let the run come to rest.
    let ended = simulation.run(Limits { events: 20_000, ..Limits::default() });
    let judge = simulation.into_observer().finish().unwrap();
    assert!(matches!(ended, Ended::Quiet | Ended::EventLimit(_)));
    (judge.verdicts(&ended.end()), judge)
}

/// The names of the properties that do not hold.
pub(crate) fn violated(verdicts: &[Verdict]) -> Vec<&str> {
    let broken = verdicts.iter().filter(|verdict| verdict.holds == Some(false));
    broken.map(|verdict| verdict.name.as_str()).collect()
}

/// The lab's program.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_token-ring"));
    command.stdin(Stdio::null()).env_remove("RUST_LOG");
    command
}

/// A run that has ended.
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) report: serde_json::Value,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn of(output: &Output) -> Self {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let report = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error} in {output:?}"));
        Self { status: output.status.code().expect("it was not killed"), report, stderr }
    }

    pub(crate) fn holds(&self) -> bool {
        let verdicts = self.report["properties"].as_array().unwrap();
        !verdicts.is_empty() && verdicts.iter().all(|verdict| verdict["holds"] == true)
    }

    pub(crate) fn problems(&self) -> String {
        self.report["problems"].to_string()
    }
}

/// Runs the program with `--json` to its end, and makes sure that nothing is left of it.
pub(crate) fn ran(arguments: &[&str]) -> Ran {
    let output = program().args(arguments).arg("--json").output().unwrap();
    let ran = Ran::of(&output);
    assert_nothing_left(ran.report["run"].as_str().unwrap());
    ran
}

/// A run in progress.
pub(crate) struct Running {
    pub(crate) launcher: Child,
    pub(crate) folder: std::path::PathBuf,
}

impl Running {
    /// Starts a run that would last for minutes, and waits until the token circulates: until `file`, to
    /// which the processes write, has some lines.
    pub(crate) fn start(file: &Path, arguments: &[&str]) -> Self {
        let launcher = program()
            .args(["run", "--laps", "1000000", "--work", "1", "--json", "--timeout", "120"])
            .arg("--file")
            .arg(file)
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut this = Self { launcher, folder: std::path::PathBuf::new() };
        wait_until("the token circulates", || {
            std::fs::read_to_string(file).is_ok_and(|text| text.lines().count() > 20)
        });
        let pid = this.pids()[0];
        let log = std::fs::read_dir(format!("/proc/{pid}/fd"))
            .unwrap()
            .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
            .find(|path| path.extension().is_some_and(|extension| extension == "log"))
            .unwrap();
        this.folder = log.parent().unwrap().to_owned();
        this
    }

    pub(crate) fn run(&self) -> &str {
        self.folder.file_name().unwrap().to_str().unwrap()
    }

    /// The process ids of the participants, by rank.
    pub(crate) fn pids(&self) -> Vec<u32> {
        // Those that this launcher started: their parents are gone, but the run's name is known from
        // any of them, and the ranks from their command lines.
        let mine = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
            let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let words = command_line(pid)?;
            let at = words.iter().position(|word| word == "--rank")?;
            let rank: u32 = words.get(at + 1)?.parse().ok()?;
            let run = words[words.iter().position(|word| word == "--run")? + 1].clone();
            let newest = self.folder.as_os_str().is_empty() || run == self.run();
            (newest && has_parent_run(pid, self.launcher.id())).then_some((rank, pid))
        });
        let mut mine: Vec<_> = mine.collect();
        mine.sort_unstable();
        mine.into_iter().map(|(_, pid)| pid).collect()
    }

    pub(crate) fn end(mut self) -> Ran {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        self.launcher.stdout.take().unwrap().read_to_end(&mut stdout).unwrap();
        self.launcher.stderr.take().unwrap().read_to_end(&mut stderr).unwrap();
        let status = self.launcher.wait().unwrap();
        Ran::of(&Output { status, stdout, stderr })
    }
}

/// Whether a participant holds a connection to this launcher: daemons have no other tie to it.
fn has_parent_run(pid: u32, launcher: u32) -> bool {
    let listening = sockets(launcher);
    connections(pid).iter().any(|(_, peer)| listening.contains(peer))
}

/// The local ports of the TCP sockets of a process.
pub(crate) fn sockets(pid: u32) -> Vec<u16> {
    connections(pid).into_iter().map(|(local, _)| local).collect()
}

/// The TCP sockets of a process: their local ports, and those at the other end (0 if it listens).
pub(crate) fn connections(pid: u32) -> Vec<(u16, u16)> {
    let Ok(fds) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    let inodes: Vec<String> = fds
        .filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok())
        .filter_map(|link| {
            let link = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned();
            Some(link)
        })
        .collect();
    let port = |address: &str| u16::from_str_radix(address.split(':').nth(1)?, 16).ok();
    ["tcp", "tcp6"]
        .iter()
        .filter_map(|table| std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).ok())
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .filter_map(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            let inode = words.get(9)?;
            let mine = inodes.iter().any(|other| other == inode);
            if mine { Some((port(words[1])?, port(words[2])?)) } else { None }
        })
        .collect()
}

pub(crate) fn command_line(pid: u32) -> Option<Vec<String>> {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    Some(bytes.split(|&b| b == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect())
}

/// Every process of the run that still lives; a zombie is not one, only the note of its end.
pub(crate) fn left_of(run: &str) -> Vec<u32> {
    let pids = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|&pid| command_line(pid).is_some_and(|words| words.iter().any(|w| w == run)))
        .collect()
}

pub(crate) fn assert_nothing_left(run: &str) {
    wait_until("nothing is left of the run", || left_of(run).is_empty());
}

#[expect(clippy::disallowed_methods, reason = "real processes take real time")]
/// Waits for something that is about to happen, at most as long as the issue of a run may take.
pub(crate) fn wait_until(what: &str, mut happened: impl FnMut() -> bool) {
    let started = Instant::now();
    while !happened() {
        assert!(started.elapsed() < Duration::from_secs(30), "waited in vain until {what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}
