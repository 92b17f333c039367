//! A client that sends one datagram.
//!
//! `send` returns when the datagram has left this program, and says no more than that. The sender
//! is not told whether a machine or a program has received it. If no program has the port, the
//! other machine answers with an ICMP message "port unreachable"; but an ordinary UDP socket may
//! send to the whole world, so Linux does not know which datagram the answer is about, and does not
//! report it.
//!
//! A *connected* UDP socket sends to one address only, and so hears of it: the next call on it
//! fails with `ECONNREFUSED`. Connecting sends nothing; it only writes the address into the socket.
//! That is what `--connect` shows. If no refusal comes, that means little: firewalls like to drop
//! ICMP.

use std::ffi::OsString;
use std::io::{self, ErrorKind, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use netkit::sockets::{self, SocketError, Transport};

use crate::count;

/// What `udp-client` takes.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The machine to send to: a name or an address
    pub host: String,
    /// The port to send to
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    pub port: u16,
    /// The text to send
    pub message: OsString,
    /// Connect the socket first, and so learn if the other machine refuses
    #[arg(long)]
    pub connect: bool,
    /// With --connect: how long to wait for a refusal
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 1000, requires = "connect",
        value_parser = clap::value_parser!(u64).range(1..=60_000))]
    pub wait: u64,
}

/// Sends the message, and says how much of it left and what came back.
///
/// # Errors
///
/// If it could not be sent, or was refused.
pub fn send(options: &Options, out: &mut impl Write) -> anyhow::Result<()> {
    // Of several addresses nobody knows the right one: there is no connection that could fail.
    let to = sockets::resolve(&options.host, options.port)?[0];
    let any: SocketAddr = match to {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).context("cannot open a UDP socket")?;
    let failed = |error| SocketError::connect(Transport::Udp, to, error);
    let message = options.message.as_bytes();
    let sent = if options.connect {
        socket.connect(to).map_err(failed)?;
        socket.send(message)
    } else {
        socket.send_to(message, to)
    };
    let sent = sent.map_err(|error| cannot_send(error, message.len(), to))?;
    writeln!(
        out,
        "sent {} to udp {to} from port {}",
        count(sent as u64, "byte"),
        socket.local_addr()?.port()
    )?;
    if !options.connect {
        return Ok(());
    }
    let wait = Duration::from_millis(options.wait);
    match answer(&socket, wait).map_err(failed)? {
        Answer::Datagram => writeln!(out, "a datagram came back: somebody listens there")?,
        Answer::Nothing => writeln!(
            out,
            "no refusal within {} ms: somebody listens there, or the refusal was lost on its way",
            wait.as_millis()
        )?,
    }
    Ok(())
}

fn cannot_send(error: io::Error, length: usize, to: SocketAddr) -> anyhow::Error {
    match error.raw_os_error().map(nix::errno::Errno::from_raw) {
        Some(nix::errno::Errno::EMSGSIZE) => anyhow::anyhow!(
            "cannot send {length} bytes to udp {to}: a datagram holds at most 65507 over IPv4; send \
             less, or use TCP"
        ),
        _ => SocketError::connect(Transport::Udp, to, error).into(),
    }
}

/// An answer that came back and is no refusal.
enum Answer {
    Datagram,
    Nothing,
}

fn answer(socket: &UdpSocket, wait: Duration) -> io::Result<Answer> {
    socket.set_read_timeout(Some(wait))?;
    match socket.recv(&mut [0; 1]) {
        Ok(_) => Ok(Answer::Datagram),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            Ok(Answer::Nothing)
        }
        Err(error) => Err(error),
    }
}
