//! One SSH session to one machine: to start processes there, and to fetch and clean up afterwards.
//!
//! [`Remote::connect`] finds out what the line of the host file means (with the SSH configuration, as
//! `ssh -G` prints it), connects, makes sure that it is the right machine (`known_hosts`), and logs in by key (the
//! agent, `-i`, the usual files). Then, over the one session:
//!
//! * [`Remote::start`] starts a [`Job`] that becomes a daemon, and waits for its answer;
//! * [`Remote::push`] brings a program there by SFTP, once for each version of it;
//! * [`Remote::run`] runs a command to its end, and [`Remote::read_file`] fetches part of a file.
//!
//! What a server sends is bounded, and every call has a deadline. Traps of the library underneath
//! (libssh2) that shaped this module:
//!
//! * Dropping a channel whose command still runs, or a session with one, waits for an answer, by
//!   default for ever. So the time-out is set to [`DROP_TIMEOUT`] before anything is dropped, and
//!   the socket is shut down under a session that goes.
//! * A session is one lock: while one channel is read, no other can be used. So a session belongs
//!   to one thread, and several commands at once are started first and read in turn then; what
//!   arrives for the others meanwhile is kept by the library.
//! * Output that nobody reads stops the command. So both outputs are always read, merged or in
//!   turn.
//! * Without `TCP_NODELAY` each command costs 40 ms.
//!
//! Passwords, certificates, jump hosts and forwarding are left out; `ssh` itself does them better.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Shutdown, TcpStream};
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use libssh2_sys::{
    LIBSSH2_ERROR_CHANNEL_FAILURE, LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED, LIBSSH2_ERROR_TIMEOUT,
};
use ssh2::{Channel, ErrorCode, Session, Sftp};

use crate::hosts::Host;
use crate::launch::job::{Job, LaunchError, LaunchOptions, Program, Stage};
use crate::text::one_line;

use authenticate::{Offers, Outcome};
use connect::shake_hands;
use copy::CopyError;
use host_key::HostKeys;

pub use connect::DROPPED_TRIES;
pub use hash::program_hash;
pub use output::{MAX_RUN_OUTPUT, Output};

pub(crate) use copy::Copy;
pub(crate) use target::Target;

mod authenticate;
mod command;
mod configuration;
mod connect;
mod copy;
mod hash;
mod host_key;
mod key_file;
mod known_hosts;
mod output;
mod run;
mod start;
mod target;

/// The address of a machine's SSH server, as the host file and the configuration name it. Nothing
/// is sent to it.
///
/// # Errors
///
/// If the configuration cannot be read, or the name has no address.
pub fn resolve(host: &Host, options: &LaunchOptions) -> Result<std::net::SocketAddr, LaunchError> {
    Ok(Target::resolve(host, options)?.first_address())
}

/// How many commands of one session run at once. A usual `sshd` allows ten (its `MaxSessions`).
pub const CHANNELS_AT_ONCE: usize = 8;

/// How long anything may wait that is done only to let go of a session.
pub const DROP_TIMEOUT: Duration = Duration::from_millis(200);

/// How long one piece of a file may take to be copied, or one step of opening it.
pub const COPY_TIMEOUT: Duration = Duration::from_secs(30);

/// The most bytes that [`Remote::read_file`] fetches in one call.
pub const MAX_READ: u64 = 256 << 20;

/// The most connections made to one server to offer keys: each takes several.
const MAX_LOGINS: usize = 8;

/// How long the server may take to say how a command ended whose outputs have ended.
const ENDING_TIMEOUT: Duration = Duration::from_secs(5);

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
        address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }

    /// Brings a program to the machine, unless the same version is there already; returns its path
    /// there. It is kept in `.cache/netkit` below the home folder, under a name made from its
    /// content.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, the machine offers no SFTP, or copying fails.
    pub fn push(&mut self, program: &Path) -> Result<String, LaunchError> {
        let copy = Copy::of(program).map_err(|error| self.unreadable(program, &error))?;
        self.bring(&copy).map(|(path, _)| path)
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

    /// Fetches at most `max` bytes (and at most [`MAX_READ`]) of a file there from `offset` on;
    /// fewer only if the file ends before.
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
            let refused = [LIBSSH2_ERROR_CHANNEL_FAILURE, LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED];
            if refused.map(ErrorCode::Session).contains(&error.code()) {
                let what = format!("it offers no SFTP ({})", error.message());
                return self.error(Stage::Copy, what, hint);
            }
            let what = format!("what it says is no SFTP ({})", one_line(error.message(), 100));
            let hint = "does .bashrc or the like there print something? only a login at a terminal \
                        may be greeted";
            self.error(Stage::Copy, what, hint)
        })
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
                if error.code() == ErrorCode::Session(LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED) =>
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

    /// How a command ended whose outputs have ended.
    fn ending(&mut self, channel: &mut Channel) -> Result<Ending, LaunchError> {
        self.session.set_timeout(millis(ENDING_TIMEOUT));
        // The status comes before the channel is closed from the other side.
        if let Err(error) = channel.wait_close() {
            return Err(self.lost(&error, ENDING_TIMEOUT));
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

/// The exit status of a command, or the name of the signal that ended it.
type Ending = (Option<i32>, Option<String>);

/// Why a command was not started.
enum Begin {
    /// The server allows no more at once.
    NoRoom(LaunchError),
    Failed(LaunchError),
}

/// A time-out as the library takes it: in milliseconds, and never 0, which stands for none.
fn millis(timeout: Duration) -> u32 {
    u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX).max(1)
}
