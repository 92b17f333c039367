//! Mistakes in the lock: what the properties must notice.
//!
//! What the coordinator does wrong stands in `coordinator/mistake.rs`, what clients do in
//! `client/mistake.rs`.

use labs::mutant::{self, Needs};
use labs::process::{Context, EventOf};

use crate::mutex::Mutex;

/// The mistakes.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, clap::ValueEnum)]
pub enum Mistake {
    /// The coordinator lets in a client that asks while another is inside.
    GrantsTwo,
    /// The coordinator forgets a client that asks while another is inside.
    ForgetsWaiter,
    /// The coordinator lets in the client that came last.
    Lifo,
    /// The coordinator tells p1 to wait whenever it asks, and has it in no line: it asks again for ever.
    PutsOff,
    /// The coordinator does not hear that a section is over.
    IgnoresRelease,
    /// Clients ask twice for each entry.
    AsksTwice,
    /// All grants have the same token.
    NoFencing,
    /// The coordinator starts again with an empty book. Needs a plan of faults that restarts it.
    ForgetsBook,
}

impl mutant::Mistake<Mutex> for Mistake {
    fn happen(&mut self, mutex: &mut Mutex, ctx: &mut Context<Mutex>, event: EventOf<Mutex>) {
        match mutex {
            Mutex::Coordinator(coordinator) => {
                ctx.alike(|ctx| self.happen(coordinator, ctx, event))
            }
            Mutex::Client(client) => ctx.alike(|ctx| self.happen(client, ctx, event)),
        }
    }

    fn needs_restart(&self) -> bool {
        matches!(self, Self::ForgetsBook)
    }

    fn needs(&self) -> Needs {
        match self {
            Self::ForgetsBook => Needs {
                simulate: &["--faults", "kill 0 at 30ms; restart 0 at 40ms"],
                ..Needs::NOTHING
            },
            _ => Needs::NOTHING,
        }
    }
}
