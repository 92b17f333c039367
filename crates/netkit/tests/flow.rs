//! Peers that read too slowly, and peers that send too much.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use netkit::{Admission, CloseReason, Limits, SendError};

mod common;
use common::{PATIENCE, Seen, Side, frame};

const MAX_QUEUE: usize = 200_000;

fn connect(side: &mut Side, address: std::net::SocketAddr) -> TcpStream {
    let before = side.recorder.opened().len();
    let socket = TcpStream::connect(address).expect("connected");
    socket.set_read_timeout(Some(PATIENCE)).expect("a live socket");
    side.until(|side| side.opened().len() > before);
    socket
}

#[test]
fn a_peer_that_reads_nothing_is_cut_off_and_no_other() {
    let mut side = Side::new(Limits { max_queue: MAX_QUEUE, ..Limits::default() });
    let address = side.listen(Admission::Anyone);
    let _slow = connect(&mut side, address);
    let mut other = connect(&mut side, address);
    let [slow_id, other_id] = side.recorder.opened()[..] else { panic!("two connections") };

    let mut sent = 0;
    while side.net.send(slow_id, &[1; 10_000]).is_ok() {
        sent += 1;
        assert!(side.net.queued(slow_id) <= MAX_QUEUE);
        assert!(sent < 10_000, "100 MB went to a peer that reads nothing");
        side.turn();
    }
    assert!(matches!(side.net.send(slow_id, b""), Err(SendError::Closed)));
    assert!(side.recorder.closed().is_empty(), "not told from within send");
    side.turn();
    let [CloseReason::QueueFull { waiting, max: MAX_QUEUE }] = side.recorder.closed()[..] else {
        panic!("{:?}", side.recorder.closed());
    };
    assert!((MAX_QUEUE + 1..MAX_QUEUE + 10_005).contains(waiting), "{waiting}");

    side.net.send(other_id, b"still served").expect("open");
    side.turn();
    let mut bytes = [0; 16];
    other.read_exact(&mut bytes).expect("a frame");
    assert_eq!(&bytes[4..], b"still served");
}

/// More than the queue's limit in one turn is no reason to cut off somebody who reads.
#[test]
fn a_peer_that_reads_may_be_sent_more_than_the_limit_in_one_turn() {
    let mut side = Side::new(Limits { max_queue: 100, ..Limits::default() });
    let address = side.listen(Admission::Anyone);
    let mut socket = connect(&mut side, address);
    let id = side.recorder.opened()[0];
    for n in 0..50u8 {
        side.net.send(id, &[n; 60]).expect("open");
    }
    side.turn();
    let mut bytes = vec![0; 50 * 64];
    socket.read_exact(&mut bytes).expect("all frames");
    assert!((0..50u8).all(|n| bytes[usize::from(n) * 64 + 63] == n));
}

#[test]
fn a_sender_is_told_when_the_peer_has_taken_everything() {
    let mut side = Side::new(Limits::default());
    let address = side.listen(Admission::Anyone);
    let mut socket = connect(&mut side, address);
    let id = side.recorder.opened()[0];
    let mut sent = 0;
    while side.net.queued(id) < 1_000_000 {
        side.net.send(id, &[1; 99_996]).expect("open");
        sent += 100_000;
        side.turn();
    }
    let reader = std::thread::spawn(move || {
        let mut bytes = vec![0; sent];
        socket.read_exact(&mut bytes).expect("all frames");
        socket
    });
    side.until(|side| side.seen.iter().any(|seen| matches!(seen, Seen::Drained(_))));
    assert_eq!(side.net.queued(id), 0);
    reader.join().expect("read");
    // What was never held up is not reported.
    side.net.send(id, b"small").expect("open");
    side.turn();
    let drained = side.recorder.seen.iter().filter(|seen| matches!(seen, Seen::Drained(_)));
    assert_eq!(drained.count(), 1);
}

#[test]
fn connections_beyond_the_limit_are_closed_unheard() {
    let mut side = Side::new(Limits { max_connections: 2, ..Limits::default() });
    let address = side.listen(Admission::Anyone);
    let first = connect(&mut side, address);
    let mut second = connect(&mut side, address);
    let third = TcpStream::connect(address).expect("in the backlog");
    third.set_read_timeout(Some(PATIENCE)).expect("a live socket");
    let reader = std::thread::spawn(move || (&third).read(&mut [0]));
    while !reader.is_finished() {
        side.turn();
    }
    assert!(matches!(reader.join().expect("no panic"), Ok(0)), "closed");
    second.write_all(&frame(b"still here")).expect("sent");
    side.until(|side| !side.frames().is_empty());
    // A place that becomes free is used again.
    drop(first);
    side.until(|side| !side.closed().is_empty());
    connect(&mut side, address);
}

/// After all that makes the loop come back by itself, it waits again, and uses no processor time.
#[test]
fn a_loop_in_which_nothing_happens_sleeps() {
    let mut side = Side::new(Limits::default());
    let address = side.listen(Admission::Anyone);
    let mut socket = connect(&mut side, address);
    socket.write_all(&frame(&[0; 60]).repeat(5000)).expect("sent");
    side.until(|side| side.frames().len() == 5000);
    let other = connect(&mut side, address);
    other.shutdown(std::net::Shutdown::Both).expect("a live socket");
    side.until(|side| !side.closed().is_empty());
    let mut shy = connect(&mut side, address);
    shy.write_all(b"GET /").expect("sent");
    side.until(|side| side.closed().len() == 2);
    side.net.send(side.recorder.opened()[0], b"and out").expect("open");

    let start = std::time::Instant::now();
    let mut turns = 0;
    while start.elapsed() < Duration::from_millis(100) {
        side.net.turn(&mut side.recorder, Some(Duration::from_millis(100))).expect("a turn");
        turns += 1;
    }
    // A few late packets may wake it; a loop that spins has thousands.
    assert!(turns <= 20, "{turns} turns in 100 ms");
}

/// One connection has sent megabytes; a frame on another one is not kept waiting until they are
/// worked off.
#[test]
fn a_flood_does_not_starve_others() {
    let mut side = Side::new(Limits::default());
    let address = side.listen(Admission::Anyone);
    let mut flood = connect(&mut side, address);
    let mut quiet = connect(&mut side, address);
    let quiet_id = side.recorder.opened()[1];

    flood.set_nonblocking(true).expect("a live socket");
    let frames = frame(&[0; 60]).repeat(1024);
    let mut flooded = 0;
    while let Ok(n) = flood.write(&frames[flooded % 64..]) {
        flooded += n;
    }
    assert!(flooded > 500_000, "only {flooded} bytes fit in the system's buffers");
    quiet.write_all(&frame(b"and me?")).expect("sent");

    let is_quiet = |seen: &Seen| matches!(seen, Seen::Frame(id, _) if *id == quiet_id);
    side.until(|side| side.seen.iter().any(is_quiet));
    let before = side.recorder.frames().len() - 1;
    assert!(before <= 2 * 65_536 / 64, "{before} frames of the flood came first");
    // And none of the flood is lost, though the system does not speak of it again.
    side.until(|side| side.frames().len() == 1 + flooded / 64);
}
