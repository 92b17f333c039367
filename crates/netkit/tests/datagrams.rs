//! One frame a datagram; what is none is dropped.

use std::net::UdpSocket;

use netkit::udp::MAX_DATAGRAM;
use netkit::{Limits, SendError};

mod common;
use common::{Seen, Side, both, frame, loopback};

#[test]
fn datagrams_of_every_size_arrive() {
    let mut a = Side::new(Limits::default());
    let mut b = Side::new(Limits::default());
    let (at_a, address_a) = a.net.bind_udp(loopback()).expect("a free port");
    let (at_b, address_b) = b.net.bind_udp(loopback()).expect("a free port");
    for size in [0, 1, 1400, MAX_DATAGRAM] {
        b.net.send_datagram(at_b, address_a, &vec![7; size]).expect("sent");
    }
    both(&mut a, &mut b, |a, _| a.seen.len() == 4);
    assert_eq!(
        a.recorder.datagrams().iter().map(|body| body.len()).collect::<Vec<_>>(),
        [0, 1, 1400, MAX_DATAGRAM]
    );
    assert!(matches!(&a.recorder.seen[0], Seen::Datagram(id, from, _)
        if *id == at_a && *from == address_b));
}

#[test]
fn what_is_no_frame_is_dropped() {
    let mut side = Side::new(Limits { max_frame: 1000, ..Limits::default() });
    let (_, address) = side.net.bind_udp(loopback()).expect("a free port");
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
    let (id, address) = side.net.bind_udp(loopback()).expect("a free port");
    let result = side.net.send_datagram(id, address, &vec![0; MAX_DATAGRAM + 1]);
    assert!(matches!(result, Err(SendError::TooLong { max: MAX_DATAGRAM, .. })), "{result:?}");
    side.net.close_udp(id);
    assert!(matches!(side.net.send_datagram(id, address, b""), Err(SendError::Closed)));
}

/// The system reports, on a later call, that an earlier datagram found nobody. The socket goes on.
#[test]
fn a_datagram_to_nobody_ends_nothing() {
    let mut side = Side::new(Limits::default());
    let (id, address) = side.net.bind_udp(loopback()).expect("a free port");
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
    let (_, address) = side.net.bind_udp(loopback()).expect("a free port");
    let socket = UdpSocket::bind(loopback()).expect("a free port");
    for n in 0..200u8 {
        socket.send_to(&frame(&[n]), address).expect("sent");
    }
    side.until(|side| side.seen.len() == 200);
    assert!(
        side.recorder.datagrams().iter().enumerate().all(|(n, body)| usize::from(body[0]) == n)
    );
}
