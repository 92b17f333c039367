//! Mutual exclusion by a token that circulates on a ring.
//!
//! After Le Lann, *Distributed systems: towards a formal approach*, IFIP Congress 1977; Lynch,
//! *Distributed Algorithms*, chapter 10 on mutual exclusion, and Raynal, *Algorithms for Mutual
//! Exclusion*, 1986, chapter 3, treat the family.
//!
//! **The algorithm.** The processes form a ring, each knowing its successor and nothing else of the
//! others ([`labs::overlay::ring`] says how it closes). There is one token. Whoever holds it may be in
//! its critical section; when it leaves, or if it does not want to enter, it passes the token on.
//!
//! **The rounds.** 1. While the ring closes, the address of the last process travels to the first
//! (ADDRESS; not with `--closing first`). 2. A roll call goes once round (ROLL): the last process, the
//! *origin*, sends its name, each adds its own, and the origin prints the whole. What comes back to the
//! origin has passed everyone, so the ring is closed. 3. Now the origin makes the token, and the token
//! goes round `laps` times (TOKEN). Back at the origin after the last lap, it rests.
//!
//! **Why it is correct.** *Mutual exclusion*: a process is in its critical section only while it holds
//! the token; the token is made once, and each process that sends it no longer holds it. The exit of one
//! section happens before the sending of the token, the sending before its receipt, the receipt before
//! the next entry: all sections are in order under happened-before. *No starvation*: the token
//! visits everyone once a lap, and nobody keeps it for ever.
//!
//! **Assumptions.** Channels are reliable and FIFO, processes do not fail, nobody stays in its critical
//! section for ever. Processes are anonymous: no step depends on an identity, only on being the origin.
//!
//! **Cost.** ADDRESS: N−1 (or none). ROLL: N. TOKEN: N a lap, whether anyone wants to enter or not. A
//! process that wants to enter waits for N/2 hops on average, and N−1 at most besides the work of others.
//!
//! **Left out.** A lost token, and a process that dies with it: the run ends with a report. Misra,
//! *Detecting termination of distributed computations using markers*, PODC 1983, section on lost
//! tokens, detects the loss with a second token.

mod mistake;

use std::time::Duration;

use labs::overlay::Contact;
use labs::overlay::ring::{self, Closing, Ring};
use labs::process::{Context, Kind, Never, Process, ProcessId};
use serde::{Deserialize, Serialize};

pub use self::mistake::Mistake;

/// One process on the ring.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TokenRing {
    ring: Ring,
    /// What it adds to the roll call: `host/pid`.
    name: String,
    /// How many times it still wants to enter its critical section.
    entries_left: u64,
    /// How long it stays there.
    work: Duration,
    /// How many laps the token makes.
    laps: u64,
    /// The lap of the token that it holds, while it holds one.
    holds: Option<u64>,
}

/// What processes send to each other, in the order of the rounds.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Message {
    /// The ring closes.
    #[strum(transparent)]
    Ring(ring::Message),
    /// The names of all whom the roll call has passed.
    Roll(Vec<String>),
    /// The token, on its `lap`-th way round, counted from 1.
    Token {
        /// Which lap.
        lap: u64,
    },
}

/// What a process tells its application.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
pub enum Indication {
    /// The first process knows its successor: connect to it.
    Closed(Contact),
    /// The origin has the names of all, in the order of the ring.
    RollCall(Vec<String>),
    /// The origin made the token.
    Created,
    /// The process is in its critical section.
    Entered,
    /// It left its critical section.
    Left,
    /// It has seen the token for the last time.
    Finished,
}

/// The timers.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Timer {
    /// Started on entering the critical section; its timeout is the end of the work there.
    Work,
}

/// What one process is to do.
#[derive(Clone, Copy, Debug)]
pub struct Task {
    /// How many times it wants to enter its critical section, once a lap.
    pub entries: u64,
    /// How long it stays there.
    pub work: Duration,
    /// How many laps the token makes; at least 1.
    pub laps: u64,
}

