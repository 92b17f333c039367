//! Strangers in the same network: they connect to the ports of a run that goes on, and say what strangers
//! say. The run must not notice, and their connections must not stay.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::sockopt::RcvBufForce;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, setsockopt, socket,
};
use testbed::{Room, shared_file, tests, tests_main};

const PATIENCE: Duration = Duration::from_secs(60);

/// A stranger gets 3 s, and more on a busy machine.
const CUT_OFF: Duration = Duration::from_secs(10);

/// How many connections are opened, and how many of them are kept open at once: more than a participant
/// grants to strangers, fewer than this process may have files.
const CONNECTIONS: usize = 10_000;
const OPEN_AT_ONCE: usize = 600;

fn main() {
    tests_main(tests![strangers_are_cut_off_and_the_run_holds]);
}

fn strangers_are_cut_off_and_the_run_holds() {
    let room = Room::up(4);
    let program = room.share_program();
    let capture = room.in_hub_network(Capture::start);
    let arguments = ["--processes", "4", "--laps", "1500", "--work", "5", "--timeout", "300"];
    let arguments = [&arguments[..], &["--file", "/mnt/lab/sections"]].concat();
    let mut launcher = room.launch(&program, "lab[01-04]\n", &arguments);
    let file = room.shared().join("sections");
    launcher.while_running("everyone has entered", PATIENCE, || {
        (shared_file::sections(&file) > 4).then_some(())
    });
    let hellos = capture.hellos();
    let participants = addresses_in_logs(&room);
    assert_eq!(participants.len(), 4);
    let launcher_address = *hellos
        .iter()
        .map(|hello| &hello.to)
        .find(|to| to.ip() == &Ipv4Addr::new(10, 77, 0, 1))
        .expect("everyone has said hello to the launcher");
    let everyone: Vec<SocketAddrV4> =
        participants.iter().copied().chain([launcher_address]).collect();
    for target in &everyone {
        assert!(hellos.iter().any(|hello| hello.to == *target), "nobody said hello to {target}");
    }

    room.in_hub_network(|| {
        say_what_strangers_say(&everyone);
        replay(&hellos);
        connect_very_often(&participants);
    });

    assert!(launcher.is_running(), "the run was to last longer than that");
    let before = shared_file::sections(&file);
    launcher.while_running("the token goes on", PATIENCE, || {
        (shared_file::sections(&file) > before + 8).then_some(())
    });
    launcher.outcome(Duration::from_secs(240)).assert_holds();
    shared_file::assert_pairs(&file, 6000, 4);
    for machine in 1..=4 {
        let log = log_of(&room, machine);
        assert!(log.contains("cut off a stranger at 10.77.0.1:"), "lab{machine:02}: {log}");
        assert!(
            log.contains("its proof does not hold"),
            "what was replayed, on lab{machine:02}: {log}"
        );
        assert!(log.len() < 100_000, "strangers must not fill the disk: {} bytes", log.len());
    }
    assert_eq!(room.processes(), []);
}

// -----------------------------------------------------------------------------------------------
// Where to connect

/// The log of the only participant on a machine.
fn log_of(room: &Room, machine: u32) -> String {
    let folder = room.on_disk(&format!("lab{machine:02}"), "/tmp/labs-root");
    let runs = fs::read_dir(folder).expect("there was a run").flatten().map(|run| run.path());
    // Beside the runs there is a link to the last.
    let runs = runs.filter(|run| !run.is_symlink());
    let files = runs.flat_map(|run| fs::read_dir(run).expect("it is a folder").flatten());
    let log =
        files.map(|file| file.path()).find(|path| path.extension().is_some_and(|e| e == "log"));
    fs::read_to_string(log.expect("there is a log")).expect("it is text")
}

/// The addresses at which the participants listen, which they write down.
fn addresses_in_logs(room: &Room) -> Vec<SocketAddrV4> {
    let address = |machine| {
        let log = log_of(room, machine);
        let (_, rest) = log.split_once("listening on ").expect("it listens");
        let word = rest.split_whitespace().next().expect("the line goes on");
        word.parse().expect("an address")
    };
    (1..=4).map(address).collect()
}

fn connect(to: SocketAddrV4) -> TcpStream {
    let stream = TcpStream::connect_timeout(&SocketAddr::V4(to), CUT_OFF);
    stream.unwrap_or_else(|error| panic!("{to} accepts nobody any more: {error}"))
}

// -----------------------------------------------------------------------------------------------
// What strangers do

