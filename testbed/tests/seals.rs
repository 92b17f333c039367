//! Somebody on the way flips a bit of a run, behind a handshake. The run may end then, but no verdict of it may be
//! wrong.
//!
//! All connections of a run on one machine are led through a proxy, which changes one bit of one of them.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use nix::sys::socket::sockopt::{Mark, OriginalDst};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, connect, getsockopt, setsockopt, socket,
};
use serde_json::Value;
use testbed::{Room, program, tests, tests_main};

/// How many runs there are, unless `FLIPS` says another number: few enough for every change. `.ci/full` has 200.
const RUNS: u32 = 24;

/// Connections that bear this mark are not led through the proxy: those that it makes itself.
const OWN: u32 = 7;

/// How many connections a run of three processes has: to the launcher, that of the keeper too, and in the ring.
const CONNECTIONS: u32 = 7;

/// Bits are flipped in so many bytes behind a handshake. Most connections of these runs carry more.
const REACH: u32 = 300;

fn main() {
    tests_main(tests![a_flipped_bit_never_ends_in_a_wrong_verdict]);
}

fn a_flipped_bit_never_ends_in_a_wrong_verdict() {
    let runs = std::env::var("FLIPS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(RUNS);
    let room = Room::up(1);
    let (changed, ended) = room.in_hub_network(|| {
        let proxy = Arc::new(Proxy::default());
        proxy.clone().start();
        (0..runs).map(|n| judge(&proxy, n)).fold((0, 0), |sum, (changed, ended)| {
            (sum.0 + u32::from(changed), sum.1 + u32::from(ended))
        })
    });
    eprintln!("{runs} runs, in {changed} a bit was flipped, {ended} ended by it");
    assert!(changed > runs / 4, "the proxy changes what it is to change");
    assert!(ended > changed / 2, "most changes are noticed while the run goes on");
}

/// Whether a bit was flipped in a run, and whether that has ended it.
fn judge(proxy: &Proxy, n: u32) -> (bool, bool) {
    proxy.aim(n);
    let output = Command::new(program::path("token-ring"))
        .args(["run", "--processes", "3", "--laps", "20", "--timeout", "60", "--json"])
        .output()
        .expect("it can be run");
    let said = String::from_utf8_lossy(&output.stderr);
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    let changed = proxy.changed.load(Ordering::SeqCst) > 0;
    let properties = report["properties"].as_array().expect("a list");
    assert_eq!(properties.len(), 12, "{report}");
    for property in properties {
        assert_ne!(property["holds"], false, "run {n}: {report}\n{said}");
    }
    match output.status.code() {
        Some(0) => {
            assert!(properties.iter().all(|property| property["holds"] == true), "{report}");
            assert_eq!(report["result"]["hops"], 60, "run {n}: {report}");
            assert_eq!(report["messages"]["TOKEN"]["measured"], 60, "run {n}: {report}");
        }
        Some(2) => assert!(changed, "run {n} ended by itself: {report}\n{said}"),
        status => panic!("run {n}: status {status:?}: {report}\n{said}"),
    }
    (changed, output.status.code() == Some(2))
}

/// Relays all connections of this network, and flips one bit.
#[derive(Default)]
struct Proxy {
    accepted: AtomicU32,
    target: AtomicU32,
    changed: AtomicU32,
}

/// The bit to be flipped: which connection of the run, in which direction, where behind the handshake.
#[derive(Clone, Copy)]
struct Target {
    connection: u32,
    is_forth: bool,
    at: usize,
    bit: u32,
}

impl Target {
    /// Spread over all that can be hit by a multiplication, so that a run that failed can be run again.
    fn of(n: u32) -> Target {
        let random = n.wrapping_add(1).wrapping_mul(2_654_435_769) >> 4;
        Target {
            connection: n % CONNECTIONS,
            is_forth: (n / CONNECTIONS).is_multiple_of(2),
            at: (random % REACH) as usize,
            bit: random / REACH % 8,
        }
    }
}

impl Proxy {
    fn aim(&self, n: u32) {
        self.target.store(n, Ordering::SeqCst);
        self.accepted.store(0, Ordering::SeqCst);
        self.changed.store(0, Ordering::SeqCst);
    }

    /// Has the system lead all that is connected to on this machine here.
    fn start(self: Arc<Self>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let rule = format!("tcp dport 1024-65535 meta mark != {OWN} redirect to :{port}");
        nft(&["add", "table", "ip", "proxy"]);
        nft(&["add", "chain", "ip", "proxy", "out", "{ type nat hook output priority -100; }"]);
        nft(&["add", "rule", "ip", "proxy", "out", &rule]);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let proxy = self.clone();
                let connection = self.accepted.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || proxy.relay(stream.expect("a connection"), connection));
            }
        });
    }

    fn relay(&self, from: TcpStream, connection: u32) {
        let meant = getsockopt(&from, OriginalDst).expect("it was led here");
        let meant = SocketAddrV4::new(
            Ipv4Addr::from(u32::from_be(meant.sin_addr.s_addr)),
            u16::from_be(meant.sin_port),
        );
        // Nobody listens there any more: the other end learns it from the end of its connection.
        let Ok(to) = connect_marked(meant) else { return };
        let target = Target::of(self.target.load(Ordering::SeqCst));
        let is_hit = |is_forth| target.connection == connection && target.is_forth == is_forth;
        let ours = |is_forth| is_hit(is_forth).then_some(target);
        thread::scope(|scope| {
            // Hello and proof go forth, a challenge comes back.
            scope.spawn(|| self.copy(&from, &to, 2, ours(true)));
            scope.spawn(|| self.copy(&to, &from, 1, ours(false)));
        });
    }

    /// Copies until the end: so many frames of the handshake, and then the rest, in which a bit is flipped.
    fn copy(&self, from: &TcpStream, to: &TcpStream, frames: u32, target: Option<Target>) {
        let _ = (0..frames)
            .try_for_each(|_| copy_frame(from, to))
            .and_then(|()| self.copy_rest(from, to, target));
        let _ = to.shutdown(Shutdown::Write);
        let _ = from.shutdown(Shutdown::Read);
    }

    fn copy_rest(
        &self,
        mut from: &TcpStream,
        mut to: &TcpStream,
        target: Option<Target>,
    ) -> io::Result<()> {
        let mut copied = 0;
        let mut buffer = [0; 4096];
        loop {
            let size = from.read(&mut buffer)?;
            if size == 0 {
                return Ok(());
            }
            if let Some(target) = target
                && (copied..copied + size).contains(&target.at)
            {
                buffer[target.at - copied] ^= 1 << target.bit;
                self.changed.fetch_add(1, Ordering::SeqCst);
            }
            copied += size;
            to.write_all(&buffer[..size])?;
        }
    }
}

fn copy_frame(mut from: &TcpStream, mut to: &TcpStream) -> io::Result<()> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let mut body = vec![0; u32::from_be_bytes(length) as usize];
    from.read_exact(&mut body)?;
    to.write_all(&[&length[..], &body].concat())
}

/// A connection that is not led through the proxy.
fn connect_marked(to: SocketAddrV4) -> nix::Result<TcpStream> {
    let socket: OwnedFd =
        socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&socket, Mark, &OWN)?;
    connect(socket.as_raw_fd(), &SockaddrIn::from(to))?;
    let stream = TcpStream::from(socket);
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

fn nft(words: &[&str]) {
    let status = Command::new("nft").args(words).status().expect("nft is installed");
    assert!(status.success(), "nft {words:?}");
}
