//! A chain of processes closes into a ring.
//!
//! The processes are launched one after the other: p0 is the *first*, p(N−1) the *last*, and each but
//! the first knows the address of the one before it, its *parent*, and connects to it. Messages travel
//! along these connections, from the last towards the first: the parent is the *successor* on the
//! ring. What is missing is the connection from the first to the last, and there are two ways to it:
//!
//! - **Forward.** The last process sends its address to its parent, and each process passes it on
//!   ([`Message::Address`]), until the first has it and connects. Costs N−1 messages. Every process
//!   accepts one connection and opens one: no process differs from another.
//! - **First.** Every process is given the address of the first at its launch, and the last, which
//!   knows that it is the last, connects to it. Costs no message, but one address more in every launch,
//!   and the two ends differ: the first accepts two connections and opens none, the last opens two and
//!   accepts none.
//!
//! Assumptions: channels are reliable and FIFO. A message that goes round the ring may be sent right
//! behind the address: it travels the same way, so it cannot reach the first process before the
//! address does. Where messages overtake each other, it can, and the first process then has nobody to
//! pass it to.
//!
//! A ring has at least two processes. With two, parent and closing connection join the same pair, and
//! one connection serves for both.

use serde::{Deserialize, Serialize};

use super::{Contact, Links};
use crate::process::{Context, Kind, Never, Process, ProcessId};

/// How the chain closes.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    Eq,
    Hash,
    Ord,
    PartialEq,
    PartialOrd,
    Deserialize,
    Serialize,
    clap::ValueEnum,
)]
pub enum Closing {
    /// The last process's address travels back along the chain: N-1 messages, all processes alike.
    #[default]
    Forward,
    /// Everyone is given the first process's address: no message, but the two ends differ.
    First,
}

/// One process of a ring in the making. A layer: the algorithm that needs the ring runs on top.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Ring {
    me: Contact,
    is_last: bool,
    closing: Closing,
    /// The process that messages are passed to, as soon as it is known.
    successor: Option<ProcessId>,
}

/// What the processes of a ring say to each other while it closes.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Message {
    /// The address of the last process, on its way to the first.
    Address(Contact),
}

/// What a process of a ring tells the layer above.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
pub enum Indication {
    /// The ring is closed: told by the first process, which now knows its successor.
    Closed(Contact),
}

impl Ring {
    /// The process `me` among `processes`.
    ///
    /// # Panics
    ///
    /// If there are fewer than two processes.
    pub fn new(me: Contact, processes: u32, closing: Closing) -> Self {
        assert!(processes >= 2, "a ring has at least two processes");
        let last = ProcessId(processes - 1);
        let successor = match (me.process.0.checked_sub(1), closing) {
            (Some(parent), _) => Some(ProcessId(parent)),
            (None, Closing::First) => Some(last),
            (None, Closing::Forward) => None,
        };
        Self { is_last: me.process == last, me, closing, successor }
    }

    /// To whom messages are passed; nobody while the first process does not know its successor.
    pub fn successor(&self) -> Option<ProcessId> {
        self.successor
    }

    /// Whether this is the process that was launched last: the one place on the ring that all agree
    /// on, and so the origin of whatever goes round.
    pub fn is_last(&self) -> bool {
        self.is_last
    }
}

impl Process for Ring {
    type Request = Never;
    type Indication = Indication;
    type Message = Message;
    type Timer = Never;

    fn on_init(&mut self, ctx: &mut Context<Self>) {
        if let (true, Closing::Forward, Some(parent)) = (self.is_last, self.closing, self.successor)
        {
            ctx.send(parent, Message::Address(self.me.clone()));
        }
    }

    fn on_message(&mut self, ctx: &mut Context<Self>, _: ProcessId, message: Message) {
        let Message::Address(last) = message;
        match self.successor {
            // A copy, where the network makes them: the first process has the address already.
            Some(_) if last.process == self.me.process => {}
            Some(parent) => ctx.send(parent, Message::Address(last)),
            None => {
                self.successor = Some(last.process);
                ctx.indicate(Indication::Closed(last));
            }
        }
    }
}

/// The connections of `me` before the start.
pub(super) fn links(closing: Closing, me: ProcessId, processes: u32) -> Links {
    let last = ProcessId(processes - 1);
    let mut opens: Vec<_> = me.0.checked_sub(1).map(ProcessId).into_iter().collect();
    let mut accepts = u32::from(me != last);
    // With two processes the last one's parent is the first already.
    if closing == Closing::First && processes > 2 {
        if me == last {
            opens.push(ProcessId(0));
        }
        accepts += u32::from(me.0 == 0);
    }
    Links { opens, accepts }
}
