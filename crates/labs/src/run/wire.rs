//! What participants and the launcher say to each other, as it stands in netkit's frames.
//!
//! Between participants there are algorithm messages ([`PeerFrame::Message`]) and, where a lab wants its
//! neighbours watched, pings. Between a participant and the launcher there is the life of the run, in
//! the order of [`ToLauncher`] and [`ToParticipant`].

use serde::{Deserialize, Serialize};

use crate::clocks::Vector;
use crate::overlay::Contact;
use crate::process::ProcessId;

/// The rank that the launcher has in the handshake: it is no participant.
pub(super) const LAUNCHER: u32 = u32::MAX;

/// How many letters of a message's kind stand in its header. Fixed, so that a dissector finds the
/// fields behind it, and enough for every kind that a person would write on a board.
pub(super) const KIND_LENGTH: usize = 16;

/// A frame between two participants, as its receiver reads it.
#[derive(Debug, Deserialize)]
pub(super) enum PeerFrame<M> {
    /// A message of the algorithm.
    Message(MessageHeader, M),
    /// Are you there?
    Ping,
    /// Yes.
    Pong,
}

/// The same, as its sender writes it.
#[derive(Debug, Serialize)]
pub(super) enum PeerFrameRef<'a, M> {
    Message(&'a MessageHeader, &'a M),
    Ping,
    Pong,
}

/// What stands before every message of an algorithm.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct MessageHeader {
    /// Who sent it.
    pub(super) from: ProcessId,
    /// To whom.
    pub(super) to: ProcessId,
    /// The number of the sending among the sender's events: with `from`, the message's id.
    pub(super) n: u64,
    /// The sender's Lamport time.
    pub(super) lamport: u64,
    /// The message's kind, filled up with zeros.
    pub(super) kind: [u8; KIND_LENGTH],
    /// The sender's vector clock, in runs that trace.
    pub(super) clock: Option<Vector>,
}

impl MessageHeader {
    /// How many bytes it takes in a frame, the frame's own tag included: what follows is the message.
    pub(super) fn length(&self) -> usize {
        let clock = self.clock.as_ref().map_or(0, |clock| 8 + 8 * clock.entries().len());
        TAG + 4 + 4 + 8 + 8 + KIND_LENGTH + 1 + clock
    }
}

/// The bytes that say which [`PeerFrame`] it is.
const TAG: usize = 4;

/// A kind as it stands in the header.
pub(super) fn kind_field(kind: &str) -> [u8; KIND_LENGTH] {
    let mut field = [0; KIND_LENGTH];
    let length = kind.len().min(KIND_LENGTH);
    field[..length].copy_from_slice(&kind.as_bytes()[..length]);
    field
}

/// What a participant tells the launcher.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) enum ToLauncher {
    /// It is here: its first word.
    Hello {
        host: String,
        pid: u32,
        /// Where other participants can reach it.
        address: String,
        /// Its log file.
        log: String,
    },
    /// With `--launch chain`: the next participant is started, or could not be.
    Launched { rank: u32, result: Result<u32, String> },
    /// All connections of the overlay are open.
    Ready,
    /// It has done all it has to do.
    Finished,
    /// A neighbour is gone, or does not answer.
    PeerLost { peer: ProcessId, why: String },
    /// It cannot go on.
    Failed { why: String },
    /// Still alive.
    Pong,
    /// A part of its journal: the answer to `Collect`.
    Journal { bytes: Vec<u8>, is_last: bool, truncated: bool },
}

/// What the launcher tells a participant.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) enum ToParticipant {
    /// Everyone is here: connect to these, and wait for so many to connect to you.
    Release { opens: Vec<Contact>, accepts: u32 },
    /// Everyone is ready: start.
    Go,
    /// Are you alive?
    Ping,
    /// Stop the algorithm, and hand over the journal, from this byte on.
    Collect { offset: u64 },
    /// End.
    Stop,
}
