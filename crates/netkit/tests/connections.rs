//! Connections between two loops, and between a loop and a bare socket.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use netkit::frame::{FrameError, MAX_FRAME};
use netkit::membership::HandshakeError;
use netkit::{Admission, CloseReason, ConnectionId, Limits, Outgoing, SendError};

mod common;
use common::{PATIENCE, Seen, Side, both, frame, member, secret};

#[test]
fn members_greet_each_other_and_exchange_values() {
    let secret = secret();
    let mut a = Side::reacting(Limits::default(), |net, seen| {
        if let Seen::Frame(id, body) = seen {
            let (text, n): (String, u32) = netkit::codec::decode(body).expect("what was sent");
            net.send_value(*id, &(text, n + 1)).expect("open");
        }
    });
    let address = a.listen(Admission::Members(member(&secret, 1)));
    let mut b = Side::reacting(Limits::default(), |net, seen| {
        if let Seen::Open(id, _) = seen {
            net.send_value(*id, &("hello", 41u32)).expect("open");
        }
    });
    let to = Outgoing::Member { membership: member(&secret, 0), to: 1 };
    let id = b.net.connect(address, to).expect("begun");
    both(&mut a, &mut b, |_, b| !b.frames().is_empty());

    let answer: (String, u32) = netkit::codec::decode(b.recorder.frames()[0]).expect("a value");
    assert_eq!(answer, ("hello".to_string(), 42));
    let Seen::Open(_, peer) = &a.recorder.seen[0] else { panic!("not opened first") };
    assert_eq!((peer.rank, peer.incoming, peer.local), (Some(0), true, address));
    let Seen::Open(opened, peer) = &b.recorder.seen[0] else { panic!("not opened first") };
    assert_eq!((*opened, peer.rank, peer.incoming), (id, Some(1), false));
    assert_eq!(peer.address, address);
}

/// Two loops with one open connection between them, anybody admitted.
fn connected() -> (Side, ConnectionId, Side, ConnectionId) {
    let mut a = Side::new(Limits::default());
    let address = a.listen(Admission::Anyone);
    let mut b = Side::new(Limits::default());
    let at_b = b.net.connect(address, Outgoing::Anyone).expect("begun");
    both(&mut a, &mut b, |a, b| !a.opened().is_empty() && !b.opened().is_empty());
    let at_a = a.recorder.opened()[0];
    (a, at_a, b, at_b)
}

/// A loop to which a bare socket is connected.
fn with_bare_socket(limits: Limits) -> (Side, TcpStream) {
    let mut side = Side::new(limits);
    let address = side.listen(Admission::Anyone);
    let socket = TcpStream::connect(address).expect("connected");
    socket.set_read_timeout(Some(PATIENCE)).expect("a live socket");
    side.until(|side| !side.opened().is_empty());
    (side, socket)
}

/// What the other end sends until it closes.
fn rest(mut socket: &TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    socket.read_to_end(&mut bytes).expect("an orderly end");
    bytes
}

#[test]
fn frames_keep_their_order_whatever_their_size() {
    let (mut a, _, mut b, at_b) = connected();
    let sizes = [0, 1, 64, 65_531, 65_532, 65_533, 200_000, 3, MAX_FRAME];
    for (n, size) in sizes.into_iter().enumerate() {
        let n = u8::try_from(n).expect("few");
        b.net.send(at_b, &vec![n; size]).expect("open");
    }
    both(&mut a, &mut b, |a, _| a.frames().len() == sizes.len());
    for (n, (body, size)) in a.recorder.frames().iter().zip(sizes).enumerate() {
        assert_eq!(body.len(), size);
        assert!(body.iter().all(|&byte| usize::from(byte) == n));
    }
    assert_eq!(b.net.queued(at_b), 0);
}

