//! What waits to be written on one connection.

use crate::frame;
use crate::seal::envelope::Sealer;

/// What the queue keeps reserved when it is empty. More is given back, so that one large answer
/// does not stay in memory for as long as the connection does.
const KEPT: usize = 128 * 1024;

/// Frames, in sealed envelopes once there is a key.
#[derive(Debug, Default)]
pub(super) struct Queue {
    bytes: Vec<u8>,
    /// How many of them have been written.
    written: usize,
    /// How many of them may be written even in the middle of a turn: those that an earlier turn has
    /// left.
    released: usize,
    sealer: Option<Sealer>,
    /// Where the envelope begins that still takes frames.
    envelope: Option<usize>,
}

impl Queue {
    /// How many bytes wait.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.written
    }

    /// What is appended from now on is sealed.
    pub(super) fn seal(&mut self, sealer: Sealer) {
        self.sealer = Some(sealer);
    }

    /// Appends a frame.
    #[inline]
    pub(super) fn push(&mut self, body: &[u8]) {
        let bytes = self.begin();
        bytes.extend_from_slice(&frame::header(body.len()));
        bytes.extend_from_slice(body);
        self.end();
    }

    /// Where to append the bytes of a frame. [`end`](Self::end) must follow.
    #[inline]
    pub(super) fn begin(&mut self) -> &mut Vec<u8> {
        if let (Some(sealer), None) = (&self.sealer, self.envelope) {
            self.envelope = Some(self.bytes.len());
            sealer.begin(&mut self.bytes);
        }
        &mut self.bytes
    }

    /// A frame was appended, or its bytes were taken away again.
    #[inline]
    pub(super) fn end(&mut self) {
        let Some(start) = self.envelope else { return };
        let envelope = &self.bytes[start..];
        if Sealer::is_empty(envelope) {
            self.bytes.truncate(start);
            self.envelope = None;
        } else if Sealer::is_full(envelope) {
            self.close_envelope();
        }
    }

    /// All that is to be written now.
    #[inline]
    pub(super) fn unwritten(&mut self) -> &[u8] {
        if self.envelope.is_some() {
            self.close_envelope();
        }
        self.released = self.bytes.len();
        self.left()
    }

    /// What an earlier turn has left to be written.
    pub(super) fn left(&self) -> &[u8] {
        &self.bytes[self.written..self.released.max(self.written)]
    }

    /// So many bytes were written.
    pub(super) fn wrote(&mut self, bytes: usize) {
        self.written += bytes;
        if self.written == self.bytes.len() {
            self.clear();
        }
    }

    fn close_envelope(&mut self) {
        if let (Some(start), Some(sealer)) = (self.envelope.take(), &mut self.sealer) {
            sealer.close(&mut self.bytes[start..]);
        }
    }

    /// Everything has been written, or nobody will take it.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.written = 0;
        self.released = 0;
        self.envelope = None;
        self.bytes.shrink_to(KEPT);
    }

    /// Moves what waits to the front once that is less than what was written: each byte moves once
    /// at most, on average.
    pub(super) fn compact(&mut self) {
        if self.written > self.bytes.len() / 2 {
            self.bytes.drain(..self.written);
            self.released -= self.written;
            self.envelope = self.envelope.map(|start| start - self.written);
            self.written = 0;
        }
    }
}
