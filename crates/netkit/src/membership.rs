//! Finds out whether the other end of a connection belongs to the same run.
//!
//! Everybody in a run knows one random [`Secret`], and nobody else does. Each end proves that it
//! knows the secret without showing it: it authenticates, with HMAC-SHA-256 under the secret, a
//! text that holds a random number of the other end. Three frames do it:
//!
//! ```text
//! initiator                                             acceptor
//!     |   hello: run, from, to, nonce I                    |
//!     | -------------------------------------------------> |   for this run and rank?
//!     |   challenge: nonce A, proof "acceptor"             |
//! ok? | <------------------------------------------------- |
//!     |   proof "initiator"                                |
//!     | -------------------------------------------------> |   ok?
//! ```
//!
//! A proof covers its role, the run, both ranks and both nonces. Hence a **replay** fails, for the
//! other end's nonce is new every time; a **reflection** fails, for a proof made in one role does
//! not hold in the other; and a proof got from one member cannot be shown to a third, for the ranks
//! are in it. Proofs are compared in constant time.
//!
//! From the secret and both nonces follow two keys, one a direction, that no other connection has.
//! With these the frames that follow are sealed (`seal/envelope.rs`).
//!
//! What this does not give: the secret is that of the group, so a member could claim another
//! member's rank (members of a run are processes of one user); and frames are not encrypted.
//! `docs/wire-format.md` draws every byte and says why. The scheme is SKID3 (Bosselaers and
//! Preneel, RIPE 1995; *Handbook of Applied Cryptography*, protocol 10.17).
//!
//! Nothing here does I/O: frames go in, frames come out.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::seal::SealKey;

pub use crate::secret::Secret;

pub(crate) mod datagram;
#[cfg(test)]
mod tests;

/// The first bytes of each handshake frame, so that it is recognised in a capture.
pub const MAGIC: [u8; 4] = *b"nkit";

/// The version of the handshake and of what follows it. Another one is refused. Version 1 had no
/// seals.
pub const VERSION: u8 = 2;

/// How long the name of a run may be, in bytes: it travels in the first frame, before we know who
/// sends it.
pub const MAX_RUN: usize = 64;

/// How many bytes a frame of the handshake may have. The longest, a hello, has 47 and the name of
/// the run.
pub const MAX_HANDSHAKE_FRAME: usize = 47 + MAX_RUN;

/// 256 bits: two equal random nonces never happen.
const NONCE: usize = 32;
const PROOF: usize = 32;

const HELLO: u8 = 1;
const CHALLENGE: u8 = 2;
const ANSWER: u8 = 3;

type Nonce = [u8; NONCE];

/// One process's place in a run.
#[derive(Clone, Debug)]
pub struct Membership {
    /// The name of the run, at most [`MAX_RUN`] bytes. It travels in clear.
    pub run: String,
    /// What all members know.
    pub secret: Secret,
    /// The rank of this process. No two processes of a run share one.
    pub me: u32,
}

impl Membership {
    /// Whether what says of itself that it is of this run, from and to these ranks, may be for us.
    pub(crate) fn expects(&self, run: &[u8], from: u32, to: u32) -> Result<(), HandshakeError> {
        let Membership { run: ours, me, .. } = self;
        if run != ours.as_bytes() {
            let theirs = String::from_utf8_lossy(run).into_owned();
            return Err(HandshakeError::OtherRun { theirs, ours: ours.clone() });
        }
        if to != *me {
            return Err(HandshakeError::OtherRank { to, me: *me });
        }
        if from == *me {
            return Err(HandshakeError::OwnRank { me: *me });
        }
        Ok(())
    }
}

/// Why the other end is no member of the run, or not the member that we wanted.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum HandshakeError {
    /// The frame does not begin with [`MAGIC`].
    #[error("it does not speak netkit's handshake")]
    NotNetkit,
    /// The other end speaks another version of the handshake.
    #[error(
        "it speaks version {theirs} of the handshake, we speak {VERSION}; use the same build on all machines"
    )]
    OtherVersion {
        /// The version that it speaks.
        theirs: u8,
    },
    /// A frame of another kind or length was due.
    #[error("a {due} was due, not a frame of kind {kind} with {length} bytes")]
    Unexpected {
        /// What was due.
        due: &'static str,
        /// The kind that came.
        kind: u8,
        /// How many bytes the frame had.
        length: usize,
    },
    /// The hello is for another run: probably a process that an earlier run left behind.
    #[error("it belongs to run {theirs:?}, not to {ours:?}")]
    OtherRun {
        /// The run that it named.
        theirs: String,
        /// The run that we belong to.
        ours: String,
    },
    /// The hello is for another process.
    #[error("it looks for p{to}, we are p{me}; an old address?")]
    OtherRank {
        /// The rank that it looks for.
        to: u32,
        /// The rank that we have.
        me: u32,
    },
    /// The hello claims our own rank.
    #[error("it claims our own rank p{me}")]
    OwnRank {
        /// The rank that we have.
        me: u32,
    },
    /// The proof does not hold: another secret, a replay, or a reflection.
    #[error("its proof does not hold: it does not know the secret of this run")]
    BadProof,
    /// Our own side: the name of the run is over [`MAX_RUN`] bytes.
    #[error("the name of the run has {length} bytes, more than {MAX_RUN}; choose a shorter one")]
    RunTooLong {
        /// How many bytes it has.
        length: usize,
    },
    /// A frame came after the handshake had ended or failed.
    #[error("the handshake is over")]
    Over,
}

