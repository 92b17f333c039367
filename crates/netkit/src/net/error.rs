//! Why connections end, and why nothing could be sent.

use std::io;

use crate::codec::CodecError;
use crate::frame::FrameError;
use crate::membership::HandshakeError;
use crate::seal::envelope::SealError;

/// Why a connection has ended.
#[derive(Debug, thiserror::Error)]
pub enum CloseReason {
    /// The peer closed it, between two frames.
    #[error("the peer closed the connection")]
    Ended,
    /// The peer closed it within a frame, whose beginning is lost.
    #[error("the peer closed the connection {pending} bytes into a frame")]
    EndedInFrame {
        /// How many bytes of the frame, header included, had arrived.
        pending: usize,
    },
    /// The peer's machine reset it, or the way to it failed: usually the process has died.
    #[error("the connection broke: {0}")]
    Broken(#[source] io::Error),
    /// The connection could not be made.
    #[error("could not connect: {0}; is the process running, and is the address right?")]
    ConnectFailed(#[source] io::Error),
    /// The other machine did not answer within
    /// [`Limits::connect_deadline`](crate::Limits::connect_deadline).
    #[error(
        "no answer from the other machine in time; is it up, and does a firewall drop packets?"
    )]
    ConnectTimedOut,
    /// The other end is not the member that we wanted, or not a member at all.
    #[error("the handshake failed: {0}")]
    Handshake(#[source] HandshakeError),
    /// The other end closed the connection during the handshake: it did not want us. Its log says
    /// why.
    #[error("the other end refused the handshake; its log says why")]
    Refused,
    /// The handshake was not over within
    /// [`Limits::handshake_deadline`](crate::Limits::handshake_deadline).
    #[error("the handshake was not over in time")]
    HandshakeTimedOut,
    /// The bytes that came cannot be cut into frames.
    #[error("{0}")]
    Frame(#[source] FrameError),
    /// What came from a member was not sealed by it: somebody on the way has changed, repeated or
    /// left out bytes.
    #[error("{0}")]
    Seal(#[source] SealError),
    /// The peer did not take what we sent, and it became too much.
    #[error(
        "{waiting} bytes wait for the peer, over the limit of {max}: it reads too slowly or not at all"
    )]
    QueueFull {
        /// How many bytes were waiting, with those that went over the limit.
        waiting: usize,
        /// The limit, in bytes.
        max: usize,
    },
}

/// Why something was not sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// There is no such connection or socket any more, or it is being closed.
    #[error("the connection is closed")]
    Closed,
    /// The connection is not open yet. Send from `on_open` on.
    #[error("the connection is not open yet; wait for on_open")]
    NotOpen,
    /// A datagram for a member cannot leave from a socket that was opened for anyone.
    #[error("the socket is open for anyone: open it for members to send to one")]
    NoMember,
    /// The body is over the limit. Nothing was sent.
    #[error("a body of {length} bytes is over the limit of {max}; send it in parts")]
    TooLong {
        /// The length of the body, in bytes.
        length: usize,
        /// The limit, in bytes.
        max: usize,
    },
    /// The peer does not take what is sent; the connection ends with [`CloseReason::QueueFull`].
    #[error("the peer reads too slowly; the connection is being closed")]
    QueueFull,
    /// The value could not be encoded. Nothing was sent.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The system refused a datagram. Datagrams get lost anyway: a program need not care.
    #[error("the datagram was not sent: {0}")]
    Datagram(#[source] io::Error),
}
