//! What participants and the launcher say to each other, as it stands in netkit's frames.
//!
//! Between participants there are algorithm messages ([`PeerFrame::Message`]) and, where a lab wants its
//! neighbours watched, pings. Between a participant and the launcher there is the life of the run, in
//! the order of [`ToLauncher`] and [`ToParticipant`].

use serde::{Deserialize, Serialize};

use crate::clocks::Vector;
use crate::faults::Toll;
use crate::overlay::Contact;
use crate::process::ProcessId;
use crate::trace::note::KIND_LENGTH;
pub(super) use crate::trace::note::kind_field;

/// The rank that the launcher has in the handshake: it is no participant.
pub(super) const LAUNCHER: u32 = u32::MAX;

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
    /// How many times the rules of the plan of faults struck there: before the last part of its journal.
    Toll(Toll),
    /// A part of its journal, from a byte on: the answer to `Collect`, and after `Follow` from time to time.
    Journal { offset: u64, bytes: Vec<u8>, is_last: bool, truncated: bool },
    /// Whole lines of its log that were not handed over yet, if somebody shows them.
    Log(String),
}

/// What the launcher tells a participant.
#[derive(Clone, Debug, Deserialize, Serialize)]
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
    /// Start again, so many microseconds after the others started. If the run is followed: hand over the
    /// journal as it grows, from this byte on.
    Resume { at_us: u64, follow: Option<u64> },
    /// A participant started again, and is there now.
    Moved(Contact),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    enum Message {
        #[expect(dead_code, reason = "so that Token is not the first variant")]
        Roll(Vec<String>),
        Token {
            lap: u64,
        },
    }

    fn header(clock: Option<Vector>) -> MessageHeader {
        let (from, to) = (ProcessId(2), ProcessId(1));
        MessageHeader { from, to, n: 17, lamport: 31, kind: kind_field("TOKEN"), clock }
    }

    fn encoded(header: &MessageHeader) -> Vec<u8> {
        let mut bytes = Vec::new();
        let frame = PeerFrameRef::Message(header, &Message::Token { lap: 3 });
        netkit::codec::encode(&frame, &mut bytes).unwrap();
        bytes
    }

    /// The bytes that `docs/wire-format.md` shows, and what stands in them.
    #[rustfmt::skip]
    const WITH_CLOCK: &[u8] = &[
        0, 0, 0, 0,                                                           // tag: a message
        0, 0, 0, 2,                                                           // from p2
        0, 0, 0, 1,                                                           // to p1
        0, 0, 0, 0, 0, 0, 0, 17,                                              // n
        0, 0, 0, 0, 0, 0, 0, 31,                                              // lamport
        b'T', b'O', b'K', b'E', b'N', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,        // kind
        1,                                                                    // a clock follows
        0, 0, 0, 0, 0, 0, 0, 3,                                               // of three entries
        0, 0, 0, 0, 0, 0, 0, 9,
        0, 0, 0, 0, 0, 0, 0, 8,
        0, 0, 0, 0, 0, 0, 0, 17,
        0, 0, 0, 1,                                                           // Token
        0, 0, 0, 0, 0, 0, 0, 3,                                               // lap
    ];

    #[test]
    fn the_message_frame_of_the_documentation() {
        let clock = Some(Vector::from(vec![9, 8, 17]));
        assert_eq!(encoded(&header(clock)), WITH_CLOCK);
    }

    /// Without a clock the frame is the same but for its last byte before the message.
    #[test]
    fn a_frame_without_a_clock() {
        let bytes = encoded(&header(None));
        assert_eq!(bytes[..44], WITH_CLOCK[..44]);
        assert_eq!(bytes[44], 0);
        assert_eq!(bytes[45..], WITH_CLOCK[WITH_CLOCK.len() - 12..]);
    }

    #[test]
    fn the_length_of_a_header_is_what_stands_before_the_message() {
        const MESSAGE: usize = 4 + 8;
        for clock in [None, Some(Vector::new(1)), Some(Vector::from(vec![9, 8, 17]))] {
            let header = header(clock);
            assert_eq!(header.length(), encoded(&header).len() - MESSAGE, "{header:?}");
        }
    }

    #[test]
    fn pings_and_pongs_are_their_tags() {
        for (frame, tag) in [(PeerFrameRef::<()>::Ping, 1), (PeerFrameRef::Pong, 2)] {
            let mut bytes = Vec::new();
            netkit::codec::encode(&frame, &mut bytes).unwrap();
            assert_eq!(bytes, [0, 0, 0, tag]);
        }
    }
}
