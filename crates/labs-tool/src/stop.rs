//! `labs stop`: ends a run, wherever it is.

use anyhow::anyhow;
use clap::Args;
use netkit::logs;
use netkit::run_id::RunId;
use serde::Serialize;

use crate::here::{self, Ended, STOP_MAX};
use crate::machines::{MachineArguments, status, with_all};
use crate::ps::everywhere;
use labs::cli::print;
use labs::run::FOLDER;
use labs::run::note::RunNote;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The name of the run, as reports and `labs ps` show it [default: the newest that is alive]
    run: Option<RunId>,
    #[command(flatten)]
    machines: MachineArguments,
    /// Print what was ended as one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) const ABOUT: &str = "\
    If the launcher of the run is on this machine, it is asked to end, as by Ctrl-C: it \
    stops the processes on all machines, collects what they wrote down, and prints its \
    report where it runs. What is left of the run then, or if its launcher is dead, is \
    killed, here and on the machines of the run (those of --hosts, else those that the \
    launcher noted in /tmp/labs-USER/RUN/run.json).\n\
    \n\
    Exit status: 0 if nothing of the run is left; 2 if there is no such run, or a machine \
    could not be asked.";

/// What was ended.
#[derive(Debug, Serialize)]
struct Stopped {
    run: Option<RunId>,
    launcher: Option<u32>,
    /// `host: process` of each participant that was killed.
    killed: Vec<String>,
    problems: Vec<String>,
}

pub(crate) fn stop(arguments: &Arguments) -> anyhow::Result<u8> {
    let mut problems = Vec::new();
    let run = match &arguments.run {
        Some(run) => Some(run.clone()),
        None => {
            let machines = arguments.machines.machines(&here::launchers())?;
            let (rows, not_asked) = everywhere(&machines);
            problems.extend(not_asked);
            rows.into_iter().map(|row| row.run).max()
        }
    };
    let mut stopped = Stopped { run: run.clone(), launcher: None, killed: Vec::new(), problems };
    let is_named = arguments.run.is_some();
    if let Some(run) = run {
        let was_here = logs::runs(FOLDER).contains(&run);
        end(arguments, &run, &mut stopped)?;
        let found = stopped.launcher.is_some() || !stopped.killed.is_empty();
        if is_named && !found && !was_here && stopped.problems.is_empty() {
            return Err(anyhow!(
                "there is no run {run} here; --hosts FILE names machines where it may be, and `labs ps` \
                 shows what is alive"
            ));
        }
    }
    let status = status(&stopped.problems);
    print(&match arguments.json {
        true => format!("{}\n", serde_json::to_string(&stopped)?),
        false => text(&stopped),
    })?;
    Ok(status)
}

/// Ends the run here, and then what is left of it elsewhere.
fn end(arguments: &Arguments, run: &RunId, stopped: &mut Stopped) -> anyhow::Result<()> {
    let note = RunNote::of_run(run);
    let machines = arguments.machines.machines(note.as_slice())?;
    let here = here::end(run);
    stopped.add(&labs::run::host_name(), &here);
    let launcher_ended = matches!(here.launcher, Some((_, false)));
    if launcher_ended && arguments.machines.hosts.is_none() {
        // It has cleaned up on its machines itself, and said where it could not.
        return Ok(());
    }
    let words = ["stop", run.as_str()];
    let answers =
        with_all(&machines, |machine| (machine.label(), machine.ask::<Ended>(&words, STOP_MAX)));
    for (label, answer) in answers {
        match answer {
            Ok(ended) => stopped.add(&label, &ended),
            Err(error) => stopped.problems.push(format!("{error:#}")),
        }
    }
    Ok(())
}

impl Stopped {
    fn add(&mut self, host: &str, ended: &Ended) {
        if let Some((pid, was_killed)) = ended.launcher {
            self.launcher = Some(pid);
            if was_killed {
                self.killed.push(format!("{host}: {pid}"));
            }
        }
        self.killed.extend(ended.killed.iter().map(|pid| format!("{host}: {pid}")));
    }
}

fn text(stopped: &Stopped) -> String {
    let Some(run) = &stopped.run else {
        return "no run is alive: there is nothing to end\n".to_owned();
    };
    let mut lines = vec![match (stopped.launcher, stopped.killed.is_empty()) {
        (Some(pid), _) => format!("{run}: its launcher, process {pid}, has ended and cleaned up"),
        (None, true) => format!("{run}: nothing of it is alive"),
        (None, false) => format!("{run}: its launcher is not here"),
    }];
    lines.extend(stopped.killed.iter().map(|process| format!("killed on {process}")));
    lines.join("\n") + "\n"
}
