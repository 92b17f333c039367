//! What two members send each other in datagrams: each with run, ranks, number and seal.
//!
//! ```text
//! | "nkit" | v | 4 | from | to | number | seal | n | run | body |
//! ```
//!
//! There is no handshake to make a key of, so all datagrams of a run are sealed with one key, and
//! say themselves from whom to whom they are. A receiver remembers which of the last [`WINDOW`]
//! numbers of each sender it has seen, as IPsec does (RFC 4303, section 3.4.3): what somebody has
//! recorded and sends again is dropped, and so is what the network has doubled. The numbers begin
//! with the time in microseconds, so that a process that was started again goes on above those that
//! it has used.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use super::{Due, HandshakeError, MAGIC, MAX_RUN, Membership, VERSION};
use crate::seal::{SEAL, SealKey};

/// The kind of a sealed datagram, behind those of the handshake.
pub(crate) const DATAGRAM: u8 = 4;

/// How far a datagram may be overtaken by others of its sender.
const WINDOW: u64 = 64;

/// What stands before the name of the run: magic, version, kind, both ranks, number, seal and the
/// length of the name.
const HEAD: usize = MAGIC.len() + 2 + 4 + 4 + 8 + SEAL + 1;

/// The most bytes that stand before the body.
pub(crate) const HEAD_MAX: usize = HEAD + MAX_RUN;

/// Why a datagram is not taken for a member's. It is dropped.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum UnsealedError {
    /// It is not by a member of the run, or not for this process.
    #[error("{0}")]
    Stranger(#[from] HandshakeError),
    /// It came already, or so many later ones came that nobody knows whether it did.
    #[error("datagram {number} of p{from} came already, or too late to tell")]
    Repeated {
        /// Its number.
        number: u64,
        /// Its sender.
        from: u32,
    },
}

/// One process among the members of a run that send each other datagrams.
#[derive(Debug)]
pub(crate) struct Correspondent {
    membership: Membership,
    key: SealKey,
    next: u64,
    seen: BTreeMap<u32, Seen>,
}

/// Which datagrams of one sender have come.
#[derive(Debug)]
struct Seen {
    latest: u64,
    /// Bit `i`: whether that with the number `latest - i` came.
    came: u64,
}

impl Correspondent {
    pub(crate) fn new(membership: Membership) -> Result<Self, HandshakeError> {
        let length = membership.run.len();
        if length > MAX_RUN {
            return Err(HandshakeError::RunTooLong { length });
        }
        let key = SealKey::derive(&membership.secret, membership.run.as_bytes(), b"datagrams");
        // A clock before 1970 costs a process that starts again its first datagrams, and no more.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let next = u64::try_from(now.as_micros()).unwrap_or_default();
        Ok(Correspondent { membership, key, next, seen: BTreeMap::new() })
    }

    /// Appends the sealed form of a body for one member.
    pub(crate) fn seal(&mut self, to: u32, body: &[u8], into: &mut Vec<u8>) {
        let Membership { run, me, .. } = &self.membership;
        let head = head(*me, to, self.next);
        self.next += 1;
        into.extend_from_slice(&head);
        let seal = into.len();
        into.extend_from_slice(&[0; SEAL]);
        let text = into.len();
        into.push(u8::try_from(run.len()).expect("at most MAX_RUN"));
        into.extend_from_slice(run.as_bytes());
        into.extend_from_slice(body);
        let made = self.key.seal(&head, &into[text..]);
        into[seal..text].copy_from_slice(&made);
    }

    /// The sender of a sealed datagram, and its body.
    pub(crate) fn open<'a>(&mut self, sealed: &'a [u8]) -> Result<(u32, &'a [u8]), UnsealedError> {
        let due = Due { what: "sealed datagram", kind: DATAGRAM, body: sealed };
        let short = || due.missing();
        let fields = due.fields()?;
        let (&from, fields) = fields.split_first_chunk().ok_or_else(short)?;
        let (&to, fields) = fields.split_first_chunk().ok_or_else(short)?;
        let (&number, fields) = fields.split_first_chunk().ok_or_else(short)?;
        let (&seal, text) = fields.split_first_chunk().ok_or_else(short)?;
        let (&length, rest) = text.split_first().ok_or_else(short)?;
        let (run, body) = rest.split_at_checked(length.into()).ok_or_else(short)?;
        let (from, to) = (u32::from_be_bytes(from), u32::from_be_bytes(to));
        let number = u64::from_be_bytes(number);
        self.membership.expects(run, from, to)?;
        if !self.key.holds(seal, &head(from, to, number), text) {
            return Err(HandshakeError::BadProof.into());
        }
        if !self.is_new(from, number) {
            return Err(UnsealedError::Repeated { number, from });
        }
        Ok((from, body))
    }

    /// Whether this number of a member comes for the first time. It is remembered.
    fn is_new(&mut self, from: u32, number: u64) -> bool {
        let seen = self.seen.entry(from).or_insert(Seen { latest: number, came: 0 });
        if let Some(ahead) = number.checked_sub(seen.latest) {
            seen.came =
                u32::try_from(ahead).ok().and_then(|by| seen.came.checked_shl(by)).unwrap_or(0);
            seen.latest = number;
        }
        let behind = seen.latest - number;
        if behind >= WINDOW {
            return false;
        }
        let bit = 1 << behind;
        let is_new = seen.came & bit == 0;
        seen.came |= bit;
        is_new
    }
}

/// What a seal covers beside the run and the body. Its length is always the same.
fn head(from: u32, to: u32, number: u64) -> Vec<u8> {
    let ranks = [from.to_be_bytes(), to.to_be_bytes()].concat();
    [&MAGIC[..], &[VERSION, DATAGRAM], &ranks, &number.to_be_bytes()].concat()
}
