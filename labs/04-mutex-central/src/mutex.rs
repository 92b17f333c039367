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
//! grant and lets the next in. That keeps sections apart as long as each delay, and what two clocks drift
//! apart within a lease, is less than that quarter: it is the one assumption about time here. (Work that takes
//! more than three quarters of the lease leaves less: see `delay_max` in [`crate::lab`].) No algorithm
//! can know that it holds. A client may be stopped between looking at its clock and writing.
//!
//! **Fencing.** So every grant has a number that was never given before, its *token*. What is written to
//! refuses a token smaller than one that it has seen. That assumes nothing about time. See
//! [`shared_file`](crate::shared_file), and [`GrowingTokens`](crate::properties::GrowingTokens) for what is
//! demanded of the tokens themselves.
//!
//! **What gets lost.** Clients ask again (RETRY) while they wait, and are told WAIT, or once more what they were
//! granted (REGRANT), from when on the lease counts anew. Each time that a client wants to enter it asks under a new number, so the coordinator
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

use labs::process::{Context, Process, ProcessId};

use crate::client::Client;
use crate::coordinator::Coordinator;
use crate::messages::{Indication, Message, Request, Timer};

/// One process: the coordinator, or a client.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Mutex {
    /// p0.
    Coordinator(Coordinator),
    /// All others.
    Client(Client),
}

impl Process for Mutex {
    type Request = Request;
    type Indication = Indication;
    type Message = Message;
    type Timer = Timer;

    fn on_init(&mut self, ctx: &mut Context<Self>) {
        match self {
            Self::Coordinator(coordinator) => ctx.alike(|ctx| coordinator.on_init(ctx)),
            Self::Client(client) => ctx.alike(|ctx| client.on_init(ctx)),
        }
    }

    fn on_request(&mut self, ctx: &mut Context<Self>, request: Request) {
        match self {
            Self::Coordinator(coordinator) => ctx.alike(|ctx| coordinator.on_request(ctx, request)),
            Self::Client(client) => ctx.alike(|ctx| client.on_request(ctx, request)),
        }
    }

    fn on_message(&mut self, ctx: &mut Context<Self>, from: ProcessId, message: Message) {
        match self {
            Self::Coordinator(coordinator) => {
                ctx.alike(|ctx| coordinator.on_message(ctx, from, message));
            }
            Self::Client(client) => ctx.alike(|ctx| client.on_message(ctx, from, message)),
        }
    }

    fn on_timeout(&mut self, ctx: &mut Context<Self>, timer: Timer) {
        match self {
            Self::Coordinator(coordinator) => ctx.alike(|ctx| coordinator.on_timeout(ctx, timer)),
            Self::Client(client) => ctx.alike(|ctx| client.on_timeout(ctx, timer)),
        }
    }

    fn recovered(&self) -> Option<Self> {
        match self {
            Self::Coordinator(coordinator) => coordinator.recovered().map(Self::Coordinator),
            Self::Client(client) => client.recovered().map(Self::Client),
        }
    }
}
