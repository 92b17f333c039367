//! Cuts a stream of bytes into frames.
//!
//! A frame is the length of its body as a `u32` in network order, then the body. TCP keeps the
//! order of bytes but not their grouping: one read may bring half a length, or forty frames and a
//! piece of the next. The [`Splitter`] gives the same frames however the bytes were grouped. It
//! does no I/O and copies only what was cut: a frame that lies within one read is borrowed from it.
//!
//! A length over the limit is an error as soon as its four bytes are there, before anything is
//! reserved for it, and what is reserved follows what has arrived: a peer that announces a mebibyte
//! and sends three bytes holds three.

#[cfg(test)]
mod tests;

/// How many bytes stand before each body: its length as a `u32` in network order.
pub const HEADER: usize = 4;

/// How many bytes a body may have unless somebody asks for less: 1 MiB. A message of a teaching
/// algorithm has tens to thousands; a snapshot of a large state fits; and a thousand peers that all
/// send the largest fit in memory.
pub const MAX_FRAME: usize = 1 << 20;

/// What a splitter keeps reserved between two cut frames. Larger ones give their memory back.
const KEPT: usize = 4096;

/// Why a stream can no longer be cut into frames. There is no way to find the next frame after
/// that: close it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FrameError {
    /// A body longer than the limit was announced.
    #[error("a frame of {length} bytes was announced, over the limit of {max}")]
    TooLong {
        /// The length that was announced, in bytes.
        length: usize,
        /// The limit, in bytes.
        max: usize,
    },
    /// The same, and the four bytes of the length are text: the other end speaks HTTP, or is a
    /// person at a keyboard, and does not know about frames at all.
    #[error("it sent text ({:?}...), not frames", String::from_utf8_lossy(start))]
    Text {
        /// The four bytes, all of them printable ASCII.
        start: [u8; HEADER],
    },
    /// Bytes that hold whole frames end within one.
    #[error("the last frame is cut off after {held} bytes")]
    Cut {
        /// How many of its bytes are there, header included.
        held: usize,
    },
}

impl FrameError {
    fn for_header(header: [u8; HEADER], max: usize) -> Self {
        let is_text = |byte: &u8| byte.is_ascii_graphic() || matches!(byte, b' ' | b'\r' | b'\n');
        if header.iter().all(is_text) {
            return FrameError::Text { start: header };
        }
        FrameError::TooLong { length: u32::from_be_bytes(header) as usize, max }
    }
}

/// Appends the length that stands before a body of `length` bytes.
///
/// # Panics
///
/// If `length` does not fit in a `u32`. Compare it with a limit first, which is far below that.
pub fn write_header(length: usize, into: &mut Vec<u8>) {
    into.extend_from_slice(&header(length));
}

/// The four bytes that stand before a body of `length` bytes. Panics as [`write_header`] does.
pub(crate) fn header(length: usize) -> [u8; HEADER] {
    u32::try_from(length).expect("a length below the frame limit").to_be_bytes()
}

/// Takes the body of the first frame off bytes that hold whole frames and nothing else.
#[inline]
pub(crate) fn next<'a>(frames: &mut &'a [u8], max: usize) -> Result<Option<&'a [u8]>, FrameError> {
    if frames.is_empty() {
        return Ok(None);
    }
    let cut = FrameError::Cut { held: frames.len() };
    let (header, rest) = frames.split_first_chunk().ok_or(cut)?;
    let (body, rest) = rest.split_at_checked(length(*header, max)?).ok_or(cut)?;
    *frames = rest;
    Ok(Some(body))
}

/// The length that a header announces.
#[inline]
fn length(header: [u8; HEADER], max: usize) -> Result<usize, FrameError> {
    // A u32 always fits: netkit runs on no machine whose addresses have 16 bits.
    let length = u32::from_be_bytes(header) as usize;
    if length > max {
        return Err(FrameError::for_header(header, max));
    }
    Ok(length)
}

/// Cuts one stream of bytes into frames, whatever pieces they come in.
///
/// ```
/// let mut splitter = netkit::frame::Splitter::new(1024);
/// let mut bodies = Vec::new();
/// for piece in [&b"\0\0\0"[..], b"\x02hi\0\0\0\x05wor", b"ld"] {
///     let mut piece = piece;
///     while let Some(body) = splitter.next(&mut piece)? {
///         bodies.push(body.to_vec());
///     }
/// }
/// assert_eq!(bodies, [&b"hi"[..], b"world"]);
/// # Ok::<(), netkit::frame::FrameError>(())
/// ```
#[derive(Debug, Default)]
pub struct Splitter {
    /// The frame that has begun and is not complete, header included.
    partial: Vec<u8>,
    /// The frame in `partial` was complete and handed out: it makes room at the next call.
    handed_out: bool,
    max: usize,
}

impl Splitter {
    /// A splitter at the start of a stream whose bodies have at most `max` bytes.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Splitter { max, ..Splitter::default() }
    }

    /// Changes the limit for the frames whose length has not yet been read.
    pub fn limit(&mut self, max: usize) {
        self.max = max;
    }

    /// How many bytes of a frame that is not complete have been taken in.
    #[must_use]
    pub fn pending(&self) -> usize {
        if self.handed_out { 0 } else { self.partial.len() }
    }

    /// Takes the body of the next frame off `input`, or all of `input` if no frame is complete in
    /// it.
    ///
    /// After `None`, `input` is empty; go on with the next piece of the stream.
    ///
    /// # Errors
    ///
    /// Any [`FrameError`]; the stream is of no use from then on.
    #[inline]
    pub fn next<'s, 'i: 's>(
        &'s mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<&'s [u8]>, FrameError> {
        if self.handed_out {
            self.make_room();
        }
        if !self.partial.is_empty() {
            return self.complete(input);
        }
        let Some((header, rest)) = input.split_first_chunk::<HEADER>() else {
            return Ok(self.keep(input));
        };
        let length = length(*header, self.max)?;
        let Some((body, rest)) = rest.split_at_checked(length) else {
            return Ok(self.keep(input));
        };
        *input = rest;
        Ok(Some(body))
    }

    /// Completes the frame in `partial` from `input`.
    fn complete(&mut self, input: &mut &[u8]) -> Result<Option<&[u8]>, FrameError> {
        self.fill_up_to(HEADER, input);
        let Some(&header) = self.partial.first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let whole = HEADER + length(header, self.max)?;
        self.fill_up_to(whole, input);
        if self.partial.len() < whole {
            return Ok(None);
        }
        self.handed_out = true;
        Ok(Some(&self.partial[HEADER..]))
    }

    fn fill_up_to(&mut self, size: usize, input: &mut &[u8]) {
        let missing = size.saturating_sub(self.partial.len());
        let (taken, rest) = input.split_at(missing.min(input.len()));
        self.partial.extend_from_slice(taken);
        *input = rest;
    }

    /// Keeps the cut frame at the end of `input` for the next piece.
    fn keep<'s>(&'s mut self, input: &mut &[u8]) -> Option<&'s [u8]> {
        self.partial.extend_from_slice(input);
        *input = &[];
        None
    }

    fn make_room(&mut self) {
        self.handed_out = false;
        self.partial.clear();
        self.partial.shrink_to(KEPT);
    }
}
