//! Frames of a stranger: neither end may take them for a member's. The first byte chooses where the
//! frame is cut in two.

#![no_main]

use libfuzzer_sys::fuzz_target;
use netkit::membership::Handshake;
use netkit::{Membership, Secret};

fn member(me: u32) -> Membership {
    let secret = Secret::from_hex(&"5e".repeat(32)).expect("64 digits");
    Membership { run: "run".into(), secret, me }
}

fuzz_target!(|input: &[u8]| {
    let Some((&at, bytes)) = input.split_first() else { return };
    let (first, second) = bytes.split_at(usize::from(at).min(bytes.len()));

    let mut acceptor = Handshake::accept(member(1)).expect("randomness");
    for frame in [first, second] {
        if let Ok(progress) = acceptor.on_frame(frame) {
            assert!(progress.done.is_none(), "a stranger was taken for a member");
        }
    }
    let (mut initiator, hello) = Handshake::initiate(member(0), 1).expect("randomness");
    assert!(initiator.on_frame(first).is_err(), "a stranger was taken for a member");

    // The same behind a hello that somebody has recorded.
    let mut acceptor = Handshake::accept(member(1)).expect("randomness");
    acceptor.on_frame(&hello).expect("a good hello");
    assert!(acceptor.on_frame(second).is_err(), "a stranger was taken for a member");
});
