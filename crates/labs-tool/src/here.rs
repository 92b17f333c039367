//! What this program says of the machine on which it runs: of runs that are alive here, and of what they left.
//!
//! `labs here ...` is for `labs` on another machine to call; for its own machine `labs` calls the functions.

use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;
use netkit::Signal;
use netkit::census::{self, RunProcess};
use netkit::logs::{self, RunFolder};
use netkit::run_id::RunId;
use serde::{Deserialize, Serialize};

use crate::machines::answer;
use labs::run::FOLDER;
use labs::run::note::RunNote;

/// How many runs of this machine are looked at for a launcher that is alive, the newest first.
const RUNS_MAX: usize = 2_000;

/// How long a launcher may take to clean up: it visits machines, and waits for those that do not answer.
const CLEAN_UP_MAX: Duration = Duration::from_secs(30);

/// How long a machine may take to answer when a run on it is ended.
pub(crate) const STOP_MAX: Duration = Duration::from_secs(45);

#[derive(Debug, Subcommand)]
pub(crate) enum Here {
    /// Which processes of runs are alive
    Ps,
    /// End a run
    // No `--run`: whoever ends a run goes by that, and would end this.
    Stop { run: RunId },
    /// Which logs a run left
    Logs { run: RunId },
    /// What there is to know before a run
    Check,
}

/// The runs of one machine.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Alive {
    /// What tells the machine from others.
    pub(crate) machine: String,
    /// What it is called there.
    pub(crate) host: String,
    pub(crate) launchers: Vec<LauncherProcess>,
    pub(crate) participants: Vec<RunProcess>,
}

/// A launcher that is there.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct LauncherProcess {
    pub(crate) run: RunId,
    pub(crate) lab: String,
    pub(crate) pid: u32,
    pub(crate) is_stopped: bool,
    pub(crate) age: Duration,
}

/// What was ended on one machine.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Ended {
    /// The launcher, which was asked to end, and whether it had to be killed.
    pub(crate) launcher: Option<(u32, bool)>,
    /// Participants that were killed.
    pub(crate) killed: Vec<u32>,
}

/// The logs of a run on one machine.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Logs {
    pub(crate) machine: String,
    /// The folder; none if the run was not here.
    pub(crate) folder: Option<PathBuf>,
    /// The names of the files, and their lengths.
    pub(crate) files: Vec<(String, u64)>,
}

impl Here {
    pub(crate) fn run(&self) -> anyhow::Result<u8> {
        match self {
            Self::Ps => answer(&alive())?,
            Self::Stop { run } => answer(&end(run))?,
            Self::Logs { run } => answer(&logs_of(run)?)?,
            Self::Check => answer(&crate::calls::look_for(std::io::stdin().lock())?)?,
        }
        Ok(0)
    }
}

/// The notes of the runs whose launchers are alive here, the newest first.
pub(crate) fn launchers() -> Vec<RunNote> {
    let runs = logs::runs(FOLDER).into_iter().take(RUNS_MAX);
    runs.filter_map(|run| RunNote::of_run(&run)).filter(RunNote::is_alive).collect()
}

/// The runs of this machine.
pub(crate) fn alive() -> Alive {
    let launchers = launchers().into_iter().filter_map(|note| {
        let (is_stopped, age) = census::look_at(note.launcher)?;
        let RunNote { run, lab, launcher: pid, .. } = note;
        Some(LauncherProcess { run, lab, pid, is_stopped, age })
    });
    Alive {
        machine: census::machine(),
        host: labs::run::host_name(),
        launchers: launchers.collect(),
        participants: census::of_runs(),
    }
}

/// Ends a run on this machine. Its launcher, if it is here, is asked, for it cleans up everywhere; what is left
/// then is killed.
pub(crate) fn end(run: &RunId) -> Ended {
    let launcher = RunNote::of_run(run).filter(RunNote::is_alive).and_then(|note| {
        let (pid, at) = (note.launcher, note.launcher_started);
        // One that is stopped does not hear.
        let asked = census::signal(pid, at, Signal::SIGTERM);
        census::signal(pid, at, Signal::SIGCONT);
        let has_ended = census::wait_for(pid, at, CLEAN_UP_MAX);
        let was_killed = !has_ended && census::signal(pid, at, Signal::SIGKILL);
        asked.then_some((pid, was_killed))
    });
    Ended { launcher, killed: netkit::reap::reap(run, Signal::SIGKILL) }
}

/// The logs that a run left on this machine.
pub(crate) fn logs_of(run: &RunId) -> anyhow::Result<Logs> {
    let machine = census::machine();
    if !logs::runs(FOLDER).contains(run) {
        return Ok(Logs { machine, folder: None, files: Vec::new() });
    }
    let folder = RunFolder::open(FOLDER, run)?;
    let files = folder.files()?.into_iter().filter(|(name, _)| name.ends_with(".log")).collect();
    Ok(Logs { machine, folder: Some(folder.path().to_owned()), files })
}
