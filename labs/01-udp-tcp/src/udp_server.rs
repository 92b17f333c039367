//! A server that shows the datagrams it receives.
//!
//! It does not know the sender: there is no connection, only an address on each datagram, and
//! anybody may have written that address there. So there is nothing to accept and nothing to close,
//! and one socket hears the whole world.
//!
//! A datagram is received whole or cut: what does not fit the buffer is gone, for the next call
//! returns the *next* datagram. Most programs never notice. This one asks Linux for the true length
//! (`MSG_TRUNC`, recv(2)) and says how much was lost.
//!
//! It cannot see datagrams that never reached it: they were lost on the way, or dropped because its
//! receive buffer was full (`ss -lunm` counts the latter, after `d`).

use std::io::{IoSliceMut, Write};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use anyhow::Context;
use clap::Args;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use netkit::sockets;
use netkit::text::escape_bytes;
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, SockaddrStorage, recvmsg};

use crate::{Listen, count, signals};

/// What `udp-server` takes.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The address and port.
    #[command(flatten)]
    pub listen: Listen,
    /// How many bytes of a datagram are received; the rest is lost
    #[arg(long, value_name = "BYTES", default_value_t = 1024,
        value_parser = clap::value_parser!(u32).range(1..=MAX_BUFFER))]
    pub buffer: u32,
}

/// No datagram of IPv4 or IPv6 is longer than its length field can say.
const MAX_BUFFER: i64 = 65_535;

/// How many datagrams are taken before signals are looked at again: a flood must not keep Ctrl-C
/// from working.
const AT_ONCE: usize = 64;

const SOCKET: Token = Token(0);
const SIGNALS: Token = Token(1);

/// Receives and shows datagrams until SIGINT or SIGTERM.
///
/// # Errors
///
/// If the address cannot be bound to, or what arrives cannot be shown.
pub fn serve(options: &Options, out: &mut impl Write) -> anyhow::Result<()> {
    let socket = sockets::bind_udp(&options.listen.bind, options.listen.port)?;
    let mut poll = Poll::new().context("cannot create an event loop")?;
    let mut signals = signals::watch(poll.registry(), SIGNALS).context("cannot watch signals")?;
    let fd = socket.as_raw_fd();
    poll.registry().register(&mut SourceFd(&fd), SOCKET, Interest::READABLE)?;
    writeln!(out, "listening on udp {}", socket.local_addr()?).context("cannot show anything")?;

    let mut events = Events::with_capacity(2);
    let mut buffer = vec![0; options.buffer as usize];
    let mut served = Served::default();
    let mut drained = true;
    loop {
        // The system reports readiness once. If not everything was read then, ask again without
        // waiting.
        let timeout = (!drained).then_some(std::time::Duration::ZERO);
        if let Err(error) = poll.poll(&mut events, timeout)
            && error.kind() != std::io::ErrorKind::Interrupted
        {
            return Err(error).context("cannot wait for datagrams");
        }
        if let Some(signal) = signals::pending(&mut signals) {
            writeln!(out, "stopped by {signal}: {served}")?;
            return Ok(());
        }
        drained = false;
        for _ in 0..AT_ONCE {
            match receive(&socket, &mut buffer) {
                Ok(Some(datagram)) => {
                    served.count(&datagram);
                    writeln!(out, "{}", datagram.line()).context("cannot show a datagram")?;
                }
                Ok(None) => {
                    drained = true;
                    break;
                }
                Err(errno) => return Err(errno).context("cannot receive"),
            }
        }
    }
}

/// What was received of one datagram.
#[derive(Debug)]
struct Datagram<'a> {
    from: Option<SocketAddr>,
    /// Its true length in bytes.
    length: usize,
    /// As much of it as fitted.
    bytes: &'a [u8],
}

impl Datagram<'_> {
    fn lost(&self) -> usize {
        self.length - self.bytes.len()
    }

    fn line(&self) -> String {
        let from = self.from.map_or("unknown".to_owned(), |from| from.to_string());
        let (length, text) = (count(self.length as u64, "byte"), escape_bytes(self.bytes));
        match self.lost() {
            0 => format!("{from} {length}: {text}"),
            lost => format!(
                "{from} {length}, the last {lost} lost (--buffer {}): {text}",
                self.bytes.len()
            ),
        }
    }
}

/// The next datagram, if one is there.
fn receive<'a>(socket: &UdpSocket, buffer: &'a mut [u8]) -> Result<Option<Datagram<'a>>, Errno> {
    let flags = MsgFlags::MSG_TRUNC | MsgFlags::MSG_DONTWAIT;
    let (length, from) = loop {
        let mut into = [IoSliceMut::new(buffer)];
        match recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut into, None, flags) {
            // With MSG_TRUNC this is the length that was sent, not the length that was received.
            Ok(message) => break (message.bytes, message.address.as_ref().and_then(address)),
            Err(Errno::EAGAIN) => return Ok(None),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    };
    let bytes = &buffer[..length.min(buffer.len())];
    Ok(Some(Datagram { from: from.map(sockets::plain), length, bytes }))
}

fn address(from: &SockaddrStorage) -> Option<SocketAddr> {
    let ipv4 = from.as_sockaddr_in().map(|from| SocketAddr::V4((*from).into()));
    ipv4.or_else(|| from.as_sockaddr_in6().map(|from| SocketAddr::V6((*from).into())))
}

/// What the server says at its end.
#[derive(Debug, Default)]
struct Served {
    datagrams: u64,
    bytes: u64,
    cut: u64,
}

impl Served {
    fn count(&mut self, datagram: &Datagram<'_>) {
        self.datagrams += 1;
        self.bytes += datagram.bytes.len() as u64;
        self.cut += u64::from(datagram.lost() > 0);
    }
}

impl std::fmt::Display for Served {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Served { datagrams, bytes, cut } = self;
        let (datagrams, bytes) = (count(*datagrams, "datagram"), count(*bytes, "byte"));
        write!(f, "{datagrams}, {cut} cut short, {bytes} received")
    }
}

#[cfg(test)]
mod tests;
