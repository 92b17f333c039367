//! Detectors that are wrong, one mistake each: what the properties must notice.
//!
//! Both detectors make the mistake. Watched processes only answer, and there is little to do wrong in that.

use std::convert::Infallible;

use labs::process::{Context, Effect, Process, ProcessId};
use serde::{Deserialize, Serialize};

use crate::lists::List;
use crate::two_levels::{Indication, Message, Timer, TwoLevels};

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
    /// Suspects nobody, however long the silence.
    NeverSuspects,
    /// Takes no answer from whom it suspects: nobody is ever restored.
    SuspectsForEver,
    /// Keeps to itself what it finds out.
    ForgetsToTell,
    /// Puts whom it suspects on the list of the dead, and leaves it on that of the living.
    ListsTwice,
}

/// A process with a mistake in it.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct BrokenTwoLevels {
    process: TwoLevels,
    broken: Broken,
}

impl BrokenTwoLevels {
    /// Puts a mistake into a process.
    pub fn new(mut process: TwoLevels, broken: Broken) -> Self {
        if let (Broken::NeverSuspects, Some(detector)) = (broken, process.detector_mut()) {
            detector.set_threshold(u32::MAX);
        }
        Self { process, broken }
    }

    fn suspects(&self, process: ProcessId) -> bool {
        let detector = self.process.detector();
        detector.is_some_and(|detector| detector.lists().has(List::Dead, process))
    }

    /// One step of the right process, and then the mistake in what it wants done.
    fn take(
        &mut self,
        ctx: &mut Context<Self>,
        event: impl FnOnce(&mut TwoLevels, &mut Context<TwoLevels>),
    ) {
        for effect in ctx.inside(|ctx| event(&mut self.process, ctx)) {
            match effect {
                Effect::Send { message: Message::Suspect(_) | Message::Restore(_), .. }
                    if self.broken == Broken::ForgetsToTell => {}
                Effect::Send { to, message } => ctx.send(to, message),
                Effect::StartTimer { timer, after } => ctx.start_timer(timer, after),
                Effect::StopTimer { timer } => ctx.stop_timer(timer),
                Effect::Indicate(indication) => {
                    let indication = self.listed(indication);
                    ctx.indicate(indication);
                }
            }
        }
    }

    fn listed(&mut self, indication: Indication) -> Indication {
        match (self.broken, indication, self.process.detector_mut()) {
            (Broken::ListsTwice, Indication::Suspect(mut listed), Some(detector)) => {
                detector.lists_mut().put_too(listed.process, List::Alive);
                listed.on = detector.lists().of(listed.process);
                Indication::Suspect(listed)
            }
            (_, indication, _) => indication,
        }
    }
}

impl Process for BrokenTwoLevels {
    type Request = Infallible;
    type Indication = Indication;
    type Message = Message;
    type Timer = Timer;

    fn on_init(&mut self, ctx: &mut Context<Self>) {
        self.take(ctx, TwoLevels::on_init);
    }

    fn on_request(&mut self, _: &mut Context<Self>, request: Infallible) {
        match request {}
    }

    fn on_message(&mut self, ctx: &mut Context<Self>, from: ProcessId, message: Message) {
        let is_deaf = self.broken == Broken::SuspectsForEver && self.suspects(from);
        if !(is_deaf && matches!(message, Message::Alive(_))) {
            self.take(ctx, |process, ctx| process.on_message(ctx, from, message));
        }
    }

    fn on_timeout(&mut self, ctx: &mut Context<Self>, timer: Timer) {
        self.take(ctx, |process, ctx| process.on_timeout(ctx, timer));
    }
}
