//! What clients do wrong.

use labs::mutant;
use labs::process::{Context, Event, EventOf};

use super::Client;
use crate::messages::{COORDINATOR, Message};
use crate::mistake::Mistake;

/// The token of all, where nobody looks at tokens.
const SAME: u64 = 1;

impl mutant::Mistake<Client> for Mistake {
    fn happen(
        &mut self,
        client: &mut Client,
        ctx: &mut Context<Client>,
        mut event: EventOf<Client>,
    ) {
        if let (Self::NoFencing, Event::Message { message: Message::Grant { token, .. }, .. }) =
            (*self, &mut event)
        {
            client.token = 0;
            *token = SAME;
        }
        let before = client.ask;
        let is_put_off = matches!(event, Event::Message { message: Message::Wait, .. });
        event.happen_to(client, ctx);
        // Where there is no timer to ask again, it does so at once.
        if *self == Self::PutsOff && is_put_off && client.times.retry.is_zero() {
            ctx.send(COORDINATOR, Message::Retry { ask: client.ask });
        }
        if *self == Self::AsksTwice && client.ask > before {
            ctx.send(COORDINATOR, Message::Request { ask: client.ask });
        }
    }
}
