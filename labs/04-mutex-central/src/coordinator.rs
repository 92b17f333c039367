//! The coordinator: a line, who is inside, and the last token. See [`crate::mutex`].

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use labs::process::{Context, ProcessId};
use serde::{Deserialize, Serialize};

use crate::mutex::{Indication, Message, Mutex, Timer, Times};

/// The one that lets clients in.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Coordinator {
    book: Book,
    /// What is on stable storage; nothing if there is none.
    stored: Option<Book>,
    /// How long a client may stay inside; zero: for ever.
    lease: Duration,
}

/// What the coordinator must not forget.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Book {
    /// The last token that was given, 0 before the first.
    pub token: u64,
    /// Who is inside, with the last token.
    pub inside: Option<Wish>,
    /// Who waits; the first stands in front.
    pub line: VecDeque<Wish>,
    /// The last wish of each client that is in the line, inside, or fulfilled.
    pub wishes: BTreeMap<ProcessId, u64>,
}

/// One client's wish to enter.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Wish {
    /// Whose.
    pub client: ProcessId,
    /// Which of its wishes, counted from 1.
    pub ask: u64,
}

impl Coordinator {
    /// A coordinator that has heard of nobody. `keeps` says whether it has stable storage.
    pub fn new(times: Times, keeps: bool) -> Self {
        Self { book: Book::default(), stored: keeps.then(Book::default), lease: times.lease }
    }

    /// The same with what stable storage kept.
    #[must_use]
    pub fn with_book(self, book: Book) -> Self {
        Self { stored: Some(book.clone()), book, ..self }
    }

    /// The one that starts again where this one died.
    pub(crate) fn recovered(&self) -> Option<Self> {
        self.stored.clone().map(|book| self.clone().with_book(book))
    }

    /// The book, for those who make mistakes in it.
    pub(crate) fn book_mut(&mut self) -> &mut Book {
        &mut self.book
    }

    pub(crate) fn on_init(&mut self, ctx: &mut Context<Mutex>) {
        ctx.indicate(Indication::Ready);
        // What follows is for one that starts again.
        for wish in &self.book.line {
            ctx.indicate(Indication::Queued(wish.client.0));
        }
        if let Some(Wish { client, ask }) = self.book.inside {
            ctx.send(client, self.regrant(ask));
            self.start_lease(ctx);
        }
        self.go_on(ctx);
    }

    /// A client wants to enter, perhaps not for the first time.
    pub(crate) fn on_ask(
        &mut self,
        ctx: &mut Context<Mutex>,
        client: ProcessId,
        ask: u64,
        is_retry: bool,
    ) {
        let wish = Wish { client, ask };
        let known = self.book.wishes.get(&client).copied().unwrap_or(0);
        if ask > known {
            self.book.wishes.insert(client, ask);
            self.forget(ctx, client);
            self.book.line.push_back(wish);
            ctx.indicate(Indication::Queued(client.0));
            self.go_on(ctx);
        } else if self.book.inside == Some(wish) {
            ctx.send(client, self.regrant(ask));
        } else if is_retry && self.book.line.contains(&wish) {
            ctx.send(client, Message::Wait);
        }
    }

    /// A client that has a new wish does not stand in the line with an old one, nor is it inside any more.
    fn forget(&mut self, ctx: &mut Context<Mutex>, client: ProcessId) {
        if self.book.inside.is_some_and(|wish| wish.client == client) {
            ctx.indicate(Indication::Over(self.book.token));
            self.end(ctx);
        }
        self.leave_line(ctx, client);
    }

    fn leave_line(&mut self, ctx: &mut Context<Mutex>, client: ProcessId) {
        let before = self.book.line.len();
        self.book.line.retain(|wish| wish.client != client);
        if self.book.line.len() < before {
            ctx.indicate(Indication::Dropped(client.0));
        }
    }

    pub(crate) fn on_release(&mut self, ctx: &mut Context<Mutex>, from: ProcessId, token: u64) {
        let is_inside = self.book.inside.is_some_and(|wish| wish.client == from);
        if is_inside && token == self.book.token {
            self.end(ctx);
            self.go_on(ctx);
        }
    }

    /// The connection to a client has ended. If the client lives, it will ask again.
    pub(crate) fn on_lost(&mut self, ctx: &mut Context<Mutex>, client: ProcessId) {
        if self.book.inside.is_some_and(|wish| wish.client == client) {
            self.revoke(ctx);
        } else if self.book.line.iter().any(|wish| wish.client == client) {
            self.leave_line(ctx, client);
            self.unwish(client);
        }
        self.go_on(ctx);
    }

    pub(crate) fn on_lease_over(&mut self, ctx: &mut Context<Mutex>) {
        self.revoke(ctx);
        self.go_on(ctx);
    }

    fn revoke(&mut self, ctx: &mut Context<Mutex>) {
        if let Some(wish) = self.book.inside {
            ctx.indicate(Indication::Revoked(self.book.token));
            self.end(ctx);
            self.unwish(wish.client);
        }
    }

    /// The last wish of a client was not fulfilled: should it ask again, that is a wish as if it were new.
    fn unwish(&mut self, client: ProcessId) {
        if let Some(ask) = self.book.wishes.get_mut(&client) {
            *ask = ask.saturating_sub(1);
        }
    }

    fn end(&mut self, ctx: &mut Context<Mutex>) {
        self.book.inside = None;
        if !self.lease.is_zero() {
            ctx.stop_timer(Timer::Lease);
        }
    }

    /// Lets the next in, if nobody is inside; and has everything stored before anybody hears of it.
    fn go_on(&mut self, ctx: &mut Context<Mutex>) {
        let next = match self.book.inside {
            None => self.book.line.pop_front(),
            Some(_) => None,
        };
        if let Some(wish) = next {
            self.book.inside = Some(wish);
            self.book.token += 1;
            ctx.indicate(Indication::Granted(wish.client.0));
        }
        if self.stored.as_ref().is_some_and(|stored| *stored != self.book) {
            self.stored = Some(self.book.clone());
            ctx.indicate(Indication::Stored(self.book.clone()));
        }
        if let Some(Wish { client, ask }) = next {
            let (token, lease) = (self.book.token, self.lease);
            ctx.send(client, Message::Grant { ask, token, lease });
            self.start_lease(ctx);
        }
    }

    fn start_lease(&self, ctx: &mut Context<Mutex>) {
        if !self.lease.is_zero() {
            // The client counts from the arrival of GRANT: what that may take, and what two clocks may drift
            // apart, is the quarter.
            ctx.start_timer(Timer::Lease, self.lease + self.lease / 4);
        }
    }

    fn regrant(&self, ask: u64) -> Message {
        Message::Regrant { ask, token: self.book.token, lease: self.lease }
    }
}
