//! The machines that a command of `labs` asks: this one, and others over SSH.
//!
//! No machine runs a service of ours. `labs` runs itself on the other machine, with the hidden verb `here`
//! ([`crate::here`]), which answers in one line and ends. The program is expected at the same path, as with a
//! shared home, or is copied with `--push`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use netkit::files;
use netkit::hosts::{Host, Hosts};
use netkit::launch::LaunchOptions;
use netkit::ssh::Remote;
use serde::Serialize;
use serde::de::DeserializeOwned;

use labs::cli::{COULD_NOT_RUN, key, print};
use labs::run::note::RunNote;
use labs::said::say;

/// How many machines are asked at once. Waiting for them takes the time.
pub(crate) const AT_ONCE: usize = 16;

/// How long each step of reaching a machine may take. A person waits for it.
const REACH_MAX: Duration = Duration::from_secs(5);

/// How long a machine may take to answer once it is reached, if ending a run is not part of it.
pub(crate) const ANSWER_MAX: Duration = Duration::from_secs(10);

/// The hidden verb.
const HERE: &str = "here";

/// How the line of an answer begins. A login may print something before it.
pub(crate) const ANSWER: &str = "labs-here ";

/// How many letters of what a failed command said are shown.
const SAID: usize = 300;

/// Which machines, and how they are reached.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct MachineArguments {
    /// The machines, one a line: [user@]host[:port] [default: this one, and those of the runs that were
    /// started from here]
    #[arg(long, value_name = "FILE")]
    pub(crate) hosts: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) reach: ReachArguments,
}

/// How machines are reached.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ReachArguments {
    /// Copy this program to the machines, if they do not have it at the same path
    #[arg(long)]
    pub(crate) push: bool,
    /// Trust machines whose host key is not known yet, and remember it. A changed key is refused anyway
    #[arg(long)]
    accept_new: bool,
    /// The private key to log in with
    #[arg(short = 'i', value_name = "KEY")]
    identity: Option<PathBuf>,
    /// The file of known host keys, instead of ~/.ssh/known_hosts
    #[arg(long, value_name = "FILE")]
    known_hosts: Option<PathBuf>,
}

/// A machine other than this one, and how it is reached.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) host: Host,
    pub(crate) options: LaunchOptions,
}

impl MachineArguments {
    /// The machines to ask beside this one: those of the file, or those of these runs.
    pub(crate) fn machines(&self, notes: &[RunNote]) -> anyhow::Result<Vec<Machine>> {
        // Even if there is no machine to reach: what is wrong in it is to be said.
        let options = self.reach.options(LaunchOptions::default())?;
        let mut machines: Vec<Machine> = Vec::new();
        let mut add = |host: &Host, options: &LaunchOptions| {
            let is_known = |known: &Machine| {
                let (a, b) = (&known.host, host);
                (&a.user, &a.name, a.port) == (&b.user, &b.name, b.port)
            };
            if !host.is_local() && !machines.iter().any(is_known) {
                machines.push(Machine { host: host.clone(), options: options.clone() });
            }
        };
        match &self.hosts {
            Some(path) => Hosts::read(path)?.iter().for_each(|host| add(host, &options)),
            None => {
                for note in notes {
                    let options = self.reach.options(note.launch.clone())?;
                    note.hosts.iter().for_each(|host| add(host, &options));
                }
            }
        }
        Ok(machines)
    }
}

impl ReachArguments {
    /// The options of a run, but for what is said here, and for the program, which is this one.
    pub(crate) fn options(&self, from: LaunchOptions) -> anyhow::Result<LaunchOptions> {
        let identity = self.identity.as_deref().map(key).transpose()?;
        let known_hosts = self.known_hosts.as_deref().map(files::absolute).transpose()?;
        Ok(LaunchOptions {
            program: std::env::current_exe().context("cannot find this program itself")?,
            push: self.push || from.push,
            accept_new: self.accept_new || from.accept_new,
            identity: identity.or(from.identity),
            known_hosts: known_hosts.or(from.known_hosts),
            connect_timeout: REACH_MAX,
            ..from
        })
    }
}

impl Machine {
    /// The machine as it is called in answers.
    pub(crate) fn label(&self) -> String {
        labs::run::host_label(&self.host)
    }

    /// Connects to it. Several are reached at once, so nobody is asked for a passphrase.
    pub(crate) fn connect(&self) -> anyhow::Result<Remote> {
        let options = LaunchOptions { ask: false, ..self.options.clone() };
        Ok(Remote::connect(&self.host, &options)?)
    }

    /// Asks it something.
    pub(crate) fn ask<T: DeserializeOwned>(
        &self,
        words: &[&str],
        at_most: Duration,
    ) -> anyhow::Result<T> {
        self.ask_over(&mut self.connect()?, words, at_most)
    }

    /// Asks it something over a connection to it.
    pub(crate) fn ask_over<T: DeserializeOwned>(
        &self,
        remote: &mut Remote,
        words: &[&str],
        at_most: Duration,
    ) -> anyhow::Result<T> {
        let program = &self.options.program;
        let program = match self.options.push {
            true => remote.push(program)?,
            false => program.display().to_string(),
        };
        match run(remote, &program, words, &[], at_most)? {
            Ran::Answered(answer) => Ok(answer),
            Ran::Missing => {
                bail!("{}: there is no program {program}; --push copies it there", self.label())
            }
        }
    }
}

/// What came of running this program on a machine.
pub(crate) enum Ran<T> {
    Answered(T),
    /// The program is not there, or cannot be run there.
    Missing,
}

/// Runs this program on a machine, and reads its answer.
pub(crate) fn run<T: DeserializeOwned>(
    remote: &mut Remote,
    program: &str,
    words: &[&str],
    stdin: &[u8],
    at_most: Duration,
) -> anyhow::Result<Ran<T>> {
    /// How a shell says that there is no such program, or that it cannot be run.
    const NOT_FOUND: [Option<i32>; 2] = [Some(126), Some(127)];
    let words = [&[program, HERE], words].concat();
    let output = remote.run(&words, stdin, at_most)?;
    if NOT_FOUND.contains(&output.status) {
        return Ok(Ran::Missing);
    }
    let stdout = String::from_utf8_lossy(&output.stdout);
    let Some(answer) = stdout.lines().rev().find_map(|line| line.strip_prefix(ANSWER)) else {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let said = netkit::text::one_line(stderr.trim().lines().last().unwrap_or("nothing"), SAID);
        return Err(anyhow!(
            "{}: {program} gave no answer, it said: {said}; is it of another version?",
            remote.host()
        ));
    };
    let answer = serde_json::from_str(answer)
        .with_context(|| format!("{}: its answer is not understood", remote.host()))?;
    Ok(Ran::Answered(answer))
}

/// Prints the answer of this machine to whoever runs this program on it.
pub(crate) fn answer(value: &impl Serialize) -> anyhow::Result<()> {
    print(&format!("{ANSWER}{}\n", serde_json::to_string(value)?))
}

/// Says what went wrong, and returns the exit status that it means.
pub(crate) fn status(problems: &[String]) -> u8 {
    problems.iter().for_each(|problem| say(&format!("labs: {problem}")));
    if problems.is_empty() { 0 } else { COULD_NOT_RUN }
}

/// Does the same with all of them, several at once; the results are in their order.
pub(crate) fn with_all<T: Sync, R: Send>(all: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    netkit::threads::map(all, AT_ONCE, work)
}