#[test]
fn a_frame_split_at_any_byte_arrives() {
    let (mut side, mut socket) = with_bare_socket(Limits::default());
    socket.set_nodelay(true).expect("a live socket");
    let whole = frame(b"split anywhere");
    for at in 1..whole.len() {
        socket.write_all(&whole[..at]).expect("sent");
        side.turn();
        socket.write_all(&whole[at..]).expect("sent");
        side.until(|side| side.frames().len() == at);
    }
    assert!(side.recorder.frames().iter().all(|&body| body == b"split anywhere"));
}

/// A turn's frames leave in one write: the other end gets them all in one read.
#[test]
fn what_is_sent_in_one_turn_leaves_in_one_write() {
    let (mut side, mut socket) = with_bare_socket(Limits::default());
    let id = side.recorder.opened()[0];
    for n in 0..100u8 {
        side.net.send(id, &[n; 10]).expect("open");
    }
    assert_eq!(side.net.queued(id), 1400, "nothing has been written yet");
    side.turn();
    let mut buffer = [0; 4096];
    assert_eq!(socket.read(&mut buffer).expect("frames"), 1400);
}

#[test]
fn frames_before_the_end_are_delivered_before_the_end() {
    let (mut side, mut socket) = with_bare_socket(Limits::default());
    let bytes: Vec<u8> = (0..20_000u32).flat_map(|n| frame(&n.to_be_bytes())).collect();
    let writer = std::thread::spawn(move || socket.write_all(&bytes).expect("sent"));
    side.until(|side| !side.closed().is_empty());
    writer.join().expect("written");
    assert_eq!(side.recorder.frames().len(), 20_000);
    assert!(matches!(side.recorder.seen.last(), Some(Seen::Close(_, CloseReason::Ended))));
}

/// Writing to a peer that is gone fails before its last frames have been read. They must not get
/// lost.
#[test]
fn frames_are_delivered_even_if_writing_failed_first() {
    let (mut side, mut socket) = with_bare_socket(Limits::default());
    let id = side.recorder.opened()[0];
    socket.write_all(&frame(b"last words")).expect("sent");
    drop(socket);
    // The first write is answered by a reset, the second fails; the loop has not yet read.
    side.net.send(id, &[1; 100_000]).expect("open");
    side.net.send(id, &[1; 100_000]).expect("open");
    side.net.send(id, &[1; 100_000]).expect("open");
    side.until(|side| !side.closed().is_empty());
    assert_eq!(side.recorder.frames(), [b"last words"]);
    assert_eq!(side.recorder.closed().len(), 1);
}

#[test]
fn half_closed_is_closed() {
    let (mut side, mut socket) = with_bare_socket(Limits::default());
    socket.write_all(&frame(b"that was all")).expect("sent");
    socket.shutdown(Shutdown::Write).expect("a live socket");
    side.until(|side| !side.closed().is_empty());
    assert_eq!(side.recorder.frames(), [b"that was all"]);
    assert!(rest(&socket).is_empty(), "closed from this side too");
}

#[test]
fn an_end_within_a_frame_is_told() {
    let (mut side, mut socket) = with_bare_socket(Limits::default());
    socket.write_all(&frame(b"cut")[..6]).expect("sent");
    drop(socket);
    side.until(|side| !side.closed().is_empty());
    let [CloseReason::EndedInFrame { pending: 6 }] = side.recorder.closed()[..] else {
        panic!("{:?}", side.recorder.closed());
    };
}

#[test]
fn a_frame_over_the_limit_ends_the_connection_and_no_other() {
    let (mut side, mut socket) = with_bare_socket(Limits { max_frame: 100, ..Limits::default() });
    let address = socket.peer_addr().expect("connected");
    let mut other = TcpStream::connect(address).expect("connected");
    let just = frame(&[1; 100]);
    socket.write_all(&[&just[..], &[0, 0, 0, 101]].concat()).expect("sent");
    side.until(|side| !side.closed().is_empty());
    let [CloseReason::Frame(FrameError::TooLong { length: 101, max: 100 })] =
        side.recorder.closed()[..]
    else {
        panic!("{:?}", side.recorder.closed());
    };
    assert_eq!(side.recorder.frames(), [[1; 100]]);
    other.write_all(&frame(b"still here")).expect("sent");
    side.until(|side| side.frames().len() == 2);
}

