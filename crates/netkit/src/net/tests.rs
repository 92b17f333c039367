use std::os::fd::AsRawFd;
use std::time::Duration;

use super::Peer;
use super::connection::{Connection, State};
use super::deadlines::{Deadlines, Due};
use super::slots::Slots;
use super::strangers::Strangers;

#[test]
fn a_place_that_is_used_again_has_another_name() {
    let mut slots = Slots::new();
    let first = slots.insert("first");
    assert_eq!(slots.remove(first), Some("first"));
    slots.end_turn();
    let second = slots.insert("second");
    assert_eq!(first.token(), second.token(), "the place is used again");
    assert_ne!(first, second);
    assert!(first < second, "ordered by age");
    assert_eq!(slots.find(first), None);
    assert_eq!(slots.remove(first), None);
    assert_eq!(slots.find(second), Some(&mut "second"));
}

#[test]
fn a_place_is_not_used_again_in_the_same_turn() {
    let mut slots = Slots::new();
    let first = slots.insert(1);
    slots.remove(first);
    let second = slots.insert(2);
    assert_ne!(first.token(), second.token(), "an event for the first may still come");
    assert_eq!(slots.key_of(first.token()), None);
}

#[test]
fn deadlines_come_in_order_and_stopped_ones_not_at_all() {
    let mut deadlines = Deadlines::default();
    let _later = deadlines.start(Duration::from_secs(60), Due::Timer);
    let second = deadlines.start(Duration::ZERO, Due::Timer);
    let stopped = deadlines.start(Duration::ZERO, Due::Timer);
    let third = deadlines.start(Duration::ZERO, Due::Timer);
    deadlines.stop(stopped);
    let now = deadlines.now().expect("something is due");
    let started_meanwhile = deadlines.start(Duration::ZERO, Due::Timer);
    let mut due = Vec::new();
    while let Some((key, _)) = deadlines.pop(now) {
        due.push(key);
    }
    assert_eq!(due, [second, third]);
    let now = deadlines.now().expect("something is due");
    assert_eq!(deadlines.pop(now).map(|(key, _)| key), Some(started_meanwhile));
    assert!(deadlines.wait().expect("one is left") > Duration::from_secs(50));
}

#[test]
fn a_timer_beyond_the_end_of_time_is_just_late() {
    let mut deadlines = Deadlines::default();
    deadlines.start(Duration::MAX, Due::Timer);
    assert!(deadlines.wait().expect("one is left") > Duration::from_secs(1_000_000_000));
}

#[test]
fn strangers_beyond_ten_are_only_counted() {
    let mut strangers = Strangers::default();
    let address = "192.0.2.1:7".parse().expect("an address");
    let peer = Peer { rank: None, address, local: address, incoming: true };
    assert!(strangers.cut_off(&peer, "first"), "a window begins");
    for _ in 1..25 {
        assert!(!strangers.cut_off(&peer, "another"));
    }
    assert_eq!(strangers.end_window(), 15);
    assert!(strangers.cut_off(&peer, "later"), "another window begins");
    assert_eq!(strangers.end_window(), 0);
}

/// Connecting to a port of this machine where nobody listens can lead to oneself: the system may
/// choose that very port for our end, and TCP lets the two ends be one.
#[test]
fn a_connection_to_oneself_is_refused() {
    use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, SockaddrIn};
    let socket =
        socket::socket(AddressFamily::Inet, SockType::Stream, SockFlag::empty(), None).expect("fd");
    socket::bind(socket.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).expect("a free port");
    let own: SockaddrIn = socket::getsockname(socket.as_raw_fd()).expect("bound");
    socket::connect(socket.as_raw_fd(), &own).expect("connected to itself");
    let stream = std::net::TcpStream::from(socket);
    stream.set_nonblocking(true).expect("a live socket");
    let address = stream.peer_addr().expect("connected");

    let stream = mio::net::TcpStream::from_std(stream);
    let state = State::Connecting(None, Vec::new());
    let mut connection = Connection::new(stream, address, address, state, 0);
    let error = connection.is_connected().expect_err("refused");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
}
