//! What a launcher leaves in the folder of its run, so that `labs ps`, `labs stop` and `labs logs`
//! find it and its machines: `run.json`.
//!
//! It holds no secret: the run's own is in no file, and of keys only the paths. It is for the user
//! alone, as all in that folder. That it is there says nothing about whether the run still goes on;
//! the launcher's number and its start do.

use std::io::Write;

use anyhow::Context as _;
use netkit::census;
use netkit::files::read_whole;
use netkit::hosts::Hosts;
use netkit::launch::LaunchOptions;
use netkit::logs::RunFolder;
use netkit::run_id::RunId;
use serde::{Deserialize, Serialize};

use super::FOLDER;
use super::plan::Plan;

/// The name of the file.
pub const NAME: &str = "run.json";

/// The longest note that is read, in bytes: thousands of machines fit.
const NOTE_MAX: u64 = 4 << 20;

/// What there is to know about a run from outside.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct RunNote {
    /// Which lab.
    pub lab: String,
    /// Its name.
    pub run: RunId,
    /// How many participants it has.
    pub processes: u32,
    /// The command line after the verb.
    pub arguments: Vec<String>,
    /// The launcher's process on this machine.
    pub launcher: u32,
    /// When that was started, as [`census::started`] counts.
    pub launcher_started: u64,
    /// The machines that the run takes place on.
    pub hosts: Hosts,
    /// How to reach them.
    pub launch: LaunchOptions,
}

impl RunNote {
    /// The note that a launcher left on this machine. One that cannot be read is as good as none.
    pub fn of_run(run: &RunId) -> Option<Self> {
        Self::read(&RunFolder::open(FOLDER, run).ok()?).ok()?
    }

    /// The note of a run whose launcher this process is.
    pub(super) fn of(plan: &Plan) -> Self {
        let launcher = std::process::id();
        Self {
            lab: plan.header.identity.lab.clone(),
            run: plan.run.clone(),
            processes: plan.processes(),
            arguments: plan.header.arguments.clone(),
            launcher,
            launcher_started: census::started(launcher).unwrap_or_default(),
            hosts: plan.room.hosts.clone(),
            launch: plan.room.launch.clone(),
        }
    }

    pub(super) fn write(&self, folder: &RunFolder) -> anyhow::Result<()> {
        let mut file = folder.file(NAME)?;
        let text = serde_json::to_vec(self)?;
        file.write_all(&text)
            .with_context(|| format!("cannot write {}", folder.path().join(NAME).display()))
    }

    /// Reads the note in the folder of a run: none if its launcher was on another machine.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or is none.
    pub fn read(folder: &RunFolder) -> anyhow::Result<Option<Self>> {
        if !folder.files()?.iter().any(|(name, _)| name == NAME) {
            return Ok(None);
        }
        let place = folder.path().join(NAME);
        let note = read_whole(folder.read(NAME)?, NOTE_MAX).map_err(anyhow::Error::from);
        let note = note.and_then(|text| Ok(serde_json::from_slice(&text)?));
        note.map(Some).with_context(|| format!("{} cannot be read", place.display()))
    }

    /// Whether the launcher is there.
    pub fn is_alive(&self) -> bool {
        census::started(self.launcher) == Some(self.launcher_started)
    }
}
