//! Real processes on real machines: the world in which a lab is more than a model.
//!
//! The command in the foreground is the launcher and takes no part in the algorithm. It starts N
//! daemons, here or over SSH, and each connects back to it (`conductor`). A daemon takes part in
//! the run (`participant`) with one process of the algorithm (`algorithm`), of whose types only
//! `hosted` knows; `runner` carries out what both ask for, in frames of netkit (`wire`). At the end
//! the launcher collects what the participants wrote down (`journal`), puts it in an order that
//! respects causality, and has it judged (`collect`).
//!
//! A process can also be a program of its own, which people start by hand, without a launcher: see
//! [`solo`].
//!
//! Beside this module only `cli` names netkit, for options of a run and for the tool `labs`: all
//! else is pure.

mod algorithm;
mod collect;
mod conclude;
mod conductor;
mod config;
mod hosted;
mod journal;
mod key;
mod links;
mod log_tail;
pub mod note;
pub(crate) mod old_runs;
mod participant;
mod plan;
mod routes;
mod runner;
mod shell;
mod signals;
pub mod solo;
#[cfg(test)]
mod tests;
pub(crate) mod wire;

use std::io;

use netkit::logs::{LogName, RunFolder};
use netkit::run_id::RunId;

use self::config::Config;
pub use self::config::MadeOf;
use self::hosted::{Build, Texts};
use self::journal::Journal;
pub use self::key::{Key, KeyError};
pub use self::plan::{Audience, Finished, Plan, Room, Watched, host_label};
pub use self::runner::conductor::run;
use self::runner::keeper;
use self::runner::participant::{Start, participate};
pub(crate) use self::signals::UntilSignal;
pub use self::signals::{at_signal, end_at_signal};
use crate::lab::Lab;

/// The folder of all runs of a user: `/tmp/labs-<user>`.
pub const FOLDER: &str = "labs";

/// The subcommand that a participant is started with; people do not use it.
pub const PARTICIPANT: &str = "participant";

/// The subcommand that ends what is left of a run on a machine.
pub const REAP: &str = "reap";

/// The subcommand that sends a signal to a participant on a machine.
pub const SIGNAL: &str = "signal";

/// A name for a run that does not leave this program.
pub fn new_run_id() -> RunId {
    RunId::new()
}

/// The participant's program: reads its configuration from standard input, becomes a daemon, and
/// takes part until the run ends.
///
/// # Errors
///
/// If it could not take part; the program that started it is told why.
pub fn participant<L: Lab>() -> anyhow::Result<()> {
    take_part(L::NAME, hosted::build::<L>)
}

/// The keeper's program: reads its configuration from standard input, becomes a daemon, and waits for
/// the end of the launcher.
///
/// # Errors
///
/// If it cannot; the program that started it is told why.
pub fn keep() -> anyhow::Result<()> {
    keeper::keep(&config()?)
}

/// What the launcher says to a program that it starts.
fn config() -> anyhow::Result<Config> {
    Config::read(&mut io::stdin().lock())
        .map_err(|error| anyhow::anyhow!("this command is for the launcher to use ({error})"))
}

fn take_part(
    lab: &str,
    build: fn(&MadeOf, Texts) -> serde_json::Result<Build>,
) -> anyhow::Result<()> {
    let config = config()?;
    let texts = if config.duties.trace { Texts::Whole } else { Texts::KindOnly };
    let build = build(&config.made_of, texts)?;
    let ready = netkit::daemon::detach()?;
    let set_up = || -> anyhow::Result<_> {
        let (host, pid) = (host_name(), std::process::id());
        let folder = RunFolder::create(FOLDER, &config.run)?;
        let name = LogName { lab, rank: config.rank, host: &host, pid }.to_string();
        netkit::logs::init(folder.file(&name)?, config.rank, &log_level())?;
        let journal = match config.duties.trace {
            true => Journal::open(&folder, &config)?,
            false => Journal::in_memory(),
        };
        Ok((host, folder.path().join(name).display().to_string(), journal))
    };
    match set_up() {
        Err(error) => ready.fail(&format!("{error:#}")),
        Ok((host, log_path, journal)) => {
            if config.starts_keeper() {
                keeper::start(&config);
            }
            let start =
                Start { host, log_path, process: Some((build, journal)), ready: Some(ready) };
            participate(config, start).inspect_err(|error| log::error!("{error:#}"))
        }
    }
}

/// How much is logged: what was said in the environment, or what one wants to know of any run.
fn log_level() -> String {
    std::env::var("RUST_LOG").unwrap_or_else(|_| "info".to_owned())
}

/// The name of this machine, as it calls itself: what [`Place`](crate::lab::Place) says of a
/// process here. `localhost` if it has none.
pub fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "localhost".to_owned(),
        name => name.to_owned(),
    }
}

/// Ends what is left of a run on this machine. Returns the process ids.
///
/// # Errors
///
/// If `run` is not the name of a run.
pub fn reap(run: &str) -> anyhow::Result<Vec<u32>> {
    let run: RunId = run.parse()?;
    Ok(netkit::reap::reap(&run, netkit::Signal::SIGKILL))
}

/// Sends a signal, `SIGSTOP` and the like, to one process of a run on this machine. Returns whether
/// it is there.
///
/// # Errors
///
/// If `run` is not the name of a run, or `signal` not that of a signal.
pub fn signal(run: &str, pid: u32, signal: &str) -> anyhow::Result<bool> {
    let run: RunId = run.parse()?;
    let signal: netkit::Signal =
        signal.parse().map_err(|_| anyhow::anyhow!("{signal:?} is not the name of a signal"))?;
    Ok(netkit::reap::signal(&run, pid, signal))
}
