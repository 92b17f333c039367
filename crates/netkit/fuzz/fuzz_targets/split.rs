//! Streams of bytes cut into pieces, and datagrams: the pieces must not matter. The first byte is
//! the length of the pieces.

#![no_main]

use libfuzzer_sys::fuzz_target;
use netkit::frame::{FrameError, Splitter};

const MAX: usize = 1 << 16;

fn split(bytes: &[u8], piece: usize) -> (Vec<Vec<u8>>, Result<usize, FrameError>) {
    let mut splitter = Splitter::new(MAX);
    let mut bodies = Vec::new();
    for mut piece in bytes.chunks(piece) {
        loop {
            match splitter.next(&mut piece) {
                Ok(Some(body)) => bodies.push(body.to_vec()),
                Ok(None) => break,
                Err(error) => return (bodies, Err(error)),
            }
        }
    }
    (bodies, Ok(splitter.pending()))
}

fuzz_target!(|input: &[u8]| {
    let Some((&piece, bytes)) = input.split_first() else { return };
    let whole = split(bytes, bytes.len().max(1));
    assert_eq!(split(bytes, usize::from(piece).max(1)), whole);
    if let Ok(body) = netkit::udp::body(bytes, MAX) {
        assert_eq!(whole, (vec![body.to_vec()], Ok(0)));
    }
});
