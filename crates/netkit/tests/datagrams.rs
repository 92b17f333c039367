//! One frame a datagram; what is none is dropped.

use std::net::UdpSocket;

use netkit::udp::{MAX_DATAGRAM, MAX_SEALED};
use netkit::{Admission, Limits, SendError, Sender};

mod common;
use common::{Seen, Side, both, frame, loopback, member, secret};

#[test]
fn datagrams_of_every_size_arrive() {
    let mut a = Side::new(Limits::default());
    let mut b = Side::new(Limits::default());
    let (at_a, address_a) = a.net.bind_udp(loopback(), Admission::Anyone).expect("a free port");
    let (at_b, address_b) = b.net.bind_udp(loopback(), Admission::Anyone).expect("a free port");
    for size in [0, 1, 1400, MAX_DATAGRAM] {
        b.net.send_datagram(at_b, address_a, &vec![7; size]).expect("sent");
    }
    both(&mut a, &mut b, |a, _| a.seen.len() == 4);
    assert_eq!(
        a.recorder.datagrams().iter().map(|body| body.len()).collect::<Vec<_>>(),
        [0, 1, 1400, MAX_DATAGRAM]
    );
    assert!(matches!(&a.recorder.seen[0], Seen::Datagram(id, from, _)
        if *id == at_a && *from == Sender { rank: None, address: address_b }));
}

#[test]
fn what_is_no_frame_is_dropped() {
    let mut side = Side::new(Limits { max_frame: 1000, ..Limits::default() });
    let (_, address) = side.net.bind_udp(loopback(), Admission::Anyone).expect("a free port");
    let socket = UdpSocket::bind(loopback()).expect("a free port");
    let good = frame(b"good");
    let wrong: [&[u8]; 7] = [
        b"",
        b"\0\0\0",
        &good[..7],
        &[&good[..], b"!"].concat(),
        &[&good[..], &good[..]].concat(),
        b"GET / HTTP/1.1",
        &frame(&[1; 1001]),
    ];
    for datagram in wrong {
        socket.send_to(datagram, address).expect("sent");
    }
    socket.send_to(&good, address).expect("sent");
    socket.send_to(&frame(&[1; 1000]), address).expect("sent");
    side.until(|side| side.seen.len() >= 2);
    assert_eq!(side.recorder.datagrams(), [&b"good"[..], &[1; 1000]]);
}

#[test]
fn what_does_not_fit_is_refused_before_it_is_sent() {
    let mut side = Side::new(Limits::default());
    let (id, address) = side.net.bind_udp(loopback(), Admission::Anyone).expect("a free port");
    let result = side.net.send_datagram(id, address, &vec![0; MAX_DATAGRAM + 1]);
    assert!(matches!(result, Err(SendError::TooLong { max: MAX_DATAGRAM, .. })), "{result:?}");
    side.net.close_udp(id);
    assert!(matches!(side.net.send_datagram(id, address, b""), Err(SendError::Closed)));
}

/// The system reports, on a later call, that an earlier datagram found nobody. The socket goes on.
#[test]
fn a_datagram_to_nobody_ends_nothing() {
    let mut side = Side::new(Limits::default());
    let (id, address) = side.net.bind_udp(loopback(), Admission::Anyone).expect("a free port");
    let nobody =
        UdpSocket::bind(loopback()).and_then(|socket| socket.local_addr()).expect("a port");
    for _ in 0..3 {
        let _ = side.net.send_datagram(id, nobody, b"anybody?");
        side.turn();
    }
    side.net.send_datagram(id, address, b"myself").expect("sent");
    side.until(|side| !side.seen.is_empty());
    assert_eq!(side.recorder.datagrams(), [b"myself"]);
}

/// More than are taken in one turn: the system speaks of them once.
#[test]
fn a_burst_of_datagrams_is_taken_in_whole() {
    let mut side = Side::new(Limits::default());
    let (_, address) = side.net.bind_udp(loopback(), Admission::Anyone).expect("a free port");
    let socket = UdpSocket::bind(loopback()).expect("a free port");
    for n in 0..200u8 {
        socket.send_to(&frame(&[n]), address).expect("sent");
    }
    side.until(|side| side.seen.len() == 200);
    assert!(
        side.recorder.datagrams().iter().enumerate().all(|(n, body)| usize::from(body[0]) == n)
    );
}

/// Of members only what is sealed is taken, once, and the sender's rank is known.
#[test]
fn members_seal_their_datagrams() {
    let secret = secret();
    let mut a = Side::new(Limits::default());
    let mut b = Side::new(Limits::default());
    let admission = |me| Admission::Members(member(&secret, me));
    let (_, address_a) = a.net.bind_udp(loopback(), admission(1)).expect("a free port");
    let (at_b, address_b) = b.net.bind_udp(loopback(), admission(2)).expect("a free port");
    b.net.send_datagram(at_b, address_a, b"not sealed").expect("sent");
    b.net.send_datagram_to_member(at_b, 7, address_a, b"for p7").expect("sent");
    for size in [0, 1, 1400, MAX_SEALED] {
        b.net.send_datagram_to_member(at_b, 1, address_a, &vec![7; size]).expect("sent");
    }
    both(&mut a, &mut b, |a, _| a.seen.len() == 4);
    let sizes: Vec<_> = a.recorder.datagrams().iter().map(|body| body.len()).collect();
    assert_eq!(sizes, [0, 1, 1400, MAX_SEALED]);
    assert!(matches!(&a.recorder.seen[0], Seen::Datagram(_, from, _)
        if *from == Sender { rank: Some(2), address: address_b }));
    let result = b.net.send_datagram_to_member(at_b, 1, address_a, &vec![0; MAX_SEALED + 1]);
    assert!(matches!(result, Err(SendError::TooLong { max: MAX_SEALED, .. })), "{result:?}");
}

/// A socket for both takes either, and says from whom it is.
#[test]
fn members_and_anyone_can_share_a_socket() {
    let secret = secret();
    let mut side = Side::new(Limits::default());
    let either = Admission::Either(member(&secret, 1));
    let (_, address) = side.net.bind_udp(loopback(), either).expect("a free port");
    let mut other = Side::new(Limits::default());
    let members = Admission::Members(member(&secret, 2));
    let (at, _) = other.net.bind_udp(loopback(), members).expect("a free port");
    other.net.send_datagram(at, address, b"plain").expect("sent");
    other.net.send_datagram_to_member(at, 1, address, b"sealed").expect("sent");
    other.net.send_datagram(at, address, b"nkit\x02\x04, or so it says").expect("sent");
    other.net.send_datagram(at, address, b"last").expect("sent");
    side.until(|side| side.seen.len() == 3);
    assert_eq!(side.recorder.datagrams(), [&b"plain"[..], b"sealed", b"last"]);
    let (open, _) = other.net.bind_udp(loopback(), Admission::Anyone).expect("a free port");
    let result = other.net.send_datagram_to_member(open, 1, address, b"");
    assert!(matches!(result, Err(SendError::NoMember)), "{result:?}");
}
