//! One SSH session to one machine: to start processes there, and to fetch and clean up afterwards.
//!
//! [`Remote::connect`] finds out what the line of the host file means (with `~/.ssh/config`), connects,
//! makes sure that it is the right machine (`known_hosts`), and logs in by key (the agent, `-i`, the
//! usual files). Then, over the one session:
//!
//! * [`Remote::start`] starts a [`Job`] that becomes a daemon, and waits for its answer;
//! * [`Remote::push`] brings a program there by SFTP, once for each version of it;
//! * [`Remote::run`] runs a command to its end, and [`Remote::read_file`] fetches part of a file.
//!
//! What a server sends is bounded, and every call has a deadline. Traps of the library underneath
//! (libssh2) that shaped this module:
//!
//! * Dropping a channel whose command still runs, or a session with one, waits for an answer, by
//!   default for ever. So the time-out is set to [`DROP_TIMEOUT`] before anything is dropped, and the
//!   socket is shut down under a session that goes.
//! * A session is one lock: while one channel is read, no other can be used. So a session belongs to
//!   one thread, and several commands at once are started first and read in turn then; what arrives for
//!   the others meanwhile is kept by the library.
//! * Output that nobody reads stops the command. So both outputs are always read, merged or in turn.
//! * Without `TCP_NODELAY` each command costs 40 ms.
//!
//! Passwords, certificates, jump hosts and forwarding are left out; `ssh` itself does them better.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use libssh2_sys::{
    LIBSSH2_ERROR_BAD_SOCKET, LIBSSH2_ERROR_BANNER_RECV, LIBSSH2_ERROR_CHANNEL_FAILURE,
    LIBSSH2_ERROR_SOCKET_DISCONNECT, LIBSSH2_ERROR_SOCKET_RECV, LIBSSH2_ERROR_TIMEOUT,
};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use ssh2::{BlockDirections, Channel, ErrorCode, ExtendedData, Session, Sftp};

use crate::hosts::Host;
use crate::launch::{Job, LaunchError, LaunchOptions, MAX_STDIN, Program, Stage};
use crate::marker::{Marker, Output as Printed};
use crate::text::one_line;

use authenticate::{Offers, Outcome};
use copy::CopyError;
use host_key::HostKeys;

pub(crate) use copy::Copy;
pub(crate) use target::Target;

mod authenticate;
mod command;
mod copy;
mod host_key;
mod key_file;
mod known_hosts;
mod target;

/// How many commands of one session run at once. A usual `sshd` allows ten (its `MaxSessions`).
pub const CHANNELS_AT_ONCE: usize = 8;

/// How often a connection is tried again that the server dropped before saying anything, as one does
/// that has too many (its `MaxStartups`).
pub const DROPPED_TRIES: u32 = 6;

/// How long anything may wait that is done only to let go of a session.
pub const DROP_TIMEOUT: Duration = Duration::from_millis(200);

/// How long one piece of a file may take to be copied, or one step of opening it.
pub const COPY_TIMEOUT: Duration = Duration::from_secs(30);

/// The most that [`Remote::run`] keeps of each output of a command, in bytes.
pub const MAX_RUN_OUTPUT: usize = 16 << 20;

/// The most bytes that [`Remote::read_file`] fetches in one call.
pub const MAX_READ: u64 = 256 << 20;

/// The most connections made to one server to offer keys: each takes several.
const MAX_LOGINS: usize = 8;

/// How long a daemon's command may take to end once it has said that it is ready.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// What a command printed and how it ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Output {
    /// Its exit status; none if a signal ended it.
    pub status: Option<i32>,
    /// The name of the signal that ended it, such as `KILL`.
    pub signal: Option<String>,
    /// What it wrote to its standard output, at most [`MAX_RUN_OUTPUT`] bytes.
    pub stdout: Vec<u8>,
    /// What it wrote to its standard error, at most [`MAX_RUN_OUTPUT`] bytes.
    pub stderr: Vec<u8>,
    /// Whether either was longer than that; the command was cut off then, and has no status.
    pub cut_off: bool,
}

