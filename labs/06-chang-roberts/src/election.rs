//! Leader election on a ring.
//!
//! After Chang and Roberts, *An improved algorithm for decentralized extrema-finding in circular
//! configurations of processes*, Communications of the ACM 22(5), 1979; as Tel tells it, *Introduction to
//! Distributed Algorithms*, section 7.2.1, where processes that do not initiate only pass messages on.
//!
//! **The algorithm.** Each process has an identity, and no two have the same. Those who want a leader,
//! the *initiators*, send their identity round the ring (ELECTION). An initiator that receives a smaller
//! identity than its own swallows it; whatever else a process receives, it passes on. Who gets its own
//! identity back leads, and tells everyone (ELECTED), once round.
//!
//! **Why it is correct.** *At most one leader*: an identity comes home only past all initiators, and it
//! gets past an initiator only if it is the greater. So only the greatest among the initiators comes home,
//! and identities being distinct, it belongs to one process. *At least one*: nobody swallows the greatest,
//! so it does come home; ELECTED meets nobody who stops it.
//!
//! **Assumptions.** The ring is unidirectional and closed, channels are reliable, processes do not fail, and
//! identities are distinct. Channels need not be FIFO: only the first process of a ring that closes forward
//! depends on an order, and it keeps what comes too early (`Election::pass`). Nobody knows N.
//!
//! **Cost.** An ELECTION message travels from its initiator to the next greater initiator; the greatest
//! goes all round. Everyone initiates at its start, before it can receive anything, so the sum of these
//! distances is the *exact* number of ELECTION messages, whatever the network's timing and however few
//! initiate ([`crate::theory::elections`]). With N initiators: 2N−1 at best, N(N+1)/2 at worst, N·H(N) on average
//! over all orders. ELECTED: N. Time: up to 3N hops, if the greatest closes the ring last.
//!
//! **Left out.** Initiators that begin late. One that a message has passed already must keep quiet, so who
//! initiates depends on timing, and only bounds remain for the number of messages. In the paper a process
//! that a smaller identity reaches joins in. Peterson, 1982, and Dolev, Klawe and Rodeh, 1982, need only
//! O(N log N) messages at worst.

mod mistake;

use labs::overlay::Contact;
use labs::overlay::ring::{self, Ring};
use labs::process::{Context, Kind, Never, Process, ProcessId};
use serde::{Deserialize, Serialize};

pub use self::mistake::Mistake;

/// One process that takes part in an election. A layer: on top of it, the leader numbers the processes.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Election {
    ring: Ring,
    candidate: Candidate,
    /// The identity of the leader, as soon as it is known.
    leader: Option<u64>,
    /// Whether this process leads, and knows that everyone knows.
    settled: bool,
    /// What came while the successor was not known yet, to be passed on when it is.
    early: Vec<Message>,
}

/// What a process brings into the election.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Candidate {
    /// Its identity.
    pub identity: u64,
    /// Whether it starts an election.
    pub initiates: bool,
    /// Who wins.
    pub elect: Elect,
}

/// Who is elected.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    Deserialize,
    Eq,
    Hash,
    Ord,
    PartialEq,
    PartialOrd,
    Serialize,
    clap::ValueEnum,
)]
pub enum Elect {
    /// The greatest identity among the initiators.
    #[default]
    Max,
    /// The smallest.
    Min,
}

impl Elect {
    /// Whether the first identity wins against the second.
    pub fn prefers(self, one: u64, other: u64) -> bool {
        match self {
            Self::Max => one > other,
            Self::Min => one < other,
        }
    }
}

/// What processes send to each other, in the order of the rounds.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Message {
    /// The ring closes.
    #[strum(transparent)]
    Ring(ring::Message),
    /// This identity wants to lead.
    Election(u64),
    /// This identity leads.
    Elected(u64),
}

/// What a process tells the layer above.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
pub enum Indication {
    /// The first process knows its successor: connect to it.
    Closed(Contact),
    /// This process leads, with this identity.
    Won(u64),
    /// The process knows who leads.
    Elected(u64),
    /// This process leads, and everyone knows: told once, in the end.
    Settled,
}

impl Election {
    /// A process on this ring.
    pub fn new(ring: Ring, candidate: Candidate) -> Self {
        Self { ring, candidate, leader: None, settled: false, early: Vec::new() }
    }

    /// To whom messages are passed; nobody while the first process does not know its successor.
    pub fn successor(&self) -> Option<ProcessId> {
        self.ring.successor()
    }

    /// Sends to the successor. The first process of a ring that closes forward does not know it before
    /// the address has come, and until then keeps what it should pass on.
    fn pass(&mut self, ctx: &mut Context<Self>, message: Message) {
        match self.ring.successor() {
            Some(successor) => ctx.send(successor, message),
            None => self.early.push(message),
        }
    }

    fn on_ring(
        &mut self,
        ctx: &mut Context<Self>,
        event: impl FnOnce(&mut Ring, &mut Context<Ring>),
    ) {
        for ring::Indication::Closed(successor) in ctx.layer(|ctx| event(&mut self.ring, ctx)) {
            ctx.indicate(Indication::Closed(successor));
            for message in std::mem::take(&mut self.early) {
                self.pass(ctx, message);
            }
        }
    }

    fn on_election(&mut self, ctx: &mut Context<Self>, identity: u64) {
        let Candidate { identity: own, initiates, elect } = self.candidate;
        if identity == own {
            self.win(ctx);
        } else if !(initiates && elect.prefers(own, identity)) {
            self.pass(ctx, Message::Election(identity));
        }
    }

    /// The own identity came home. It does so once; a copy of it changes nothing.
    fn win(&mut self, ctx: &mut Context<Self>) {
        if self.leader.is_some() {
            return;
        }
        let own = self.candidate.identity;
        self.leader = Some(own);
        ctx.indicate(Indication::Won(own));
        ctx.indicate(Indication::Elected(own));
        self.pass(ctx, Message::Elected(own));
    }

    fn on_elected(&mut self, ctx: &mut Context<Self>, identity: u64) {
        if self.leader.is_none() {
            self.leader = Some(identity);
            ctx.indicate(Indication::Elected(identity));
            self.pass(ctx, Message::Elected(identity));
        } else if identity == self.candidate.identity && !self.settled {
            self.settled = true;
            ctx.indicate(Indication::Settled);
        }
    }
}

impl Process for Election {
    type Request = Never;
    type Indication = Indication;
    type Message = Message;
    type Timer = Never;

    fn on_init(&mut self, ctx: &mut Context<Self>) {
        self.on_ring(ctx, Ring::on_init);
        if self.candidate.initiates {
            self.pass(ctx, Message::Election(self.candidate.identity));
        }
    }

    fn on_message(&mut self, ctx: &mut Context<Self>, from: ProcessId, message: Message) {
        match message {
            Message::Ring(message) => {
                self.on_ring(ctx, |ring, ctx| ring.on_message(ctx, from, message));
            }
            Message::Election(identity) => self.on_election(ctx, identity),
            Message::Elected(identity) => self.on_elected(ctx, identity),
        }
    }
}

impl From<ring::Message> for Message {
    fn from(message: ring::Message) -> Self {
        Self::Ring(message)
    }
}
