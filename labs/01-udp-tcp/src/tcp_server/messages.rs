//! Messages in a stream of bytes.
//!
//! TCP keeps the bytes and their order and forgets how they were written: one message may come in
//! many reads, and many in one. So the message says itself where it ends: with its line (LF, or
//! CRLF as `telnet` sends), or with the stream.

/// Cuts a stream into messages.
#[derive(Clone, Debug)]
pub struct Messages {
    /// The part that has come of a message that is not complete.
    begun: Vec<u8>,
    /// In how many reads it came.
    reads: u32,
    max: usize,
}

/// A message, without the end of its line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Message {
    /// What was sent.
    pub bytes: Vec<u8>,
    /// In how many reads it came.
    pub reads: u32,
}

/// A message is longer than may be kept. The stream is of no more use: nobody can tell where the
/// next message begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TooLong;

impl Messages {
    /// A stream from its beginning, with messages of at most `max` bytes (a CR at the end counts).
    pub fn new(max: usize) -> Messages {
        Messages { begun: Vec::new(), reads: 0, max }
    }

    /// Adds the messages that end in what was just read to `out`.
    ///
    /// # Errors
    ///
    /// If one is too long. Those before it are in `out`.
    pub fn push(&mut self, read: &[u8], out: &mut Vec<Message>) -> Result<(), TooLong> {
        for part in read.split_inclusive(|&byte| byte == b'\n') {
            self.reads += 1;
            let (text, is_whole) = match part.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (part, false),
            };
            if self.begun.len() + text.len() > self.max {
                return Err(TooLong);
            }
            self.begun.extend_from_slice(text);
            if is_whole {
                out.push(self.take());
            }
        }
        Ok(())
    }

    /// How many bytes have come of a message that is not complete.
    pub fn begun(&self) -> usize {
        self.begun.len()
    }

    /// Nothing more comes, as far as one knows: the message that was begun, if one was.
    pub fn finish(&mut self) -> Option<Message> {
        (!self.begun.is_empty()).then(|| self.take())
    }

    fn take(&mut self) -> Message {
        let mut bytes = std::mem::take(&mut self.begun);
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
        Message { bytes, reads: std::mem::take(&mut self.reads) }
    }
}

#[cfg(test)]
mod tests {
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
}
