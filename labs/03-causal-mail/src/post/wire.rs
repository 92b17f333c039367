//! What clients and servers say to each other, as frames of netkit.
//!
//! | who connects | first frame | then |
//! |---|---|---|
//! | a client | [`ToServer::Open`], with its password | asks, and is answered in order; [`ToClient::Arrived`] may come between |
//! | a server | netkit's handshake (`docs/wire-format.md`), which begins with `nkit` | [`FromPeer::Forward`], each answered by [`ToPeer::Taken`] |
//!
//! New words stand at the end: the place of a word is what is sent.
//!
//! All requests of a client may be repeated after the connection broke: each has the same effect
//! once.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use labs::clocks::SparseMatrix;
use netkit::frame::{HEADER, MAX_FRAME};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::address::Address;
use super::mail::Mail;
use super::store::Submission;
use crate::ordering::Knowledge;

/// The name under which servers find each other: see netkit's membership.
pub const RUN: &str = "causal-mail";

/// What a client says.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum ToServer {
    /// Opens a box. The first word.
    Open {
        /// The address of the box.
        address: String,
        /// The password.
        password: String,
    },
    /// Sends a mail.
    Send {
        /// Which wish this is.
        submission: Submission,
        /// The addresses of the recipients.
        to: Vec<String>,
        /// What it says.
        body: String,
    },
    /// Asks for unread mails that came after the one of this number.
    Fetch {
        /// 0 for all.
        after: u64,
    },
    /// This mail was read.
    Read {
        /// Its identity.
        id: String,
    },
    /// Asks for the matrix.
    Clock,
    /// Asks whether a mail may be sent to these, before its text is written.
    Check {
        /// The addresses of the recipients.
        to: Vec<String>,
    },
}

/// What a server says to a client.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum ToClient {
    /// The box is open.
    Opened {
        /// What its user knows, and has read.
        knowledge: Knowledge<Address>,
    },
    /// It cannot be done, for this reason. Nothing was stored.
    Refused {
        /// The reason, in one line.
        why: String,
    },
    /// The mail is on disk.
    Accepted {
        /// Its identity.
        id: String,
    },
    /// Unread mails.
    Mails {
        /// In the order of arrival.
        mails: Vec<Mail>,
        /// The number of the last.
        last: u64,
        /// Whether there are more.
        more: bool,
    },
    /// It is on disk that the mail was read.
    Confirmed,
    /// The matrix.
    Clock {
        /// As the server keeps it.
        clock: SparseMatrix<Address>,
    },
    /// A mail has arrived. Not an answer.
    Arrived,
    /// Another client has opened the box. The last word, not an answer: who connects again throws
    /// the other out.
    Evicted,
    /// A mail may be sent to these.
    Checked,
    /// Too many passwords wait to be compared. The box may be opened later.
    Busy,
}

/// What a server says that has connected to another.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum FromPeer {
    /// A mail for users of the other's domain.
    Forward(Arc<Mail>),
}

/// What the other answers.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum ToPeer {
    /// The first mail that was not answered is on disk.
    Taken {
        /// Recipients that have no box there.
        unknown: Vec<Address>,
    },
}

/// Writes a value as one frame.
///
/// # Errors
///
/// If the connection is gone, or the value too long for a frame.
pub fn write_frame<T: Serialize>(stream: &mut TcpStream, value: &T) -> io::Result<()> {
    let mut frame = vec![0; HEADER];
    netkit::codec::encode(value, &mut frame).map_err(io::Error::other)?;
    let length = frame.len() - HEADER;
    if length > MAX_FRAME {
        let why = format!("{length} bytes are more than a frame of {MAX_FRAME} holds");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    frame[..HEADER].copy_from_slice(&(length as u32).to_be_bytes());
    stream.write_all(&frame)
}

/// Reads one frame, and waits for it as long as the stream does.
///
/// # Errors
///
/// If the connection is gone, or what came is no such value.
pub fn read_frame<T: DeserializeOwned>(stream: &mut TcpStream) -> io::Result<T> {
    let mut header = [0; HEADER];
    stream.read_exact(&mut header)?;
    let length = u32::from_be_bytes(header) as usize;
    let malformed = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    if length > MAX_FRAME {
        return Err(malformed(format!("a frame of {length} bytes: is this a mail server?")));
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    netkit::codec::decode(&body).map_err(|error| malformed(error.to_string()))
}