/// A session on another machine, logged in.
pub struct Remote {
    session: Session,
    tcp: TcpStream,
    target: Target,
    options: LaunchOptions,
    /// Where the copy of [`LaunchOptions::program`] is, once it is known to be there.
    pushed: Option<String>,
    /// Why the session is of no more use.
    broken: Option<LaunchError>,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote").field("target", &self.target).finish_non_exhaustive()
    }
}

impl Remote {
    /// Connects to a machine and logs in.
    ///
    /// # Errors
    ///
    /// The step that failed: finding its address, reaching it, its host key, or logging in.
    pub fn connect(host: &Host, options: &LaunchOptions) -> Result<Remote, LaunchError> {
        Remote::connect_to(Target::resolve(host, options)?, options)
    }

    /// As [`Remote::connect`], with the address found out before.
    pub(crate) fn connect_to(
        target: Target,
        options: &LaunchOptions,
    ) -> Result<Remote, LaunchError> {
        let keys = HostKeys::of(&target, options)?;
        let mut offers: Option<Offers> = None;
        for _ in 0..MAX_LOGINS {
            let remote = shake_hands(&target, &keys, options)?;
            let key = remote.session.host_key().map(|(key, _)| key.to_owned()).unwrap_or_default();
            keys.check(&target, &key, options)?;
            let offers = match &mut offers {
                Some(offers) => offers,
                None => offers.insert(Offers::collect(&remote.session, &target, options)?),
            };
            match offers.offer_to(&remote.session, &target, options)? {
                Outcome::LoggedIn => return Ok(remote),
                Outcome::Reconnect => {}
                Outcome::Refused => break,
            }
        }
        let offers = offers.expect("at least one connection was made");
        Err(offers.refusal(&target))
    }

    /// The machine, as messages name it.
    pub fn host(&self) -> &str {
        &self.target.label
    }

