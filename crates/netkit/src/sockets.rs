//! Plain sockets, for protocols that are not ours: raw text, no frames.
//!
//! The functions here take what a person types, a name or an address and a port, and give the
//! standard library's sockets. They add a better error: "Address already in use (os error 98)" does
//! not help anybody. [`SocketError`] says what failed, why, and what to do about it, in one line.
//!
//! Servers bind to [`ANYWHERE`] unless told otherwise. That is the unspecified address of IPv6 with
//! IPv4 mapped into it, so that one socket serves both; on a machine without IPv6 it becomes
//! `0.0.0.0`. On such a socket IPv4 addresses are written as addresses of IPv6
//! (`::ffff:10.0.0.1`); [`plain`] turns them back.
//!
//! Resolving a name blocks, for as long as the system's resolver does.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use thiserror::Error;

/// All addresses of this machine, of IPv6 and IPv4.
pub const ANYWHERE: &str = "::";

/// The first port that an ordinary user may bind to.
const FIRST_FREE_PORT: u16 = 1024;

/// How long a connection may be silent before the system asks whether the other machine is still
/// there. A machine that was switched off says no goodbye, and its connection would stay for ever.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// A socket that listens for TCP connections. It does not block: `accept` may find nobody.
///
/// `backlog` is how many connections may wait to be accepted.
///
/// # Errors
///
/// If `bind` has no address, or cannot be bound to.
pub fn listen_tcp(bind: &str, port: u16, backlog: u32) -> Result<TcpListener, SocketError> {
    let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
    let bound = bind_any(Transport::Tcp, bind, port, |socket| {
        // A server that is started again must not wait until the connections of the one before,
        // which linger in TIME_WAIT, are forgotten. On Linux this does not let two servers share
        // a port.
        socket.set_reuse_address(true)
    })?;
    let address = bound.1;
    bound.0.listen(backlog).map_err(|error| SocketError::bind(Transport::Tcp, address, error))?;
    Ok(bound.0.into())
}

/// A socket that receives datagrams. It does not block: `recv_from` may find nothing.
///
/// # Errors
///
/// If `bind` has no address, or cannot be bound to.
pub fn bind_udp(bind: &str, port: u16) -> Result<UdpSocket, SocketError> {
    Ok(bind_any(Transport::Udp, bind, port, |_| Ok(()))?.0.into())
}

/// A connection to the first address of `host` that answers.
///
/// # Errors
///
/// If the name has no address, or none answers within `timeout` in all; then the error is that of
/// the last one.
pub fn connect_tcp(host: &str, port: u16, timeout: Duration) -> Result<TcpStream, SocketError> {
    let deadline = Instant::now() + timeout;
    let mut last = None;
    for address in resolve(host, port)? {
        let left = deadline.saturating_duration_since(Instant::now());
        let result = match left.is_zero() {
            true => Err(ErrorKind::TimedOut.into()),
            false => TcpStream::connect_timeout(&address, left),
        };
        match result {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(SocketError::connect(Transport::Tcp, address, error)),
        }
    }
    Err(last.expect("`resolve` gives at least one address"))
}

/// The addresses of a host, at least one: a name, an IPv4 address, or an IPv6 address with or
/// without brackets.
///
/// # Errors
///
/// If it has none.
pub fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, SocketError> {
    let name = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    let unknown = |error| SocketError::Resolve { host: host.escape_debug().collect(), error };
    let addresses: Vec<_> = (name, port).to_socket_addrs().map_err(unknown)?.collect();
    match addresses.is_empty() {
        true => Err(unknown(io::Error::new(ErrorKind::NotFound, "the name has no address"))),
        false => Ok(addresses),
    }
}

/// The address as people know it: an IPv4 address that is written as one of IPv6 becomes IPv4
/// again.
pub fn plain(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::from((ip, address.port())),
        // With the scope of a link-local address, which `to_canonical` leaves out.
        IpAddr::V6(_) => address,
    }
}

/// Makes the system test a connection that has been silent for long: it asks whether the other end
/// is still there, and ends the connection if nobody answers.
///
/// # Errors
///
/// If the system refuses, which it has no reason to.
pub fn keep_alive(connection: &impl std::os::fd::AsFd) -> io::Result<()> {
    let keepalive = socket2::TcpKeepalive::new().with_time(KEEPALIVE);
    SockRef::from(connection).set_tcp_keepalive(&keepalive)
}

