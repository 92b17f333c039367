//! Becoming a daemon: a process that belongs to no terminal and no login.
//!
//! A participant must live on when the SSH session that started it ends, and must hold nothing of
//! it: `sshd` keeps a session open for as long as any process has a copy of its output. [`detach`]
//! does the classic steps (Stevens, *Advanced Programming in the UNIX Environment*, section 13.3):
//!
//! 1. `fork`, and the child calls `setsid`: a new session without a controlling terminal, so no
//!    hang-up reaches it;
//! 2. `fork` again: the grandchild leads no session, so it can never get a terminal by opening one;
//! 3. `chdir /`, so that it keeps no file system from being unmounted;
//! 4. `umask 077`: what a daemon creates (logs, traces, sockets in `/tmp`) is for its user alone,
//!    whatever the login that started it was set to;
//! 5. `/dev/null` on the standard streams, and every other open file closed unless it is named.
//!
//! The classic steps give no answer: the command would end before anybody knows whether the daemon
//! works. Here the original process waits, with a deadline, until the daemon says that it is
//! ready ([`Ready::ok`]) or why not ([`Ready::fail`]), prints that as one line, and exits:
//!
//! ```text
//! @@netkit ok 4711                                             exit status 0
//! @@netkit error cannot listen on port 79: permission denied   exit status 1
//! ```
//!
//! **Call it before any thread exists**, which also means before an event loop or a logger that
//! starts one: after a fork the child has only the calling thread, and a lock that another one held
//! stays locked for ever. `detach` counts the threads and refuses. Call it also before opening
//! anything that is to stay open: files that are not named are closed, and their owners do not
//! notice.

use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::process;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::{Mode, umask};
use nix::sys::wait::waitpid;
use nix::unistd::{
    ForkResult, Pid, chdir, dup2_stderr, dup2_stdin, dup2_stdout, fork, pipe2, setsid,
};
use thiserror::Error;

use crate::marker::{MAX_ERROR, Marker};
use crate::threads;

/// How long the original process waits for the daemon to say something. Opening a log and a port
/// takes milliseconds; a shared file system that hangs can take many seconds.
pub const READY_DEADLINE: Duration = Duration::from_secs(20);

/// Turns this process into a daemon, keeping no open file.
///
/// It returns only in the daemon. The original process never returns: it waits, prints the marker
/// line, and exits.
///
/// # Errors
///
/// If the process has several threads, or the system refuses the first steps. What fails in the
/// daemon itself before this returns is reported as if by [`Ready::fail`].
pub fn detach() -> Result<Ready, DaemonError> {
    detach_keeping(&[])
}

