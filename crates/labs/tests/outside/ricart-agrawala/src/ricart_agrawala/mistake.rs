//! Three mistakes, each caught by a property of its own.

use clap::ValueEnum;
use labs::process::{Context, Event, EventOf};

use super::{Message, RicartAgrawala};

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, ValueEnum)]
pub enum Mistake {
    /// A process agrees with everybody at once, even if it asked earlier
    AlwaysAgrees,
    /// A process enters when all but one have agreed
    EntersEarly,
    /// A process that leaves forgets the others that wait for it
    ForgetsOthers,
}

impl labs::mutant::Mistake<RicartAgrawala> for Mistake {
    fn happen(
        &mut self,
        process: &mut RicartAgrawala,
        ctx: &mut Context<RicartAgrawala>,
        event: EventOf<RicartAgrawala>,
    ) {
        match (&*self, &event) {
            (Self::AlwaysAgrees, Event::Message { from, message: Message::Ask { .. } }) => {
                return ctx.send(*from, Message::Agree);
            }
            (Self::EntersEarly, Event::Message { message: Message::Agree, .. }) => {
                process.agreed = process.agreed.max(1);
            }
            (Self::ForgetsOthers, Event::Timeout(_)) => process.deferred.clear(),
            _ => {}
        }
        event.happen_to(process, ctx);
    }
}
