//! Starting the processes of a run, here and on other machines.
//!
//! [`launch_all`] takes the machines, says which rank runs on which of them
//! ([`Hosts::place`](crate::hosts::Hosts::place)), and starts a daemon for each rank. What is
//! started is a [`Job`]: a program that becomes a daemon with
//! [`daemon::detach`](crate::daemon::detach), and so answers with its process number, or with what
//! is wrong.
//!
//! * On `localhost` the program is started directly.
//! * On any other machine it is started over SSH ([`ssh`](crate::ssh)): one session for each line
//!   of the host file, several channels in it, each closed as soon as its daemon has answered.
//! * Machines are reached in parallel, at most [`THREADS`] at once. One SSH server gets at most
//!   [`CONNECTIONS_PER_SERVER`] connections at once, counted by address, since several lines may
//!   name the same one: a usual `sshd` drops connections at random beyond ten (its `MaxStartups`).
//!   One that is dropped nevertheless is tried again after a random pause.
//! * Every step has a deadline, so that a machine that is down, cut off or hanging delays nobody
//!   else; its ranks are reported as failed, with the step that failed and what to do about it.
//!
//! A secret goes to a process on its standard input ([`Job::stdin`]) and nowhere else: a command
//! line and an environment can be read by others, and a file stays behind.
//!
//! ```no_run
//! use netkit::hosts::Hosts;
//! use netkit::launch::{Job, LaunchEvent, LaunchOptions, Program, launch_all};
//!
//! let hosts = Hosts::parse("lab[01-04] slots=2").unwrap();
//! let program = std::env::current_exe().unwrap();
//! let options = LaunchOptions { program: program.clone(), ..LaunchOptions::default() };
//! let job_for = |rank: u32, launcher: std::net::IpAddr| Job {
//!     program: Program::Here(program.clone()),
//!     arguments: vec!["daemon".into(), format!("--rank={rank}"), format!("--to={launcher}")],
//!     environment: vec![("RUST_LOG".into(), "info".into())],
//!     stdin: b"the secret of this run\n".to_vec(),
//! };
//! launch_all(&hosts, &hosts.place(8), &options, &job_for, &|event| match event {
//!     LaunchEvent::Started { rank, host, pid } => println!("p{rank} on {}: {pid}", hosts[host]),
//!     LaunchEvent::Failed { ranks, error, .. } => println!("{ranks:?}: {error}"),
//!     LaunchEvent::Progress { .. } => {}
//! });
//! ```

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::hosts::{Host, Hosts};
use crate::ssh::{Copy, Remote, Target};

pub use local::start_here;

mod local;
#[cfg(test)]
mod tests;

/// How many machines are reached at once. A launch waits for others most of the time; beyond this
/// it is the cryptography of the sessions on this machine that takes the time.
pub const THREADS: usize = 32;

/// How many connections one SSH server gets at once; a usual `sshd` starts to drop them beyond ten.
pub const CONNECTIONS_PER_SERVER: usize = 8;

/// How many processes are being started on this machine at once.
pub const LOCAL_STARTS: usize = 8;

/// The longest [`Job::stdin`], in bytes: a secret and a table of addresses, no data.
pub const MAX_STDIN: usize = 1 << 20;

/// What is to be started.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Job {
    /// Which program.
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
    pub program: PathBuf,
    /// Whether every other machine runs a copy of [`LaunchOptions::program`], whatever its job
    /// says.
    pub push: bool,
    /// A private key to offer before others, as `ssh -i`.
    pub identity: Option<PathBuf>,
    /// Whether a machine whose host key is not known is trusted, and its key remembered. A key that
    /// has changed is refused in any case.
    pub accept_new: bool,
    /// The file of known host keys, instead of `known_hosts` in the SSH folder and the system's.
    pub known_hosts: Option<PathBuf>,
    /// The configuration, instead of `config` in the SSH folder.
    pub config: Option<PathBuf>,
    /// The SSH folder, with keys, configuration and known hosts, instead of `~/.ssh`.
    pub ssh_folder: Option<PathBuf>,
    /// The socket of the agent, instead of the one that `SSH_AUTH_SOCK` names.
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
    /// Proving who we are.
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

