//! What the coordinator does wrong.

use labs::mutant;
use labs::process::{Context, Event, EventOf, ProcessId};

use super::Coordinator;
use crate::book::Book;
use crate::messages::Message;
use crate::mistake::Mistake;

/// The client that is put off for ever.
const VICTIM: ProcessId = ProcessId(1);

impl mutant::Mistake<Coordinator> for Mistake {
    fn happen(
        &mut self,
        coordinator: &mut Coordinator,
        ctx: &mut Context<Coordinator>,
        mut event: EventOf<Coordinator>,
    ) {
        let book = &mut coordinator.book;
        let mut is_request = false;
        match (*self, &mut event) {
            (Self::ForgetsBook, Event::Init) => {
                *book = Book::default();
                coordinator.stored = coordinator.stored.take().map(|_| Book::default());
            }
            (Self::GrantsTwo, Event::Message { message: Message::Request { .. }, .. }) => {
                book.inside = None;
            }
            (Self::ForgetsWaiter, Event::Message { message: Message::Request { .. }, .. }) => {
                is_request = true;
            }
            (Self::Lifo, Event::Message { message: Message::Release { .. }, .. }) => {
                book.line.rotate_right(usize::from(book.line.len() > 1));
            }
            (
                Self::PutsOff,
                Event::Message {
                    from: VICTIM,
                    message: Message::Request { .. } | Message::Retry { .. },
                },
            ) => {
                ctx.send(VICTIM, Message::Wait);
                return;
            }
            (Self::IgnoresRelease, Event::Message { message: Message::Release { .. }, .. }) => {
                return;
            }
            (Self::NoFencing, Event::Message { message: Message::Release { token }, .. }) => {
                *token = book.token;
            }
            _ => {}
        }
        event.happen_to(coordinator, ctx);
        if is_request && coordinator.book.inside.is_some() {
            coordinator.book.line.pop_back();
        }
    }
}