/// Whoever opens the port in a browser or types into netcat reads what is wrong.
#[test]
fn text_is_answered_with_a_hint() {
    let (mut side, mut socket) = with_bare_socket(Limits::default());
    socket.write_all(b"GET / HTTP/1.1\r\nHost: lab01\r\n\r\n").expect("sent");
    side.until(|side| !side.closed().is_empty());
    let reader = std::thread::spawn(move || rest(&socket));
    while !reader.is_finished() {
        side.turn();
    }
    let hint = String::from_utf8(reader.join().expect("read")).expect("text");
    assert!(hint.contains("netkit frames") && hint.ends_with('\n'), "{hint}");
}

#[test]
fn a_port_where_nobody_listens_is_told() {
    let mut side = Side::new(Limits::default());
    let nobody = {
        let listener = TcpListener::bind(common::loopback()).expect("a free port");
        listener.local_addr().expect("bound")
    };
    let id = side.net.connect(nobody, Outgoing::Anyone).expect("begun");
    assert!(matches!(side.net.send(id, b"early"), Err(SendError::NotOpen)));
    side.until(|side| !side.closed().is_empty());
    let [CloseReason::ConnectFailed(error)] = side.recorder.closed()[..] else {
        panic!("{:?}", side.recorder.closed());
    };
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    assert!(side.recorder.opened().is_empty());
}

/// A listener whose backlog is full answers nothing, like a machine that is down.
#[test]
fn a_machine_that_does_not_answer_is_given_up() {
    let limits = Limits { connect_deadline: Duration::from_millis(50), ..Limits::default() };
    let mut side = Side::new(limits);
    let (full, _held) = full_backlog();
    side.net.connect(full, Outgoing::Anyone).expect("begun");
    side.until(|side| !side.closed().is_empty());
    assert!(matches!(side.recorder.closed()[..], [CloseReason::ConnectTimedOut]));
}

/// An address that swallows attempts to connect, and what keeps it so.
fn full_backlog() -> (SocketAddr, (TcpListener, Vec<TcpStream>)) {
    use nix::sys::socket::{Backlog, listen};
    let listener = TcpListener::bind(common::loopback()).expect("a free port");
    listen(&listener, Backlog::new(0).expect("valid")).expect("bound");
    let address = listener.local_addr().expect("bound");
    let mut held = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(100)) {
        held.push(stream);
        assert!(held.len() < 10, "a backlog of 0 holds a few connections at most");
    }
    (address, (listener, held))
}

#[test]
fn closing_is_silent_here_and_heard_there() {
    let (mut a, at_a, mut b, at_b) = connected();
    a.net.send(at_a, b"lost").expect("open");
    a.net.close(at_a);
    assert!(matches!(a.net.send(at_a, b"late"), Err(SendError::Closed)));
    assert_eq!((a.net.queued(at_a), a.net.peer(at_a)), (0, None));
    a.net.close(at_a);
    a.net.close_when_sent(at_a);
    both(&mut a, &mut b, |_, b| !b.closed().is_empty());
    assert!(b.recorder.frames().is_empty(), "closed before it was written");
    assert!(a.recorder.closed().is_empty());
    assert!(matches!(b.net.send(at_b, b"late"), Err(SendError::Closed)));
}

#[test]
fn closing_when_sent_delivers_everything_first() {
    let (mut a, at_a, mut b, at_b) = connected();
    // The peer is in the middle of sending: closing with unread bytes would reset the connection.
    b.net.send(at_b, &[2; 500_000]).expect("open");
    b.turn();
    for _ in 0..10 {
        a.net.send(at_a, &[1; 1_000_000]).expect("open");
    }
    a.net.close_when_sent(at_a);
    assert!(matches!(a.net.send(at_a, b"late"), Err(SendError::Closed)));
    both(&mut a, &mut b, |_, b| !b.closed().is_empty());
    assert_eq!(b.recorder.frames().len(), 10);
    assert!(matches!(b.recorder.closed()[..], [CloseReason::Ended]), "{:?}", b.recorder.closed());
    both(&mut a, &mut b, |_, _| true);
    assert!(a.recorder.closed().is_empty() && a.recorder.frames().is_empty());
}

