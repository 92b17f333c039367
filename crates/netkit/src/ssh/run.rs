//! Running a command to its end over a session.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use ssh2::{BlockDirections, Channel};

use super::{Begin, MAX_RUN_OUTPUT, Output, Remote, command};
use crate::launch::job::{LaunchError, Stage};
use crate::text::one_line;

impl Remote {
    /// Runs a command with this input to its end, for at most the given time.
    ///
    /// # Errors
    ///
    /// If it cannot be run, is not done in time, or the connection fails. A status other than 0 is
    /// no error.
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
                (output.status, output.signal) = self.ending(&mut channel)?;
            }
            Ok(output)
        });
        self.let_go(channel);
        ended
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
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
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