/// What a launch reports while it goes on. Each rank is started or failed exactly once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum LaunchEvent {
    /// A daemon is ready.
    Started {
        /// Which process of the run.
        rank: u32,
        /// On which machine, as the placement names it.
        host: usize,
        /// Its process number there.
        pid: u32,
    },
    /// Some ranks of one machine were not started.
    Failed {
        /// Which processes of the run.
        ranks: Vec<u32>,
        /// On which machine, as the placement names it.
        host: usize,
        /// Why.
        error: LaunchError,
    },
    /// A step is done, which takes long enough to tell somebody who waits.
    Progress {
        /// On which machine, as the placement names it.
        host: usize,
        /// The step.
        stage: Stage,
    },
}

/// What to start for a rank, given the address by which its machine reaches this one: the local end
/// of the SSH connection to it, or 127.0.0.1.
pub type JobFor<'a> = dyn Fn(u32, IpAddr) -> Job + Sync + 'a;

/// Whom a launch reports to; called from several threads.
pub type Report<'a> = dyn Fn(LaunchEvent) + Sync + 'a;

/// Starts every rank: rank `r` on the machine of index `placement[r]`. Returns when each was
/// started or has failed, and reports both as they happen.
///
/// # Panics
///
/// If the placement names a machine that does not exist, or `job_for` or `report` panics.
pub fn launch_all(
    hosts: &Hosts,
    placement: &[usize],
    options: &LaunchOptions,
    job_for: &JobFor<'_>,
    report: &Report<'_>,
) {
    let queue = Queue::new(tasks(hosts, placement));
    let workers = queue.len().min(THREADS);
    let launch = Launch { hosts, options, job_for, report, copy: OnceLock::new() };
    let work = || {
        while let Some((task, permit)) = queue.next() {
            launch.work_on(task, &queue);
            drop(permit);
        }
    };
    thread::scope(|scope| {
        (0..workers).for_each(|_| drop(scope.spawn(work)));
    });
}

/// Starts one job on one machine, here or over SSH; returns its process number there. This is what
/// a launcher does that starts only its successor.
///
/// # Errors
///
/// The step that failed.
pub fn launch_one(
    host: &Host,
    options: &LaunchOptions,
    job_for: impl FnOnce(IpAddr) -> Job,
) -> Result<u32, LaunchError> {
    if host.is_local() {
        return local::start(&job_for(LOOPBACK), options.start_timeout);
    }
    let mut remote = Remote::connect(host, options)?;
    let job = job_for(remote.local_address());
    remote.start(&job)
}

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Work for one thread.
#[derive(Debug)]
struct Task {
    host: usize,
    ranks: Vec<u32>,
    place: Place,
}

/// Where a task takes place, as far as it is known.
#[derive(Debug)]
enum Place {
    Here,
    /// The name is not resolved yet.
    Somewhere,
    At(Box<Target>),
}

/// What may only be used by a number of tasks at once.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Gate {
    Here,
    Server(SocketAddr),
}

impl Gate {
    fn limit(self) -> usize {
        match self {
            Gate::Here => LOCAL_STARTS,
            Gate::Server(_) => CONNECTIONS_PER_SERVER,
        }
    }
}

impl Task {
    /// The gate it must pass. Resolving a name passes none.
    fn gate(&self) -> Option<Gate> {
        match &self.place {
            Place::Here => Some(Gate::Here),
            Place::Somewhere => None,
            Place::At(target) => Some(Gate::Server(target.first_address())),
        }
    }
}

/// One task for each rank on this machine, and for each other one that has any.
fn tasks(hosts: &Hosts, placement: &[usize]) -> VecDeque<Task> {
    let mut remote: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
    let mut tasks = VecDeque::new();
    for (rank, &host) in (0..).zip(placement) {
        if hosts[host].is_local() {
            tasks.push_back(Task { host, ranks: vec![rank], place: Place::Here });
        } else {
            remote.entry(host).or_default().push(rank);
        }
    }
    let far = remote.into_iter();
    // Other machines first: they take longer.
    far.rev().for_each(|(host, ranks)| {
        tasks.push_front(Task { host, ranks, place: Place::Somewhere });
    });
    tasks
}

/// The tasks that wait, and how many pass each gate now.
#[derive(Debug)]
struct Queue {
    state: Mutex<QueueState>,
    /// A task was put back or a gate has room again.
    changed: Condvar,
}

#[derive(Debug)]
struct QueueState {
    waiting: VecDeque<Task>,
    /// Tasks taken that may be put back.
    resolving: usize,
    inside: HashMap<Gate, usize>,
}