/// Closing a socket with unread bytes resets the connection, and the peer loses what the system had
/// taken and not yet delivered.
#[test]
fn closing_while_the_peer_sends_loses_nothing() {
    let (mut side, socket) = with_bare_socket(Limits::default());
    let id = side.recorder.opened()[0];
    let writer = {
        let mut socket = socket.try_clone().expect("a descriptor");
        std::thread::spawn(move || while socket.write_all(&[0; 100_000]).is_ok() {})
    };
    side.until(|side| !side.frames().is_empty());
    side.net.send(id, &[1; 1_000_000]).expect("open");
    side.net.close_when_sent(id);
    side.turn();
    let reader = std::thread::spawn(move || {
        let mut socket = socket;
        let mut answer = vec![0; 1_000_004];
        socket.read_exact(&mut answer).expect("all of it");
        assert!(matches!(socket.read(&mut [0]), Ok(0)), "an orderly end");
        socket.shutdown(Shutdown::Both).expect("a live socket");
    });
    while !(reader.is_finished() && writer.is_finished()) {
        side.turn();
    }
    reader.join().expect("an orderly end");
}

#[test]
fn a_run_ends_when_all_is_sent() {
    let mut a = Side::reacting(Limits::default(), |net, seen| {
        if let Seen::Open(id, _) = seen {
            net.send(*id, &[7; 1_000_000]).expect("open");
            net.send(*id, &[7; 1_000_000]).expect("open");
            net.close_when_sent(*id);
            net.stop();
        }
    });
    let address = a.listen(Admission::Anyone);
    let reader =
        std::thread::spawn(move || rest(&TcpStream::connect(address).expect("connected")).len());
    a.net.run(&mut a.recorder).expect("a run");
    drop(a);
    assert_eq!(reader.join().expect("read"), 2_000_008);
}

/// A connection that was closed with much left to send. The peer must stay.
fn closing_before_a_peer_that_reads_nothing() -> (Side, ConnectionId, TcpStream) {
    let limits = Limits { close_deadline: Duration::from_millis(50), ..Limits::default() };
    let (mut side, socket) = with_bare_socket(limits);
    let id = side.recorder.opened()[0];
    while side.net.queued(id) < 8 << 20 {
        side.net.send(id, &[7; 1_000_000]).expect("open");
    }
    side.net.close_when_sent(id);
    (side, id, socket)
}

#[test]
fn a_peer_that_reads_nothing_does_not_delay_the_end_for_ever() {
    let (mut side, _, _socket) = closing_before_a_peer_that_reads_nothing();
    side.net.stop();
    let start = Instant::now();
    side.net.run(&mut side.recorder).expect("a run");
    assert!(start.elapsed() >= Duration::from_millis(50), "it was given its time");
    assert!(start.elapsed() < PATIENCE);
}

/// The same while the loop goes on: the connection does not stay for ever.
#[test]
fn a_closed_connection_is_forgotten_in_time() {
    let (mut side, id, _socket) = closing_before_a_peer_that_reads_nothing();
    let start = Instant::now();
    while side.net.peer(id).is_some() {
        assert!(start.elapsed() < PATIENCE, "the connection is still there");
        side.turn();
    }
    assert!(start.elapsed() >= Duration::from_millis(50), "it was given its time");
    assert!(side.recorder.closed().is_empty());
}

