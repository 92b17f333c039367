//! Asking `ssh` what its configuration says of a machine: `ssh -G HOST`.
//!
//! It prints one option a line, and connects to nothing. It can take long all the same: `Match exec`
//! runs a program, and names may be looked up. So it has a deadline, and a process group of its own,
//! which is ended then.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::{MAX_CONFIG, SshFolder, Unusable, check_file};
use crate::files;
use crate::hosts::Host;
use crate::launch::job::LaunchOptions;
use crate::reap;
use crate::text::one_line;
use crate::threads;

/// The program that is asked; found on the `PATH`.
const SSH: &str = "ssh";

/// The most lines that are named where one of them is in the way.
const MAX_PLACES: usize = 3;

/// The options that hold for a machine, in the order in which they were printed. Names are in small
/// letters; values are as they were written, and need not be text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Printed(Vec<(String, OsString)>);

impl Printed {
    pub(super) fn parse(bytes: &[u8]) -> Printed {
        let lines = bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        let option = |line: &[u8]| {
            let mut parts = line.splitn(2, |&byte| byte == b' ');
            let name = String::from_utf8_lossy(parts.next().unwrap_or_default()).to_lowercase();
            (name, OsString::from_vec(parts.next().unwrap_or_default().to_vec()))
        };
        Printed(lines.map(option).collect())
    }

    /// All values of an option that may stand more than once.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a OsString> {
        self.0.iter().filter(move |(found, _)| found == name).map(|(_, value)| value)
    }

    /// The value of an option as text; none if it is not set.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.all(name).next().map(|value| value.to_string_lossy().into_owned())
    }

    /// The value of an option; none if it is not set, or set to `none`.
    pub(super) fn set(&self, name: &str) -> Option<String> {
        self.text(name).filter(|value| !value.is_empty() && !value.eq_ignore_ascii_case("none"))
    }
}

/// Asks `ssh`; none if it is not installed.
pub(super) fn ask(
    host: &Host,
    folder: &SshFolder,
    options: &LaunchOptions,
) -> Result<Option<Printed>, Unusable> {
    let Some(said) = run(&["-G", "-T"], host, folder, options)? else { return Ok(None) };
    match said.status {
        Some(status) if status.success() => Ok(Some(Printed::parse(&said.stdout))),
        Some(status) => Err(refused(host, status, &said.stderr)),
        None => Err(failed(&io::ErrorKind::TimedOut.into(), options)),
    }
}

/// The lines that set an option, in the files that are read for a machine: `FILE:LINE`. `ssh` does not
/// say which of them holds, so those for other machines are among them.
pub(super) fn places(
    option: &str,
    host: &Host,
    folder: &SshFolder,
    options: &LaunchOptions,
) -> Vec<String> {
    if option.is_empty() {
        return Vec::new();
    }
    let Ok(Some(said)) = run(&["-G", "-T", "-v"], host, folder, options) else { return Vec::new() };
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    let files = said.lines().filter_map(|line| line.split("Reading configuration data ").nth(1));
    let mut places = Vec::new();
    for file in files.map(str::trim) {
        let text = super::read_file(Path::new(file), MAX_CONFIG).ok().flatten().unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let sets = |line: &str| {
            let word = line.trim_start().split([' ', '\t', '=']).next().unwrap_or_default();
            word.eq_ignore_ascii_case(option)
        };
        let lines = (1..).zip(text.lines()).filter(|(_, line)| sets(line));
        places.extend(lines.map(|(number, _)| format!("{file}:{number}")));
    }
    places.truncate(MAX_PLACES);
    places
}

/// Runs `ssh` with these options for a machine; none if it is not installed.
fn run(
    words: &[&str],
    host: &Host,
    folder: &SshFolder,
    options: &LaunchOptions,
) -> Result<Option<Said>, Unusable> {
    let mut command = Command::new(SSH);
    command.args(words);
    if let Some(file) = configuration(folder, options)? {
        command.arg("-F").arg(file);
    }
    if let Some(user) = &host.user {
        command.args(["-l", user]);
    }
    if let Some(port) = host.port {
        command.args(["-p", &port.to_string()]);
    }
    command.args(["--", &host.name]);
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match child.process_group(0).spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let what = format!("cannot run ssh to read its configuration: {error}");
            return Err(Unusable::new(
                what,
                threads::way_out(&error).unwrap_or("check that it can be run"),
            ));
        }
    };
    let deadline = Instant::now() + options.connect_timeout;
    listen(&mut child, deadline).map(Some).map_err(|error| failed(&error, options))
}