/// How far a handshake is after a frame.
#[derive(Debug, Default)]
pub struct Progress {
    /// The body of the frame to send now.
    pub reply: Option<Vec<u8>>,
    /// The handshake has succeeded. What follows on the stream is sealed.
    pub done: Option<Proven>,
}

/// The other end of a handshake that has succeeded.
#[derive(Debug)]
pub struct Proven {
    /// Its rank.
    pub rank: u32,
    /// What we send is sealed with this key.
    pub(crate) ours: SealKey,
    /// What the other end sends is sealed with this key.
    pub(crate) theirs: SealKey,
}

/// One end of a handshake: a state machine without I/O.
#[derive(Debug)]
pub struct Handshake {
    membership: Membership,
    nonce: Nonce,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The acceptor waits for a hello.
    Accepting,
    /// The initiator has said hello to this rank and waits for the challenge.
    Greeted { to: u32 },
    /// The acceptor has challenged this rank and waits for the answer.
    Challenged { from: u32, theirs: Nonce },
    /// It has succeeded or failed.
    Over,
}

/// In whose name a proof is made. The letter is part of what is authenticated.
#[derive(Clone, Copy)]
enum Role {
    Initiator = b'I' as isize,
    Acceptor = b'A' as isize,
}

/// What a proof covers, beside the role.
struct Transcript<'a> {
    run: &'a str,
    from: u32,
    to: u32,
    initiator: &'a Nonce,
    acceptor: &'a Nonce,
}

impl Handshake {
    /// The end that has connected to rank `to`, and the body of its first frame.
    ///
    /// # Errors
    ///
    /// If the system has no randomness, or the name of the run is over [`MAX_RUN`] bytes.
    pub fn initiate(membership: Membership, to: u32) -> std::io::Result<(Self, Vec<u8>)> {
        Self::initiate_with(membership, to, random()?)
            .map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidInput, error))
    }

    /// The end that was connected to.
    ///
    /// # Errors
    ///
    /// If the system has no randomness.
    pub fn accept(membership: Membership) -> std::io::Result<Self> {
        Ok(Self::accept_with(membership, random()?))
    }

    fn initiate_with(
        membership: Membership,
        to: u32,
        nonce: Nonce,
    ) -> Result<(Self, Vec<u8>), HandshakeError> {
        let length = membership.run.len();
        if length > MAX_RUN {
            return Err(HandshakeError::RunTooLong { length });
        }
        let mut hello = opening(HELLO);
        hello.extend_from_slice(&membership.me.to_be_bytes());
        hello.extend_from_slice(&to.to_be_bytes());
        hello.extend_from_slice(&nonce);
        hello.push(u8::try_from(length).expect("at most MAX_RUN"));
        hello.extend_from_slice(membership.run.as_bytes());
        Ok((Handshake { membership, nonce, state: State::Greeted { to } }, hello))
    }

    fn accept_with(membership: Membership, nonce: Nonce) -> Self {
        Handshake { membership, nonce, state: State::Accepting }
    }

    /// Takes in the body of a frame from the other end.
    ///
    /// # Errors
    ///
    /// Any error ends the handshake: close the connection.
    pub fn on_frame(&mut self, body: &[u8]) -> Result<Progress, HandshakeError> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Accepting => self.on_hello(body),
            State::Greeted { to } => self.on_challenge(to, body),
            State::Challenged { from, theirs } => self.on_answer(from, &theirs, body),
            State::Over => Err(HandshakeError::Over),
        }
    }

    fn on_hello(&mut self, body: &[u8]) -> Result<Progress, HandshakeError> {
        let due = Due { what: "hello", kind: HELLO, body };
        let fields = due.fields()?;
        let (&from, fields) = fields.split_first_chunk().ok_or_else(|| due.missing())?;
        let (&to, fields) = fields.split_first_chunk().ok_or_else(|| due.missing())?;
        let (&theirs, fields) = fields.split_first_chunk().ok_or_else(|| due.missing())?;
        let (&length, run) = fields.split_first().ok_or_else(|| due.missing())?;
        if usize::from(length) != run.len() {
            return Err(due.missing());
        }
        let (from, to) = (u32::from_be_bytes(from), u32::from_be_bytes(to));
        self.membership.expects(run, from, to)?;

        let mut challenge = opening(CHALLENGE);
        challenge.extend_from_slice(&self.nonce);
        challenge.extend_from_slice(&self.as_acceptor(from, &theirs).proof(self, Role::Acceptor));
        self.state = State::Challenged { from, theirs };
        Ok(Progress { reply: Some(challenge), done: None })
    }

    fn on_challenge(&mut self, to: u32, body: &[u8]) -> Result<Progress, HandshakeError> {
        let due = Due { what: "challenge", kind: CHALLENGE, body };
        let (theirs, proof) = due.fields()?.split_first_chunk().ok_or_else(|| due.missing())?;
        let transcript = self.as_initiator(to, theirs);
        transcript.check(self, Role::Acceptor, due.proof(proof)?)?;

        let mut answer = opening(ANSWER);
        answer.extend_from_slice(&transcript.proof(self, Role::Initiator));
        let (ours, theirs) = (Role::Initiator, Role::Acceptor);
        let done = Proven {
            rank: to,
            ours: transcript.key(self, ours),
            theirs: transcript.key(self, theirs),
        };
        Ok(Progress { reply: Some(answer), done: Some(done) })
    }

    fn on_answer(
        &self,
        from: u32,
        theirs: &Nonce,
        body: &[u8],
    ) -> Result<Progress, HandshakeError> {
        let due = Due { what: "proof", kind: ANSWER, body };
        let proof = due.proof(due.fields()?)?;
        let transcript = self.as_acceptor(from, theirs);
        transcript.check(self, Role::Initiator, proof)?;
        let (ours, theirs) = (Role::Acceptor, Role::Initiator);
        let done = Proven {
            rank: from,
            ours: transcript.key(self, ours),
            theirs: transcript.key(self, theirs),
        };
        Ok(Progress { reply: None, done: Some(done) })
    }

    fn as_initiator<'a>(&'a self, to: u32, theirs: &'a Nonce) -> Transcript<'a> {
        let Membership { run, me: from, .. } = &self.membership;
        Transcript { run, from: *from, to, initiator: &self.nonce, acceptor: theirs }
    }

    fn as_acceptor<'a>(&'a self, from: u32, theirs: &'a Nonce) -> Transcript<'a> {
        let Membership { run, me: to, .. } = &self.membership;
        Transcript { run, from, to: *to, initiator: theirs, acceptor: &self.nonce }
    }
}

