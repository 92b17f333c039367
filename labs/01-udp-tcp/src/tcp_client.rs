//! A client that connects, sends one message, waits for its acknowledgement, and closes.
//!
//! The order is the point. `connect` returns when the other machine has agreed, which its *kernel*
//! does: the program there may not have accepted yet, and may never. With `--hold` the connection
//! then stands open for a while, so that one can look at it on both machines. A `write` that
//! succeeds does not mean that the message has arrived; only the answer means that. It is a line; a
//! server that sends no end of line is understood too, when it pauses. The side that
//! closes first, here the client, keeps the connection in the state TIME_WAIT for a minute: a late
//! packet of it must not be taken for one of the next connection between the same ports.

use std::ffi::OsString;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::Args;
use netkit::sockets;
use netkit::text::escape_bytes;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::count;

/// What `tcp-client` takes.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The machine to connect to: a name or an address
    pub host: String,
    /// The port to connect to
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    pub port: u16,
    /// The message to send, without the end of the line; this machine's name unless given
    #[arg(long, value_name = "TEXT")]
    pub message: Option<OsString>,
    /// Wait so long with the connection open before sending
    #[arg(long, value_name = "SECONDS", default_value_t = 0,
        value_parser = clap::value_parser!(u64).range(0..=86_400))]
    pub hold: u64,
    /// How long to wait for the connection, and for the acknowledgement, which may come without an end of line
    #[arg(long, value_name = "SECONDS", default_value_t = 10,
        value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout: u64,
}

/// What a server answers to a message that it has received.
pub const ACKNOWLEDGEMENT: &[u8] = b"OK";

/// How long an answer that has begun may pause before it counts as whole. A server that sends no end
/// of line has sent all of it; one that does needs thousandths of that.
const PAUSE: Duration = Duration::from_millis(500);

/// The longest answer that is waited for: nobody may fill our memory with a line without an end.
const MAX_ANSWER: usize = 1024;

/// The other side has closed its half of the connection: Linux tells it apart from bytes to read,
/// and nix has no name for it.
const END_OF_STREAM: PollFlags = PollFlags::from_bits_retain(nix::libc::POLLRDHUP);

/// Connects, holds, sends, waits for the acknowledgement, and closes.
///
/// # Errors
///
/// If any of these fails or takes too long, or the server answers anything but [`ACKNOWLEDGEMENT`].
pub fn send(options: &Options, out: &mut impl Write) -> anyhow::Result<()> {
    let timeout = Duration::from_secs(options.timeout);
    let message = match &options.message {
        Some(message) => message.clone().into_vec(),
        None => nix::unistd::gethostname().context("cannot find this machine's name")?.into_vec(),
    };
    ensure!(
        !message.contains(&b'\n'),
        "a message is one line and ends where the line ends; send two messages instead"
    );
    let mut stream = sockets::connect_tcp(&options.host, options.port, timeout)?;
    let (local, server) = (stream.local_addr()?, stream.peer_addr()?);
    writeln!(out, "connected to {server} from {local}")?;
    if options.hold > 0 {
        writeln!(out, "holding for {} s; look: ss -tn 'sport = :{}'", options.hold, local.port())?;
        hold(&stream, Duration::from_secs(options.hold))?;
    }
    let mut line = message;
    line.push(b'\n');
    let deadline = Instant::now() + timeout;
    stream.set_write_timeout(Some(timeout))?;
    stream.write_all(&line).with_context(|| format!("cannot send to {server}"))?;
    writeln!(out, "sent {}", count(line.len() as u64, "byte"))?;
    let Answer { bytes, reads, is_line } = answer(&mut stream, deadline)
        .with_context(|| format!("{server} did not acknowledge the message"))?;
    ensure!(
        bytes == ACKNOWLEDGEMENT,
        "{server} did not acknowledge the message but answered: {}",
        escape_bytes(&bytes)
    );
    let end = if is_line { "" } else { ", without an end of line" };
    writeln!(out, "acknowledged: OK, in {}{end}", count(reads as u64, "read"))?;
    drop(stream);
    writeln!(out, "closed")?;
    Ok(())
}

/// Waits with the connection open, but not for one that the server has closed.
fn hold(stream: &TcpStream, time: Duration) -> anyhow::Result<()> {
    let deadline = Instant::now() + time;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        // Nothing but the end of the stream wakes us: what the server says can wait.
        let mut waiting = [PollFd::new(stream.as_fd(), END_OF_STREAM)];
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut waiting, timeout) {
            Ok(0) | Err(nix::errno::Errno::EINTR) => {}
            Ok(_) => bail!("the server closed the connection while it was held"),
            Err(errno) => return Err(errno).context("cannot wait"),
        }
    }
}

/// What a server has answered.
#[derive(Debug)]
struct Answer {
    bytes: Vec<u8>,
    /// In how many reads it came.
    reads: usize,
    /// It ended with the end of a line; else with the stream, or with a pause.
    is_line: bool,
}

/// What comes first: a line, or what there is when nothing more comes.
fn answer(stream: &mut TcpStream, deadline: Instant) -> anyhow::Result<Answer> {
    let mut answer = Answer { bytes: Vec::new(), reads: 0, is_line: false };
    let mut buffer = [0; MAX_ANSWER];
    let mut pause = deadline;
    loop {
        let left = pause.saturating_duration_since(Instant::now());
        if left.is_zero() {
            ensure!(answer.reads > 0, "no answer in time; is it a server of this lab?");
            return Ok(answer);
        }
        stream.set_read_timeout(Some(left))?;
        let n = match stream.read(&mut buffer) {
            Ok(0) if answer.reads > 0 => return Ok(answer),
            Ok(0) => bail!("it closed the connection"),
            Ok(n) => n,
            Err(error) => match error.kind() {
                // The time is looked at above.
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => continue,
                _ => return Err(error.into()),
            },
        };
        answer.reads += 1;
        answer.bytes.extend_from_slice(&buffer[..n]);
        if let Some(end) = answer.bytes.iter().position(|&byte| byte == b'\n') {
            answer.bytes.truncate(end);
            if answer.bytes.last() == Some(&b'\r') {
                answer.bytes.pop();
            }
            answer.is_line = true;
            return Ok(answer);
        }
        ensure!(answer.bytes.len() < MAX_ANSWER, "its answer has no end within {MAX_ANSWER} bytes");
        pause = deadline.min(Instant::now() + PAUSE);
    }
}

#[cfg(test)]
mod tests;
