//! One frame a datagram.
//!
//! A datagram holds exactly one frame, with the same length before the body as on TCP. The length
//! is redundant, and that is its use: a datagram that was cut short, that has something behind it,
//! or that is no frame at all is recognised and dropped. Datagrams get lost and overtaken, as UDP
//! does. Those between members of a run are sealed (`membership/datagram.rs`); others can be by anybody.

use crate::frame::{HEADER, header};
use crate::membership::datagram::{self, UnsealedError};

/// The most bytes a body may have in a datagram for anybody: the largest datagram of IPv4 (65,507 bytes)
/// without our length. Anything above some 1,400 bytes is sent in several packets, and lost if one
/// of them is.
pub const MAX_DATAGRAM: usize = 65_507 - HEADER;

/// The most bytes a body may have in a sealed datagram for a member.
pub const MAX_SEALED: usize = MAX_DATAGRAM - datagram::HEAD_MAX;

/// Writes the frame whose body is appended by `body` over what `into` held.
pub(crate) fn wrap(into: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    into.clear();
    into.extend_from_slice(&[0; HEADER]);
    body(into);
    let length = header(into.len() - HEADER);
    into[..HEADER].copy_from_slice(&length);
}

/// Why a datagram was dropped.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DatagramError {
    /// It is too short to hold a length.
    #[error("a datagram of {size} bytes holds no frame")]
    NoFrame {
        /// Its size in bytes.
        size: usize,
    },
    /// The length in it is not that of what follows.
    #[error("a datagram announces {length} bytes and holds {held}")]
    WrongLength {
        /// The length in it.
        length: usize,
        /// How many bytes follow.
        held: usize,
    },
    /// It is not by a member of the run, where only those are welcome.
    #[error("{0}")]
    Unsealed(#[from] UnsealedError),
    /// The body is over the limit.
    #[error("a datagram of {length} bytes is over the limit of {max}")]
    TooLong {
        /// The length of the body in bytes.
        length: usize,
        /// The limit in bytes.
        max: usize,
    },
}

/// The body of the frame that a datagram holds.
///
/// # Errors
///
/// Any of [`DatagramError`]: drop it, as the network might have.
pub fn body(datagram: &[u8], max: usize) -> Result<&[u8], DatagramError> {
    let Some((header, body)) = datagram.split_first_chunk::<HEADER>() else {
        return Err(DatagramError::NoFrame { size: datagram.len() });
    };
    let length = u32::from_be_bytes(*header) as usize;
    if length != body.len() {
        return Err(DatagramError::WrongLength { length, held: body.len() });
    }
    if length > max {
        return Err(DatagramError::TooLong { length, max });
    }
    Ok(body)
}
