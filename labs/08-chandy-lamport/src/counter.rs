//! The counter: processes that count their steps and tell each other.
//!
//! Nothing is conserved, so that a wrong global state does not show by a sum.

use std::convert::Infallible;

use labs::process::{Context, Kind, Process, ProcessId};
use serde::{Deserialize, Serialize};

use crate::pace::{Pace, Timer, somebody_else};
use crate::snapshot::Worth;

/// One process that counts.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Counter {
    /// When it counts.
    pub pace: Pace,
    /// What it has counted.
    pub tally: Tally,
}

/// What a process has counted: the part of its state that is worth keeping.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
pub struct Tally {
    /// Its own steps.
    pub count: u64,
    /// The greatest count that it was told.
    pub greatest: u64,
}

/// The sender's count.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Count(pub u64);

impl Process for Counter {
    type Request = Infallible;
    type Indication = Infallible;
    type Message = Count;
    type Timer = Timer;

    fn on_init(&mut self, ctx: &mut Context<Self>) {
        self.pace.wait(ctx);
    }

    fn on_request(&mut self, _: &mut Context<Self>, request: Infallible) {
        match request {}
    }

    fn on_message(&mut self, _: &mut Context<Self>, _: ProcessId, Count(count): Count) {
        self.tally.greatest = self.tally.greatest.max(count);
    }

    fn on_timeout(&mut self, ctx: &mut Context<Self>, Timer::Tick: Timer) {
        let Some(to) = somebody_else(ctx) else { return };
        self.tally.count += 1;
        ctx.send(to, Count(self.tally.count));
        self.pace.count();
        self.pace.wait(ctx);
    }
}

impl Worth for Counter {}

impl Kind for Count {
    fn kind(&self) -> &'static str {
        "COUNT"
    }
}
