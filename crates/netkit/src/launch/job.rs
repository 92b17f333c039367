//! What is to be started, how machines are reached, and why that failed: what [`launch`](super) and
//! [`ssh`](crate::ssh) both speak of.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::files;

/// The longest [`Job::stdin`], in bytes: a secret and a table of addresses, no data.
pub const MAX_STDIN: usize = 1 << 20;

/// What is to be started.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Job {
    /// The program to run.
    pub program: Program,
    /// Its arguments, without the program itself. They reach it as they are, whatever is in them,
    /// but for NUL and line breaks, which are refused.
    pub arguments: Vec<String>,
    /// What is added to its environment. Not for secrets: others can read it.
    pub environment: Vec<(String, String)>,
    /// What it can read on its standard input, at most [`MAX_STDIN`] bytes; then the input ends.
    pub stdin: Vec<u8>,
}

/// Where a program is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Program {
    /// At this absolute path on the machine where it is to run, as with a shared home. With
    /// [`LaunchOptions::push`], machines other than this one run a copy all the same.
    Here(PathBuf),
    /// A copy of [`LaunchOptions::program`], brought there by SFTP unless it is there already. On
    /// this machine, the running program itself.
    Pushed,
}

/// How to reach other machines. It can travel to them, so that they start processes in their turn;
/// the paths in it are then theirs.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct LaunchOptions {
    /// The executable that [`Program::Pushed`] copies.
    #[serde(with = "files::exact")]
    pub program: PathBuf,
    /// Whether every other machine runs a copy of [`LaunchOptions::program`], whatever its job
    /// says.
    pub push: bool,
    /// A private key to offer before others, as `ssh -i`.
    #[serde(default, with = "files::exact::option")]
    pub identity: Option<PathBuf>,
    /// Whether a machine whose host key is not known is trusted, and its key remembered. A key that
    /// has changed is refused in any case.
    pub accept_new: bool,
    /// The file of known host keys, instead of `known_hosts` in the SSH folder and the system's.
    #[serde(default, with = "files::exact::option")]
    pub known_hosts: Option<PathBuf>,
    /// The configuration, instead of `config` in the SSH folder.
    #[serde(default, with = "files::exact::option")]
    pub config: Option<PathBuf>,
    /// The SSH folder, with keys, configuration and known hosts, instead of `~/.ssh`.
    #[serde(default, with = "files::exact::option")]
    pub ssh_folder: Option<PathBuf>,
    /// The socket of the agent, instead of the one that `SSH_AUTH_SOCK` names.
    #[serde(default, with = "files::exact::option")]
    pub agent: Option<PathBuf>,
    /// Whether a passphrase may be asked for on the terminal. Without, a protected key is skipped.
    pub ask: bool,
    /// How long each step up to and including authentication may take.
    pub connect_timeout: Duration,
    /// How long a process may take to say that it is ready.
    pub start_timeout: Duration,
}

/// Nothing is read to make it: no file, no environment.
impl Default for LaunchOptions {
    fn default() -> LaunchOptions {
        LaunchOptions {
            program: PathBuf::new(),
            push: false,
            identity: None,
            accept_new: false,
            known_hosts: None,
            config: None,
            ssh_folder: None,
            agent: None,
            ask: true,
            connect_timeout: CONNECT_TIMEOUT,
            start_timeout: START_TIMEOUT,
        }
    }
}

/// How long each step of reaching a machine may take unless said otherwise: a key exchange takes
/// 20 ms on an idle machine and seconds on one that thirty students compile on.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a process may take to say that it is ready unless said otherwise; longer than
/// [`daemon::READY_DEADLINE`](crate::daemon::READY_DEADLINE), so that the daemon's own reason
/// arrives first.
pub const START_TIMEOUT: Duration = Duration::from_secs(30);

/// Why something could not be started or done on a machine; prints as one line.
#[derive(Clone, Debug, Deserialize, Eq, Error, PartialEq, Serialize)]
pub struct LaunchError {
    /// The machine, as the host file names it.
    pub host: String,
    /// The step that failed.
    pub stage: Stage,
    /// What failed, and why.
    pub what: String,
    /// What to do about it; empty if that is plain.
    pub hint: String,
}

impl LaunchError {
    pub(crate) fn new(
        host: &str,
        stage: Stage,
        what: impl Into<String>,
        hint: impl Into<String>,
    ) -> LaunchError {
        LaunchError { host: host.to_owned(), stage, what: what.into(), hint: hint.into() }
    }
}

impl fmt::Display for LaunchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LaunchError { host, stage, what, hint } = self;
        write!(f, "{host}: {stage}: {what}")?;
        if hint.is_empty() { Ok(()) } else { write!(f, "; {hint}") }
    }
}

/// The steps of starting a process on a machine, in their order.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Stage {
    /// Finding out what its name, user and address are.
    Resolve,
    /// Reaching its SSH server.
    Connect,
    /// Making sure that it is the right machine.
    HostKey,
    /// Logging in.
    Authenticate,
    /// Copying files there or from there.
    Copy,
    /// Starting a program.
    Start,
    /// Taking its place in the run. netkit itself never gets this far.
    Join,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Resolve => "resolve",
            Stage::Connect => "connect",
            Stage::HostKey => "host key",
            Stage::Authenticate => "authenticate",
            Stage::Copy => "copy",
            Stage::Start => "start",
            Stage::Join => "join",
        })
    }
}
