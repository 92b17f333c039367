//! Turns values into the body of a frame and back.
//!
//! The format is that of `bincode` with big-endian integers of fixed width: a `u32` takes four
//! bytes in network order wherever it stands, so that a dissector can show the fields of a message
//! without knowing its history. The variant of an enum is a `u32`, the length of a string, sequence
//! or map a `u64`, an option one byte. Fields follow each other in the order of their declaration,
//! with neither names nor padding.
//!
//! What comes from the network is taken apart under three bounds, so that no sequence of bytes
//! panics, hangs or fills memory:
//!
//! - a body is at most [`MAX_FRAME`] bytes, and a value must use up all of it: bytes left over are
//!   an error;
//! - values nest at most [`MAX_DEPTH`] levels, for a recursive type would otherwise overflow the
//!   stack, which cannot be caught;
//! - a body holds at most as many elements of sequences and maps as it has bytes: a sequence of
//!   `()` takes no byte per element, and eight bytes would otherwise ask for a loop of 2⁶⁴ rounds.
//!
//! Memory follows the bytes that are there and not the lengths that are claimed: a sequence
//! reserves at most 1 MiB before its elements have been seen (a rule of serde).
//!
//! `bincode` is complete and no longer maintained. This file is the only one that names it.

use bincode::config::{self, BigEndian, Configuration, Fixint, Limit};
use bincode::error::{DecodeError, EncodeError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::frame::MAX_FRAME;

mod bounded;
#[cfg(test)]
mod tests;

/// How deep values may nest in a body. The messages of protocols nest three or four levels; a stack
/// of 2 MiB (that of a thread) bears some thousands.
pub const MAX_DEPTH: usize = 64;

type Format = Configuration<BigEndian, Fixint, Limit<MAX_FRAME>>;

const FORMAT: Format =
    config::standard().with_big_endian().with_fixed_int_encoding().with_limit::<MAX_FRAME>();

/// Why a value could not be turned into bytes, or bytes into a value.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The value cannot be written: serde's `Serialize` of its type failed.
    #[error("this value cannot be encoded ({0}); use a type with a plain derived `Serialize`")]
    Unencodable(#[source] EncodeError),
    /// The bytes are no value of the wanted type: too few, or a variant, character or length that
    /// does not exist.
    #[error(
        "{length} bytes are not a value of the expected type ({source}); do both ends run the same program?"
    )]
    Malformed {
        /// How many bytes were to be decoded.
        length: usize,
        /// What the decoder stumbled on.
        source: DecodeError,
    },
    /// The value ended before the bytes did.
    #[error("{left} bytes are left over after a value; do both ends run the same program?")]
    LeftOver {
        /// How many bytes follow the value.
        left: usize,
    },
    /// The bytes are more than a frame may hold.
    #[error("a body of {length} bytes is over the limit of {MAX_FRAME}; send it in parts")]
    TooLong {
        /// How many bytes there are.
        length: usize,
    },
}

/// Appends the encoded value to `into`.
///
/// # Errors
///
/// [`CodecError::Unencodable`] if the type refuses to be serialised; `into` is then as long as
/// before.
pub fn encode<T: Serialize + ?Sized>(value: &T, into: &mut Vec<u8>) -> Result<(), CodecError> {
    let before = into.len();
    bincode::serde::encode_into_writer(value, Appender(into), FORMAT).map_err(|error| {
        into.truncate(before);
        CodecError::Unencodable(error)
    })
}

/// How many bytes the encoded value takes, if they are no more than `at_most`. Takes no longer than a value of that size
/// does. Nothing if the type refuses to be serialised, too.
pub fn size<T: Serialize + ?Sized>(value: &T, at_most: usize) -> Option<usize> {
    let mut left = at_most;
    bincode::serde::encode_into_writer(value, Measure(&mut left), FORMAT).ok()?;
    Some(at_most - left)
}

/// Decodes a value that takes up exactly these bytes.
///
/// # Errors
///
/// Any of [`CodecError`] but the first; no input panics, and the memory used is bounded as the
/// module says.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    if bytes.len() > MAX_FRAME {
        return Err(CodecError::TooLong { length: bytes.len() });
    }
    let (value, used) = bounded::decode(bytes, FORMAT)
        .map_err(|source| CodecError::Malformed { length: bytes.len(), source })?;
    match bytes.len() - used {
        0 => Ok(value),
        left => Err(CodecError::LeftOver { left }),
    }
}

/// Lets bincode append to a vector that already holds something.
struct Appender<'a>(&'a mut Vec<u8>);

impl bincode::enc::write::Writer for Appender<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// Lets bincode count down what is left of a measure, and stops it there.
struct Measure<'a>(&'a mut usize);

impl bincode::enc::write::Writer for Measure<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        *self.0 = self.0.checked_sub(bytes.len()).ok_or(EncodeError::UnexpectedEnd)?;
        Ok(())
    }
}