/// Binds to the first address of `bind` that can be bound to.
fn bind_any(
    transport: Transport,
    bind: &str,
    port: u16,
    prepare: impl Fn(&Socket) -> io::Result<()>,
) -> Result<(Socket, SocketAddr), SocketError> {
    let mut addresses = resolve(bind, port)?;
    if bind == ANYWHERE {
        addresses.push((Ipv4Addr::UNSPECIFIED, port).into());
    }
    let mut first = None;
    for address in addresses {
        match bind_one(transport, address, &prepare) {
            Ok(socket) => return Ok((socket, address)),
            Err(error) => {
                // Only a machine without IPv6 is a reason to go on without it.
                let without_ipv6 = matches!(
                    error.raw_os_error(),
                    Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL | libc::EPROTONOSUPPORT)
                );
                first = first.or(Some(SocketError::bind(transport, address, error)));
                if !without_ipv6 {
                    break;
                }
            }
        }
    }
    Err(first.expect("`resolve` gives at least one address"))
}

fn bind_one(
    transport: Transport,
    address: SocketAddr,
    prepare: impl Fn(&Socket) -> io::Result<()>,
) -> io::Result<Socket> {
    let (kind, protocol) = match transport {
        Transport::Tcp => (Type::STREAM, Protocol::TCP),
        Transport::Udp => (Type::DGRAM, Protocol::UDP),
    };
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.is_ipv6() {
        // Whatever /proc/sys/net/ipv6/bindv6only says: the unspecified address serves both.
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    prepare(&socket)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// What carries the bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Transport {
    /// A stream of bytes.
    Tcp,
    /// Single packets, each with an address.
    Udp,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
        })
    }
}

/// Why there is no socket, and what to do.
#[derive(Debug, Error)]
pub enum SocketError {
    /// The name has no address.
    #[error("{host} has no address: {}; check the name, or give an address", reason(error))]
    Resolve {
        /// What was looked up.
        host: String,
        /// What the resolver said.
        error: io::Error,
    },
    /// An own address cannot be bound to.
    #[error(
        "cannot listen on {transport} {address}: {}; {}",
        reason(error),
        bind_advice(*transport, *address, error)
    )]
    Bind {
        /// The kind of socket.
        transport: Transport,
        /// The own address that was asked for.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// A foreign address cannot be reached.
    #[error("cannot reach {transport} {address}: {}; {}", reason(error), connect_advice(*transport, error))]
    Connect {
        /// The kind of socket.
        transport: Transport,
        /// The address that was tried.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
}

impl SocketError {
    fn bind(transport: Transport, address: SocketAddr, error: io::Error) -> SocketError {
        SocketError::Bind { transport, address, error }
    }

    /// The error for an address that could not be reached, for callers with sockets of their own.
    pub fn connect(transport: Transport, address: SocketAddr, error: io::Error) -> SocketError {
        SocketError::Connect { transport, address, error }
    }
}

/// What the system said, as part of a line: without the number of the error.
pub fn reason(error: &io::Error) -> String {
    let text = match error.kind() {
        ErrorKind::TimedOut | ErrorKind::WouldBlock => "no answer in time".to_owned(),
        _ => error.to_string(),
    };
    let text = text.split(" (os error").next().unwrap_or_default();
    // What getaddrinfo says is behind what the standard library says.
    let text = text.rsplit("address information: ").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

fn bind_advice(transport: Transport, address: SocketAddr, error: &io::Error) -> String {
    let port = address.port();
    match error.kind() {
        ErrorKind::PermissionDenied => format!(
            "ports below {FIRST_FREE_PORT} are for root (or CAP_NET_BIND_SERVICE); \
             take one from {FIRST_FREE_PORT} on with --port"
        ),
        ErrorKind::AddrInUse => {
            let letter = if transport == Transport::Tcp { 't' } else { 'u' };
            format!(
                "another program has that port; `ss -l{letter}np 'sport = :{port}'` names it; \
                 end it, or take another --port"
            )
        }
        ErrorKind::AddrNotAvailable => {
            "this machine has no such address; `ip address` lists those it has".to_owned()
        }
        _ => "check --bind and --port".to_owned(),
    }
}

fn connect_advice(transport: Transport, error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::ConnectionRefused if transport == Transport::Udp => {
            "that machine says by ICMP that nobody listens on that port; start the server there, or \
             check the port"
        }
        ErrorKind::ConnectionRefused => {
            "nobody listens on that port; start the server there, or check the port"
        }
        ErrorKind::TimedOut | ErrorKind::WouldBlock => {
            "the machine is off, or a firewall drops what is sent to it; check the address"
        }
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
            "check the address, and the network of this machine with `ip route`"
        }
        _ => "check the address and the port",
    }
}

#[cfg(test)]
mod tests;
