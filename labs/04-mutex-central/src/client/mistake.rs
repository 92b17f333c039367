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
        event.happen_to(client, ctx);
        if *self == Self::AsksTwice && client.ask > before {
            ctx.send(COORDINATOR, Message::Request { ask: client.ask });
        }
    }
}
