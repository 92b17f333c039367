//! Mutual exclusion by a coordinator.
//!
//! **Idea.** Clients that want to enter their critical sections ask one process, the coordinator, p0. It
//! lets one in at a time, in the order in which the requests reach it.
//!
//! ```text
//! client                        coordinator
//!   │  REQUEST(ask)                  │   into the line
//!   │ ─────────────────────────────► │
//!   │                 GRANT(token)   │   nobody is inside, and it is at the front
//!   │ ◄───────────────────────────── │
//!   │  critical section              │
//!   │                RELEASE(token)  │   the next, please
//!   │ ─────────────────────────────► │
//! ```
//!
//! **Cost.** Three messages an entry; between the exit of one and the entry of the next, two of them one
//! behind the other. Everything goes through one process, which sees every message.
//!
//! **Safety.** The coordinator grants only when the section before is over, as it knows from RELEASE. So exit →
//! RELEASE → GRANT → entry is a chain, and all sections are ordered by happened-before. **Liveness.** The
//! line is served from its front, so whoever waits has at most all others before it.
//!
//! **Who falls silent in its section.** A grant is a *lease*: the client may stay so long, counted from the
//! arrival of GRANT. The coordinator waits a quarter longer, counted from its sending, and then revokes the
//! grant and lets the next in. That keeps sections apart as long as delays, and what two clocks drift
//! apart within a lease, are less than that quarter: it is the one assumption about time here. No algorithm
//! can know that it holds. A client may be stopped between looking at its clock and writing.
//!
//! **Fencing.** So every grant has a number that was never given before, its *token*. What is written to
//! refuses a token smaller than one that it has seen. That assumes nothing about time. See
//! [`shared_file`](crate::shared_file), and [`GrowingTokens`](labs::verdict::GrowingTokens) for what is
//! demanded of the tokens themselves.
//!
//! **What gets lost.** Clients ask again (RETRY) while they wait, and are told WAIT, or once more what they were
//! granted (REGRANT). Each time that a client wants to enter it asks under a new number, so the coordinator
//! recognises what it has heard before; a new number also says that the section before is over, should
//! RELEASE be lost.
//!
//! **The coordinator dies.** Nobody enters until it is there again. Its line, the grant and the last token are on
//! stable storage before any message that follows from them leaves. Started again it gives the grant
//! once more, and the line goes on.
//!
//! **Left out.** A second coordinator that takes over by itself: that needs an election and agreement on the
//! line (Burrows, *The Chubby lock service*, OSDI 2006). Source of the algorithm: Cachin, Guerraoui and
//! Rodrigues leave it as folklore; Lamport, *Time, clocks, and the ordering of events*, 1978, has it as the
//! solution that is not fair to the order of asking. Leases: Gray and Cheriton, SOSP 1989. Fencing:
//! Kleppmann, *How to do distributed locking*, 2016.

use std::time::Duration;

use labs::process::{Context, Kind, Process, ProcessId};
use serde::{Deserialize, Serialize};

use crate::client::Client;
use crate::coordinator::{Book, Coordinator};

/// The process that lets the others in.
pub const COORDINATOR: ProcessId = ProcessId(0);

/// One process: the coordinator, or a client.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Mutex {
    /// p0.
    Coordinator(Coordinator),
    /// All others.
    Client(Client),
}

/// How long things take, in this run.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Times {
    /// How long a client works in its critical section.
    pub work: Duration,
    /// How long the coordinator lets a client stay there; zero: for ever.
    pub lease: Duration,
    /// After how long without an answer it asks again; zero: never.
    pub retry: Duration,
    /// How many times in a row it asks again and hears nothing before it gives up.
    pub retries: u32,
}

/// What processes send to each other, in the order of an entry, and then what trouble adds.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Message {
    /// A client wants to enter; it counts its wishes, from 1.
    Request {
        /// Which wish.
        ask: u64,
    },
    /// It may.
    Grant {
        /// Which wish this fulfils.
        ask: u64,
        /// The number of the grant.
        token: u64,
        /// How long it may stay; zero: for ever.
        lease: Duration,
    },
    /// It is out.
    Release {
        /// The number of the grant that is over.
        token: u64,
    },
    /// A client waits, and has heard nothing for a while.
    Retry {
        /// Which wish.
        ask: u64,
    },
    /// It stands in the line.
    Wait,
    /// It was granted before.
    Regrant {
        /// Which wish this fulfils.
        ask: u64,
        /// The number of the grant.
        token: u64,
        /// How long it may stay; zero: for ever.
        lease: Duration,
    },
}

/// What the application asks of a process, beside what it was made to do.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Request {
    /// To a client: what it writes to has refused this token.
    Refused(u64),
    /// To the coordinator: the connection to a client has ended.
    Lost(ProcessId),
    /// To a client: want nothing more. It ends its critical section if it is in one.
    Stop,
}

