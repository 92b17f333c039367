use proptest::prelude::*;

use super::*;

fn message(bytes: &[u8], reads: u32) -> Message {
    Message { bytes: bytes.to_vec(), reads }
}

/// What ends in these reads, and whether all of it could be understood.
fn pushed(messages: &mut Messages, reads: &[&[u8]]) -> (Vec<Message>, Result<(), TooLong>) {
    let mut out = Vec::new();
    let result = reads.iter().try_for_each(|read| messages.push(read, &mut out));
    (out, result)
}

#[test]
fn a_message_ends_with_its_line_or_with_the_stream() {
    let mut messages = Messages::new(9);
    let (read, _) = pushed(&mut messages, &[b"one\ntwo\r\n\nthr"]);
    assert_eq!(read, [message(b"one", 1), message(b"two", 1), message(b"", 1)]);
    assert_eq!(pushed(&mut messages, &[b"e"]), (vec![], Ok(())));
    let (read, _) = pushed(&mut messages, &[b"e\nfour"]);
    assert_eq!(read, [message(b"three", 3)]);
    assert_eq!(messages.finish(), Some(message(b"four", 1)));
    assert_eq!(messages.finish(), None);
}

#[test]
fn a_message_may_be_as_long_as_allowed_and_no_longer() {
    let mut messages = Messages::new(4);
    let (read, result) = pushed(&mut messages, &[b"abcd", b"\nab", b"cde"]);
    assert_eq!((read, result), (vec![message(b"abcd", 2)], Err(TooLong)));
    let (read, result) = pushed(&mut Messages::new(4), &[b"ab\nabcde\nab\n"]);
    assert_eq!((read, result), (vec![message(b"ab", 1)], Err(TooLong)));
}

proptest! {
    /// Nor to which message is too long: those before it are there however they came.
    #[test]
    fn where_the_stream_is_cut_makes_no_difference(
        lines in prop::collection::vec("[a-c\r]{0,5}", 0..6),
        sizes in prop::collection::vec(1_usize..9, 1..6),
    ) {
        let stream = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        let mut rest = stream.as_bytes();
        let mut pieces = Vec::new();
        for &size in sizes.iter().cycle() {
            if rest.is_empty() { break }
            let (read, later) = rest.split_at(size.min(rest.len()));
            pieces.push(read);
            rest = later;
        }
        let bytes = |reads: &[&[u8]]| {
            let (messages, result) = pushed(&mut Messages::new(4), reads);
            (messages.into_iter().map(|message| message.bytes).collect::<Vec<_>>(), result)
        };
        let whole = bytes(&[stream.as_bytes()]);
        let before_too_long = lines.iter().take_while(|line| line.len() <= 4).count();
        prop_assert_eq!(whole.0.len(), before_too_long);
        prop_assert_eq!(bytes(&pieces), whole);
    }
}
