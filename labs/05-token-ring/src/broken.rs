//! Token rings that are wrong, one mistake each: what the properties must notice.
//!
//! In each of them p1 misbehaves and the others follow the algorithm.

use std::convert::Infallible;

use labs::process::{Context, Process, ProcessId};
use serde::{Deserialize, Serialize};

use crate::token_ring::{Indication, Message, Timer, TokenRing};

/// The mistakes.
#[derive(
    Clone,
    Copy,
    Debug,
    Deserialize,
    Eq,
    Hash,
    Ord,
    PartialEq,
    PartialOrd,
    Serialize,
    clap::ValueEnum,
)]
pub enum Broken {
    /// p1 makes a token of its own.
    SecondToken,
    /// p1 never passes the token on.
    KeepsToken,
    /// p1 enters its critical section without waiting for the token.
    EntersWithoutToken,
    /// p1 sends the token to its successor and back to its predecessor.
    SendsBothWays,
}

/// A token ring with a mistake in it.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct BrokenTokenRing {
    ring: TokenRing,
    broken: Broken,
}

const CULPRIT: ProcessId = ProcessId(1);

/// p1's successor is its parent.
const SUCCESSOR: ProcessId = ProcessId(0);

impl BrokenTokenRing {
    /// Puts a mistake into a process.
    pub fn new(ring: TokenRing, broken: Broken) -> Self {
        Self { ring, broken }
    }

    fn properly(
        &mut self,
        ctx: &mut Context<Self>,
        event: impl FnOnce(&mut TokenRing, &mut Context<TokenRing>),
    ) {
        ctx.wrap(|ctx| event(&mut self.ring, ctx));
    }
}

impl Process for BrokenTokenRing {
    type Request = Infallible;
    type Indication = Indication;
    type Message = Message;
    type Timer = Timer;

    fn on_init(&mut self, ctx: &mut Context<Self>) {
        self.properly(ctx, TokenRing::on_init);
    }

    fn on_request(&mut self, _: &mut Context<Self>, request: Infallible) {
        match request {}
    }

    fn on_message(&mut self, ctx: &mut Context<Self>, from: ProcessId, message: Message) {
        let (is_roll, token) = match &message {
            Message::Roll(_) => (true, None),
            Message::Token { lap } => (false, Some(*lap)),
            Message::Ring(_) => (false, None),
        };
        if ctx.me() == CULPRIT && self.broken == Broken::KeepsToken && token.is_some() {
            return;
        }
        self.properly(ctx, |ring, ctx| ring.on_message(ctx, from, message));
        if ctx.me() != CULPRIT {
            return;
        }
        match (self.broken, token) {
            (Broken::SecondToken, None) if is_roll => {
                ctx.indicate(Indication::Created);
                ctx.send(SUCCESSOR, Message::Token { lap: 1 });
            }
            (Broken::EntersWithoutToken, None) if is_roll => {
                ctx.indicate(Indication::Entered);
                ctx.indicate(Indication::Left);
            }
            (Broken::SendsBothWays, Some(lap)) => ctx.send(from, Message::Token { lap }),
            _ => {}
        }
    }

    fn on_timeout(&mut self, ctx: &mut Context<Self>, timer: Timer) {
        self.properly(ctx, |ring, ctx| ring.on_timeout(ctx, timer));
    }
}
