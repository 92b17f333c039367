//! Bodies of frames: whatever decodes must encode to the same bytes, for the format writes each
//! value in one way.

#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use serde::{Deserialize, Serialize};

#[derive(Debug, Deserialize, Serialize)]
enum Message {
    Token,
    Vote { rank: u32, clock: Vec<u64> },
    Text(String, Option<i16>),
    Names(Vec<String>),
    Sequence(Vec<(u8, char, bool)>),
    Nothing(Vec<()>),
    Nested(Box<Message>),
    Many(Vec<Message>),
}

fuzz_target!(|bytes: &[u8]| {
    // In a map the order of keys is the sender's: it does not come back the same.
    let _ = netkit::codec::decode::<BTreeMap<u16, Vec<u8>>>(bytes);
    if let Ok(message) = netkit::codec::decode::<Message>(bytes) {
        let mut again = Vec::new();
        netkit::codec::encode(&message, &mut again).expect("it was decoded");
        assert_eq!(again, bytes);
    }
});