    /// The address of this machine's end of the connection: one by which the other reaches us.
    pub fn local_address(&self) -> IpAddr {
        let address = self.tcp.local_addr().map(|address| address.ip().to_canonical());
        address.unwrap_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED))
    }

    /// Brings a program to the machine, unless the same version is there already; returns its path
    /// there. It is kept in `.cache/netkit` below the home folder, under a name made from its content.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, the machine offers no SFTP, or copying fails.
    pub fn push(&mut self, program: &Path) -> Result<String, LaunchError> {
        let copy = Copy::of(program).map_err(|error| self.unreadable(program, &error))?;
        self.bring(&copy).map(|(path, _)| path)
    }

    /// Starts a job, and waits until its daemon is ready; returns its process number there.
    ///
    /// # Errors
    ///
    /// What the daemon says is wrong; or that the program is not there, ended without a word, or was
    /// not ready in time.
    pub fn start(&mut self, job: &Job) -> Result<u32, LaunchError> {
        let mut outcome = None;
        self.start_all(std::slice::from_ref(job), &mut |_, result| outcome = Some(result));
        outcome.expect("every job is reported")
    }

    /// Starts several jobs, a few at once; reports each by its place in the list.
    pub(crate) fn start_all(
        &mut self,
        jobs: &[Job],
        report: &mut dyn FnMut(usize, Result<u32, LaunchError>),
    ) {
        let mut running = VecDeque::new();
        for (at, job) in jobs.iter().enumerate() {
            if running.len() == CHANNELS_AT_ONCE {
                self.collect_first(&mut running, report);
            }
            let begun = loop {
                match self.begin(job) {
                    // The server allows fewer at once than usual.
                    Err(Begin::NoRoom(_)) if !running.is_empty() => {
                        self.collect_first(&mut running, report);
                    }
                    begun => break begun,
                }
            };
            match begun {
                Ok(started) => running.push_back((at, started)),
                Err(Begin::NoRoom(error) | Begin::Failed(error)) => report(at, Err(error)),
            }
        }
        while !running.is_empty() {
            self.collect_first(&mut running, report);
        }
    }

    /// Brings the program there that the jobs need, if they do; says whether it was copied.
    pub(crate) fn push_for(
        &mut self,
        jobs: &[Job],
        copy: &OnceLock<Result<Copy, LaunchError>>,
    ) -> Result<bool, LaunchError> {
        if !self.options.push && jobs.iter().all(|job| job.program != Program::Pushed) {
            return Ok(false);
        }
        let program = &self.options.program;
        let read = || Copy::of(program).map_err(|error| self.unreadable(program, &error));
        let copy = copy.get_or_init(read).clone()?;
        let (path, copied) = self.bring(&copy)?;
        self.pushed = Some(path);
        Ok(copied)
    }

    /// Runs a command with this input to its end, for at most the given time.
    ///
    /// # Errors
    ///
    /// If it cannot be run, is not done in time, or the connection fails. That it ends with a status
    /// other than 0 is no error.
    pub fn run(
        &mut self,
        words: &[&str],
        stdin: &[u8],
        timeout: Duration,
    ) -> Result<Output, LaunchError> {
        let deadline = Instant::now() + timeout;
        let command =
            command::of_words(words).map_err(|what| self.error(Stage::Start, what, ""))?;
        let mut channel = match self.open(&command, timeout) {
            Ok(channel) => channel,
            Err(Begin::NoRoom(error) | Begin::Failed(error)) => return Err(error),
        };
        let output = self.exchange(&mut channel, stdin, deadline);
        self.session.set_blocking(true);
        let output = output.map_err(|error| {
            let what = match error.kind() {
                io::ErrorKind::TimedOut => format!(
                    "`{}` took longer than {} s",
                    one_line(&words.join(" "), 80),
                    timeout.as_secs_f32()
                ),
                _ => format!("lost it while it ran a command: {error}"),
            };
            self.error(Stage::Start, what, "")
        });
        let ended = output.and_then(|mut output| {
            if !output.cut_off {
                (output.status, output.signal) = self.ending(&mut channel, END_TIMEOUT)?;
            }
            Ok(output)
        });
        self.let_go(channel);
        ended
    }

    /// Fetches at most `max` bytes (and at most [`MAX_READ`]) of a file there from `offset` on; fewer
    /// only if the file ends before.
    ///
    /// # Errors
    ///
    /// If there is no such file, the machine offers no SFTP, or reading fails.
    pub fn read_file(&mut self, path: &str, offset: u64, max: u64) -> Result<Vec<u8>, LaunchError> {
        let sftp = self.sftp("")?;
        let read = copy::read_file(&sftp, Path::new(path), offset, max.min(MAX_READ));
        self.session.set_timeout(millis(DROP_TIMEOUT));
        drop(sftp);
        read.map_err(|error| self.copy_error(&format!("{path}: "), &error, ""))
    }

    /// Brings a program there; returns its path and whether it was copied.
    fn bring(&mut self, copy: &Copy) -> Result<(String, bool), LaunchError> {
        let sftp = self.sftp("install the program on the machine and start it without --push")?;
        let brought = copy.bring(&sftp);
        // Its channel counts among those that the server allows at once.
        self.session.set_timeout(millis(DROP_TIMEOUT));
        drop(sftp);
        brought.map_err(|error| {
            self.copy_error("", &error, "check the home folder there: its rights, its space")
        })
    }

    fn sftp(&mut self, hint: &str) -> Result<Sftp, LaunchError> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        self.session.set_timeout(millis(COPY_TIMEOUT));
        self.session.sftp().map_err(|error| {
            let what = format!("it offers no SFTP ({})", error.message());
            self.error(Stage::Copy, what, hint)
        })
    }

    /// Starts the program of a job, and gives it its input.
    fn begin(&mut self, job: &Job) -> Result<Started, Begin> {
        let failed = |error| Begin::Failed(error);
        if job.stdin.len() > MAX_STDIN {
            let what = format!("its standard input is longer than {MAX_STDIN} bytes");
            return Err(failed(self.error(Stage::Start, what, "send it over the network instead")));
        }
        let path = self.path_of(job).map_err(failed)?;
        let command = command::of_job(&path, job)
            .map_err(|what| failed(self.error(Stage::Start, what, "write it in another way")))?;
        let timeout = self.options.start_timeout;
        let deadline = Instant::now() + timeout;
        let mut channel = self.open(&command, timeout)?;
        let merged = channel.handle_extended_data(ExtendedData::Merge);
        let written = channel.write_all(&job.stdin).and_then(|()| Ok(channel.send_eof()?));
        // A program that has ended takes no input; what it printed says why.
        let _ = merged.map_err(io::Error::from).and(written);
        Ok(Started { channel, deadline, path })
    }

    /// Where the program of a job is there.
    fn path_of(&mut self, job: &Job) -> Result<String, LaunchError> {
        match &job.program {
            Program::Here(path) if !self.options.push => match path.to_str() {
                Some(path) if path.starts_with('/') => Ok(path.to_owned()),
                _ => {
                    let what = format!("`{}` is no absolute path", path.display());
                    Err(self.error(Stage::Start, what, "name the program by its whole path"))
                }
            },
            _ => {
                if self.pushed.is_none() {
                    let program = self.options.program.clone();
                    self.pushed = Some(self.push(&program)?);
                }
                Ok(self.pushed.clone().unwrap_or_default())
            }
        }
    }

    /// Opens a channel and runs a command in it.
    fn open(&mut self, command: &str, timeout: Duration) -> Result<Channel, Begin> {
        if let Some(error) = &self.broken {
            return Err(Begin::Failed(error.clone()));
        }
        self.session.set_blocking(true);
        self.session.set_timeout(millis(timeout));
        let opened = self.session.channel_session();
        let mut channel = match opened {
            Ok(channel) => channel,
            Err(error) if error.code() == ErrorCode::Session(LIBSSH2_ERROR_CHANNEL_FAILURE) => {
                let what = "it opens no more sessions in this connection";
                return Err(Begin::NoRoom(self.error(
                    Stage::Start,
                    what,
                    "raise MaxSessions in its sshd_config",
                )));
            }
            Err(error) => return Err(Begin::Failed(self.lost(&error, timeout))),
        };
        match channel.exec(command) {
            Ok(()) => Ok(channel),
            Err(error)
                if error.code()
                    == ErrorCode::Session(libssh2_sys::LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED) =>
            {
                self.let_go(channel);
                let what = "it runs no commands for this user";
                Err(Begin::Failed(self.error(Stage::Start, what, "ask who runs the machine")))
            }
            Err(error) => {
                self.let_go(channel);
                Err(Begin::Failed(self.lost(&error, timeout)))
            }
        }
    }

    /// Waits for the answer of the job that was started first, and reports it.
    fn collect_first(
        &mut self,
        running: &mut VecDeque<(usize, Started)>,
        report: &mut dyn FnMut(usize, Result<u32, LaunchError>),
    ) {
        if let Some((at, started)) = running.pop_front() {
            let result = self.collect(started);
            report(at, result);
        }
    }

    /// Waits for the answer of a job, and until its command has ended.
    fn collect(&mut self, started: Started) -> Result<u32, LaunchError> {
        let Started { mut channel, mut deadline, path } = started;
        let mut printed = Printed::default();
        let read = loop {
            let ready = printed.marker().is_some();
            if ready {
                deadline = deadline.min(Instant::now() + END_TIMEOUT);
            }
            match self.read_some(&mut channel, &mut printed, deadline) {
                Ok(true) if !printed.too_much() => {}
                Ok(_) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        let outcome = match (printed.marker(), read) {
            (Some(Marker::Ok(pid)), Ok(())) => Ok(pid),
            (Some(Marker::Ok(_)), Err(_)) => Err(self.error(
                Stage::Start,
                "the program said that it is ready but did not detach",
                "it must call netkit::daemon::detach",
            )),
            (Some(Marker::Error(text)), _) => Err(self.error(Stage::Start, text, "")),
            (None, Ok(())) if printed.too_much() => Err(self.error(
                Stage::Start,
                format!(
                    "it prints too much before the program is ready: {}",
                    printed.last_line().unwrap_or_default()
                ),
                "look at .bashrc and the like there",
            )),
            (None, Ok(())) => {
                let ending = self.ending(&mut channel, END_TIMEOUT);
                Err(ending
                    .map_or_else(|error| error, |ending| self.no_marker(&path, &printed, &ending)))
            }
            (None, Err(error)) => Err(self.no_answer(&printed, &error)),
        };
        self.let_go(channel);
        outcome
    }

    /// Reads what a command has printed, waiting for something if need be; false at the end.
    fn read_some(
        &mut self,
        channel: &mut Channel,
        printed: &mut Printed,
        deadline: Instant,
    ) -> io::Result<bool> {
        let left = deadline.saturating_duration_since(Instant::now());
        self.session.set_timeout(millis(left));
        let mut bytes = [0; 4096];
        let n = channel.read(&mut bytes)?;
        printed.push(&bytes[..n]);
        Ok(n > 0)
    }

    /// Gives a command its input and reads both its outputs until they end or are too long.
    fn exchange(
        &mut self,
        channel: &mut Channel,
        mut input: &[u8],
        deadline: Instant,
    ) -> io::Result<Output> {
        let mut output = Output {
            status: None,
            signal: None,
            stdout: Vec::new(),
            stderr: Vec::new(),
            cut_off: false,
        };
        let mut ended_input = false;
        self.session.set_blocking(false);
        loop {
            let mut idle = true;
            if !input.is_empty() {
                match channel.write(input) {
                    Ok(n) => {
                        input = &input[n..];
                        idle &= n == 0;
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    // It reads no more; what it prints says why.
                    Err(_) => input = &[],
                }
            } else if !ended_input {
                ended_input = not_yet(channel.send_eof())?;
            }
            idle &= !read_ready(&mut channel.stream(0), &mut output.stdout, &mut output.cut_off)?;
            idle &= !read_ready(&mut channel.stderr(), &mut output.stderr, &mut output.cut_off)?;
            if output.cut_off || channel.eof() {
                return Ok(output);
            }
            if Instant::now() >= deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
            if idle {
                self.wait_for_socket(deadline)?;
            }
        }
    }

    /// Waits until the socket can go on, or the deadline is over.
    fn wait_for_socket(&self, deadline: Instant) -> io::Result<()> {
        let mut events = PollFlags::POLLIN;
        if matches!(
            self.session.block_directions(),
            BlockDirections::Outbound | BlockDirections::Both
        ) {
            events |= PollFlags::POLLOUT;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(self.tcp.as_fd(), events)], timeout) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// How a command ended whose outputs have ended.
    fn ending(&mut self, channel: &mut Channel, timeout: Duration) -> Result<Ending, LaunchError> {
        self.session.set_timeout(millis(timeout));
        // The status comes before the channel is closed from the other side.
        if let Err(error) = channel.wait_close() {
            return Err(self.lost(&error, timeout));
        }
        // The status of a command that a signal ended is 0, so the signal comes first.
        let signal = channel.exit_signal().ok().and_then(|signal| signal.exit_signal);
        match signal {
            Some(signal) => Ok((None, Some(one_line(&signal, 20)))),
            None => Ok((channel.exit_status().ok(), None)),
        }
    }

    /// Drops a channel, without waiting for a command that still runs.
    fn let_go(&mut self, channel: Channel) {
        self.session.set_timeout(millis(DROP_TIMEOUT));
        drop(channel);
    }

    /// What to say of a command that ended without the marker.
    fn no_marker(&mut self, path: &str, printed: &Printed, ending: &Ending) -> LaunchError {
        let last = printed.last_line().map(|line| format!(": {line}")).unwrap_or_default();
        let pushed = self.pushed.as_deref() == Some(path);
        match ending {
            (Some(127), _) if !pushed => {
                let what = format!("no program at {path} there{last}");
                self.error(Stage::Start, what, "give --push, or install it there")
            }
            (Some(126), _) if pushed => {
                let what = format!("{path} may not be run there{last}");
                self.error(Stage::Start, what, "its home may be mounted noexec, or the machine be of another kind; install the program elsewhere there and start it without --push")
            }
            (Some(126), _) => {
                let what = format!("{path} may not be run there{last}");
                self.error(
                    Stage::Start,
                    what,
                    "check its rights and that it is for this kind of machine",
                )
            }
            (_, Some(signal)) => {
                let what =
                    format!("the program was ended by SIG{signal} before it was ready{last}");
                self.error(Stage::Start, what, "")
            }
            (status, None) => {
                let status =
                    status.map_or("no status".to_owned(), |status| format!("status {status}"));
                let what = format!("the program ended with {status} before it was ready{last}");
                self.error(Stage::Start, what, "")
            }
        }
    }

    /// What to say when reading what a command prints fails.
    fn no_answer(&mut self, printed: &Printed, error: &io::Error) -> LaunchError {
        let last = printed.last_line().map(|line| format!(": {line}")).unwrap_or_default();
        if error.kind() == io::ErrorKind::TimedOut {
            let seconds = self.options.start_timeout.as_secs_f32();
            let what = format!("the program was not ready within {seconds} s{last}");
            return self.error(Stage::Start, what, "look at its log there, and at .bashrc");
        }
        let error = self.error(Stage::Start, format!("lost the connection: {error}{last}"), "");
        self.broken.insert(error).clone()
    }

    /// The session failed: it is of no more use.
    fn lost(&mut self, error: &ssh2::Error, timeout: Duration) -> LaunchError {
        let what = if error.code() == ErrorCode::Session(LIBSSH2_ERROR_TIMEOUT) {
            format!("it did not answer within {} s", timeout.as_secs_f32())
        } else {
            format!("lost the connection: {}", error.message())
        };
        let error = self.error(Stage::Start, what, "check that the machine is still reachable");
        self.broken.insert(error).clone()
    }

    fn copy_error(&mut self, file: &str, error: &CopyError, hint: &str) -> LaunchError {
        let reported = self.error(Stage::Copy, format!("{file}{error}"), hint);
        if error.is_fatal() {
            self.broken = Some(reported.clone());
        }
        reported
    }

    fn unreadable(&self, program: &Path, error: &io::Error) -> LaunchError {
        let what = format!("cannot read {}: {error}", program.display());
        self.error(Stage::Copy, what, "name the program to copy")
    }

    fn error(&self, stage: Stage, what: impl Into<String>, hint: &str) -> LaunchError {
        LaunchError::new(&self.target.label, stage, what, hint)
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.session.set_blocking(true);
        self.session.set_timeout(millis(DROP_TIMEOUT));
        if self.broken.is_none() {
            // A courtesy to the server; it would notice by itself.
            let _ = self.session.disconnect(None, "done", None);
        }
        let _ = self.tcp.shutdown(Shutdown::Both);
    }
}

/// A command that runs.
struct Started {
    channel: Channel,
    deadline: Instant,
    path: String,
}

/// The exit status of a command, or the name of the signal that ended it.
type Ending = (Option<i32>, Option<String>);

/// Why a command was not started.
enum Begin {
    /// The server allows no more at once.
    NoRoom(LaunchError),
    Failed(LaunchError),
}

/// Connects and exchanges keys; tries again when the server drops the connection at once.
fn shake_hands(
    target: &Target,
    keys: &HostKeys,
    options: &LaunchOptions,
) -> Result<Remote, LaunchError> {
    let failed =
        |what: String, hint: &str| LaunchError::new(&target.label, Stage::Connect, what, hint);
    let mut tries = 0;
    loop {
        let tcp = connect(&target.addresses, options.connect_timeout)
            .map_err(|(what, hint)| failed(what, hint))?;
        let error = match shake_hands_once(tcp, target, keys, options) {
            Ok(remote) => return Ok(remote),
            Err(error) => error,
        };
        tries += 1;
        match error.code() {
            ErrorCode::Session(code) if DROPPED.contains(&code) => {
                if tries == DROPPED_TRIES {
                    let what = format!("it closed the connection {tries} times before a word");
                    return Err(failed(
                        what,
                        "is it an SSH server? is it overloaded? see MaxStartups in its sshd_config",
                    ));
                }
                thread::sleep(pause(tries));
            }
            ErrorCode::Session(LIBSSH2_ERROR_TIMEOUT) => {
                let seconds = options.connect_timeout.as_secs_f32();
                let what = format!("connected, but no SSH server answered within {seconds} s");
                return Err(failed(what, "is it an SSH server? is the machine overloaded?"));
            }
            _ => {
                let what =
                    format!("cannot agree with its SSH server: {}", one_line(error.message(), 200));
                return Err(failed(what, "is it an SSH server, and newer than 2016?"));
            }
        }
    }
}

/// What the library says when the server closes the connection before the keys are exchanged.
const DROPPED: [i32; 3] =
    [LIBSSH2_ERROR_SOCKET_RECV, LIBSSH2_ERROR_SOCKET_DISCONNECT, LIBSSH2_ERROR_BANNER_RECV];

/// How long to wait before the next try: random, so that those dropped together do not come back
/// together; 50 to 250 ms at first, twice as long each time.
fn pause(tries: u32) -> Duration {
    let mut random = [0; 2];
    // Without randomness they come back together, which only takes longer.
    let _ = getrandom::fill(&mut random);
    let base = 50 + u64::from(u16::from_ne_bytes(random)) % 200;
    Duration::from_millis(base << (tries - 1).min(5))
}

fn shake_hands_once(
    tcp: TcpStream,
    target: &Target,
    keys: &HostKeys,
    options: &LaunchOptions,
) -> Result<Remote, ssh2::Error> {
    let no_socket = |_| {
        ssh2::Error::new(ErrorCode::Session(LIBSSH2_ERROR_BAD_SOCKET), "out of file descriptors")
    };
    let session = Session::new()?;
    session.set_timeout(millis(options.connect_timeout));
    let mut remote = Remote {
        session,
        tcp: tcp.try_clone().map_err(no_socket)?,
        target: target.clone(),
        options: options.clone(),
        pushed: None,
        broken: None,
    };
    remote.session.set_tcp_stream(tcp);
    keys.prefer_known_types(&remote.session)?;
    remote.session.handshake()?;
    Ok(remote)
}

/// Connects to the first address that answers; each gets its share of the time.
fn connect(
    addresses: &[SocketAddr],
    timeout: Duration,
) -> Result<TcpStream, (String, &'static str)> {
    let share = (timeout / addresses.len().max(1) as u32).max(Duration::from_millis(1));
    let mut last = ("it has no address".to_owned(), "");
    for address in addresses {
        match TcpStream::connect_timeout(address, share) {
            Ok(tcp) => {
                // Without it every command takes 40 ms longer, and nothing else changes.
                let _ = tcp.set_nodelay(true);
                return Ok(tcp);
            }
            Err(error) => last = explain(address, &error, share),
        }
    }
    Err(last)
}

fn explain(address: &SocketAddr, error: &io::Error, share: Duration) -> (String, &'static str) {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => (
            format!("nothing listens on {address}"),
            "is sshd running there, and is the port right?",
        ),
        io::ErrorKind::TimedOut => (
            format!("{address} did not answer within {} s", share.as_secs_f32()),
            "is the machine on, and reachable from here?",
        ),
        _ => (
            format!("cannot reach {address}: {error}"),
            "is the machine on, and reachable from here?",
        ),
    }
}

/// A time-out as the library takes it: in milliseconds, and never 0, which stands for none.
fn millis(timeout: Duration) -> u32 {
    u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX).max(1)
}

/// Whether a call on a session that does not block is done.
fn not_yet(result: Result<(), ssh2::Error>) -> io::Result<bool> {
    match result.map_err(io::Error::from) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}

/// Reads what is there; says whether that was anything.
fn read_ready(from: &mut impl Read, into: &mut Vec<u8>, cut_off: &mut bool) -> io::Result<bool> {
    let mut bytes = [0; 32 << 10];
    match from.read(&mut bytes) {
        Ok(n) => {
            let room = MAX_RUN_OUTPUT - into.len();
            into.extend_from_slice(&bytes[..n.min(room)]);
            *cut_off |= n > room;
            Ok(n > 0)
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}
