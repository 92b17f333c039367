//! Strangers at a member's port: each is closed in time and logged, and disturbs nothing.

use std::collections::{BTreeSet, VecDeque};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Mutex, Once};
use std::time::{Duration, Instant};

use netkit::membership::Handshake;
use netkit::{Admission, CloseReason, Limits, Membership, Outgoing, Secret};

mod common;
use common::{PATIENCE, Seen, Side, both, frame, member, secret};

/// Keeps what is logged. All tests of this program share it, and look for the addresses of their
/// own sockets.
struct Log(Mutex<Vec<String>>);

static LOG: Log = Log(Mutex::new(Vec::new()));

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        let line = format!("{} {}", record.level(), record.args());
        self.0.lock().expect("no panic under the lock").push(line);
    }
    fn flush(&self) {}
}

/// The lines about a stranger at this address, who connected to that one. (Ports are used again, by
/// other tests.)
fn logged_about(stranger: SocketAddr, listener: SocketAddr) -> Vec<String> {
    let ends = format!("at {stranger} on {listener}:");
    let lines = LOG.0.lock().expect("no panic under the lock");
    lines.iter().filter(|line| line.contains(&ends)).cloned().collect()
}

/// A member of rank 1 who admits members only, and a member of rank 0 connected to it.
struct Run {
    secret: Secret,
    address: SocketAddr,
    a: Side,
    b: Side,
}

impl Run {
    fn new(limits: Limits) -> Self {
        Self::admitting(Admission::Members, limits)
    }

    fn admitting(admission: fn(Membership) -> Admission, limits: Limits) -> Self {
        static INSTALL: Once = Once::new();
        INSTALL.call_once(|| {
            log::set_logger(&LOG).expect("the first logger");
            log::set_max_level(log::LevelFilter::Warn);
        });
        let secret = secret();
        let mut a = Side::new(limits);
        let address = a.listen(admission(member(&secret, 1)));
        let mut run = Run { secret, address, a, b: Side::new(Limits::default()) };
        run.join();
        run
    }

    /// Another connection of the member gets through.
    fn join(&mut self) {
        let before = self.b.recorder.opened().len();
        let to = Outgoing::Member { membership: member(&self.secret, 0), to: 1 };
        self.b.net.connect(self.address, to).expect("begun");
        both(&mut self.a, &mut self.b, |a, b| a.opened().len().min(b.opened().len()) > before);
    }

    /// The connected members still understand each other.
    fn assert_undisturbed(&mut self) {
        let before = self.a.recorder.frames().len();
        let id = self.b.recorder.opened()[0];
        self.b.net.send(id, b"undisturbed").expect("open");
        both(&mut self.a, &mut self.b, |a, _| a.frames().len() > before);
        assert!(self.a.recorder.closed().is_empty() && self.b.recorder.closed().is_empty());
        assert!(self.a.recorder.frames().iter().all(|&body| body == b"undisturbed"));
    }

    fn stranger(&self) -> TcpStream {
        let socket = TcpStream::connect(self.address).expect("connected");
        socket.set_nonblocking(true).expect("a live socket");
        socket
    }

