//! Which processes of runs are alive on this machine.
//!
//! There is no list of them: a list would be wrong as soon as something dies. A process that is
//! alive says so itself: every process of a run has `--run RUN --rank RANK` on its command line,
//! and `/proc` shows the command lines of all processes. This module looks only at processes of
//! this user, in the caller's PID namespace.
//!
//! A process number alone does not name a process for long, because numbers are used again. The
//! number and the moment at which the process was started ([`started`]) do name it, until the
//! machine is started again; [`signal`] and [`wait_for`] take both.

use std::fs;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

use crate::reap::{command_line, is_ours, numbers, option, pidfd_open, pidfd_signal};
use crate::run_id::RunId;

/// One process of a run.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RunProcess {
    /// The run that it belongs to.
    pub run: RunId,
    /// Its rank in that run.
    pub rank: u32,
    /// Its number on this machine.
    pub pid: u32,
    /// The name of its program's file.
    pub program: String,
    /// Whether it is stopped, as by SIGSTOP.
    pub is_stopped: bool,
    /// How long it has been there.
    pub age: Duration,
}

/// The processes of all runs of this user on this machine, in the order of run and rank.
pub fn of_runs() -> Vec<RunProcess> {
    let mut found: Vec<_> =
        numbers().filter(|&pid| is_ours(pid)).filter_map(process_of_run).collect();
    found.sort_unstable_by(|one, other| {
        (&one.run, one.rank, one.pid).cmp(&(&other.run, other.rank, other.pid))
    });
    found
}

fn process_of_run(pid: u32) -> Option<RunProcess> {
    let line = command_line(pid)?;
    let text = |name| option(&line, name).next().and_then(|value| str::from_utf8(value).ok());
    let run = text("--run")?.parse().ok()?;
    let rank = text("--rank")?.parse().ok()?;
    let program = String::from_utf8_lossy(line.split(|&byte| byte == 0).next()?);
    let program = program.rsplit('/').next().unwrap_or_default().to_owned();
    let stat = Stat::of(pid)?;
    stat.is_alive().then(|| RunProcess {
        run,
        rank,
        pid,
        program,
        is_stopped: stat.is_stopped(),
        age: stat.age(),
    })
}

/// When a process was started, in hundredths of a second after the start of the machine; none if
/// there is no such process, or if it has ended and its parent has not waited for it yet.
pub fn started(pid: u32) -> Option<u64> {
    Stat::of(pid).filter(Stat::is_alive).map(|stat| stat.started)
}

/// Whether the process of this number is stopped, and for how long it has existed; none if there is
/// no such process.
pub fn look_at(pid: u32) -> Option<(bool, Duration)> {
    let stat = Stat::of(pid).filter(Stat::is_alive)?;
    Some((stat.is_stopped(), stat.age()))
}

/// Sends a signal to the process of this number that was started at that moment, if it is this
/// user's and still there. Returns whether it did.
pub fn signal(pid: u32, started_at: u64, how: Signal) -> bool {
    // It is held first, and looked at afterwards: see `reap`.
    let Ok(process) = pidfd_open(pid) else { return false };
    is_ours(pid) && started(pid) == Some(started_at) && pidfd_signal(&process, how).is_ok()
}

/// Waits until the process of this number that was started at that moment has ended, but not longer
/// than the given time. Returns whether it has ended.
pub fn wait_for(pid: u32, started_at: u64, at_most: Duration) -> bool {
    let Ok(process) = pidfd_open(pid) else { return true };
    let deadline = Instant::now() + at_most;
    while started(pid) == Some(started_at) {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        // A descriptor of a process can be read once the process has ended.
        match poll(&mut [PollFd::new(process.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return false,
        }
    }
    true
}

/// A text that is different for every machine, and for every view of its processes: two names in a
/// host file may mean the same machine.
pub fn machine() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let view = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    format!("{} {}", boot.trim(), view.display())
}

/// What `/proc/PID/stat` says of a process.
struct Stat {
    state: char,
    /// In hundredths of a second since the machine was started.
    started: u64,
}

/// How many units of `/proc/PID/stat` are a second: 100 on every machine that Linux runs on today.
const TICKS: u64 = 100;

impl Stat {
    fn of(pid: u32) -> Option<Stat> {
        Stat::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    fn parse(text: &str) -> Option<Stat> {
        // The second field is the program's name in brackets, and may hold anything, brackets too.
        let (_, rest) = text.rsplit_once(')')?;
        let mut fields = rest.split_whitespace();
        let state = fields.next()?.chars().next()?;
        // Field 22 of all (proc(5)); the state is field 3.
        let started = fields.nth(18)?.parse().ok()?;
        Some(Stat { state, started })
    }

    /// One that has ended, and was not waited for, is only the note of its end.
    fn is_alive(&self) -> bool {
        !matches!(self.state, 'Z' | 'X')
    }

    fn is_stopped(&self) -> bool {
        matches!(self.state, 'T' | 't')
    }

    fn age(&self) -> Duration {
        let uptime = fs::read_to_string("/proc/uptime").unwrap_or_default();
        let seconds: f64 =
            uptime.split_whitespace().next().and_then(|text| text.parse().ok()).unwrap_or(0.0);
        let now = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        now.saturating_sub(Duration::from_millis(self.started * (1_000 / TICKS)))
    }
}

#[cfg(test)]
mod tests;
