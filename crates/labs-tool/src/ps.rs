//! `labs ps`: which runs are alive, and where.

use std::collections::BTreeSet;
use std::time::Duration;

use clap::Args;
use netkit::run_id::RunId;
use serde::Serialize;

use crate::here::{self, Alive};
use crate::machines::{ANSWER_MAX, Machine, MachineArguments, status, with_all};
use crate::table;
use labs::cli::print;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    machines: MachineArguments,
    /// Print a list of JSON objects
    #[arg(long)]
    json: bool,
}

pub(crate) const ABOUT: &str = "\
    Looks at the processes of this machine, and over SSH at those of the machines of every \
    run whose launcher is here, or of --hosts. A launcher is the command in the foreground; \
    participants (p0, p1, ...) are the daemons that it started. Nothing is alive unless its \
    launcher is: a participant that no longer hears it ends within seconds, and the keeper \
    of its machine kills one that is stopped (SIGSTOP).\n\
    \n\
    Exit status: 0; 2 if a machine could not be asked.";

/// One process of a run.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub(crate) struct Row {
    pub(crate) run: RunId,
    /// None for the launcher.
    pub(crate) rank: Option<u32>,
    pub(crate) lab: String,
    pub(crate) host: String,
    pub(crate) pid: u32,
    pub(crate) since_s: u64,
    pub(crate) stopped: bool,
}

pub(crate) fn ps(arguments: &Arguments) -> anyhow::Result<u8> {
    let machines = arguments.machines.machines(&here::launchers())?;
    let (rows, problems) = everywhere(&machines);
    let status = status(&problems);
    print(&match (arguments.json, rows.is_empty()) {
        (true, _) => format!("{}\n", serde_json::to_string(&rows)?),
        (false, true) => "no run is alive\n".to_owned(),
        (false, false) => table(&rows),
    })?;
    Ok(status)
}

/// The processes of all runs on this machine and on these, and which machines could not be asked.
pub(crate) fn everywhere(machines: &[Machine]) -> (Vec<Row>, Vec<String>) {
    let answers =
        with_all(machines, |machine| (machine.label(), machine.ask::<Alive>(&["ps"], ANSWER_MAX)));
    let mut problems = Vec::new();
    let here = here::alive();
    let mut seen = BTreeSet::from([here.machine.clone()]);
    let mut rows = rows(&here.host.clone(), here);
    for (label, answer) in answers {
        match answer {
            // Two names may mean one machine.
            Ok(alive) if seen.insert(alive.machine.clone()) => {
                rows.extend(self::rows(&label, alive))
            }
            Ok(_) => {}
            Err(error) => problems.push(format!("{error:#}")),
        }
    }
    rows.sort_unstable();
    name_labs(&mut rows);
    (rows, problems)
}

fn rows(host: &str, alive: Alive) -> Vec<Row> {
    let launchers = alive.launchers.into_iter().map(|launcher| Row {
        run: launcher.run,
        rank: None,
        lab: launcher.lab,
        host: host.to_owned(),
        pid: launcher.pid,
        since_s: launcher.age.as_secs(),
        stopped: launcher.is_stopped,
    });
    let participants = alive.participants.into_iter().map(|participant| Row {
        run: participant.run,
        rank: Some(participant.rank),
        lab: lab_of(&participant.program).to_owned(),
        host: host.to_owned(),
        pid: participant.pid,
        since_s: participant.age.as_secs(),
        stopped: participant.is_stopped,
    });
    launchers.chain(participants).collect()
}

/// The lab whose program has this name: that of a copy ends in a hash.
fn lab_of(program: &str) -> &str {
    match program.rsplit_once('-') {
        Some((lab, hash)) if hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => lab,
        _ => program,
    }
}

/// Participants have the lab that their launcher names, where it is known.
fn name_labs(rows: &mut [Row]) {
    let known: Vec<_> = rows
        .iter()
        .filter(|row| row.rank.is_none())
        .map(|row| (row.run.clone(), row.lab.clone()))
        .collect();
    for row in rows {
        if let Some((_, lab)) = known.iter().find(|(run, _)| *run == row.run) {
            row.lab.clone_from(lab);
        }
    }
}

fn table(rows: &[Row]) -> String {
    let mut lines = vec![["RUN", "LAB", "WHO", "HOST", "PID", "SINCE", "STATE"].map(str::to_owned)];
    for row in rows {
        lines.push([
            row.run.to_string(),
            row.lab.clone(),
            row.rank.map_or("launcher".to_owned(), |rank| format!("p{rank}")),
            row.host.clone(),
            row.pid.to_string(),
            since(Duration::from_secs(row.since_s)),
            if row.stopped { "stopped" } else { "runs" }.to_owned(),
        ]);
    }
    table::of(&lines)
}

/// How long something has been there, in a word.
pub(crate) fn since(age: Duration) -> String {
    match age.as_secs() {
        seconds @ 0..=119 => format!("{seconds} s"),
        seconds @ 120..=7_199 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3_600),
    }
}

#[cfg(test)]
mod tests;