impl Transcript<'_> {
    fn proof(&self, handshake: &Handshake, role: Role) -> [u8; PROOF] {
        self.authenticate(handshake, role).finalize().into_bytes().into()
    }

    /// Compares in constant time.
    fn check(&self, handshake: &Handshake, role: Role, proof: &[u8]) -> Result<(), HandshakeError> {
        let expected = self.authenticate(handshake, role);
        expected.verify_slice(proof).map_err(|_| HandshakeError::BadProof)
    }

    fn authenticate(&self, handshake: &Handshake, role: Role) -> Hmac<Sha256> {
        let key = handshake.membership.secret.bytes();
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
        mac.update(&self.text(role));
        mac
    }

    /// The key of what the end in this role sends.
    fn key(&self, handshake: &Handshake, sender: Role) -> SealKey {
        SealKey::derive(&handshake.membership.secret, &self.text(sender), b"frames")
    }

    /// All parts but the last have a fixed length: no two transcripts give the same bytes.
    fn text(&self, role: Role) -> Vec<u8> {
        let ranks = [self.from.to_be_bytes(), self.to.to_be_bytes()].concat();
        let nonces = [*self.initiator, *self.acceptor].concat();
        [&MAGIC[..], &[VERSION, role as u8], &ranks, &nonces, self.run.as_bytes()].concat()
    }
}

/// A frame that came, and what was due.
pub(crate) struct Due<'a> {
    pub(crate) what: &'static str,
    pub(crate) kind: u8,
    pub(crate) body: &'a [u8],
}

impl<'a> Due<'a> {
    /// What follows magic, version and kind, if these are right.
    pub(crate) fn fields(&self) -> Result<&'a [u8], HandshakeError> {
        let Some(rest) = self.body.strip_prefix(&MAGIC) else {
            return Err(HandshakeError::NotNetkit);
        };
        match rest {
            [VERSION, kind, fields @ ..] if *kind == self.kind => Ok(fields),
            [VERSION, ..] | [] => Err(self.missing()),
            [theirs, ..] => Err(HandshakeError::OtherVersion { theirs: *theirs }),
        }
    }

    fn proof(&self, fields: &'a [u8]) -> Result<&'a [u8], HandshakeError> {
        if fields.len() == PROOF { Ok(fields) } else { Err(self.missing()) }
    }

    pub(crate) fn missing(&self) -> HandshakeError {
        let kind = self.body.get(MAGIC.len() + 1).copied().unwrap_or(0);
        HandshakeError::Unexpected { due: self.what, kind, length: self.body.len() }
    }
}

fn opening(kind: u8) -> Vec<u8> {
    let mut body = Vec::with_capacity(MAX_HANDSHAKE_FRAME);
    body.extend_from_slice(&MAGIC);
    body.extend_from_slice(&[VERSION, kind]);
    body
}

fn random() -> std::io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(std::io::Error::from)?;
    Ok(bytes)
}
