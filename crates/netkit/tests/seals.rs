//! Somebody on the way between two members changes bytes: neither end is handed what the other did
//! not send.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

use netkit::membership::{MAX_HANDSHAKE_FRAME, MAX_RUN};
use netkit::{Admission, CloseReason, Limits, Outgoing, SealError};

mod common;
use common::{Seen, Side, both, loopback, member, secret};

/// How many bytes the hello has, with its length, in the run of these tests.
const HELLO: usize = 4 + MAX_HANDSHAKE_FRAME - MAX_RUN + 20;

/// How many bytes the proof has, with its length.
const PROOF: usize = 4 + 38;

/// Something on the way to `to`, which does something to the envelopes that go there. They arrive at
/// once, right behind the proof. What comes back is left alone.
fn between(to: SocketAddr, change: impl FnOnce(&[u8]) -> Vec<u8> + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind(loopback()).expect("a free port");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        let (mut from, _) = listener.accept().expect("a connection");
        let mut to = TcpStream::connect(to).expect("it listens");
        let mut back = to.try_clone().expect("a descriptor");
        let mut forth = from.try_clone().expect("a descriptor");
        thread::spawn(move || drop(io::copy(&mut back, &mut forth)));
        let mut hello = [0; HELLO];
        from.read_exact(&mut hello).expect("a hello");
        to.write_all(&hello).expect("sent");
        let mut rest = Vec::new();
        from.read_to_end(&mut rest).expect("a proof, and envelopes");
        let (proof, envelopes) = rest.split_at(PROOF);
        to.write_all(&[proof, &change(envelopes)].concat()).expect("sent");
        // The other thread has a descriptor of it, so that dropping this one ends nothing. One that has
        // seen a damaged envelope may be gone.
        let _ = to.shutdown(Shutdown::Write);
    });
    address
}

/// What arrives of envelopes with these bodies, and how the connection ends.
fn sent_through(
    bodies: &[&[&[u8]]],
    change: impl FnOnce(&[u8]) -> Vec<u8> + Send + 'static,
) -> (Vec<Vec<u8>>, CloseReason) {
    let secret = secret();
    let mut b = Side::new(Limits::default());
    let address = b.listen(Admission::Members(member(&secret, 1)));
    let address = between(address, change);
    let mut a = Side::new(Limits::default());
    let outgoing = Outgoing::Member { membership: member(&secret, 0), to: 1 };
    let id = a.net.connect(address, outgoing).expect("begun");
    both(&mut a, &mut b, |a, _| !a.opened().is_empty());
    for envelope in bodies {
        for body in *envelope {
            a.net.send(id, body).expect("open");
        }
        a.turn();
    }
    a.net.close_when_sent(id);
    both(&mut a, &mut b, |_, b| !b.closed().is_empty());
    let frames = b.recorder.frames().into_iter().map(<[u8]>::to_vec).collect();
    let closed = b.recorder.seen.into_iter().find_map(|seen| match seen {
        Seen::Close(_, reason) => Some(reason),
        _ => None,
    });
    (frames, closed.expect("it ended"))
}

const THREE: &[&[&[u8]]] = &[&[b"one", b"two"], &[b"three"], &[b"four"]];
const ALL: [&[u8]; 4] = [b"one", b"two", b"three", b"four"];

/// How many bytes the three envelopes have: a head of 20 each, four frames with their lengths.
const SIZE: usize = 3 * 20 + 4 * 4 + 3 + 3 + 5 + 4;

/// How many bytes the first one has.
const FIRST: usize = 20 + 2 * (4 + 3);

#[test]
fn what_nobody_changed_arrives() {
    let (frames, reason) = sent_through(THREE, |bytes| {
        assert_eq!(bytes.len(), SIZE);
        bytes.to_vec()
    });
    assert_eq!(frames, ALL);
    assert!(matches!(reason, CloseReason::Ended), "{reason}");
}

#[test]
fn frames_may_follow_the_handshake_at_once() {
    let large = [1; 100_000];
    let bodies: &[&[&[u8]]] = &[&[b"first", &large, b"", &[2; 4000], b"last"]];
    let (frames, _) = sent_through(bodies, <[u8]>::to_vec);
    assert_eq!(frames, bodies[0]);
}

/// Each byte, one of its bits.
#[test]
fn no_changed_bit_reaches_the_service() {
    for at in 0..SIZE {
        let (frames, reason) = sent_through(THREE, move |bytes| {
            let mut changed = bytes.to_vec();
            changed[at] ^= 1 << (at % 8);
            changed
        });
        assert!(ALL.map(<[u8]>::to_vec).starts_with(&frames), "{at}: {frames:?}");
        assert!(frames.len() < ALL.len(), "{at}");
        let is_noticed = matches!(
            reason,
            CloseReason::Seal(_) | CloseReason::Frame(_) | CloseReason::EndedInFrame { .. }
        );
        assert!(is_noticed, "{at}: {reason}");
    }
}

#[test]
fn envelopes_that_are_left_out_repeated_or_swapped_are_noticed() {
    let (frames, reason) = sent_through(THREE, |bytes| bytes[FIRST..].to_vec());
    assert!(frames.is_empty());
    assert!(matches!(reason, CloseReason::Seal(SealError::Number { number: 1, due: 0 })));

    let (frames, reason) = sent_through(THREE, |bytes| [&bytes[..FIRST], bytes].concat());
    assert_eq!(frames, ALL[..2]);
    assert!(matches!(reason, CloseReason::Seal(SealError::Number { number: 0, due: 1 })));

    let second = FIRST..FIRST + 20 + 4 + 5;
    let (frames, _) = sent_through(THREE, move |bytes| {
        [&bytes[second.clone()], &bytes[..FIRST], &bytes[second.end..]].concat()
    });
    assert!(frames.is_empty());
}