/// What a process tells its application. Clients are named by their rank alone, so that a number stands there.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Indication {
    /// The coordinator is there.
    Ready,
    /// The client stands in the line now, at its end.
    Queued(u32),
    /// The client was let in, from the front of the line.
    Granted(u32),
    /// The client does not stand in the line any more: it is gone.
    Dropped(u32),
    /// The grant with this token is void.
    Revoked(u64),
    /// The grant with this token is over: its client asks anew, so it left, or never entered.
    Over(u64),
    /// This is to be stored, before anything else happens.
    Stored(Book),
    /// A client wants to enter; which wish.
    Asked(u64),
    /// It is in its critical section, with this token.
    Entered(u64),
    /// It left its critical section, its work done.
    Left(u64),
    /// It left its critical section because the lease is over, its work undone.
    Expired(u64),
    /// It was let in and did not want it any more.
    Declined(u64),
    /// The coordinator does not answer, and the client wants nothing any more.
    GaveUp,
    /// The client has entered as often as it wanted.
    Finished,
    /// It was told to want nothing more, and is done.
    Stopped,
}

/// The timers.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Timer {
    /// A client's: started on entry; its timeout is the end of the work.
    Work,
    /// Started on entry by the client, and on granting by the coordinator; its timeout is the end of the
    /// lease.
    Lease,
    /// A client's: started on asking; its timeout is when to ask again.
    Retry,
    /// A client's: started after the last section, for no time: what was written in it may still be
    /// refused.
    Rest,
}

impl Process for Mutex {
    type Request = Request;
    type Indication = Indication;
    type Message = Message;
    type Timer = Timer;

    fn on_init(&mut self, ctx: &mut Context<Self>) {
        match self {
            Self::Coordinator(coordinator) => coordinator.on_init(ctx),
            Self::Client(client) => client.on_init(ctx),
        }
    }

    fn on_request(&mut self, ctx: &mut Context<Self>, request: Request) {
        match (self, request) {
            (Self::Coordinator(coordinator), Request::Lost(client)) => {
                coordinator.on_lost(ctx, client);
            }
            (Self::Client(client), Request::Refused(token)) => client.on_refused(ctx, token),
            (Self::Client(client), Request::Stop) => client.on_stop(ctx),
            // A client notices by itself that the coordinator does not answer.
            (Self::Client(_), Request::Lost(_))
            | (Self::Coordinator(_), Request::Refused(_) | Request::Stop) => {}
        }
    }

    fn on_message(&mut self, ctx: &mut Context<Self>, from: ProcessId, message: Message) {
        match (self, message) {
            (Self::Coordinator(coordinator), Message::Request { ask }) => {
                coordinator.on_ask(ctx, from, ask, false);
            }
            (Self::Coordinator(coordinator), Message::Retry { ask }) => {
                coordinator.on_ask(ctx, from, ask, true);
            }
            (Self::Coordinator(coordinator), Message::Release { token }) => {
                coordinator.on_release(ctx, from, token);
            }
            (
                Self::Client(client),
                Message::Grant { ask, token, lease } | Message::Regrant { ask, token, lease },
            ) => client.on_grant(ctx, ask, token, lease),
            (Self::Client(client), Message::Wait) => client.on_wait(),
            // Nobody sends such a thing to the other side.
            (
                Self::Coordinator(_),
                Message::Grant { .. } | Message::Regrant { .. } | Message::Wait,
            )
            | (
                Self::Client(_),
                Message::Request { .. } | Message::Retry { .. } | Message::Release { .. },
            ) => {}
        }
    }

    fn on_timeout(&mut self, ctx: &mut Context<Self>, timer: Timer) {
        match self {
            Self::Coordinator(coordinator) => coordinator.on_lease_over(ctx),
            Self::Client(client) => client.on_timeout(ctx, timer),
        }
    }

    fn recovered(&self) -> Option<Self> {
        match self {
            Self::Coordinator(coordinator) => coordinator.recovered().map(Self::Coordinator),
            Self::Client(_) => None,
        }
    }
}

impl Kind for Message {
    fn kind(&self) -> &'static str {
        match self {
            Self::Request { .. } => "REQUEST",
            Self::Grant { .. } => "GRANT",
            Self::Release { .. } => "RELEASE",
            Self::Retry { .. } => "RETRY",
            Self::Wait => "WAIT",
            Self::Regrant { .. } => "REGRANT",
        }
    }
}

impl Kind for Request {
    fn kind(&self) -> &'static str {
        match self {
            Self::Refused(_) => "Refused",
            Self::Lost(_) => "Lost",
            Self::Stop => "Stop",
        }
    }
}

impl Kind for Indication {
    fn kind(&self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Queued(_) => "Queued",
            Self::Granted(_) => "Granted",
            Self::Dropped(_) => "Dropped",
            Self::Revoked(_) => "Revoked",
            Self::Over(_) => "Over",
            Self::Stored(_) => "Stored",
            Self::Asked(_) => "Asked",
            Self::Entered(_) => "Entered",
            Self::Left(_) => "Left",
            Self::Expired(_) => "Expired",
            Self::Declined(_) => "Declined",
            Self::GaveUp => "GaveUp",
            Self::Finished => "Finished",
            Self::Stopped => "Stopped",
        }
    }
}
