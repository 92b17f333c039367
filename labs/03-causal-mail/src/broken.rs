//! Servers and users that are wrong, one mistake each: what the properties must notice.

use std::sync::Arc;

use labs::process::{Context, Process, ProcessId};
use serde::{Deserialize, Serialize};

use crate::causal_mail::{Indication, Mail, Mailer, Message, Request, Timer};
use crate::ordering::Order;

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
    /// Users read mails as they arrive.
    IgnoresClock,
    /// Users learn nothing from the stamps of what they read.
    LearnsNothing,
    /// Users take what the stamp says of mails to others for mails to themselves, and wait for them.
    WaitsForOthers,
    /// Everyone takes a mail that was sent again for a new one. It shows where messages are lost or doubled.
    TakesTwice,
    /// Servers acknowledge what is not in stable storage. It shows where servers restart.
    AcksTooEarly,
}

/// A process with a mistake in it.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct BrokenMailer {
    mailer: Mailer,
    broken: Broken,
}

impl BrokenMailer {
    /// Puts a mistake into a process.
    pub fn new(mut mailer: Mailer, broken: Broken) -> Self {
        if let (Mailer::User(user), Broken::IgnoresClock) = (&mut mailer, broken) {
            user.inbox.set_order(Order::None);
        }
        Self { mailer, broken }
    }

    /// What is left of it after a crash.
    #[must_use]
    pub fn stable(&self) -> Self {
        let mut stable = self.clone();
        stable.crash();
        stable.mailer = stable.mailer.stable();
        stable
    }

    fn crash(&mut self) {
        if let (Mailer::Server(server), Broken::AcksTooEarly) = (&mut self.mailer, self.broken) {
            server.courier.forget_kept();
        }
    }

    /// What the process makes of a message before it handles it as it should.
    fn mistake(&mut self, me: ProcessId, from: ProcessId, message: Message) -> Message {
        match (self.broken, message) {
            (Broken::WaitsForOthers, Message::Hand(number, mut mail)) => {
                wait_for_others(me, &mut mail);
                Message::Hand(number, mail)
            }
            (
                Broken::TakesTwice,
                message @ (Message::Submit(number, _)
                | Message::Forward(number, _)
                | Message::Hand(number, _)),
            ) => {
                self.mailer.courier_mut().forget_taking(from, number);
                if let (Mailer::User(user), Message::Hand(_, mail)) = (&mut self.mailer, &message) {
                    user.knowledge.forget_reading(&mail.envelope);
                }
                message
            }
            (_, message) => message,
        }
    }
}

fn wait_for_others(me: ProcessId, mail: &mut Mail) {
    let mut clock = (*mail.envelope.clock).clone();
    for (from, _, count) in mail.envelope.clock.entries() {
        clock.learn(from, &me, count);
    }
    mail.envelope.clock = Arc::new(clock);
}

impl Process for BrokenMailer {
    type Request = Request;
    type Indication = Indication;
    type Message = Message;
    type Timer = Timer;

    fn on_init(&mut self, ctx: &mut Context<Self>) {
        ctx.wrap(|ctx| self.mailer.on_init(ctx));
    }

    fn on_request(&mut self, ctx: &mut Context<Self>, request: Request) {
        for neighbour in self.mailer.courier().awaited() {
            ctx.stop_timer(Timer::Retry(neighbour));
        }
        self.crash();
        ctx.wrap(|ctx| self.mailer.on_request(ctx, request));
    }

    fn on_message(&mut self, ctx: &mut Context<Self>, from: ProcessId, message: Message) {
        let taken = self.mailer.courier().last_taken(from);
        let message = self.mistake(ctx.me(), from, message);
        if let (Mailer::User(user), Broken::LearnsNothing) = (&mut self.mailer, self.broken) {
            user.knowledge.learn_nothing();
        }
        ctx.wrap(|ctx| self.mailer.on_message(ctx, from, message));
        if self.broken == Broken::TakesTwice {
            self.mailer.courier_mut().remember_taking(from, taken);
        }
    }

    fn on_timeout(&mut self, ctx: &mut Context<Self>, timer: Timer) {
        ctx.wrap(|ctx| self.mailer.on_timeout(ctx, timer));
    }
}
