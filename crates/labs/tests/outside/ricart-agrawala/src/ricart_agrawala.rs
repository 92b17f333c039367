//! Mutual exclusion by permission.
//!
//! After Ricart and Agrawala, *An optimal algorithm for mutual exclusion in computer networks*,
//! CACM 24(1), 1981.
//!
//! **The algorithm.** A process that wants to enter its critical section asks all others (ASK),
//! with the time of its logical clock, and enters when all have agreed (AGREE). A process agrees
//! at once, unless it is in its own section or asked for it earlier: then it agrees when it
//! leaves. Ranks decide between equal times.
//!
//! **Why it is correct.** Of two processes that both ask, each hears of the other's request, and
//! one of the requests is earlier. That process does not agree before it has left. So its exit
//! happens before its AGREE, and its AGREE before the entry of the other. Nobody waits for ever:
//! the earliest request of all waits for nobody but a process that is inside.
//!
//! **Assumptions.** Every message arrives, once; processes do not fail. Messages may overtake each
//! other.
//!
//! **Cost.** 2(N−1) messages for each section, N−1 of each kind.
//!
//! **Left out.** A permission that is kept until somebody else asks for it (Carvalho and
//! Roucairol, CACM 26(2), 1983): then a section costs 0 to 2(N−1) messages.

mod mistake;

use std::collections::BTreeSet;
use std::time::Duration;

use labs::process::{Context, Kind, Never, Process, ProcessId};
use serde::{Deserialize, Serialize};

pub use self::mistake::Mistake;

/// How long a process stays in its critical section.
const WORK: Duration = Duration::from_millis(1);

/// One process.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RicartAgrawala {
    /// The latest time that it has heard of.
    clock: u64,
    entries_left: u32,
    /// When it asked, while it waits or is inside. Of two requests the smaller comes first.
    asked: Option<(u64, ProcessId)>,
    /// How many others have agreed.
    agreed: u32,
    /// The processes that it agrees with when it leaves.
    deferred: BTreeSet<ProcessId>,
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Message {
    Ask { at: u64 },
    Agree,
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
pub enum Indication {
    Asked,
    Entered,
    Left,
    Finished,
}

/// Runs out when the process leaves its critical section.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Leave;

impl RicartAgrawala {
    pub fn new(entries: u32) -> Self {
        Self { entries_left: entries, ..Self::default() }
    }

    fn ask(&mut self, ctx: &mut Context<Self>) {
        if self.entries_left == 0 {
            return ctx.indicate(Indication::Finished);
        }
        self.entries_left -= 1;
        self.clock = self.clock.saturating_add(1);
        self.asked = Some((self.clock, ctx.me()));
        self.agreed = 0;
        ctx.indicate(Indication::Asked);
        ctx.send_to_others(Message::Ask { at: self.clock });
    }

    fn on_ask(&mut self, ctx: &mut Context<Self>, from: ProcessId, at: u64) {
        self.clock = self.clock.max(at);
        if self.asked.is_some_and(|asked| asked < (at, from)) {
            self.deferred.insert(from);
        } else {
            ctx.send(from, Message::Agree);
        }
    }

    fn on_agree(&mut self, ctx: &mut Context<Self>) {
        self.agreed += 1;
        if self.agreed == ctx.processes() - 1 {
            ctx.indicate(Indication::Entered);
            ctx.start_timer(Leave, WORK);
        }
    }
}

impl Process for RicartAgrawala {
    type Request = Never;
    type Indication = Indication;
    type Message = Message;
    type Timer = Leave;

    fn on_init(&mut self, ctx: &mut Context<Self>) {
        self.ask(ctx);
    }

    fn on_message(&mut self, ctx: &mut Context<Self>, from: ProcessId, message: Message) {
        match message {
            Message::Ask { at } => self.on_ask(ctx, from, at),
            Message::Agree => self.on_agree(ctx),
        }
    }

    fn on_timeout(&mut self, ctx: &mut Context<Self>, Leave: Leave) {
        self.asked = None;
        ctx.indicate(Indication::Left);
        for process in std::mem::take(&mut self.deferred) {
            ctx.send(process, Message::Agree);
        }
        self.ask(ctx);
    }
}
