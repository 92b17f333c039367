//! Four mistakes in the token ring, each caught by a property of its own.
//!
//! In each of them p1 misbehaves and the others follow the algorithm.

use labs::mutant;
use labs::process::{Context, Event, EventOf, ProcessId};

use super::{Indication, Message, TokenRing};

/// The mistakes.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, clap::ValueEnum)]
pub enum Mistake {
    /// p1 makes a token of its own.
    SecondToken,
    /// p1 drops the first token that reaches it.
    KeepsToken,
    /// p1 enters its critical section at the roll call, without the token.
    EntersWithoutToken,
    /// p1 sends a second token back to where it came from, which is not its successor.
    SendsBothWays,
}

const CULPRIT: ProcessId = ProcessId(1);

/// p1's successor is its parent.
const SUCCESSOR: ProcessId = ProcessId(0);

impl mutant::Mistake<TokenRing> for Mistake {
    fn happen(
        &mut self,
        ring: &mut TokenRing,
        ctx: &mut Context<TokenRing>,
        event: EventOf<TokenRing>,
    ) {
        let arrived = match &event {
            Event::Message { from, message } if ctx.me() == CULPRIT => {
                Some((*from, message.clone()))
            }
            _ => None,
        };
        if let (Self::KeepsToken, Some((_, Message::Token { .. }))) = (*self, &arrived) {
            return;
        }
        event.happen_to(ring, ctx);
        match (*self, arrived) {
            (Self::SecondToken, Some((_, Message::Roll(_)))) => {
                ctx.indicate(Indication::Created);
                ctx.send(SUCCESSOR, Message::Token { lap: 1 });
            }
            (Self::EntersWithoutToken, Some((_, Message::Roll(_)))) => {
                ctx.indicate(Indication::Entered);
                ctx.indicate(Indication::Left);
            }
            (Self::SendsBothWays, Some((from, token @ Message::Token { .. }))) => {
                ctx.send(from, token);
            }
            _ => {}
        }
    }
}
