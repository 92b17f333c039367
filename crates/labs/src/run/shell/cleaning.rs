//! Cleaning up after a run: what is left of it is ended on every machine, and what is wanted is
//! fetched.
//!
//! Machines on which everyone took leave, or on which nothing was started, are not visited.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use log::warn;
use netkit::Signal;
use netkit::hosts::Host;
use netkit::launch::LaunchOptions;
use netkit::logs::RunFolder;
use netkit::ssh::Remote;
use netkit::threads;

use crate::process::ProcessId;
use crate::run::REAP;
use crate::run::conductor::{Handing, Loss, Member};
use crate::run::journal::trace_name;
use crate::run::plan::{Plan, host_label};
use crate::run::runner::conductor::Launcher;

/// How long one machine may take when what is left on it is cleaned up or fetched.
const CLEAN_UP_MAX: Duration = Duration::from_secs(4);

/// The largest trace that is fetched from a machine whose participant died, in bytes.
const FETCH_MAX: u64 = 1 << 30;

/// How much of a trace is fetched at once, in bytes.
const PART: u64 = 8 << 20;

/// How many machines are visited at once: several lines of the host file may name one server, and a
/// usual one drops connections beyond ten.
const VISITS_AT_ONCE: usize = 8;

/// The traces that are to be fetched from a machine, by who wrote them.
type Traces = Vec<(ProcessId, PathBuf)>;

/// What was left of a run on the machines.
pub(in crate::run) struct Remains {
    /// What could not end by itself.
    pub(in crate::run) killed: Vec<String>,
    /// The traces of those that died.
    pub(in crate::run) fetched: BTreeMap<ProcessId, PathBuf>,
    /// The machines that could not be reached, and that the others went on without: a line for each.
    pub(in crate::run) unreachable: Vec<String>,
}

impl Launcher<'_> {
    /// Ends what is left on all machines, and fetches the traces of those who died. Machines on
    /// which everyone took leave, or on which nothing was started, are not visited.
    pub(in crate::run) fn clean_up(&mut self) -> Remains {
        let mut killed = Vec::new();
        let mut fetched = BTreeMap::new();
        let members = &self.conductor.members;
        let unclean: BTreeSet<usize> = members
            .iter()
            .filter(|member| !member.took_leave() && member.loss() != Some(Loss::Unreached))
            .map(|member| member.host)
            .collect();
        let is_local = |index: usize| self.plan.room.hosts.get(index).is_some_and(Host::is_local);
        if members.iter().any(|member| is_local(member.host)) {
            let pids = netkit::reap::reap(&self.plan.run, Signal::SIGKILL);
            let lost = pids.iter().filter(|pid| {
                members.iter().any(|member| member.pid() == **pid && member.is_left())
            });
            killed.extend(lost.map(|pid| format!("process {pid} here")));
        }
        let dead: Vec<_> = self
            .conductor
            .ranked()
            .filter(|(_, member)| !matches!(member.handing, Handing::Collected { .. }))
            .filter(|(_, member)| member.known().is_some() && self.plan.journals_on_disk())
            .map(|(process, member)| (process, member.host, member.trace_path(process)))
            .collect();
        for (process, host, path) in &dead {
            if is_local(*host) && path.exists() {
                fetched.insert(*process, path.clone());
            }
        }
        let visits: Vec<_> = unclean
            .into_iter()
            .filter(|&index| !is_local(index))
            .filter_map(|index| {
                let host = self.plan.room.hosts.get(index)?.clone();
                let traces: Vec<_> = dead
                    .iter()
                    .filter(|(_, at, _)| *at == index)
                    .map(|(process, _, path)| (*process, path.clone()))
                    .collect();
                Some((index, host, traces))
            })
            .collect();
        let (plan, folder) = (&*self.plan, self.journals.folder());
        let results =
            threads::map(&visits, VISITS_AT_ONCE, |(index, host, traces): &(_, Host, Traces)| {
                (*index, host_label(host), visit(host, traces, plan, folder))
            });
        let mut unreachable = Vec::new();
        for (index, host, result) in results {
            match result {
                Ok(visit) => {
                    killed
                        .extend(visit.killed.iter().map(|pid| format!("process {pid} on {host}")));
                    fetched.extend(visit.fetched);
                }
                Err(error) => {
                    let why = format!(
                        "{host} could not be cleaned up ({error:#}): what runs there ends by itself within \
                         seconds, for it no longer hears the launcher"
                    );
                    match self.is_given_up(index) {
                        true => unreachable.push(why),
                        false => self.conductor.problems.push(why),
                    }
                }
            }
        }
        Remains { killed, fetched, unreachable }
    }

    /// Whether the others went on without all participants of this machine.
    fn is_given_up(&self, index: usize) -> bool {
        let mut there = self.conductor.members.iter().filter(|member| member.host == index);
        there.all(|member| self.was_survived(member))
    }
}

impl Member {
    /// It is gone without leave, or still there.
    fn is_left(&self) -> bool {
        self.loss.is_some() || self.is_connected
    }

    /// It was there, and has ended as it was told to.
    fn took_leave(&self) -> bool {
        self.hello.is_some() && !self.is_left()
    }

    /// Where its trace is on its machine.
    fn trace_path(&self, process: ProcessId) -> PathBuf {
        let log = self.known().map(|hello| hello.log.as_str()).unwrap_or_default();
        PathBuf::from(log).with_file_name(trace_name(process.0))
    }
}

/// What a visit brought.
pub(in crate::run) struct Visit {
    pub(in crate::run) killed: Vec<String>,
    pub(in crate::run) fetched: BTreeMap<ProcessId, PathBuf>,
}

/// Ends what is left on one machine, and fetches traces from it.
pub(in crate::run) fn visit(
    host: &Host,
    traces: &[(ProcessId, PathBuf)],
    plan: &Plan,
    folder: &RunFolder,
) -> anyhow::Result<Visit> {
    let options = LaunchOptions {
        connect_timeout: CLEAN_UP_MAX,
        start_timeout: CLEAN_UP_MAX,
        ask: false,
        ..plan.room.launch.clone()
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
