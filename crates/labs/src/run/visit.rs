//! A visit to another machine after a run: what is left there is ended, and what is wanted is fetched.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use log::warn;
use netkit::hosts::Host;
use netkit::launch::LaunchOptions;
use netkit::logs::RunFolder;
use netkit::ssh::Remote;

use super::REAP;
use super::plan::Plan;
use crate::process::ProcessId;

/// How long one machine may take when what is left on it is cleaned up or fetched.
const CLEAN_UP_MAX: Duration = Duration::from_secs(4);

/// The largest trace that is fetched from a machine whose participant died, in bytes.
const FETCH_MAX: u64 = 1 << 30;

/// How much of a trace is fetched at once, in bytes.
const PART: u64 = 8 << 20;

/// What a visit brought.
pub(super) struct Visit {
    pub(super) killed: Vec<String>,
    pub(super) fetched: BTreeMap<ProcessId, PathBuf>,
}

/// Ends what is left on one machine, and fetches traces from it.
pub(super) fn visit(
    host: &Host,
    traces: &[(ProcessId, PathBuf)],
    plan: &Plan,
    folder: &RunFolder,
) -> anyhow::Result<Visit> {
    let options = LaunchOptions {
        connect_timeout: CLEAN_UP_MAX,
        start_timeout: CLEAN_UP_MAX,
        ask: false,
        ..plan.launch.clone()
    };
    let mut remote = Remote::connect(host, &options)?;
    let program = match options.push {
        true => remote.push(&options.program)?,
        false => options.program.display().to_string(),
    };
    let output = remote.run(&[&program, REAP, "--run", plan.run.as_str()], &[], CLEAN_UP_MAX)?;
    let killed = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| line.strip_prefix("killed ").map(str::to_owned))
        .collect();
    let mut fetched = BTreeMap::new();
    for (process, path) in traces {
        match fetch(&mut remote, path, *process, folder) {
            Ok(path) => drop(fetched.insert(*process, path)),
            Err(error) => warn!("the trace of {process} could not be fetched: {error:#}"),
        }
    }
    Ok(Visit { killed, fetched })
}

/// Brings a trace here, part by part.
fn fetch(
    remote: &mut Remote,
    path: &Path,
    process: ProcessId,
    folder: &RunFolder,
) -> anyhow::Result<PathBuf> {
    let name = format!("fetched-{}", process.0);
    let mut file = folder.file(&name)?;
    let mut length = 0;
    loop {
        let part = remote.read_file(&path.to_string_lossy(), length, PART)?;
        file.write_all(&part).context("cannot write it here")?;
        length += part.len() as u64;
        anyhow::ensure!(length <= FETCH_MAX, "it is longer than {FETCH_MAX} bytes");
        if (part.len() as u64) < PART {
            return Ok(folder.path().join(name));
        }
    }
}
