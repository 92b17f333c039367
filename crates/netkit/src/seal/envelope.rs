//! What two members send each other after the handshake: frames, in sealed envelopes.
//!
//! ```text
//! | length (u32) | number (u64) | seal (8 bytes) | frame | frame | ...
//! ```
//!
//! All frames that leave together share an envelope. The first one of each direction has the number
//! 0, the next 1, and so on: an envelope that was changed, left out, repeated or put in by somebody
//! else is noticed, and none of its frames is looked at.

use super::{SEAL, SealKey};
use crate::frame::{self, FrameError, HEADER};

/// What stands in an envelope before its frames: number and seal.
pub(crate) const HEAD: usize = size_of::<u64>() + SEAL;

/// An envelope in which this many bytes of frames stand is full. The larger it is, the fewer seals
/// are made; but it is looked at only when it is there as a whole, and the receiver copies those
/// that a read has cut: at 4 KiB one in 16.
const FULL: usize = 4096;

/// The longest body of an envelope, if a frame has at most `max_frame` bytes: one such frame in an
/// envelope that was nearly full.
pub(crate) fn longest(max_frame: usize) -> usize {
    HEAD + FULL + HEADER + max_frame
}

/// Why an envelope was not opened. The connection is of no use after that.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SealError {
    /// It has not even room for a number and a seal.
    #[error("an envelope of {length} bytes came, too short for a seal")]
    Short {
        /// How many bytes it has.
        length: usize,
    },
    /// Another number was due.
    #[error(
        "envelope {number} came where {due} was due: one was lost, repeated or put in on the way"
    )]
    Number {
        /// The number in it.
        number: u64,
        /// The number that was due.
        due: u64,
    },
    /// The seal is not that of the number and the frames.
    #[error(
        "the seal of envelope {number} does not hold: it was changed on the way, or is not by the other end"
    )]
    Broken {
        /// The number in it.
        number: u64,
    },
    /// The seal holds, but what is in it are no frames.
    #[error("envelope {number} holds no whole frames: {error}")]
    Frames {
        /// The number in it.
        number: u64,
        /// What is wrong with the first that is wrong.
        error: FrameError,
    },
}

/// Seals what one end of a connection sends.
#[derive(Debug)]
pub(crate) struct Sealer {
    key: SealKey,
    next: u64,
}

impl Sealer {
    pub(crate) fn new(key: SealKey) -> Self {
        Sealer { key, next: 0 }
    }

    /// Appends an empty envelope, to be filled with frames.
    pub(crate) fn begin(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&[0; HEADER + HEAD]);
    }

    /// Whether no frame stands in an envelope.
    #[inline]
    pub(crate) fn is_empty(envelope: &[u8]) -> bool {
        envelope.len() == HEADER + HEAD
    }

    /// Whether an envelope takes no more.
    #[inline]
    pub(crate) fn is_full(envelope: &[u8]) -> bool {
        envelope.len() >= HEADER + HEAD + FULL
    }

    /// Fills in length, number and seal.
    pub(crate) fn close(&mut self, envelope: &mut [u8]) {
        let (head, frames) = envelope.split_at_mut(HEADER + HEAD);
        let number = self.next.to_be_bytes();
        self.next += 1;
        let (length, head) = head.split_at_mut(HEADER);
        length.copy_from_slice(&frame::header(HEAD + frames.len()));
        let (before, seal) = head.split_at_mut(number.len());
        before.copy_from_slice(&number);
        seal.copy_from_slice(&self.key.seal(&number, frames));
    }
}

/// Opens what the other end has sealed.
#[derive(Debug)]
pub(crate) struct Opener {
    key: SealKey,
    next: u64,
}

impl Opener {
    pub(crate) fn new(key: SealKey) -> Self {
        Opener { key, next: 0 }
    }

    /// The frames in the body of an envelope.
    pub(crate) fn open<'a>(
        &mut self,
        body: &'a [u8],
        max_frame: usize,
    ) -> Result<Frames<'a>, SealError> {
        let short = SealError::Short { length: body.len() };
        let (number, rest) = body.split_first_chunk().ok_or(short)?;
        let (seal, frames) = rest.split_first_chunk().ok_or(short)?;
        let (number, due) = (u64::from_be_bytes(*number), self.next);
        // The seal first: of an envelope that somebody changed, the number says nothing.
        if !self.key.holds(*seal, &number.to_be_bytes(), frames) {
            return Err(SealError::Broken { number });
        }
        if number != due {
            return Err(SealError::Number { number, due });
        }
        self.next += 1;
        Ok(Frames { number, frames, max_frame })
    }
}

/// The frames of an envelope, one after the other.
#[derive(Debug)]
pub(crate) struct Frames<'a> {
    number: u64,
    frames: &'a [u8],
    max_frame: usize,
}

impl<'a> Frames<'a> {
    /// The body of the next frame.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<&'a [u8]>, SealError> {
        let number = self.number;
        frame::next(&mut self.frames, self.max_frame)
            .map_err(|error| SealError::Frames { number, error })
    }
}