impl TokenRing {
    /// The process `me` among `processes`, called `name` in the roll call.
    ///
    /// # Panics
    ///
    /// If there are fewer than two processes.
    pub fn new(me: Contact, processes: u32, closing: Closing, name: String, task: Task) -> Self {
        Self {
            ring: Ring::new(me, processes, closing),
            name,
            entries_left: task.entries,
            work: task.work,
            laps: task.laps,
            holds: None,
        }
    }

    fn is_origin(&self) -> bool {
        self.ring.is_last()
    }

    fn on_ring(
        &mut self,
        ctx: &mut Context<Self>,
        event: impl FnOnce(&mut Ring, &mut Context<Ring>),
    ) {
        for ring::Indication::Closed(successor) in ctx.layer(|ctx| event(&mut self.ring, ctx)) {
            ctx.indicate(Indication::Closed(successor));
        }
    }

    fn on_roll(&mut self, ctx: &mut Context<Self>, mut names: Vec<String>) {
        if self.is_origin() {
            ctx.indicate(Indication::RollCall(names));
            ctx.indicate(Indication::Created);
            self.hold(ctx, 1);
        } else {
            names.push(self.name.clone());
            self.pass(ctx, Message::Roll(names));
        }
    }

    fn on_token(&mut self, ctx: &mut Context<Self>, lap: u64) {
        if !self.is_origin() {
            self.hold(ctx, lap);
        } else if lap < self.laps {
            self.hold(ctx, lap + 1);
        } else {
            self.holds = Some(lap);
            ctx.indicate(Indication::Finished);
        }
    }

    /// The token is here: enter, or pass it on.
    fn hold(&mut self, ctx: &mut Context<Self>, lap: u64) {
        self.holds = Some(lap);
        match self.entries_left.checked_sub(1) {
            Some(left) => {
                self.entries_left = left;
                ctx.indicate(Indication::Entered);
                ctx.start_timer(Timer::Work, self.work);
            }
            None => self.release(ctx),
        }
    }

    fn release(&mut self, ctx: &mut Context<Self>) {
        let Some(lap) = self.holds.take() else { return };
        self.pass(ctx, Message::Token { lap });
        if lap == self.laps && !self.is_origin() {
            ctx.indicate(Indication::Finished);
        }
    }

    /// Sends to the successor. The first process of a ring that closes forward does not know it before
    /// the address has come; only where messages overtake each other is it asked to pass one on earlier,
    /// and then the message ends here.
    fn pass(&self, ctx: &mut Context<Self>, message: Message) {
        if let Some(successor) = self.ring.successor() {
            ctx.send(successor, message);
        }
    }
}

impl Process for TokenRing {
    type Request = Never;
    type Indication = Indication;
    type Message = Message;
    type Timer = Timer;

    fn on_init(&mut self, ctx: &mut Context<Self>) {
        self.on_ring(ctx, Ring::on_init);
        if self.is_origin() {
            self.pass(ctx, Message::Roll(vec![self.name.clone()]));
        }
    }

    fn on_message(&mut self, ctx: &mut Context<Self>, from: ProcessId, message: Message) {
        match message {
            Message::Ring(message) => {
                self.on_ring(ctx, |ring, ctx| ring.on_message(ctx, from, message));
            }
            Message::Roll(names) => self.on_roll(ctx, names),
            Message::Token { lap } => self.on_token(ctx, lap),
        }
    }

    fn on_timeout(&mut self, ctx: &mut Context<Self>, Timer::Work: Timer) {
        ctx.indicate(Indication::Left);
        self.release(ctx);
    }
}

impl From<ring::Message> for Message {
    fn from(message: ring::Message) -> Self {
        Self::Ring(message)
    }
}

impl From<Never> for Timer {
    fn from(never: Never) -> Self {
        match never {}
    }
}
