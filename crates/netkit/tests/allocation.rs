//! How much memory bytes from the network can take, and that a frame takes none.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;

use netkit::frame::{MAX_FRAME, Splitter};
use netkit::membership::{Handshake, MAX_HANDSHAKE_FRAME};
use netkit::{Admission, CloseReason, ConnectionId, Limits, Net, Outgoing, Peer, Service};
use proptest::collection::vec;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

mod common;
use common::{loopback, member, secret};

/// Counts what this thread allocates.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    HELD.set(HELD.get() + bytes);
    PEAK.set(PEAK.get().max(HELD.get()));
    ALLOCATIONS.set(ALLOCATIONS.get() + usize::from(bytes > 0));
}

// SAFETY: everything is handed to the system's allocator as it came; the counters are plain cells
// that neither allocate nor run destructors.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller keeps the contract of `dealloc`, and `alloc` got the block from the
        // same allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most that was held at one time, beyond what was held before.
fn peak<T>(work: impl FnOnce() -> T) -> usize {
    let before = HELD.get();
    PEAK.set(before);
    drop(work());
    usize::try_from(PEAK.get() - before).expect("the peak is not below the start")
}

#[derive(Debug, Deserialize, Serialize)]
enum Message {
    Numbers(Vec<u64>),
    Names(Vec<String>),
    Map(BTreeMap<u64, Vec<u16>>),
    Bytes(Vec<u8>),
    Deep(Option<Box<Message>>),
}

/// What decoding may reserve for a length that was only claimed: serde's own bound.
const CLAIM: usize = 1 << 20;

proptest! {
    #[test]
    fn decoding_random_bytes_takes_little_memory(
        variant in 0u8..6,
        length in prop_oneof![Just(u64::MAX), Just(1 << 40), Just(1 << 20), 0..10u64],
        bytes in vec(any::<u8>(), 0..500),
    ) {
        let body = [&[0, 0, 0, variant], &length.to_be_bytes()[..], &bytes].concat();
        let peak = peak(|| netkit::codec::decode::<Message>(&body).ok());
        // Each level may reserve for its own claim: a sequence of strings is two.
        prop_assert!(peak <= 2 * CLAIM + 64 * body.len(), "{peak} bytes for {}", body.len());
    }

    #[test]
    fn splitting_random_bytes_takes_what_arrived(bytes in vec(any::<u8>(), 0..500)) {
        let peak = peak(|| {
            let mut splitter = Splitter::new(MAX_FRAME);
            let mut input = &bytes[..];
            while let Ok(Some(_)) = splitter.next(&mut input) {}
            splitter
        });
        prop_assert!(peak <= 2 * bytes.len() + 64, "{peak} bytes for {}", bytes.len());
    }

    #[test]
    fn a_handshake_takes_little_memory(bytes in vec(any::<u8>(), 0..MAX_HANDSHAKE_FRAME)) {
        let member = member(&secret(), 1);
        let peak = peak(|| {
            let mut handshake = Handshake::accept(member).expect("randomness");
            let _ = handshake.on_frame(&[b"nkit\x01\x01", &bytes[..]].concat());
            let _ = handshake.on_frame(&bytes);
            handshake
        });
        prop_assert!(peak <= 2048, "{peak} bytes");
    }
}

#[test]
fn large_bodies_are_decoded_within_bounds() {
    let mut body = Vec::new();
    netkit::codec::encode(&Message::Bytes(vec![0; MAX_FRAME - 12]), &mut body).expect("encodable");
    assert_eq!(body.len(), MAX_FRAME);
    let peak = peak(|| netkit::codec::decode::<Message>(&body).expect("a message"));
    assert!(peak <= 3 * MAX_FRAME, "{peak} bytes");
}

/// Sends each frame back.
#[derive(Default)]
struct Echo {
    frames: usize,
}

impl Service for Echo {
    fn on_open(&mut self, net: &mut Net, connection: ConnectionId, peer: &Peer) {
        if !peer.incoming {
            net.send(connection, &[7; 64]).expect("open");
        }
    }
    fn on_frame(&mut self, net: &mut Net, connection: ConnectionId, body: &[u8]) {
        self.frames += 1;
        net.send(connection, body).expect("open");
    }
    fn on_close(&mut self, _: &mut Net, _: ConnectionId, reason: CloseReason) {
        panic!("{reason}");
    }
}

#[test]
fn a_frame_takes_no_memory() {
    let mut net = Net::new(Limits::default()).expect("a loop");
    let (_, address) = net.listen(loopback(), Admission::Anyone).expect("a free port");
    net.connect(address, Outgoing::Anyone).expect("begun");
    let mut echo = Echo::default();
    let mut run_to = |frames| {
        while echo.frames < frames {
            net.turn(&mut echo, Some(common::PATIENCE)).expect("a turn");
        }
    };
    run_to(100);
    let before = ALLOCATIONS.get();
    run_to(10_000);
    assert_eq!(ALLOCATIONS.get() - before, 0, "allocations for 9,900 frames");
}
