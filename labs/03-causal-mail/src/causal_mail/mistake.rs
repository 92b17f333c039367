//! Servers and users that are wrong, one mistake each: what the properties must notice.

use std::sync::Arc;

use labs::mutant::{self, Needs};
use labs::process::{Context, Event, EventOf, Process, ProcessId};

use super::{Mail, Mailer, Message, Timer};
use crate::ordering::{Inbox, Order};

/// The mistakes.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, clap::ValueEnum)]
pub enum Mistake {
    /// Users read mails as they arrive.
    IgnoresClock,
    /// Users learn nothing from the stamps of what they read.
    LearnsNothing,
    /// Users take what the stamp says of mails to others for mails to themselves, and wait for
    /// them.
    WaitsForOthers,
    /// Everyone takes a mail that was sent again for a new one. It shows where messages are lost or
    /// doubled.
    TakesTwice,
    /// Servers acknowledge what is not in stable storage. It shows where servers restart.
    AcksTooEarly,
}

impl mutant::Mistake<Mailer> for Mistake {
    fn happen(
        &mut self,
        mailer: &mut Mailer,
        ctx: &mut Context<Mailer>,
        mut event: EventOf<Mailer>,
    ) {
        match (*self, &mut *mailer, &mut event) {
            (Self::IgnoresClock, Mailer::User(user), Event::Init) => {
                user.inbox = Inbox::new(Order::None);
            }
            (Self::LearnsNothing, _, Event::Message { message: Message::Hand(_, mail), .. }) => {
                let me = ctx.me();
                mail.envelope.clock = Arc::new(mail.envelope.clock.only(|_, to| *to == me));
            }
            (Self::WaitsForOthers, _, Event::Message { message: Message::Hand(_, mail), .. }) => {
                wait_for_others(ctx.me(), mail);
            }
            // It starts again: as the first event after a crash, or because it is asked to.
            (Self::AcksTooEarly, Mailer::Server(server), Event::Init | Event::Request(_)) => {
                for neighbour in server.courier.awaited() {
                    ctx.stop_timer(Timer::Retry(neighbour));
                }
                server.courier.forget_kept();
            }
            (Self::TakesTwice, _, Event::Message { from, message }) => {
                return take_again(mailer, ctx, *from, message.clone());
            }
            _ => {}
        }
        event.happen_to(mailer, ctx);
    }

    fn needs_restart(&self) -> bool {
        matches!(self, Self::AcksTooEarly)
    }

    fn needs(&self) -> Needs {
        match self {
            // A way round must be faster than the straight one; `simulate` has one that is, as a rule.
            Self::IgnoresClock | Self::LearnsNothing => {
                Needs { run: &["--faults", "delay 0->2 300ms"], ..Needs::NOTHING }
            }
            Self::WaitsForOthers => Needs::NOTHING,
            Self::TakesTwice => Needs {
                simulate: &["--duplication", "20%"],
                check: &["--duplicates", "1"],
                run: &["--faults", "duplicate 50%"],
            },
            // What a server has acknowledged is not handed on, and then the server loses its power.
            Self::AcksTooEarly => Needs {
                simulate: &[
                    "--faults",
                    "drop 0->1,2 from 0ms to 30ms; kill 0 at 30ms; restart 0 at 35ms",
                ],
                check: &["--restarts", "1", "--losses", "1"],
                run: &[],
            },
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

fn take_again(mailer: &mut Mailer, ctx: &mut Context<Mailer>, from: ProcessId, message: Message) {
    let taken = mailer.courier().last_taken(from);
    if let Message::Submit(number, mail)
    | Message::Forward(number, mail)
    | Message::Hand(number, mail) = &message
    {
        mailer.courier_mut().forget_taking(from, *number);
        if let Mailer::User(user) = mailer {
            user.knowledge.forget_reading(&mail.envelope);
        }
    }
    mailer.on_message(ctx, from, message);
    mailer.courier_mut().remember_taking(from, taken);
}