    /// Runs until the stranger's connection has ended, and returns what it was sent before.
    #[track_caller]
    fn until_closed(&mut self, mut socket: &TcpStream) -> Vec<u8> {
        let start = Instant::now();
        let mut heard = Vec::new();
        loop {
            let mut buffer = [0; 1024];
            match socket.read(&mut buffer) {
                Ok(0) => return heard,
                Ok(n) => heard.extend_from_slice(&buffer[..n]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.a.turn(),
                Err(_) => return heard,
            }
            assert!(start.elapsed() < PATIENCE, "the stranger is still connected");
        }
    }

    /// What is logged about a stranger who sends this.
    #[track_caller]
    fn log_after(&mut self, bytes: &[u8]) -> String {
        let mut socket = self.stranger();
        let address = socket.local_addr().expect("connected");
        socket.write_all(bytes).expect("sent");
        self.until_closed(&socket);
        self.assert_undisturbed();
        let lines = logged_about(address, self.address);
        let [line] = &lines[..] else { panic!("{lines:?}") };
        assert!(line.starts_with("WARN cut off a stranger"), "{line}");
        line.clone()
    }
}

fn hasty() -> Limits {
    Limits { handshake_deadline: Duration::from_millis(50), ..Limits::default() }
}

#[test]
fn garbage_is_cut_off() {
    let mut run = Run::new(Limits::default());
    let line = run.log_after(&[0xff; 1000]);
    assert!(line.contains("a frame of 4294967295 bytes was announced"), "{line}");
    let line = run.log_after(&frame(&[7; 100]));
    assert!(line.contains("does not speak netkit's handshake"), "{line}");
}

/// A stranger's frames have a limit of their own, far below that of members.
#[test]
fn a_stranger_may_not_send_a_long_frame() {
    let line = Run::new(Limits::default()).log_after(&frame(&[7; 112]));
    assert!(line.contains("a frame of 112 bytes was announced, over the limit of 111"), "{line}");
}

#[test]
fn half_a_frame_for_ever_is_cut_off_in_time() {
    let mut run = Run::new(hasty());
    let start = Instant::now();
    let line = run.log_after(&[0, 0, 0, 67, b'n', b'k']);
    assert!(line.contains("the handshake was not over in time"), "{line}");
    assert!(start.elapsed() >= Duration::from_millis(50), "an honest peer has its time");
}

#[test]
fn silence_is_cut_off_in_time() {
    let line = Run::new(hasty()).log_after(b"");
    assert!(line.contains("the handshake was not over in time"), "{line}");
}

#[test]
fn text_is_recognised() {
    let mut run = Run::new(Limits::default());
    let line = run.log_after(b"GET / HTTP/1.1\r\n\r\n");
    assert!(line.contains("it sent text (\"GET \"...)"), "{line}");

    let mut socket = run.stranger();
    socket.write_all(b"help\n").expect("sent");
    socket.shutdown(std::net::Shutdown::Write).expect("a live socket");
    let hint = String::from_utf8(run.until_closed(&socket)).expect("text");
    assert!(hint.contains("netkit frames"), "{hint}");
}

/// Who recorded a handshake and plays it again gets a new challenge, for which the old answer does
/// not do.
#[test]
fn a_replayed_handshake_is_cut_off() {
    let mut run = Run::new(Limits::default());
    let to = run.address;
    let (mut handshake, hello) = Handshake::initiate(member(&run.secret, 0), 1).expect("begun");
    let mut socket = run.stranger();
    socket.write_all(&frame(&hello)).expect("sent");
    let challenge = {
        let mut challenge = [0; 74];
        while socket.peek(&mut challenge).map_or(0, |n| n) < 74 {
            run.a.turn();
        }
        socket.read_exact(&mut challenge).expect("a challenge");
        challenge
    };
    let answer = handshake.on_frame(&challenge[4..]).expect("a member").reply.expect("an answer");
    socket.write_all(&frame(&answer)).expect("sent");
    run.a.until(|a| a.opened().len() == 2);
    assert_eq!(socket.peer_addr().expect("connected"), to);

    let line = run.log_after(&[frame(&hello), frame(&answer), frame(b"a forged vote")].concat());
    assert!(line.contains("its proof does not hold"), "{line}");
}

#[test]
fn a_member_of_another_run_is_named() {
    let mut run = Run::new(Limits::default());
    let mut other = member(&secret(), 0);
    other.run = "last week\n".into();
    let (_, hello) = Handshake::initiate(other, 1).expect("begun");
    let line = run.log_after(&frame(&hello));
    assert!(line.contains(r#"it belongs to run "last week\n""#), "control characters: {line}");
}

#[test]
fn the_oldest_stranger_makes_room() {
    let mut run = Run::new(Limits { max_strangers: 4, ..Limits::default() });
    let strangers: Vec<TcpStream> = (0..5).map(|_| run.stranger()).collect();
    run.until_closed(&strangers[0]);
    let is_connected = |socket: &TcpStream| matches!((&*socket).read(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock);
    assert!(strangers[1..].iter().all(is_connected));
    let oldest = strangers[0].local_addr().expect("connected");
    assert!(logged_about(oldest, run.address)[0].contains("made room for newer connections"));
    // A member is quick enough.
    run.join();
    run.until_closed(&strangers[1]);
    assert!(strangers[2..].iter().all(is_connected), "only one had to make room");
    run.assert_undisturbed();
}

/// At most 400 of them are connected at a time, for this process holds both ends and has some
/// thousand descriptors.
#[test]
fn ten_thousand_strangers_disturb_nobody() {
    let start = Instant::now();
    let mut run = Run::new(Limits { max_strangers: 100, ..Limits::default() });
    let mut strangers = VecDeque::new();
    let mut addresses = BTreeSet::new();
    for n in 0..10_000 {
        let mut socket = run.stranger();
        addresses.insert(socket.local_addr().expect("connected"));
        let bytes: &[u8] = [&b""[..], &[0xff; 8], &[0, 0, 0, 67, b'n'], b"help"][n % 4];
        // It may have been cut off already.
        let _ = socket.write_all(bytes);
        strangers.push_back(socket);
        if strangers.len() > 300 {
            strangers.pop_front();
        }
        if n % 20 == 0 {
            run.a.turn();
        }
        if n % 1000 == 0 {
            run.join();
            run.assert_undisturbed();
        }
    }
    run.assert_undisturbed();
    let lines: usize =
        addresses.iter().map(|&address| logged_about(address, run.address).len()).sum();
    let windows = start.elapsed().as_secs() as usize / 10 + 1;
    assert!((10..=10 * windows).contains(&lines), "{lines} lines in {windows} windows");
}

/// Sending after the handshake has begun and never finishing it is not a way in.
#[test]
fn frames_of_a_stranger_never_reach_the_service() {
    let mut run = Run::new(Limits::default());
    let (_, hello) = Handshake::initiate(member(&run.secret, 0), 1).expect("begun");
    let line = run.log_after(&[frame(&hello), frame(b"TOKEN")].concat());
    assert!(line.contains("does not speak netkit's handshake"), "{line}");
    assert!(run.a.recorder.seen.iter().all(|seen| match seen {
        Seen::Frame(_, body) => body == b"undisturbed",
        _ => true,
    }));
}

/// A member and somebody without a rank understand each other on one listener.
#[test]
fn anybody_comes_in_beside_members_and_has_no_rank() {
    let mut run = Run::admitting(Admission::Either, Limits::default());
    run.assert_undisturbed();
    let long = vec![7; 1000];
    let mut guest = run.stranger();
    guest
        .write_all(&[frame(&long), frame(b"nkit is no greeting any more")].concat())
        .expect("sent");
    run.a.until(|a| a.frames().len() == 3);
    assert_eq!(run.a.recorder.frames()[1..], [&long[..], b"nkit is no greeting any more"]);
    let ranks = run.a.recorder.seen.iter().filter_map(|seen| match seen {
        Seen::Open(_, peer) => Some(peer.rank),
        _ => None,
    });
    assert_eq!(ranks.collect::<Vec<_>>(), [Some(0), None]);
    drop(guest);
    run.a.until(|a| matches!(a.closed()[..], [CloseReason::Ended]));
}

#[test]
fn a_frame_that_begins_like_a_hello_must_be_one() {
    let mut run = Run::admitting(Admission::Either, hasty());
    let (_, hello) = Handshake::initiate(member(&secret(), 0), 1).expect("begun");
    let line = run.log_after(&[frame(&hello), frame(&hello)].concat());
    assert!(line.contains("a proof was due"), "{line}");
    let line = run.log_after(&frame(b"nkit"));
    assert!(line.contains("a hello was due"), "{line}");
    // Once the handshake has begun, frames are short.
    let line = run.log_after(&[frame(&hello), frame(&[7; 112])].concat());
    assert!(line.contains("over the limit of 111"), "{line}");
}

#[test]
fn silence_is_cut_off_where_anybody_is_welcome() {
    let mut run = Run::admitting(Admission::Either, hasty());
    for silence in [&b""[..], &[0, 0, 0, 9, b'h']] {
        let line = run.log_after(silence);
        assert!(line.contains("the handshake was not over in time"), "{line}");
    }
    assert_eq!(run.a.recorder.opened().len(), 1, "the service never hears of them");
}
