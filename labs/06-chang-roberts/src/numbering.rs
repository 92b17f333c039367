//! Numbering: each process on the ring gets a rank, and the leader learns how many there are.
//!
//! **The algorithm.** It needs a leader, and takes it from the layer below, [`crate::election`]. When the
//! leader knows that everyone knows it (ELECTED came back), it takes rank 0 and sends the next rank to its
//! successor (NUMBER). Each process takes the rank that it receives as its own and passes on the next. What
//! the leader receives in the end is the number of processes.
//!
//! **Why it is correct.** There is one leader, so there is one NUMBER, and it meets every process once
//! before it comes back to the leader. Each adds one: no rank is left out or given twice.
//!
//! **Assumptions.** Those of the election. Nobody needs to know N before; that is what comes out.
//!
//! **Cost.** NUMBER: N. Time: N hops.
//!
//! **Left out.** Processes that join or leave: ranks are valid as long as the ring stays as it is. Without a
//! leader there are no ranks: Angluin, *Local and global properties in networks of processors*, STOC 1980.

mod mistake;

use labs::overlay::Contact;
use labs::process::{Context, Kind, Never, Process, ProcessId};
use serde::{Deserialize, Serialize};

use crate::election::{self, Election};

/// One process on the ring.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Numbering {
    election: Election,
    rank: Option<u64>,
    /// Whether it led, and has counted all.
    has_counted: bool,
}

/// What processes send to each other.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Message {
    /// The election goes on.
    #[strum(transparent)]
    Election(election::Message),
    /// The rank of the receiver; for the leader, the number of processes.
    Number(u64),
}

/// What a process tells its application.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
pub enum Indication {
    /// The first process knows its successor: connect to it.
    Closed(Contact),
    /// This process leads, with this identity.
    Won(u64),
    /// The process knows who leads: the process with this identity.
    Elected(u64),
    /// The process has this rank.
    Numbered(u64),
    /// The leader knows that there are so many processes.
    Counted(u64),
    /// The process has nothing more to do.
    Finished,
}

impl Numbering {
    /// The process that numbers, or is numbered, after this election.
    pub fn new(election: Election) -> Self {
        Self { election, rank: None, has_counted: false }
    }

    fn on_election(
        &mut self,
        ctx: &mut Context<Self>,
        event: impl FnOnce(&mut Election, &mut Context<Election>),
    ) {
        for indication in ctx.layer(|ctx| event(&mut self.election, ctx)) {
            match indication {
                election::Indication::Closed(contact) => ctx.indicate(Indication::Closed(contact)),
                election::Indication::Won(identity) => ctx.indicate(Indication::Won(identity)),
                election::Indication::Elected(leader) => ctx.indicate(Indication::Elected(leader)),
                election::Indication::Settled => self.take_rank(ctx, 0),
            }
        }
    }

    fn on_number(&mut self, ctx: &mut Context<Self>, number: u64) {
        match self.rank {
            None => {
                self.take_rank(ctx, number);
                ctx.indicate(Indication::Finished);
            }
            Some(0) if !self.has_counted => {
                self.has_counted = true;
                ctx.indicate(Indication::Counted(number));
                ctx.indicate(Indication::Finished);
            }
            // A copy of what was passed on, or counted, already.
            Some(_) => {}
        }
    }

    fn take_rank(&mut self, ctx: &mut Context<Self>, rank: u64) {
        self.rank = Some(rank);
        ctx.indicate(Indication::Numbered(rank));
        // Whoever leads, or was passed by the leader's ELECTED, knows its successor.
        if let (Some(successor), Some(next)) = (self.election.successor(), rank.checked_add(1)) {
            ctx.send(successor, Message::Number(next));
        }
    }
}

impl Process for Numbering {
    type Request = Never;
    type Indication = Indication;
    type Message = Message;
    type Timer = Never;

    fn on_init(&mut self, ctx: &mut Context<Self>) {
        self.on_election(ctx, Election::on_init);
    }

    fn on_message(&mut self, ctx: &mut Context<Self>, from: ProcessId, message: Message) {
        match message {
            Message::Election(message) => {
                self.on_election(ctx, |election, ctx| election.on_message(ctx, from, message));
            }
            Message::Number(number) => self.on_number(ctx, number),
        }
    }
}

impl From<election::Message> for Message {
    fn from(message: election::Message) -> Self {
        Self::Election(message)
    }
}