/// What is no handshake, all at once to everybody; each connection must be ended by the other side.
fn say_what_strangers_say(targets: &[SocketAddrV4]) {
    let garbage: Vec<u8> =
        (0..60_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let words: [&[u8]; 6] = [
        &garbage,
        b"GET / HTTP/1.0\r\n\r\n",
        // Half of a length, and a length without what it announces.
        &[0, 0],
        &[0, 0, 0, 40, b'n'],
        // A body of 4 GiB.
        &[255, 255, 255, 255, b'n', b'k', b'i', b't'],
        // Nothing at all.
        &[],
    ];
    let begin = Instant::now();
    let mut streams = Vec::new();
    for &target in targets {
        for word in words {
            let mut stream = connect(target);
            // It may be cut off before it has said everything.
            let _ = stream.write_all(word);
            streams.push((target, word, stream));
        }
    }
    for (target, word, stream) in streams {
        let what = format!("{target}, to whom was said {:?}", &word[..word.len().min(20)]);
        assert_cut_off(stream, &what, begin + CUT_OFF);
    }
}

/// What members have said to each other, said again to the same: the hello, and all that followed.
fn replay(hellos: &[Hello]) {
    let begin = Instant::now();
    let mut streams = Vec::new();
    for hello in hellos {
        let mut stream = connect(hello.to);
        let _ = stream.write_all(&hello.said);
        streams.push((hello.to, stream));
    }
    for (to, stream) in streams {
        assert_cut_off(stream, &format!("{to}, to whom a hello was replayed"), begin + CUT_OFF);
    }
}

/// Asserts that the other side ends the connection.
fn assert_cut_off(mut stream: TcpStream, what: &str, deadline: Instant) {
    let mut answer = Vec::new();
    let mut bytes = [0; 1024];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "the connection to {what}, stays; it answered {answer:?}");
        stream.set_read_timeout(Some(left)).expect("the time is not zero");
        match stream.read(&mut bytes) {
            Ok(0) => return,
            Ok(n) => answer.extend_from_slice(&bytes[..n]),
            Err(error) => match error.kind() {
                ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => return,
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {}
                _ => panic!("{what}: {error}"),
            },
        }
        assert!(answer.len() < 1000, "{what}, talks to strangers: {answer:?}");
    }
}

fn connect_very_often(targets: &[SocketAddrV4]) {
    let mut open = VecDeque::new();
    for target in targets.iter().cycle().take(CONNECTIONS) {
        if open.len() == OPEN_AT_ONCE {
            open.pop_front();
        }
        open.push_back(connect(*target));
    }
}

// -----------------------------------------------------------------------------------------------
// Listening to the others

/// A socket that sees every packet in the network of the hub, through which all go.
struct Capture {
    socket: OwnedFd,
}

/// What one member said to another in the beginning of a connection.
struct Hello {
    to: SocketAddrV4,
    said: Vec<u8>,
}

impl Capture {
    /// Starts to capture in the network of this thread.
    fn start() -> Capture {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let all = SockProtocol::EthAll;
        let socket =
            socket(AddressFamily::Packet, SockType::Datagram, flags, all).expect("root may");
        // Room for all packets of a launch, so that nobody must read meanwhile.
        setsockopt(&socket, RcvBufForce, &(64 << 20)).expect("root may");
        Capture { socket }
    }

    /// The connections between members that have begun.
    fn hellos(self) -> Vec<Hello> {
        let mut flows: BTreeMap<(SocketAddrV4, SocketAddrV4), BTreeMap<u32, Vec<u8>>> =
            BTreeMap::new();
        let mut bytes = vec![0; 1 << 16];
        loop {
            match recv(self.socket.as_raw_fd(), &mut bytes, MsgFlags::empty()) {
                Ok(n) => {
                    if let Some(packet) = Packet::parse(&bytes[..n]) {
                        let flow = flows.entry((packet.from, packet.to)).or_default();
                        flow.insert(packet.sequence, packet.payload.to_vec());
                    }
                }
                Err(Errno::EAGAIN) => break,
                Err(Errno::EINTR) => {}
                Err(errno) => panic!("cannot capture: {errno}"),
            }
        }
        let hellos = flows.into_iter().map(|((_, to), packets)| Hello {
            to,
            said: packets.into_values().flatten().take(16 << 10).collect(),
        });
        // A frame of the handshake begins with its length and then this word; only who connects says
        // hello (1) first.
        hellos
            .filter(|hello| hello.said.get(4..8) == Some(b"nkit") && hello.said.get(9) == Some(&1))
            .collect()
    }
}

/// A TCP packet over IPv4 with something in it.
struct Packet<'a> {
    from: SocketAddrV4,
    to: SocketAddrV4,
    sequence: u32,
    payload: &'a [u8],
}

impl Packet<'_> {
    fn parse(bytes: &[u8]) -> Option<Packet<'_>> {
        const TCP: u8 = 6;
        let first = *bytes.first()?;
        if first >> 4 != 4 || *bytes.get(9)? != TCP {
            return None;
        }
        let total = usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?));
        let address = |at: usize| -> Option<Ipv4Addr> {
            let bytes: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
            Some(bytes.into())
        };
        let tcp = bytes.get(usize::from(first & 15) * 4..total)?;
        let port = |at: usize| Some(u16::from_be_bytes(tcp.get(at..at + 2)?.try_into().ok()?));
        let payload = tcp.get(usize::from(*tcp.get(12)? >> 4) * 4..)?;
        (!payload.is_empty()).then_some(Packet {
            from: SocketAddrV4::new(address(12)?, port(0)?),
            to: SocketAddrV4::new(address(16)?, port(2)?),
            sequence: u32::from_be_bytes(tcp.get(4..8)?.try_into().ok()?),
            payload,
        })
    }
}
