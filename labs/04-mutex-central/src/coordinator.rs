//! The coordinator: a line, the client that is inside, and the last token. See [`crate::mutex`].

mod mistake;

use std::time::Duration;

use labs::process::{Context, Process, ProcessId};

use crate::book::{Book, Wish};
use crate::messages::{Indication, Message, Request, Timer, Times};

/// The one that lets clients in.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Coordinator {
    book: Book,
    /// What is on stable storage; nothing if there is none.
    stored: Option<Book>,
    /// How long a client may stay inside; zero: for ever.
    lease: Duration,
}

impl Coordinator {
    /// A coordinator that has heard of nobody, and has no stable storage.
    pub fn new(times: Times) -> Self {
        Self { book: Book::default(), stored: None, lease: times.lease }
    }

    /// The same with stable storage, which has kept this.
    #[must_use]
    pub fn with_book(self, book: Book) -> Self {
        Self { stored: Some(book.clone()), book, ..self }
    }

    /// A client wants to enter, perhaps not for the first time.
    fn on_ask(&mut self, ctx: &mut Context<Self>, wish: Wish) {
        let Wish { client, ask } = wish;
        let known = self.book.wishes.get(&client).copied().unwrap_or(0);
        if ask > known {
            self.book.wishes.insert(client, ask);
            self.forget(ctx, client);
            self.book.line.push_back(wish);
            ctx.indicate(Indication::Queued(client.0));
            self.go_on(ctx);
        } else if self.book.inside == Some(wish) {
            // The client counts from the arrival of this one, so the lease begins anew.
            ctx.send(client, self.regrant(ask));
            self.start_lease(ctx);
        }
    }

    /// A client has heard nothing for a while.
    fn on_retry(&mut self, ctx: &mut Context<Self>, wish: Wish) {
        if self.book.line.contains(&wish) {
            ctx.send(wish.client, Message::Wait);
        } else {
            self.on_ask(ctx, wish);
        }
    }

    /// A client that has a new wish does not stand in the line with an old one, nor is it inside any more.
    fn forget(&mut self, ctx: &mut Context<Self>, client: ProcessId) {
        if self.book.inside.is_some_and(|wish| wish.client == client) {
            ctx.indicate(Indication::Over(self.book.token));
            self.end(ctx);
        }
        self.leave_line(ctx, client);
    }

    fn leave_line(&mut self, ctx: &mut Context<Self>, client: ProcessId) {
        let before = self.book.line.len();
        self.book.line.retain(|wish| wish.client != client);
        if self.book.line.len() < before {
            ctx.indicate(Indication::Dropped(client.0));
        }
    }

    fn on_release(&mut self, ctx: &mut Context<Self>, from: ProcessId, token: u64) {
        let is_inside = self.book.inside.is_some_and(|wish| wish.client == from);
        if is_inside && token == self.book.token {
            self.end(ctx);
            self.go_on(ctx);
        }
    }

    /// The connection to a client has ended. If the client lives, it will ask again.
    fn on_lost(&mut self, ctx: &mut Context<Self>, client: ProcessId) {
        if self.book.inside.is_some_and(|wish| wish.client == client) {
            self.revoke(ctx);
        } else if self.book.line.iter().any(|wish| wish.client == client) {
            self.leave_line(ctx, client);
            self.unwish(client);
        }
        self.go_on(ctx);
    }

    fn revoke(&mut self, ctx: &mut Context<Self>) {
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

    fn end(&mut self, ctx: &mut Context<Self>) {
        self.book.inside = None;
        if !self.lease.is_zero() {
            ctx.stop_timer(Timer::Lease);
        }
    }

    /// Lets the next in, if nobody is inside; and has everything stored before anybody hears of it.
    fn go_on(&mut self, ctx: &mut Context<Self>) {
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

    fn start_lease(&self, ctx: &mut Context<Self>) {
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

impl Process for Coordinator {
    type Request = Request;
    type Indication = Indication;
    type Message = Message;
    type Timer = Timer;

    fn on_init(&mut self, ctx: &mut Context<Self>) {
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

    fn on_request(&mut self, ctx: &mut Context<Self>, request: Request) {
        match request {
            Request::Lost(client) => self.on_lost(ctx, client),
            // That is asked of clients.
            Request::Refused(_) | Request::Stop => {}
        }
    }

    fn on_message(&mut self, ctx: &mut Context<Self>, from: ProcessId, message: Message) {
        match message {
            Message::Request { ask } => self.on_ask(ctx, Wish { client: from, ask }),
            Message::Retry { ask } => self.on_retry(ctx, Wish { client: from, ask }),
            Message::Release { token } => self.on_release(ctx, from, token),
            // Nobody sends such a thing to the coordinator.
            Message::Grant { .. } | Message::Regrant { .. } | Message::Wait => {}
        }
    }

    /// The lease is over: no other timer is started here.
    fn on_timeout(&mut self, ctx: &mut Context<Self>, _: Timer) {
        self.revoke(ctx);
        self.go_on(ctx);
    }

    fn recovered(&self) -> Option<Self> {
        self.stored.clone().map(|book| self.clone().with_book(book))
    }
}
