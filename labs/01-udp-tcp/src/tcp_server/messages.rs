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
mod tests;
