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

use std::net::{IpAddr, Ipv4Addr};
use std::sync::OnceLock;

use crate::hosts::{Host, Hosts};
use crate::ssh::{Copy, Remote, Target};
use crate::threads;

pub use job::{
    CONNECT_TIMEOUT, Job, LaunchError, LaunchOptions, MAX_STDIN, Program, START_TIMEOUT, Stage,
};
pub use local::start_here;

use queue::{Place, Queue, Task, tasks};

pub(crate) mod job;
mod local;
mod queue;
#[cfg(test)]
mod tests;

/// How many machines are reached at once. A launch waits for others most of the time; beyond this
/// it is the cryptography of the sessions on this machine that takes the time.
pub const THREADS: usize = 32;

/// How many connections one SSH server gets at once; a usual `sshd` starts to drop them beyond ten.
pub const CONNECTIONS_PER_SERVER: usize = 8;

/// How many processes are being started on this machine at once.
pub const LOCAL_STARTS: usize = 8;

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
        /// The reason, with what to do about it.
        error: LaunchError,
    },
    /// A step is done that takes long, so that a person who waits can be told.
    Progress {
        /// On which machine, as the placement names it.
        host: usize,
        /// The step that is done.
        stage: Stage,
    },
}

/// What to start for a rank, given the address by which its machine reaches this one: the local end
/// of the SSH connection to it, or 127.0.0.1.
pub type JobFor<'a> = dyn Fn(u32, IpAddr) -> Job + Sync + 'a;

/// The function that a launch reports to; it is called from several threads.
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
    threads::in_several(workers, "launch", work);
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
