//! Reaching an SSH server and exchanging keys with it.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use libssh2_sys::{
    LIBSSH2_ERROR_BAD_SOCKET, LIBSSH2_ERROR_BANNER_RECV, LIBSSH2_ERROR_SOCKET_DISCONNECT,
    LIBSSH2_ERROR_SOCKET_RECV, LIBSSH2_ERROR_TIMEOUT,
};
use socket2::{Domain, Socket, Type};
use ssh2::{ErrorCode, Session};

use super::host_key::HostKeys;
use super::target::Target;
use super::{Remote, millis};
use crate::launch::job::{LaunchError, LaunchOptions, Stage};
use crate::text::one_line;

/// How often a connection is tried again that the server dropped before saying anything, as one
/// does that has too many (its `MaxStartups`).
pub const DROPPED_TRIES: u32 = 6;

/// Connects and exchanges keys; tries again when the server drops the connection at once.
pub(super) fn shake_hands(
    target: &Target,
    keys: &HostKeys,
    options: &LaunchOptions,
) -> Result<Remote, LaunchError> {
    let failed =
        |what: String, hint: &str| LaunchError::new(&target.label, Stage::Connect, what, hint);
    let mut tries = 0;
    loop {
        let tcp =
            connect(target, options.connect_timeout).map_err(|(what, hint)| failed(what, hint))?;
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
                return Err(failed(
                    what,
                    "is it an SSH server, and newer than 2016? does HostKeyAlgorithms in the SSH \
                     configuration leave its keys out?",
                ));
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
fn connect(target: &Target, timeout: Duration) -> Result<TcpStream, (String, &'static str)> {
    let addresses = &target.addresses;
    let share = (timeout / addresses.len().max(1) as u32).max(Duration::from_millis(1));
    let mut last = ("it has no address".to_owned(), "");
    for address in addresses {
        match connect_to(address, target.bind, share) {
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

fn connect_to(
    address: &SocketAddr,
    bind: Option<IpAddr>,
    timeout: Duration,
) -> io::Result<TcpStream> {
    let Some(bind) = bind else { return TcpStream::connect_timeout(address, timeout) };
    let socket = Socket::new(Domain::for_address(*address), Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(bind, 0).into())?;
    socket.connect_timeout(&(*address).into(), timeout)?;
    Ok(socket.into())
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
