//! What the tests of this lab share.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use chang_roberts::broken::{Broken, BrokenNumbering};
use chang_roberts::election::Elect;
use chang_roberts::identities::{Identities, Initiators, Order};
use chang_roberts::lab::{ChangRobertsLab, Options};
use chang_roberts::numbering::Numbering;
use labs::lab::{Lab, Place};
use labs::overlay::ring::Closing;
use labs::simulate::{Ended, Limits, Network, Simulation};
use labs::trace::Recorder;
use labs::trace::format::Reader;
use labs::verdict::{End, Judge, Spec, StreamJudge, Verdict};

pub(crate) const CLOSINGS: [Closing; 2] = [Closing::Forward, Closing::First];

pub(crate) const ELECTS: [Elect; 2] = [Elect::Max, Elect::Min];

/// Random identities, all initiating, the greatest elected.
pub(crate) fn random(seed: u64) -> Options {
    let identities = Identities { seed, ..Identities::default() };
    Options::new(identities, Elect::Max, Closing::Forward)
}

/// These identities, that of p0 first.
pub(crate) fn given(
    given: Vec<u64>,
    initiators: Initiators,
    elect: Elect,
    closing: Closing,
) -> Options {
    let order = Order::File("given".into());
    Options::new(Identities { order, given, initiators, seed: 1 }, elect, closing)
}

/// These identities, that of p0 first; all initiate.
pub(crate) fn all_of(identities: &[u64]) -> Options {
    given(identities.to_vec(), Initiators::All, Elect::Max, Closing::Forward)
}

pub(crate) fn ring(processes: u32, options: &Options) -> Vec<Numbering> {
    let place = |rank| Place::simulated(rank, processes);
    (0..processes).map(|rank| ChangRobertsLab::process(options, &place(rank))).collect()
}

pub(crate) fn broken_ring(processes: u32, options: &Options, how: Broken) -> Vec<BrokenNumbering> {
    ring(processes, options).into_iter().map(|p| ChangRobertsLab::broken(p, &how)).collect()
}

pub(crate) fn specs(processes: u32, options: &Options) -> Vec<Spec> {
    ChangRobertsLab::properties(options, processes)
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
    let ended = simulation.run(Limits::default());
    let judge = simulation.into_observer().finish().unwrap();
    assert_eq!(ended, Ended::Quiet);
    (judge.verdicts(&ended.end()), judge)
}

/// The names of the properties that do not hold.
pub(crate) fn violated(verdicts: &[Verdict]) -> Vec<&str> {
    let broken = verdicts.iter().filter(|verdict| verdict.holds == Some(false));
    broken.map(|verdict| verdict.name.as_str()).collect()
}

/// The verdicts on a run, from its trace file alone.
pub(crate) fn judged_again(trace: &Path) -> Vec<Verdict> {
    let text = std::fs::read(trace).unwrap();
    let mut reader = Reader::new(text.as_slice()).unwrap();
    let header = reader.header().clone();
    let mut judge = StreamJudge::new(&header.properties, header.processes);
    for event in &mut reader {
        judge.observe(&event.unwrap()).unwrap();
    }
    judge.judge().verdicts(&End::Complete)
}

/// A run of the lab's program that has ended.
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) report: serde_json::Value,
}

impl Ran {
    pub(crate) fn holds(&self) -> bool {
        let verdicts = self.report["properties"].as_array().unwrap();
        !verdicts.is_empty() && verdicts.iter().all(|verdict| verdict["holds"] == true)
    }
}

pub(crate) fn output(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chang-roberts"));
    command.stdin(Stdio::null()).env_remove("RUST_LOG").args(arguments).output().unwrap()
}

/// Runs the program with `--json` to its end, and makes sure that nothing is left of it.
pub(crate) fn ran(arguments: &[&str]) -> Ran {
    let mut all = arguments.to_vec();
    all.push("--json");
    let output = output(&all);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error} in {output:?}"));
    assert_nothing_left(report["run"].as_str().unwrap());
    Ran { status: output.status.code().expect("it was not killed"), report }
}

/// Every process of the run that still lives; a zombie is not one, only the note of its end.
fn left_of(run: &str) -> Vec<u32> {
    let pids = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let is_of_run = |pid: &u32| {
        let Ok(words) = std::fs::read(format!("/proc/{pid}/cmdline")) else { return false };
        words.split(|&byte| byte == 0).any(|word| word == run.as_bytes())
    };
    pids.filter(is_of_run).collect()
}

#[expect(clippy::disallowed_methods, reason = "real processes take real time")]
fn assert_nothing_left(run: &str) {
    let started = Instant::now();
    while !left_of(run).is_empty() {
        assert!(started.elapsed() < Duration::from_secs(30), "{:?} are left", left_of(run));
        std::thread::park_timeout(Duration::from_millis(10));
    }
}
