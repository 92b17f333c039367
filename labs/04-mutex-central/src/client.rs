//! A client: it wants to enter a number of times. See [`crate::mutex`].

mod mistake;

use std::time::Duration;

use labs::process::{Context, Process, ProcessId};

use crate::messages::{COORDINATOR, Indication, Message, Request, Timer, Times};

/// One that wants to enter.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Client {
    times: Times,
    /// How many times it still wants to enter.
    left: u64,
    /// Its last wish, counted from 1.
    ask: u64,
    /// The greatest token that it was given.
    token: u64,
    state: State,
    /// It was told to want nothing more.
    is_stopped: bool,
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
enum State {
    /// It wants nothing, now.
    Idle,
    /// It asked, and so many times again without an answer.
    Waiting(u32),
    /// It is in its critical section, with this token.
    Inside(u64),
}

impl Client {
    /// A client that wants to enter so many times.
    pub fn new(times: Times, entries: u64) -> Self {
        let (left, state) = (entries, State::Idle);
        Self { times, left, ask: 0, token: 0, state, is_stopped: false }
    }

    /// Wants to enter again, or has done so often enough.
    fn go_on(&mut self, ctx: &mut Context<Self>) {
        if self.left > 0 {
            self.ask(ctx);
        } else {
            self.state = State::Idle;
            ctx.start_timer(Timer::Rest, Duration::ZERO);
        }
    }

    fn ask(&mut self, ctx: &mut Context<Self>) {
        self.ask += 1;
        self.state = State::Waiting(0);
        ctx.indicate(Indication::Asked(self.ask));
        ctx.send(COORDINATOR, Message::Request { ask: self.ask });
        start(ctx, Timer::Retry, self.times.retry);
    }

    fn on_wait(&mut self) {
        if let State::Waiting(_) = self.state {
            self.state = State::Waiting(0);
        }
    }

    /// The same grant may come again, and one may come that is not wanted any more.
    fn on_grant(&mut self, ctx: &mut Context<Self>, ask: u64, token: u64, lease: Duration) {
        if token <= self.token {
            return;
        }
        self.token = token;
        match self.state {
            State::Waiting(_) if ask == self.ask => {
                self.state = State::Inside(token);
                ctx.stop_timer(Timer::Retry);
                ctx.indicate(Indication::Entered(token));
                let work = self.times.work.draw(ctx);
                ctx.start_timer(Timer::Work, work);
                start(ctx, Timer::Lease, lease);
            }
            _ => {
                ctx.indicate(Indication::Declined(token));
                ctx.send(COORDINATOR, Message::Release { token });
            }
        }
    }

    fn leave(&mut self, ctx: &mut Context<Self>, token: u64) {
        ctx.stop_timer(Timer::Lease);
        self.left -= 1;
        // What the application does in the section it does now, before the coordinator hears that it is
        // over.
        ctx.indicate(Indication::Left(token));
        ctx.send(COORDINATOR, Message::Release { token });
        self.go_on(ctx);
    }

    /// The section is over, and its work is not done: it is wanted once more.
    fn abandon(&mut self, ctx: &mut Context<Self>, token: u64) {
        ctx.stop_timer(Timer::Work);
        ctx.stop_timer(Timer::Lease);
        ctx.indicate(Indication::Expired(token));
        ctx.send(COORDINATOR, Message::Release { token });
        self.ask(ctx);
    }

    /// What is written to has seen a greater token: this section was given to somebody else while it was
    /// thought to last.
    fn on_refused(&mut self, ctx: &mut Context<Self>, token: u64) {
        match self.state {
            State::Inside(inside) if token == inside => self.abandon(ctx, token),
            State::Idle => {
                self.left += 1;
                ctx.stop_timer(Timer::Rest);
                self.ask(ctx);
            }
            _ => self.left += 1,
        }
    }

    /// A client that waits leaves without a word: whoever keeps the line notices that it is gone.
    fn on_stop(&mut self, ctx: &mut Context<Self>) {
        self.is_stopped = true;
        match self.state {
            State::Inside(_) => self.left = 1,
            State::Idle | State::Waiting(_) => {
                self.state = State::Idle;
                ctx.indicate(Indication::Stopped);
            }
        }
    }

    fn finish(&mut self, ctx: &mut Context<Self>) {
        ctx.indicate(Indication::Finished);
        if self.is_stopped {
            ctx.indicate(Indication::Stopped);
        }
    }
}

impl Process for Client {
    type Request = Request;
    type Indication = Indication;
    type Message = Message;
    type Timer = Timer;

    fn on_init(&mut self, ctx: &mut Context<Self>) {
        self.go_on(ctx);
    }

    fn on_request(&mut self, ctx: &mut Context<Self>, request: Request) {
        match request {
            Request::Refused(token) => self.on_refused(ctx, token),
            Request::Stop => self.on_stop(ctx),
            // A client notices by itself that the coordinator does not answer.
            Request::Lost(_) => {}
        }
    }

    fn on_message(&mut self, ctx: &mut Context<Self>, _: ProcessId, message: Message) {
        match message {
            Message::Grant { ask, token, lease } | Message::Regrant { ask, token, lease } => {
                self.on_grant(ctx, ask, token, lease);
            }
            Message::Wait => self.on_wait(),
            // Nobody sends such a thing to a client.
            Message::Request { .. } | Message::Retry { .. } | Message::Release { .. } => {}
        }
    }

    fn on_timeout(&mut self, ctx: &mut Context<Self>, timer: Timer) {
        match (timer, &self.state) {
            (Timer::Work, &State::Inside(token)) => self.leave(ctx, token),
            (Timer::Lease, &State::Inside(token)) => self.abandon(ctx, token),
            (Timer::Retry, &State::Waiting(tries)) if tries < self.times.retries => {
                self.state = State::Waiting(tries + 1);
                ctx.send(COORDINATOR, Message::Retry { ask: self.ask });
                start(ctx, Timer::Retry, self.times.retry);
            }
            (Timer::Retry, State::Waiting(_)) => {
                self.state = State::Idle;
                ctx.indicate(Indication::GaveUp);
                ctx.indicate(Indication::Finished);
            }
            (Timer::Rest, State::Idle) => self.finish(ctx),
            _ => {}
        }
    }
}

/// Starts a timer, unless it is not to run at all.
fn start(ctx: &mut Context<Client>, timer: Timer, after: Duration) {
    if !after.is_zero() {
        ctx.start_timer(timer, after);
    }
}