/// The file to name with `-F`; none where `ssh` finds its own.
fn configuration(
    folder: &SshFolder,
    options: &LaunchOptions,
) -> Result<Option<OsString>, Unusable> {
    let whole = |path: &Path| match files::absolute(path) {
        Ok(path) => Ok(Some(path.into_os_string())),
        Err(error) => Err(super::unreadable(path, &error.to_string())),
    };
    let usual = folder.file("config");
    match (&options.config, usual) {
        (Some(path), _) => check_file(path).and_then(|()| whole(path)),
        (None, Some(path)) => {
            check_file(&path)?;
            match (folder.is_named, path.exists()) {
                (true, true) => whole(&path),
                // Nothing of the user's own is used, nor what holds for all users.
                (true, false) => Ok(Some("none".into())),
                (false, _) => Ok(None),
            }
        }
        (None, None) => Ok(None),
    }
}

/// What a program has said, and how it ended; no status if it had to be killed.
struct Said {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    status: Option<ExitStatus>,
}

/// Reads both outputs until the program ends. At the deadline it is killed, with what it has started.
///
/// Not until the outputs end: a program that `Match exec` has started in the background keeps them open.
fn listen(child: &mut Child, deadline: Instant) -> io::Result<Said> {
    let mut said = Said { stdout: Vec::new(), stderr: Vec::new(), status: None };
    let read = read_both(child, &mut said, deadline);
    if read.is_ok() {
        said.status = child.try_wait()?;
    }
    if said.status.is_none() {
        let group = Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX));
        // It may have ended in this moment.
        let _ = killpg(group, Signal::SIGKILL);
        child.wait()?;
    }
    read.map(|()| said)
}

/// Reads both outputs until the program has ended, or the deadline is over.
fn read_both(child: &mut Child, said: &mut Said, deadline: Instant) -> io::Result<()> {
    let process = reap::pidfd_open(child.id())?;
    let mut stdout = child.stdout.take();
    let mut stderr = child.stderr.take();
    for pipe in [stdout.as_ref().map(AsFd::as_fd), stderr.as_ref().map(AsFd::as_fd)] {
        pipe.map(|pipe| fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))).transpose()?;
    }
    loop {
        let pipes = [stdout.as_ref().map(AsFd::as_fd), stderr.as_ref().map(AsFd::as_fd)];
        let watched = pipes.into_iter().flatten().chain([process.as_fd()]);
        let mut watched: Vec<_> = watched.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut watched, timeout) {
            Ok(0) => return Ok(()),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let is_ready = |fd: &PollFd<'_>| fd.any().unwrap_or(false);
        let has_ended_and_is_read = watched
            .split_last()
            .is_some_and(|(process, pipes)| is_ready(process) && !pipes.iter().any(is_ready));
        if has_ended_and_is_read {
            return Ok(());
        }
        read_some(&mut stdout, &mut said.stdout)?;
        read_some(&mut stderr, &mut said.stderr)?;
    }
}

/// Reads once; forgets the pipe at its end.
fn read_some(pipe: &mut Option<impl Read>, into: &mut Vec<u8>) -> io::Result<()> {
    let mut bytes = [0; 16 << 10];
    let Some(open) = pipe else { return Ok(()) };
    match open.read(&mut bytes) {
        Ok(0) => *pipe = None,
        Ok(n) if (into.len() + n) as u64 > MAX_CONFIG => {
            return Err(io::Error::other(format!("it prints more than {MAX_CONFIG} bytes")));
        }
        Ok(n) => into.extend_from_slice(&bytes[..n]),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

/// `ssh` refuses its configuration, and says in which line.
fn refused(host: &Host, status: ExitStatus, stderr: &[u8]) -> Unusable {
    let text = String::from_utf8_lossy(stderr);
    // Options that are old or not compiled in are only warned of.
    let is_error = |line: &&str| {
        let is_warning = ["Deprecated option", "Unsupported option"];
        !line.is_empty() && !is_warning.iter().any(|words| line.contains(words))
    };
    let line = text.lines().map(str::trim).find(is_error);
    let why = line.map_or_else(|| format!("it ended ({status})"), |line| one_line(line, 300));
    let hint = format!("mend it until `ssh -G {}` works", host.name);
    Unusable::new(format!("ssh refuses its configuration: {why}"), hint)
}

fn failed(error: &io::Error, options: &LaunchOptions) -> Unusable {
    let hint = "look for a `Match exec` in ~/.ssh/config whose program hangs";
    if error.kind() == io::ErrorKind::TimedOut {
        let seconds = options.connect_timeout.as_secs_f32();
        return Unusable::new(format!("`ssh -G` did not answer within {seconds} s"), hint);
    }
    Unusable::new(format!("cannot learn from `ssh -G` what its configuration says: {error}"), hint)
}

#[cfg(test)]
mod tests;
