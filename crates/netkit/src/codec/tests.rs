use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use serde::Deserialize;

use super::*;

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
enum Message {
    Token,
    Vote { rank: u32, clock: Vec<u64> },
    Text(String, Option<i16>),
    Views(BTreeMap<u8, (bool, char)>),
}

/// A type that nests as deep as the sender likes.
#[derive(Debug, Deserialize, Serialize)]
enum Nested {
    End,
    Deeper(Box<Nested>),
}

fn encoded<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(value, &mut bytes).expect("encodable");
    bytes
}

fn message() -> impl Strategy<Value = Message> {
    prop_oneof![
        Just(Message::Token),
        (any::<u32>(), vec(any::<u64>(), 0..20))
            .prop_map(|(rank, clock)| Message::Vote { rank, clock }),
        (".*", any::<Option<i16>>()).prop_map(|(text, n)| Message::Text(text, n)),
        proptest::collection::btree_map(any::<u8>(), any::<(bool, char)>(), 0..20)
            .prop_map(Message::Views),
    ]
}

#[test]
fn integers_stand_in_network_order_at_fixed_width() {
    let vote = Message::Vote { rank: 0x0102_0304, clock: vec![5, 6] };
    #[rustfmt::skip]
    let expected = [
        0, 0, 0, 1,             // the second variant
        1, 2, 3, 4,             // rank
        0, 0, 0, 0, 0, 0, 0, 2, // two elements
        0, 0, 0, 0, 0, 0, 0, 5,
        0, 0, 0, 0, 0, 0, 0, 6,
    ];
    assert_eq!(encoded(&vote), expected);
}

#[test]
fn text_and_options_stand_as_documented() {
    let text = Message::Text("hé".into(), Some(-2));
    assert_eq!(
        encoded(&text),
        [&[0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3][..], "hé".as_bytes(), &[1, 0xff, 0xfe]].concat()
    );
}

#[test]
fn encoding_appends() {
    let mut bytes = vec![9, 9];
    encode(&7u16, &mut bytes).expect("encodable");
    assert_eq!(bytes, [9, 9, 0, 7]);
}

#[test]
fn a_size_is_that_of_the_encoding_up_to_a_limit() {
    let text = "a text of some length";
    let bytes = encoded(&text).len();
    assert_eq!(size(&text, bytes), Some(bytes));
    assert_eq!(size(&text, usize::MAX), Some(bytes));
    assert_eq!(size(&text, bytes - 1), None);
}

#[test]
fn a_value_that_cannot_be_encoded_leaves_nothing_behind() {
    struct Refuses;
    impl Serialize for Refuses {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("no"))
        }
    }
    let mut bytes = vec![9];
    let result = encode(&(1u64, Refuses), &mut bytes);
    assert!(matches!(result, Err(CodecError::Unencodable(_))), "{result:?}");
    assert_eq!(bytes, [9]);
}

#[test]
fn bytes_left_over_are_an_error() {
    let mut bytes = encoded(&Message::Token);
    bytes.push(0);
    assert!(matches!(decode::<Message>(&bytes), Err(CodecError::LeftOver { left: 1 })));
}

#[test]
fn a_body_over_the_limit_is_an_error() {
    let bytes = vec![0; MAX_FRAME + 1];
    assert!(matches!(decode::<Vec<u8>>(&bytes), Err(CodecError::TooLong { .. })));
}

#[test]
fn claimed_lengths_are_not_believed() {
    let claim = encoded(&(1u64 << 62));
    assert!(matches!(decode::<Vec<u8>>(&claim), Err(CodecError::Malformed { .. })));
    assert!(matches!(decode::<Vec<u64>>(&claim), Err(CodecError::Malformed { .. })));
    assert!(matches!(decode::<String>(&claim), Err(CodecError::Malformed { .. })));
    assert!(matches!(decode::<BTreeMap<u64, u64>>(&claim), Err(CodecError::Malformed { .. })));
}

/// Without the bound this would count to 2⁶².
#[test]
fn elements_of_no_size_cannot_keep_the_decoder_busy() {
    let error = decode::<Vec<()>>(&encoded(&(1u64 << 62))).expect_err("too many");
    assert!(error.to_string().contains("more elements than"), "{error}");
    let error = decode::<BTreeMap<(), ()>>(&encoded(&(1u64 << 62))).expect_err("too many");
    assert!(error.to_string().contains("more elements than"), "{error}");
    assert_eq!(decode::<Vec<()>>(&encoded(&vec![(); 8])).expect("8 bytes, 8 elements").len(), 8);
}

/// Without the bound this would overflow the stack, which ends the process.
#[test]
fn nesting_has_a_limit() {
    let levels = |n: usize| [vec![[0, 0, 0, 1]; n], vec![[0, 0, 0, 0]]].concat().concat();
    decode::<Nested>(&levels(MAX_DEPTH - 1)).expect("within the limit");
    let error = decode::<Nested>(&levels(MAX_DEPTH)).expect_err("one too deep");
    assert!(error.to_string().contains("nest deeper"), "{error}");
    decode::<Nested>(&levels(100_000)).expect_err("far too deep");
}

#[test]
fn every_sequence_element_may_be_as_deep_as_the_first() {
    let wide = vec![Some(vec![Some(1u8)]); 1000];
    assert_eq!(decode::<Vec<Option<Vec<Option<u8>>>>>(&encoded(&wide)).expect("flat"), wide);
}

proptest! {
    #[test]
    fn what_was_encoded_is_decoded(message in message()) {
        prop_assert_eq!(decode::<Message>(&encoded(&message)).expect("a message"), message);
    }

    #[test]
    fn a_cut_value_is_an_error(message in message(), at in any::<prop::sample::Index>()) {
        let bytes = encoded(&message);
        prop_assert!(decode::<Message>(&bytes[..at.index(bytes.len())]).is_err());
    }

    #[test]
    fn random_bytes_do_not_panic(bytes in vec(any::<u8>(), 0..200), variant in 0u8..5) {
        let _ = decode::<Message>(&bytes);
        // Most random bytes name no variant: these do.
        let _ = decode::<Message>(&[&[0, 0, 0, variant], &bytes[..]].concat());
        let _ = decode::<Nested>(&bytes);
        let _ = decode::<Vec<Vec<String>>>(&bytes);
    }
}
