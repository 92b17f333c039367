//! Mistakes in the numbering, and in the layer below it.

use labs::mutant;
use labs::process::{Context, Event, EventOf};

use super::{Message, Numbering};
use crate::election::Mistake;

impl mutant::Mistake<Numbering> for Mistake {
    fn happen(
        &mut self,
        numbering: &mut Numbering,
        ctx: &mut Context<Numbering>,
        event: EventOf<Numbering>,
    ) {
        match event {
            Event::Message { message: Message::Number(number), .. }
                if *self == Self::NumberingSkips =>
            {
                numbering.on_number(ctx, number.saturating_add(1));
            }
            Event::Message { from, message: Message::Election(message) } => {
                let event = Event::Message { from, message };
                numbering.on_election(ctx, |election, ctx| self.happen(election, ctx, event));
            }
            Event::Init => {
                numbering.on_election(ctx, |election, ctx| self.happen(election, ctx, Event::Init));
            }
            event => event.happen_to(numbering, ctx),
        }
    }
}