impl Queue {
    fn new(waiting: VecDeque<Task>) -> Queue {
        let state = QueueState { waiting, resolving: 0, inside: HashMap::new() };
        Queue { state: Mutex::new(state), changed: Condvar::new() }
    }

    fn len(&self) -> usize {
        self.lock().waiting.len()
    }

    /// The first task that passes its gate, waiting for one if need be; none when all is done.
    fn next(&self) -> Option<(Task, Permit<'_>)> {
        let mut state = self.lock();
        loop {
            if let Some(at) = state.waiting.iter().position(|task| state.has_room(task.gate())) {
                let task = state.waiting.remove(at)?;
                let gate = task.gate();
                state.enter(gate);
                return Some((task, Permit { queue: self, gate }));
            }
            if state.waiting.is_empty() && state.resolving == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Puts a task back whose address is now known.
    fn put_back(&self, task: Task) {
        self.lock().waiting.push_front(task);
        self.changed.notify_all();
    }

    /// The state is consistent after every statement, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl QueueState {
    fn has_room(&self, gate: Option<Gate>) -> bool {
        gate.is_none_or(|gate| self.inside.get(&gate).is_none_or(|&inside| inside < gate.limit()))
    }

    fn enter(&mut self, gate: Option<Gate>) {
        match gate {
            Some(gate) => *self.inside.entry(gate).or_default() += 1,
            None => self.resolving += 1,
        }
    }

    fn leave(&mut self, gate: Option<Gate>) {
        match gate {
            Some(gate) => *self.inside.entry(gate).or_default() -= 1,
            None => self.resolving -= 1,
        }
    }
}

/// A task is inside its gate for as long as this lives.
struct Permit<'a> {
    queue: &'a Queue,
    gate: Option<Gate>,
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.queue.lock().leave(self.gate);
        self.queue.changed.notify_all();
    }
}

/// What all tasks of one launch share.
struct Launch<'a> {
    hosts: &'a Hosts,
    options: &'a LaunchOptions,
    job_for: &'a JobFor<'a>,
    report: &'a Report<'a>,
    /// The program to copy, read by the first task that needs it.
    copy: OnceLock<Result<Copy, LaunchError>>,
}

impl Launch<'_> {
    /// Does a task, or one step of it.
    fn work_on(&self, task: Task, queue: &Queue) {
        let Task { host, ranks, place } = task;
        match place {
            Place::Here => self.launch_here(host, ranks),
            Place::Somewhere => match Target::resolve(&self.hosts[host], self.options) {
                Ok(target) => {
                    queue.put_back(Task { host, ranks, place: Place::At(Box::new(target)) });
                }
                Err(error) => self.failed(host, ranks, error),
            },
            Place::At(target) => match Remote::connect_to(*target, self.options) {
                Ok(remote) => self.launch_over(remote, host, ranks),
                Err(error) => self.failed(host, ranks, error),
            },
        }
    }

    /// Starts ranks on this machine.
    fn launch_here(&self, host: usize, ranks: Vec<u32>) {
        for rank in ranks {
            match local::start(&(self.job_for)(rank, LOOPBACK), self.options.start_timeout) {
                Ok(pid) => (self.report)(LaunchEvent::Started { rank, host, pid }),
                Err(error) => self.failed(host, vec![rank], error),
            }
        }
    }

    /// Starts all ranks of one machine over one session.
    fn launch_over(&self, mut remote: Remote, host: usize, ranks: Vec<u32>) {
        (self.report)(LaunchEvent::Progress { host, stage: Stage::Authenticate });
        let address = remote.local_address();
        let jobs: Vec<Job> = ranks.iter().map(|&rank| (self.job_for)(rank, address)).collect();
        match remote.push_for(&jobs, &self.copy) {
            Ok(true) => (self.report)(LaunchEvent::Progress { host, stage: Stage::Copy }),
            Ok(false) => {}
            Err(error) => return self.failed(host, ranks, error),
        }
        remote.start_all(&jobs, &mut |at, result| match result {
            Ok(pid) => (self.report)(LaunchEvent::Started { rank: ranks[at], host, pid }),
            Err(error) => self.failed(host, vec![ranks[at]], error),
        });
    }

    fn failed(&self, host: usize, ranks: Vec<u32>, error: LaunchError) {
        (self.report)(LaunchEvent::Failed { ranks, host, error });
    }
}