/// A handler closes the connection whose frames it is being given, and one that has frames in the
/// same turn.
#[test]
fn handlers_may_close_any_connection() {
    let mut opened = Vec::new();
    let mut side = Side::reacting(Limits::default(), move |net, seen| match seen {
        Seen::Open(id, _) => opened.push(*id),
        Seen::Frame(..) => opened.drain(..).for_each(|id| net.close(id)),
        _ => {}
    });
    let address = side.listen(Admission::Anyone);
    let mut sockets: Vec<_> =
        (0..3).map(|_| TcpStream::connect(address).expect("connected")).collect();
    side.until(|side| side.opened().len() == 3);
    for socket in &mut sockets {
        socket.write_all(&frame(b"close us").repeat(3)).expect("sent");
    }
    side.until(|side| !side.frames().is_empty());
    for socket in &sockets {
        socket.set_read_timeout(Some(PATIENCE)).expect("a live socket");
        // Its unread frames make the system reset the connection.
        let end = (&*socket).read(&mut [0]);
        assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    }
    side.turn();
    assert_eq!(side.recorder.frames().len(), 1, "the first frame closed everything");
    assert!(side.recorder.closed().is_empty());
}

#[test]
fn members_of_other_runs_are_refused_on_both_sides() {
    let ours = secret();
    let mut a = Side::new(Limits::default());
    let address = a.listen(Admission::Members(member(&ours, 1)));
    let mut b = Side::new(Limits::default());
    let stranger = secret();
    for (secret, to) in [(&stranger, 1), (&ours, 2)] {
        let to = Outgoing::Member { membership: member(secret, 0), to };
        b.net.connect(address, to).expect("begun");
    }
    both(&mut a, &mut b, |_, b| b.closed().len() == 2);
    assert!(a.recorder.seen.is_empty(), "strangers never reach the service");
    assert!(b.recorder.opened().is_empty());
    for reason in b.recorder.closed() {
        let is_expected = matches!(reason, CloseReason::Handshake(_) | CloseReason::Refused);
        assert!(is_expected, "{reason:?}");
    }
}

/// An initiator must find out as well: a listener that is no member must not get its frames.
#[test]
fn a_false_acceptor_is_refused() {
    let listener = TcpListener::bind(common::loopback()).expect("a free port");
    let mut side = Side::new(Limits::default());
    let to = Outgoing::Member { membership: member(&secret(), 0), to: 1 };
    side.net.connect(listener.local_addr().expect("bound"), to).expect("begun");
    let impostor = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().expect("a connection");
        socket.write_all(&frame(&[b"nkit\x02\x02", &[0; 64][..]].concat())).expect("sent");
        rest(&socket)
    });
    side.until(|side| !side.closed().is_empty());
    let [CloseReason::Handshake(HandshakeError::BadProof)] = side.recorder.closed()[..] else {
        panic!("{:?}", side.recorder.closed());
    };
    let heard = impostor.join().expect("read");
    assert_eq!(heard.len(), 4 + 47 + 20, "a hello and nothing else");
}

#[test]
fn an_acceptor_that_says_nothing_is_given_up() {
    let listener = TcpListener::bind(common::loopback()).expect("a free port");
    let limits = Limits {
        handshake_deadline: Duration::from_millis(50),
        connect_deadline: Duration::from_secs(3600),
        ..Limits::default()
    };
    let mut side = Side::new(limits);
    let to = Outgoing::Member { membership: member(&secret(), 0), to: 1 };
    side.net.connect(listener.local_addr().expect("bound"), to).expect("begun");
    side.until(|side| !side.closed().is_empty());
    assert!(matches!(side.recorder.closed()[..], [CloseReason::HandshakeTimedOut]));
}

#[test]
fn a_handler_cannot_run_the_loop() {
    let mut side = Side::reacting(Limits::default(), |net, seen| {
        if let Seen::Timer(_) = seen {
            let error =
                net.turn(&mut common::Recorder::new(), Some(Duration::ZERO)).expect_err("refused");
            assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        }
    });
    side.net.start_timer(Duration::ZERO);
    side.until(|side| !side.seen.is_empty());
}
