//! Detectors that are wrong, one mistake each: what the properties must notice.
//!
//! Both detectors make the mistake. Watched processes only answer, and there is little to do wrong
//! in that.

use labs::mutant::{self, Needs};
use labs::process::{Context, Effect, Event, EventOf, ProcessId};

use super::{Detector, Indication, Message, TwoLevels};
use crate::heartbeats::Heartbeats;
use crate::lists::List;

/// The mistakes.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, clap::ValueEnum)]
pub enum Mistake {
    /// Suspects nobody, however long the silence.
    NeverSuspects,
    /// Takes no answer from whom it suspects: nobody is ever restored.
    SuspectsForEver,
    /// Sends no heartbeat to a process that it suspects: it cannot be restored.
    AsksTheLivingAlone,
    /// Keeps to itself what it finds out.
    ForgetsToTell,
    /// Puts whom it suspects on the list of the dead, and leaves it on that of the living.
    ListsTwice,
}

impl mutant::Mistake<TwoLevels> for Mistake {
    fn happen(
        &mut self,
        process: &mut TwoLevels,
        ctx: &mut Context<TwoLevels>,
        event: EventOf<TwoLevels>,
    ) {
        if let TwoLevels::Detector(detector) = process {
            match (*self, &event) {
                (Self::NeverSuspects, Event::Init) => {
                    let watched = detector.heartbeats.answered().keys().copied();
                    detector.heartbeats = Heartbeats::new(watched, u32::MAX);
                }
                (Self::SuspectsForEver, Event::Message { from, message: Message::Alive(_) })
                    if detector.lists.has(List::Dead, *from) =>
                {
                    return;
                }
                _ => {}
            }
        }
        for effect in ctx.inside(|ctx| event.happen_to(process, ctx)) {
            match effect {
                Effect::Send { message: Message::Suspect(_) | Message::Restore(_), .. }
                    if *self == Self::ForgetsToTell => {}
                Effect::Send { to, message: Message::Heartbeat(_) }
                    if self.is_left_out(process, to) => {}
                Effect::Send { to, message } => ctx.send(to, message),
                Effect::StartTimer { timer, after } => ctx.start_timer(timer, after),
                Effect::StopTimer { timer } => ctx.stop_timer(timer),
                Effect::Indicate(indication) => ctx.indicate(self.listed(process, indication)),
            }
        }
    }

    /// Somebody must be suspected, rightly and wrongly. In `simulate` that happens anyway.
    fn needs(&self) -> Needs {
        const FAULTS: &[&str] = &["--faults", "stop 3 from 1s to 4s; kill 2 at 2s"];
        Needs { simulate: &[], check: &["--crashes", "1"], run: FAULTS }
    }
}

impl Mistake {
    fn is_left_out(self, process: &TwoLevels, to: ProcessId) -> bool {
        let is_dead = |detector: &Detector| detector.lists.has(List::Dead, to);
        self == Self::AsksTheLivingAlone && process.detector().is_some_and(is_dead)
    }

    fn listed(self, process: &mut TwoLevels, indication: Indication) -> Indication {
        match (self, indication, process) {
            (Self::ListsTwice, Indication::Suspect(mut listed), TwoLevels::Detector(detector)) => {
                detector.lists.put_too(listed.process, List::Alive);
                listed.on = detector.lists.of(listed.process);
                Indication::Suspect(listed)
            }
            (_, indication, _) => indication,
        }
    }
}
