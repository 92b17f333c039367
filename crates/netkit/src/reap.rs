//! Signals to the processes of a run, and ending what is left of it on this machine.
//!
//! Participants end by themselves when their launcher is gone, but one that was stopped (SIGSTOP)
//! or hangs in a loop cannot. [`reap`] ends it, called by whoever can: the launcher, another
//! participant, or the [keeper](KEEPER) of the machine. Every process of a run has the argument `--run RUN` on its command
//! line, so what is left can be found without a list of numbers, on every machine alike, even if
//! the launcher that knew the numbers is dead.
//!
//! Between looking at a process and killing it, it may end and its number be given to another. So
//! the process is held by a file descriptor first (`pidfd_open`), looked at through its number
//! then, and signalled through the descriptor: if the number has changed hands in between, the
//! signal reaches nobody.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::process;

use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::unistd::geteuid;

use crate::run_id::RunId;

/// The first argument of a keeper: a process that takes no part in its run, and ends what is left of
/// it when the launcher is gone.
pub const KEEPER: &str = "keeper";

/// Sends a signal to every process of this user on this machine that has the arguments `--run RUN`
/// (or `--run=RUN`), except the calling one and its parent. Returns their numbers, but not those of
/// [keepers](KEEPER), which come last. SIGKILL also ends stopped ones.
///
/// Processes that end meanwhile, and those that may not be looked at, are skipped. `/proc` shows
/// only what is in the caller's PID namespace.
pub fn reap(run: &RunId, how: Signal) -> Vec<u32> {
    // A parent may carry our command line: `timeout 9 PROGRAM reap --run R`.
    let own = [process::id(), nix::unistd::getppid().as_raw() as u32];
    let of_run = numbers().filter(|pid| !own.contains(pid) && is_of_run(*pid, run));
    let (keepers, mut others): (Vec<u32>, Vec<u32>) = of_run.partition(|&pid| is_keeper(pid));
    others.retain(|&pid| signal(run, pid, how));
    for pid in keepers {
        signal(run, pid, how);
    }
    others
}

fn is_keeper(pid: u32) -> bool {
    let line = command_line(pid).unwrap_or_default();
    line.split(|&byte| byte == 0).nth(1) == Some(KEEPER.as_bytes())
}

/// The numbers of all processes that are seen from here.
pub(crate) fn numbers() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Sends a signal to the calling process itself. SIGKILL does not return; SIGSTOP does when the
/// process is continued.
///
/// # Errors
///
/// As the system says.
pub fn raise(how: Signal) -> io::Result<()> {
    Ok(nix::sys::signal::raise(how)?)
}

/// Sends a signal to one process of this machine if it is this user's and has the arguments `--run
/// RUN`. Returns whether it did: the number may be another's by now.
pub fn signal(run: &RunId, pid: u32, how: Signal) -> bool {
    let Ok(process) = pidfd_open(pid) else { return false };
    is_ours(pid) && is_of_run(pid, run) && pidfd_signal(&process, how).is_ok()
}

/// Whether the process belongs to the user of this one, and to this machine: one in a container,
/// with process numbers of its own, is on another, though it is seen from here.
pub(crate) fn is_ours(pid: u32) -> bool {
    let numbers = |who: &str| fs::read_link(format!("/proc/{who}/ns/pid")).ok();
    let is_elsewhere = match (numbers("self"), numbers(&pid.to_string())) {
        (Some(ours), Some(its)) => ours != its,
        // If we may not look, we believe what is to be seen.
        _ => false,
    };
    let is_of_user = |about: fs::Metadata| about.uid() == geteuid().as_raw();
    fs::metadata(format!("/proc/{pid}")).is_ok_and(is_of_user) && !is_elsewhere
}

/// The command line of a process, its arguments each ended by a NUL, the program first. One that
/// has ended but was not waited for has an empty one.
pub(crate) fn command_line(pid: u32) -> Option<Vec<u8>> {
    fs::read(format!("/proc/{pid}/cmdline")).ok()
}

/// The values that an option has on a command line, written `--option VALUE` or `--option=VALUE`.
pub(crate) fn option<'a>(command_line: &'a [u8], name: &str) -> impl Iterator<Item = &'a [u8]> {
    // The first argument is the program.
    let mut arguments = command_line.split(|&byte| byte == 0).skip(1).peekable();
    std::iter::from_fn(move || {
        loop {
            match arguments.next()?.strip_prefix(name.as_bytes()) {
                Some([]) => return arguments.peek().copied(),
                Some([b'=', value @ ..]) => return Some(value),
                _ => {}
            }
        }
    })
}

/// Whether the run stands among the arguments of the process.
fn is_of_run(pid: u32, run: &RunId) -> bool {
    command_line(pid).is_some_and(|line| names_run(&line, run))
}

/// Whether a command line names the run.
fn names_run(command_line: &[u8], run: &RunId) -> bool {
    option(command_line, "--run").any(|value| value == run.as_str().as_bytes())
}

