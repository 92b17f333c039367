//! How often an application sends, and to whom.

use std::time::Duration;

use labs::process::{Context, Process, ProcessId};

/// A process waits for a while, sends a message to one of the others at random, and waits again.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Pace {
    /// How long it waits.
    pub tick: Duration,
    /// How many messages it still sends; without a limit if there is none.
    pub left: Option<u64>,
}

/// The timer of an application.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Timer {
    /// When to send the next message.
    Tick,
}

impl Pace {
    /// Waits for the next tick, if there is to be one.
    pub fn wait<P: Process<Timer = Timer>>(&self, ctx: &mut Context<P>) {
        if self.left != Some(0) {
            ctx.start_timer(Timer::Tick, self.tick);
        }
    }

    /// Counts a message that is sent now.
    pub fn count(&mut self) {
        self.left = self.left.map(|left| left.saturating_sub(1));
    }
}

/// One of the others, at random; nobody if there are none.
pub fn somebody_else<P: Process>(ctx: &mut Context<P>) -> Option<ProcessId> {
    let others = ctx.processes().checked_sub(1).filter(|&others| others > 0)?;
    let chosen = ProcessId(ctx.choose(others as usize) as u32);
    Some(if chosen < ctx.me() { chosen } else { ProcessId(chosen.0 + 1) })
}
