//! What a participant must know, handed to it on its standard input: the run's secret is part of
//! it, and must not stand on a command line, in an environment variable or in a file.

use std::collections::BTreeSet;
use std::io::Read;
use std::net::SocketAddr;

use netkit::files::read_whole;
use netkit::hosts::Hosts;
use netkit::launch::LaunchOptions;
use netkit::membership::Secret;
use netkit::run_id::RunId;
use serde::{Deserialize, Serialize};

use crate::overlay::Overlay;
use crate::process::ProcessId;
use crate::trace::Whereabouts;

/// The longest configuration that is read, in bytes: thousands of hosts fit.
const CONFIG_MAX: u64 = 4 << 20;

/// What one participant must know.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Config {
    /// The name of the run.
    pub(crate) run: RunId,
    /// What its members prove to each other that they know.
    pub(crate) secret: Secret,
    pub(crate) rank: u32,
    pub(crate) processes: u32,
    /// Where each participant finds the launcher.
    pub(crate) launcher: Vec<SocketAddr>,
    /// What random choices are drawn from.
    pub(crate) seed: u64,
    pub(crate) duties: Duties,
    /// The largest body of a frame, in bytes.
    pub(crate) max_frame: usize,
    pub(crate) made_of: MadeOf,
    /// Unless the launcher starts all: how this participant starts those below it.
    pub(crate) relay: Option<Relay>,
    /// The participants that start a keeper: the first on each machine.
    pub(crate) keepers: BTreeSet<u32>,
    /// Whether the folders of old runs stay.
    pub(crate) keep: bool,
    /// What goes wrong, as the text of a plan.
    pub(crate) faults: String,
    /// If it starts again where one of this rank has died: what is left of that one.
    pub(crate) again: Option<Again>,
}

/// What a participant must know of the one of its rank that died.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Again {
    /// The rules of the plan that have struck that one, and strike no more.
    pub(crate) spent: Vec<usize>,
    /// Where its rank was when the run began: its process was made there.
    pub(crate) first: Whereabouts,
}

/// What a participant does beside the algorithm.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Duties {
    /// Write a trace.
    pub(crate) trace: bool,
    /// Hand over the log, where the run is followed.
    pub(crate) show_log: bool,
    /// Watch the neighbours.
    pub(crate) watch: bool,
}

/// What the lab makes the process of.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct MadeOf {
    /// The lab's options, as JSON.
    pub options: serde_json::Value,
    /// The mistake to make, if any, as JSON.
    pub broken: Option<serde_json::Value>,
}

/// How a participant starts others.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Relay {
    pub(crate) hosts: Hosts,
    /// The machine of each participant, an index into `hosts`.
    pub(crate) placement: Vec<usize>,
    pub(crate) launch: LaunchOptions,
    /// The overlay in which each participant starts those below it. In a chain each starts the next.
    pub(crate) tree: Option<Overlay>,
}

impl Relay {
    /// Those that `rank` starts.
    pub(crate) fn below(&self, rank: u32) -> Vec<u32> {
        let processes = self.placement.len() as u32;
        match self.tree {
            Some(overlay) => overlay.below(ProcessId(rank), processes).map(|p| p.0).collect(),
            None => (rank + 1..processes).take(1).collect(),
        }
    }
}

impl Config {
    /// Where this participant finds the launcher.
    pub(crate) fn launcher_address(&self) -> Option<SocketAddr> {
        self.launcher.get(self.rank as usize).or(self.launcher.first()).copied()
    }

    /// Whether this participant starts the keeper of its machine. That outlives the participant.
    pub(crate) fn starts_keeper(&self) -> bool {
        self.again.is_none() && self.keepers.contains(&self.rank)
    }

    /// Reads a configuration to its end.
    pub(crate) fn read(from: &mut dyn Read) -> anyhow::Result<Self> {
        let config: Self = serde_json::from_slice(&read_whole(from, CONFIG_MAX)?)?;
        anyhow::ensure!(
            config.rank < config.processes,
            "rank {} of {}",
            config.rank,
            config.processes
        );
        anyhow::ensure!(!config.launcher.is_empty(), "it does not say where the launcher is");
        Ok(config)
    }

    /// As it is handed over.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("maps with string keys always have a JSON form")
    }
}
