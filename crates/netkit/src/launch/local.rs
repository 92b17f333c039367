//! Starting a process on this machine.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::job::{Job, LaunchError, MAX_STDIN, Program, START_TIMEOUT, Stage};
use crate::marker::{END_TIMEOUT, Marker, Output};
use crate::threads;

/// Starts a job on this machine; returns the process number of its daemon.
///
/// # Errors
///
/// If the program cannot be run, says that it failed, ends without saying that it is ready, or is
/// not ready (and detached) within [`START_TIMEOUT`]; it is killed then.
pub fn start_here(job: &Job) -> Result<u32, LaunchError> {
    start(job, START_TIMEOUT)
}

/// As [`start_here`], with another deadline.
pub(super) fn start(job: &Job, timeout: Duration) -> Result<u32, LaunchError> {
    let mut deadline = Instant::now() + timeout;
    if job.stdin.len() > MAX_STDIN {
        let what = format!("its standard input is longer than {MAX_STDIN} bytes");
        return Err(error(what, "send it over the network instead"));
    }
    let mut child = spawn(job)?;
    let talk = Talk::new(&mut child).map_err(|failed| error(failed.to_string(), ""));
    let said = talk.map(|talk| talk.hold(&job.stdin, &mut deadline));
    let status = end(&mut child, deadline);
    let output = said?;
    match output.marker() {
        Some(Marker::Ok(pid)) if status.is_some() => Ok(pid),
        Some(Marker::Ok(_)) => Err(error(
            "the program said that it is ready but did not detach",
            "it must call netkit::daemon::detach",
        )),
        Some(Marker::Error(text)) => Err(error(text, "")),
        None => Err(no_marker(&output, status, timeout)),
    }
}

/// Runs the program.
fn spawn(job: &Job) -> Result<Child, LaunchError> {
    let path = match &job.program {
        Program::Here(path) => path.clone(),
        Program::Pushed => std::env::current_exe()
            .map_err(|failed| error(format!("cannot find this program: {failed}"), ""))?,
    };
    let mut command = Command::new(&path);
    command.args(&job.arguments).envs(job.environment.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().map_err(|failed| {
        let hint = threads::way_out(&failed).unwrap_or(match failed.kind() {
            io::ErrorKind::NotFound => "build it or name another",
            io::ErrorKind::PermissionDenied => "check that it may be run, and its disk (noexec)",
            _ => "name a program for this kind of machine",
        });
        error(format!("cannot run {}: {failed}", path.display()), hint)
    })
}

/// The three pipes to a child; none of them ever blocks.
struct Talk {
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
}

impl Talk {
    fn new(child: &mut Child) -> io::Result<Talk> {
        let talk = Talk {
            stdin: child.stdin.take(),
            stdout: child.stdout.take(),
            stderr: child.stderr.take(),
        };
        let pipes = [
            talk.stdin.as_ref().map(AsFd::as_fd),
            talk.stdout.as_ref().map(AsFd::as_fd),
            talk.stderr.as_ref().map(AsFd::as_fd),
        ];
        pipes.into_iter().flatten().try_for_each(|pipe| {
            fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map(drop).map_err(io::Error::from)
        })?;
        Ok(talk)
    }

    /// Writes its input and reads what it prints until it has closed both outputs, has printed too
    /// much, or the deadline is over, which comes closer once it says that it is ready.
    fn hold(mut self, mut input: &[u8], deadline: &mut Instant) -> Output {
        let (mut output, mut errors) = (Output::default(), Output::default());
        while (self.stdout.is_some() || self.stderr.is_some()) && !output.too_much() {
            if input.is_empty() {
                self.stdin = None;
            }
            if output.marker().is_some() {
                *deadline = (*deadline).min(Instant::now() + END_TIMEOUT);
            }
            if !self.wait(*deadline) {
                break;
            }
            if let Some(stdin) = &mut self.stdin {
                match stdin.write(input) {
                    Ok(n) => input = &input[n..],
                    Err(failed) if failed.kind() == io::ErrorKind::WouldBlock => {}
                    // It reads no more; what it prints says why.
                    Err(_) => self.stdin = None,
                }
            }
            read(&mut self.stdout, &mut output);
            read(&mut self.stderr, &mut errors);
        }
        if output.marker().is_none()
            && let Some(line) = errors.last_line()
        {
            output.push(format!("\n{line}\n").as_bytes());
        }
        output
    }

    /// Waits until one of the pipes can go on; false when the deadline is over.
    fn wait(&self, deadline: Instant) -> bool {
        fn watch<T: AsFd>(pipe: &Option<T>, flags: PollFlags) -> Option<PollFd<'_>> {
            pipe.as_ref()
                .map(|pipe: &T| -> BorrowedFd<'_> { pipe.as_fd() })
                .map(|fd| PollFd::new(fd, flags))
        }
        let pipes = [
            watch(&self.stdin, PollFlags::POLLOUT),
            watch(&self.stdout, PollFlags::POLLIN),
            watch(&self.stderr, PollFlags::POLLIN),
        ];
        let mut pipes: Vec<PollFd<'_>> = pipes.into_iter().flatten().collect();
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut pipes, timeout) {
            Ok(ready) => ready > 0,
            Err(Errno::EINTR) => true,
            Err(_) => false,
        }
    }
}

/// Reads once; forgets the pipe at its end.
fn read(pipe: &mut Option<impl Read>, output: &mut Output) {
    let mut bytes = [0; 4096];
    let Some(open) = pipe else { return };
    match open.read(&mut bytes) {
        Ok(n) if n > 0 => output.push(&bytes[..n]),
        Err(failed)
            if matches!(failed.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
        _ => *pipe = None,
    }
}

/// Waits for the child, which has most often ended by now; kills it at the deadline. None if it had
/// to be killed.
fn end(child: &mut Child, deadline: Instant) -> Option<ExitStatus> {
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        if Instant::now() >= deadline {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        // It has closed its outputs and is about to end; there is no event to wait for with a
        // deadline.
        thread::sleep(Duration::from_millis(1));
    }
}

/// What to say of a program that did not say that it is ready.
fn no_marker(output: &Output, status: Option<ExitStatus>, timeout: Duration) -> LaunchError {
    let last = output.last_line().map(|line| format!(": {line}")).unwrap_or_default();
    match status {
        Some(status) => {
            error(format!("the program ended ({status}) before it was ready{last}"), "")
        }
        None => {
            let seconds = timeout.as_secs_f32();
            error(format!("the program was not ready within {seconds} s{last}"), "look at its log")
        }
    }
}

fn error(what: impl Into<String>, hint: &str) -> LaunchError {
    LaunchError::new("localhost", Stage::Start, what, hint)
}