pub(crate) fn pidfd_open(pid: u32) -> io::Result<OwnedFd> {
    // SAFETY: the call touches no memory; it answers with a new descriptor or -1.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = Errno::result(fd)?;
    // SAFETY: the descriptor is new, open, and owned by nobody else; a descriptor fits in an i32.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

pub(crate) fn pidfd_signal(process: &OwnedFd, how: Signal) -> Result<(), Errno> {
    let (fd, how) = (process.as_raw_fd(), how as i32);
    let info: *const libc::siginfo_t = std::ptr::null();
    // SAFETY: the descriptor is open, and the null pointer stands for the usual information.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, how, info, 0) };
    Errno::result(result).map(drop)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Child, Command, Stdio};

    use nix::sys::signal::kill;
    use nix::sys::wait::{WaitPidFlag, waitpid};
    use nix::unistd::Pid;

    use super::*;

    /// A process that waits for ever, with these arguments on its command line. It has written a
    /// line before this returns, so its command line is in place.
    pub(crate) fn waiting(arguments: &[&str]) -> Child {
        let mut child = Command::new("sh")
            .args(["-c", "echo; read x; exit 3", "sh"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut byte = [0];
        io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut byte).unwrap();
        child
    }

    fn pid(child: &Child) -> Pid {
        Pid::from_raw(child.id() as i32)
    }

    #[test]
    fn every_process_of_the_run_ends_even_a_stopped_one_and_no_other() {
        let (run, other) = (RunId::new(), RunId::new());
        let name = run.as_str();
        let mut ours = [
            waiting(&["--run", name]),
            waiting(&["p", "--rank", "3", "--run", name, "--x"]),
            waiting(&[&format!("--run={name}")]),
        ];
        let mut others = [
            waiting(&["--run", other.as_str()]),
            waiting(&["--run", &format!("{name}x")]),
            waiting(&[name]),
            waiting(&[&format!("--run {name}")]),
        ];
        kill(pid(&ours[1]), Signal::SIGSTOP).unwrap();
        waitpid(pid(&ours[1]), Some(WaitPidFlag::WUNTRACED)).unwrap();

        let mut ended = reap(&run, Signal::SIGKILL);
        ended.sort_unstable();
        let mut expected: Vec<u32> = ours.iter().map(Child::id).collect();
        expected.sort_unstable();
        assert_eq!(ended, expected);
        for child in &mut ours {
            assert_eq!(child.wait().unwrap().signal(), Some(9));
        }
        for child in &mut others {
            drop(child.stdin.take());
            assert_eq!(child.wait().unwrap().code(), Some(3), "left alone, it ended by itself");
        }
        assert_eq!(reap(&run, Signal::SIGKILL), [0; 0]);
    }

    #[test]
    fn one_process_is_signalled_if_it_is_of_the_run() {
        let run = RunId::new();
        let mut ours = waiting(&["--run", run.as_str()]);
        let mut other = waiting(&["--run", RunId::new().as_str()]);
        assert!(!signal(&run, other.id(), Signal::SIGKILL));
        assert!(signal(&run, ours.id(), Signal::SIGKILL));
        assert_eq!(ours.wait().unwrap().signal(), Some(9));
        drop(other.stdin.take());
        assert_eq!(other.wait().unwrap().code(), Some(3));
    }

    #[test]
    fn a_process_that_has_ended_is_not_counted() {
        let run = RunId::new();
        let mut child = waiting(&["--run", run.as_str()]);
        child.kill().unwrap();
        // Not waited for yet: a zombie, once the signal has worked.
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        nix::sys::wait::waitid(nix::sys::wait::Id::Pid(pid(&child)), flags).unwrap();
        assert_eq!(reap(&run, Signal::SIGKILL), [0; 0]);
        child.wait().unwrap();
    }

    #[test]
    fn a_keeper_is_ended_and_not_named() {
        let run = RunId::new();
        // A script of that name: the first argument of the shell that runs it.
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(KEEPER), "echo; read x").unwrap();
        let mut keeper = Command::new("sh")
            .args([KEEPER, "--run", run.as_str()])
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        io::Read::read_exact(keeper.stdout.as_mut().unwrap(), &mut [0]).unwrap();
        let mut other = waiting(&["--run", run.as_str()]);
        assert_eq!(reap(&run, Signal::SIGKILL), [other.id()]);
        for child in [&mut keeper, &mut other] {
            assert_eq!(child.wait().unwrap().signal(), Some(9));
        }
    }

    #[test]
    fn an_option_has_its_value_in_the_next_argument_or_in_its_own() {
        let values = |line: &'static [u8]| -> Vec<&[u8]> { option(line, "--run").collect() };
        assert_eq!(values(b"ring\0--run\0a\0--rank\x003\0--run=b\0"), [b"a", b"b"]);
        assert_eq!(values(b"ring\0--runs\0a\0-run=b\0x--run=c\0"), [b""; 0]);
        assert_eq!(values(b"ring\0--run=\0--run\0"), [b"", b""]);
        assert_eq!(values(b"ring\0--run"), [b""; 0]);
    }

    #[test]
    fn the_program_itself_is_no_argument() {
        let run: RunId = "20261122-071500-3f9a".parse().unwrap();
        assert!(names_run(b"ring\0--run\x0020261122-071500-3f9a\0", &run));
        assert!(!names_run(b"--run\x0020261122-071500-3f9a\0", &run));
        assert!(!names_run(b"--run=20261122-071500-3f9a\0", &run));
        assert!(!names_run(b"", &run));
    }
}
