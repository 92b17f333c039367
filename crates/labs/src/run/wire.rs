//! What participants and the launcher say to each other, as it stands in netkit's frames.
//!
//! Between participants there are algorithm messages ([`PeerFrame::Message`]) and, where a lab
//! wants its neighbours watched, pings. Between a participant and the launcher there is the life of
//! the run, in the order of [`ToLauncher`] and [`ToParticipant`].

use netkit::codec::{self, CodecError};
use serde::{Deserialize, Serialize};

use crate::clocks::Vector;
use crate::faults::Toll;
use crate::overlay::Contact;
use crate::process::{Kind, ProcessId};
use crate::trace::note::KIND_LENGTH;
pub(super) use crate::trace::note::kind_field;

/// The rank that the launcher has in the handshake: it is no participant.
pub(super) const LAUNCHER: u32 = u32::MAX;

/// The rank that keepers have in the handshake. They are no participants either.
pub(super) const KEEPER: u32 = u32::MAX - 1;

/// The rank that witnesses have in the handshake: threads that tell of a handler which does not return.
pub(super) const WITNESS: u32 = u32::MAX - 2;

/// A frame between two participants.
#[derive(Debug)]
pub(super) enum PeerFrame<'a> {
    /// A message of the algorithm: its header, and the bytes of the algorithm's own.
    Message(MessageHeader, &'a [u8]),
    /// Are you there?
    Ping,
    /// Yes.
    Pong,
}

/// What kind of frame it is: its first four bytes.
#[derive(Deserialize, Serialize)]
enum Tag {
    Message,
    Ping,
    Pong,
}

impl<'a> PeerFrame<'a> {
    /// Takes a body apart, the algorithm's bytes apart.
    pub(super) fn read(body: &'a [u8]) -> Result<Self, CodecError> {
        let Some(rest) = body.strip_prefix(&MESSAGE) else {
            // Both are nothing but their tags.
            return match codec::decode(body)? {
                Tag::Message | Tag::Ping => Ok(Self::Ping),
                Tag::Pong => Ok(Self::Pong),
            };
        };
        let (header, message) = rest.split_at(header_length(rest).min(rest.len()));
        Ok(Self::Message(codec::decode(header)?, message))
    }

    pub(super) fn write(&self) -> Result<Vec<u8>, CodecError> {
        let mut body = Vec::with_capacity(BODY_USUAL);
        match self {
            Self::Message(header, message) => {
                codec::encode(&(Tag::Message, header), &mut body)?;
                body.extend_from_slice(message);
            }
            Self::Ping => codec::encode(&Tag::Ping, &mut body)?,
            Self::Pong => codec::encode(&Tag::Pong, &mut body)?,
        }
        Ok(body)
    }
}

/// The largest message that a simulation measures, in bytes. One that carries a list of all processes passes by as many
/// times as there are processes: to measure it whole each time would make a large run quadratic.
const MEASURED_MAX: usize = 65_536;

/// The size of an algorithm's message as it is sent, in bytes; 0 for one that is too large to be measured.
pub(crate) fn message_size<M: Serialize>(message: &M) -> u32 {
    codec::size(message, MEASURED_MAX).map_or(0, |bytes| bytes as u32)
}

/// Room for most messages of algorithms, in bytes, with their headers.
const BODY_USUAL: usize = 128;

/// The tag of a message.
const MESSAGE: [u8; 4] = [0; 4];

/// The bytes of a header that stand before its clock: from, to, n, lamport and kind.
const BEFORE_CLOCK: usize = 4 + 4 + 8 + 8 + KIND_LENGTH;

/// How many bytes the header takes with which these bytes begin, if they do.
fn header_length(bytes: &[u8]) -> usize {
    let entries = BEFORE_CLOCK + 1;
    match (bytes.get(BEFORE_CLOCK), bytes.get(entries..entries + 8)) {
        (Some(1), Some(count)) => {
            let count = count.iter().fold(0_usize, |all, &byte| all << 8 | usize::from(byte));
            count.saturating_mul(8).saturating_add(entries + 8)
        }
        _ => entries,
    }
}

/// What stands before every message of an algorithm.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct MessageHeader {
    pub(super) from: ProcessId,
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

/// What happens on the connection between two members of a run.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
pub(super) enum Line {
    /// It can be used.
    Opened,
    /// It was made by the other end.
    Accepted,
    #[strum(transparent)]
    Up(ToLauncher),
    #[strum(transparent)]
    Down(ToParticipant),
    /// Are you there?
    Ping,
    /// It has ended, or could not be made, for this reason.
    Closed(String),
}

/// What a participant says of itself when it joins.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub(super) struct Hello {
    /// Its machine, as that calls itself.
    pub(super) host: String,
    pub(super) pid: u32,
    /// Where other participants can reach it.
    pub(super) address: String,
    /// Its log file.
    pub(super) log: String,
}

/// A part of a journal.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub(super) struct Part {
    /// The place of its first byte.
    pub(super) offset: u64,
    /// As one piece: serde would otherwise write and read a vector byte by byte.
    #[serde(with = "serde_bytes")]
    pub(super) bytes: Vec<u8>,
    pub(super) is_last: bool,
    /// Events at the end are missing.
    pub(super) truncated: bool,
}

/// What a participant tells the launcher.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
pub(super) enum ToLauncher {
    /// It is here: its first word.
    Hello(Hello),
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
    /// How many times the rules of the plan of faults struck there: before the last part of its
    /// journal.
    Toll(Toll),
    /// A part of its journal, from a byte on: the answer to `Collect`, and after `Follow` from time
    /// to time.
    Journal(Part),
    /// Whole lines of its log that were not handed over yet, if somebody shows them.
    Log(String),
}

/// What a participant must know that starts again while the others go on.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
pub(super) struct Resumption {
    /// How many microseconds ago the others started.
    pub(super) at_us: u64,
    /// If the run is followed: from which byte on to hand over the journal as it grows.
    pub(super) follow: Option<u64>,
    /// The neighbours to connect to: those that live.
    pub(super) opens: Vec<Contact>,
    /// The participants that are dead.
    pub(super) gone: Vec<ProcessId>,
}

/// What the launcher tells a participant.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
pub(super) enum ToParticipant {
    /// Everyone is here: connect to these, and wait for so many to connect to you.
    Release { opens: Vec<Contact>, accepts: u32 },
    /// Everyone is ready: start.
    Go,
    /// Hand over the journal as it grows.
    Follow,
    /// Are you alive?
    Ping,
    /// Stop the algorithm, and hand over the journal, from this byte on.
    Collect { offset: u64 },
    /// End.
    Stop,
    /// Start again at once, where the one of this rank died.
    Resume(Resumption),
    /// A participant started again, and is there now.
    Moved(Contact),
    /// A participant has died: what is sent to it is lost.
    Gone(ProcessId),
}

#[cfg(test)]
mod tests;
