//! `labs logs`: the logs of a run from all its machines, as one.
//!
//! A log line carries the time of its machine and, in a run that was traced, the Lamport time of the step in
//! which it was written. Clocks of machines differ, and by more than a message takes: sorted by time, an answer
//! may stand before its question. Sorted by Lamport time it cannot (Lamport, *Time, Clocks, and the Ordering
//! of Events in a Distributed System*, 1978): what a line may have caused has a later one. So lines are
//! merged by Lamport time where they have one, by time among those that share it, and by time alone where
//! nobody traced. The lines of one process stay in their order in any case.
//!
//! With `--follow`, lines wait for a moment, since lines of another machine that belong before them may be on
//! their way. A line that comes later still is shown when it comes.

mod out;
mod room;
mod source;

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use anyhow::anyhow;
use clap::Args;
use netkit::logs;
use netkit::run_id::RunId;

use self::out::Out;
use self::room::{LOG_MAX, Room};
use crate::machines::{Machine, MachineArguments, status};
use crate::ps::everywhere;
use labs::logs::Level;
use labs::run::FOLDER;
use labs::run::note::RunNote;
use labs::said::say;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The name of the run, as reports and `labs ps` show it [default: the newest on this machine]
    run: Option<RunId>,
    #[command(flatten)]
    machines: MachineArguments,
    /// Show lines as they are written, until the run has ended
    #[arg(long, short)]
    follow: bool,
    /// Only those of this process; may be repeated
    #[arg(long, short, value_name = "RANK")]
    process: Vec<u32>,
    /// Only those of this level, and worse
    #[arg(long, value_name = "LEVEL", value_enum, default_value_t = Level::Trace, hide_default_value = true)]
    level: Level,
}

pub(crate) const ABOUT: &str = "\
    Collects /tmp/labs-USER/RUN/*.log from this machine, and over SSH from the others of the \
    run (those of --hosts, else those that its launcher noted), and merges them in causal \
    order: by the Lamport times (@31) that lines have in a run with --trace. Without, by \
    time, as far as the clocks of the machines agree. RUST_LOG sets how much is logged, \
    when the run is started: `RUST_LOG=debug token-ring run --trace t.jsonl`.\n\
    \n\
    Exit status: 0; 2 if there is no such run, or logs of a machine could not be had.";

/// How much time passes between two looks at logs that may have grown.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// After how many looks the machines are asked for new logs, and whether the run is alive.
const ASK_EVERY: u32 = 5;

pub(crate) fn logs(arguments: &Arguments) -> anyhow::Result<u8> {
    let run = match &arguments.run {
        Some(run) => run.clone(),
        None => logs::last(FOLDER).ok_or_else(|| {
            anyhow!("no run was ever here: name one, and with --hosts the machines where it was")
        })?,
    };
    let note = RunNote::of_run(&run);
    let machines = arguments.machines.machines(note.as_slice())?;
    let mut room = Room::enter(&run, &machines);
    if room.len() == 0 && !arguments.follow && room.problems.is_empty() {
        return Err(anyhow!(
            "there are no logs of {run} here or on the machines of the run; `ls {}` shows the runs of \
             this machine",
            logs::user_folder(FOLDER).display()
        ));
    }
    let processes = note.as_ref().map_or(0, |note| note.processes);
    let (ranks, has_lamport) = room.begin();
    if room.problems.is_empty() {
        check_known(&arguments.process, &ranks, processes)?;
    }
    if !has_lamport && machines.len() > 1 {
        say(
            "labs: these lines have no Lamport times (the run had no --trace): they are sorted by the \
             clocks of their machines",
        );
    }
    let mut out = Out::new(&arguments.process, arguments.level);
    match arguments.follow {
        false => drop(show(&mut room, &mut out)?),
        true => {
            labs::run::end_at_signal()?;
            say(&format!("labs: following {run}, until it has ended or Ctrl-C"));
            follow(&run, &machines, &mut room, &mut out)?;
        }
    }
    Ok(status(&room.problems))
}

/// Refuses a process of which there is no log, and will be none: the run has so many processes, as far as that
/// is known.
fn check_known(wanted: &[u32], logged: &BTreeSet<u32>, processes: u32) -> anyhow::Result<()> {
    let is_unknown = |rank: &&u32| !logged.contains(rank) && **rank >= processes;
    let Some(rank) = wanted.iter().find(is_unknown) else { return Ok(()) };
    let known: BTreeSet<_> = logged.iter().copied().chain(0..processes).collect();
    let known: Vec<_> = known.iter().map(|rank| format!("p{rank}")).collect();
    Err(anyhow!("--process {rank}: the run has no such process, only {}", known.join(", ")))
}

/// The lines of each log of a run, and what could not be read. Of all together so many bytes are read, of each
/// the same share.
pub(crate) fn all(run: &RunId, machines: &[Machine], most: u64) -> (Vec<Vec<String>>, Vec<String>) {
    let mut room = Room::enter(run, machines);
    room.most = (most / room.len().max(1) as u64).min(LOG_MAX);
    (room.lines(), room.problems)
}

/// Shows the lines that are known to be there. Returns whether somebody reads them.
fn show(room: &mut Room<'_>, out: &mut Out) -> anyhow::Result<bool> {
    show_until(&room.lengths(), room, out)
}

/// Shows those of the first so many bytes of each log.
fn show_until(lengths: &[u64], room: &mut Room<'_>, out: &mut Out) -> anyhow::Result<bool> {
    let is_read = room.merge(lengths, |line| out.show(line))?;
    Ok(is_read && out.flush()?)
}

/// Shows lines as they come, until the run is over or nobody reads them.
fn follow(
    run: &RunId,
    machines: &[Machine],
    room: &mut Room<'_>,
    out: &mut Out,
) -> anyhow::Result<()> {
    for look in 1.. {
        // What is new waits for one look, for what belongs before it.
        let seen = room.lengths();
        let is_over = look % ASK_EVERY == 0 && !is_alive(run, machines);
        match look % ASK_EVERY {
            0 => room.list(),
            _ => drop(room.list_here()),
        }
        if !show_until(&seen, room, out)? {
            break;
        }
        if is_over {
            show(room, out)?;
            break;
        }
        thread::park_timeout(LOOK_EVERY);
    }
    Ok(())
}

fn is_alive(run: &RunId, machines: &[Machine]) -> bool {
    // A launcher that is alive says it all; without one, there may be participants for a moment.
    RunNote::of_run(run).is_some_and(|note| note.is_alive())
        || everywhere(machines).0.iter().any(|row| row.run == *run)
}