/// As [`detach`], keeping the named files open. Every other one above the standard streams is
/// closed: what owns one must not be used or dropped afterwards.
///
/// # Errors
///
/// As [`detach`].
pub fn detach_keeping(keep: &[BorrowedFd<'_>]) -> Result<Ready, DaemonError> {
    detach_telling(keep, |outcome| {
        let marker = match outcome {
            Ok(pid) => Marker::Ok(pid),
            Err(why) => Marker::Error(why),
        };
        // If nobody can read it, there is nobody to fail for; the exit status says it too.
        let _ = writeln!(io::stdout(), "{marker}");
        i32::from(!matches!(marker, Marker::Ok(_)))
    })
}

/// As [`detach_keeping`], for a person who waits at a terminal instead of a program: in the
/// original process, `tell` is given the daemon's number or why there is none, says so as it likes,
/// and returns the exit status.
///
/// # Errors
///
/// As [`detach`].
pub fn detach_telling(
    keep: &[BorrowedFd<'_>],
    tell: impl FnOnce(Result<u32, String>) -> i32,
) -> Result<Ready, DaemonError> {
    let threads = fs::read_dir("/proc/self/task").map_err(DaemonError::NoProc)?.count();
    if threads != 1 {
        return Err(DaemonError::Threads(threads));
    }
    let refused = |what| move |errno| DaemonError::System { what, errno };
    let null = open("/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty());
    let null = null.map_err(refused("open /dev/null"))?;
    let (from_daemon, to_parent) = pipe2(OFlag::O_CLOEXEC).map_err(refused("create a pipe"))?;
    // SAFETY: this process has one thread, as was just counted, so the child's memory is consistent
    // and it may go on like any process.
    match unsafe { fork() }.map_err(refused("fork"))? {
        ForkResult::Parent { child } => {
            drop(to_parent);
            let marker = await_daemon(from_daemon, Instant::now() + READY_DEADLINE);
            // The process in the middle; it has long ended.
            let _ = waitpid(child, None);
            let status = tell(match marker {
                Marker::Ok(pid) => Ok(pid),
                Marker::Error(why) => Err(why),
            });
            let _ = io::stdout().flush();
            process::exit(status)
        }
        ForkResult::Child => {
            drop(from_daemon);
            let ready = Ready { to_parent: Some(to_parent) };
            match become_daemon(&ready, &null, keep) {
                Ok(()) => Ok(ready),
                Err((what, errno)) => ready.fail(&format!("cannot {what}: {}", explained(errno))),
            }
        }
    }
}

/// The duty to tell the process that started this daemon whether it is ready. If it is dropped
/// before that, it says that the daemon has failed.
#[derive(Debug)]
#[must_use = "who started the daemon waits until it says something"]
pub struct Ready {
    to_parent: Option<OwnedFd>,
}

impl Ready {
    /// Tells that the daemon works; the original process exits with 0.
    pub fn ok(mut self) {
        self.say(&Marker::Ok(process::id()));
    }

    /// Tells that the daemon cannot work, and why, and ends it; the original process exits with 1.
    pub fn fail(mut self, error: &str) -> ! {
        self.say(&Marker::Error(error.to_owned()));
        process::exit(1)
    }

    /// Says it once. It is no error if nobody listens any more: the daemon learns of that by other
    /// means.
    fn say(&mut self, marker: &Marker) {
        if let Some(to_parent) = self.to_parent.take() {
            let text = match marker {
                Marker::Ok(_) => "ok\n".to_owned(),
                Marker::Error(text) => format!("error {}\n", text.replace('\n', " ")),
            };
            let _ = fs::File::from(to_parent).write_all(text.as_bytes());
        }
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        self.say(&Marker::Error("the daemon gave up without saying why".to_owned()));
    }
}

/// Why a process cannot become a daemon.
#[derive(Debug, Error)]
pub enum DaemonError {
    /// Another thread exists.
    #[error("a process of {0} threads cannot become a daemon; detach before starting any")]
    Threads(usize),
    /// The threads cannot be counted.
    #[error("cannot count the threads of this process: {0}; is /proc mounted?")]
    NoProc(io::Error),
    /// The system refuses.
    #[error("cannot {what}: {}", explained(*errno))]
    System {
        /// What was to be done.
        what: &'static str,
        /// The error of the system.
        errno: Errno,
    },
}

/// What failed, and why.
type Failure = (&'static str, Errno);

/// What the system says, and what to do if it has run out of something.
fn explained(errno: Errno) -> String {
    let error = io::Error::from(errno);
    threads::way_out(&error).map_or_else(|| error.to_string(), |hint| format!("{error}; {hint}"))
}

/// The steps from the first child to the daemon. The process in the middle does not return.
fn become_daemon(ready: &Ready, null: &OwnedFd, keep: &[BorrowedFd<'_>]) -> Result<(), Failure> {
    let failed = |what| move |errno| (what, errno);
    setsid().map_err(failed("start a session"))?;
    // SAFETY: as the first fork: still one thread.
    if let ForkResult::Parent { .. } = unsafe { fork() }.map_err(failed("fork again"))? {
        // SAFETY: `_exit` has no preconditions. It is not `exit`, which would flush buffers that
        // this process only has a copy of.
        unsafe { libc::_exit(0) }
    }
    let to_parent = ready.to_parent.as_ref().expect("nothing was said yet");
    let pid = format!("{}\n", process::id());
    nix::unistd::write(to_parent, pid.as_bytes()).map_err(failed("report its number"))?;
    chdir("/").map_err(failed("change to /"))?;
    umask(Mode::from_bits_truncate(0o077));
    dup2_stdin(null).map_err(failed("replace standard input"))?;
    dup2_stdout(null).map_err(failed("replace standard output"))?;
    dup2_stderr(null).map_err(failed("replace standard error"))?;
    let mut kept: Vec<RawFd> = keep.iter().map(AsRawFd::as_raw_fd).collect();
    kept.extend([to_parent.as_raw_fd(), null.as_raw_fd()]);
    close_all_but(kept).map_err(failed("close inherited files"))
}

/// Closes every file from 3 on that is not named.
fn close_all_but(mut kept: Vec<RawFd>) -> Result<(), Errno> {
    kept.retain(|&fd| fd > 2);
    kept.sort_unstable();
    let mut from = 3;
    for fd in kept {
        close_range(from, fd - 1)?;
        from = fd + 1;
    }
    close_range(from, RawFd::MAX)
}

/// Keeps the files that are open now from being passed on to programs that this process starts, all
/// but the standard streams. Rust never passes on the files that it opens; but the process that
/// started this one may have left others open.
///
/// # Errors
///
/// If the system refuses (it needs Linux 5.11).
pub fn keep_files_from_children() -> Result<(), DaemonError> {
    const CLOSE_ON_EXEC: libc::c_uint = libc::CLOSE_RANGE_CLOEXEC;
    // SAFETY: the call touches no memory, and closes nothing in this process.
    let result = unsafe { libc::syscall(libc::SYS_close_range, 3, RawFd::MAX, CLOSE_ON_EXEC) };
    let what = "keep open files from children";
    Errno::result(result).map(drop).map_err(|errno| DaemonError::System { what, errno })
}

/// Closes the files `from` to `to`, both included (Linux 5.9 and later).
fn close_range(from: RawFd, to: RawFd) -> Result<(), Errno> {
    if from > to {
        return Ok(());
    }
    // SAFETY: the call touches no memory. It may close files that something in this process owns;
    // `detach_keeping` says so in its documentation, and nobody uses them afterwards.
    let result = unsafe { libc::syscall(libc::SYS_close_range, from, to, 0) };
    Errno::result(result).map(drop)
}

/// Waits until the daemon has said whether it is ready. One that says nothing in time is killed:
/// nobody would know of it.
fn await_daemon(from_daemon: OwnedFd, deadline: Instant) -> Marker {
    let mut pipe = fs::File::from(from_daemon);
    let mut said = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&said);
        let mut lines = text.lines();
        let pid = lines.next().and_then(|pid| pid.parse::<i32>().ok());
        if let (Some(pid), Some(line), true) = (pid, lines.next(), text.ends_with('\n')) {
            return if line == "ok" {
                Marker::Ok(pid.unsigned_abs())
            } else {
                Marker::Error(line.trim_start_matches("error ").to_owned())
            };
        }
        // Before the daemon exists only an error without a number can be said.
        if let (None, Some(error)) = (pid, text.trim_end().strip_prefix("error ")) {
            return Marker::Error(error.to_owned());
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        let mut waiting = [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)];
        match poll(&mut waiting, timeout) {
            Ok(0) => {
                // The pipe is open, so the daemon lives and the number is still its own.
                if let Some(pid) = pid {
                    let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
                }
                let seconds = READY_DEADLINE.as_secs();
                return Marker::Error(format!("the daemon was not ready within {seconds} s"));
            }
            Err(Errno::EINTR) => continue,
            Ok(_) | Err(_) => {}
        }
        let mut bytes = [0; 512];
        match pipe.read(&mut bytes) {
            Ok(n) if n > 0 && said.len() < 8 * MAX_ERROR => said.extend_from_slice(&bytes[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            _ => return Marker::Error("the daemon died before it was ready".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;
