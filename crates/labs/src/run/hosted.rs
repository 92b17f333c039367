//! The seam between a real run and a lab: one process of any algorithm, behind one trait object.
//!
//! A run carries messages, writes down events and starts timers, and for none of that must it know
//! what an algorithm is made of. Here that knowledge ends: messages become bytes, timers numbers,
//! and values what a journal keeps of them. This file alone names the types of a lab, and [`Host`]
//! is all that is compiled once for each; the rest of [`crate::run`] is compiled once.

use std::collections::VecDeque;
use std::mem;
use std::time::Duration;

use netkit::codec::{self, CodecError};

use super::config::MadeOf;
use crate::lab::{Application, Deployment, Lab, Place};
use crate::misstep::{Misstep, Occasion, panics};
use crate::mutant::Mutant;
use crate::overlay::Contact;
use crate::planned::PlannedLab;
use crate::process::{
    Choices, Effect, EffectOf, Env, Event, EventOf, Kind, Process, ProcessId, step_into,
};
use crate::replay::recall::Past;
use crate::trace::{Note, Noted as _, note::TimerName};
use crate::verdict::Property;

/// What may happen to a hosted process.
pub(super) enum Offer<'a> {
    Init,
    /// The oldest request that it was not asked yet.
    Request,
    Message {
        from: ProcessId,
        body: &'a [u8],
    },
    /// The number is the one under which the timer was started.
    Timeout(u32),
}

/// What a hosted process wants done.
pub(super) enum Wish {
    /// [`Hosted::encode`] has the message.
    Send {
        to: ProcessId,
        message: Note,
    },
    StartTimer {
        timer: u32,
        after: Duration,
    },
    StopTimer {
        timer: u32,
    },
    Indicate {
        indication: Note,
        contact: Option<Contact>,
        is_finished: bool,
    },
}

/// One process of an algorithm, with its application.
///
/// An event happens in two steps: it is offered, so that it can be written down, and then taken.
/// What it leads to is taken out wish by wish.
pub(super) trait Hosted {
    /// Makes an event the next one. Returns what a journal keeps of it; nothing if there is no such
    /// request or timer.
    fn offer(&mut self, offer: Offer<'_>) -> Result<Option<Note>, CodecError>;

    /// Lets the event that was offered last happen.
    ///
    /// # Errors
    ///
    /// If its handler panics.
    fn take(&mut self, env: Env, choices: &mut Choices) -> Result<(), Misstep>;

    /// Which event was offered last.
    fn occasion(&self) -> Occasion;

    /// The next thing that the process wants done, in order.
    fn wish(&mut self) -> Option<Wish>;

    /// Appends the message of the last wish, which was to send it.
    fn encode(&self, into: &mut Vec<u8>) -> Result<(), CodecError>;

    /// Tells the application the indication of the last wish. What it asks for in return is kept. Says
    /// why if the run must end.
    fn tell_application(&mut self) -> Result<(), String>;

    /// Has the application bring to the disk what it was told. Says why if the run must end.
    fn commit(&mut self) -> Result<(), String>;

    /// The algorithm has started: now the application asks for what it wants of it.
    fn ask(&mut self);

    /// The connection to another process has ended.
    fn lose(&mut self, other: ProcessId);

    /// Asks the process to come to its end. Returns whether it can be asked that.
    fn ask_to_stop(&mut self) -> bool;
}

/// What a lab makes of the values of its process, and asks of it.
pub(super) struct Bonds<P: Process> {
    pub(super) application: Box<dyn Application<P::Indication, P::Request>>,
    pub(super) contact: fn(&P::Indication) -> Option<&Contact>,
    pub(super) is_finished: fn(&P::Indication) -> bool,
    pub(super) lost: fn(ProcessId) -> Option<P::Request>,
    /// What is asked right after the start.
    pub(super) requests: Vec<P::Request>,
    /// What is asked when the process is to end.
    pub(super) stop: Option<P::Request>,
}

/// How the journal keeps messages.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Texts {
    /// With what they say.
    Whole,
    /// By their kind alone.
    KindOnly,
}

/// A process of one algorithm.
pub(super) struct Host<P: Process> {
    process: P,
    bonds: Bonds<P>,
    texts: Texts,
    /// What was offered last.
    event: EventOf<P>,
    /// What the last event led to, and how many of these wishes were taken out.
    effects: Vec<EffectOf<P>>,
    taken: usize,
    /// What the process is to be asked.
    asked: VecDeque<P::Request>,
    /// The timers that run, each at the place that is its number.
    timers: Vec<Option<P::Timer>>,
}

impl<P: Process> Host<P> {
    pub(super) fn new(process: P, bonds: Bonds<P>, texts: Texts) -> Self {
        Self {
            process,
            bonds,
            texts,
            event: Event::Init,
            effects: Vec::new(),
            taken: 0,
            asked: VecDeque::new(),
            timers: Vec::new(),
        }
    }

    fn note(&self, message: &P::Message) -> Note {
        match self.texts {
            Texts::Whole => Note::of(message),
            Texts::KindOnly => Note { kind: Kind::kind(message).into(), ..Note::default() },
        }
    }
}

/// The place of a timer among those that run, taken if it has none.
fn place<T: Eq + Clone>(timers: &mut Vec<Option<T>>, timer: &T) -> usize {
    let here = |some: &Option<T>| some.as_ref() == Some(timer);
    if let Some(place) = timers.iter().position(here) {
        return place;
    }
    let free = timers.iter().position(Option::is_none).unwrap_or_else(|| {
        timers.push(None);
        timers.len() - 1
    });
    timers[free] = Some(timer.clone());
    free
}

impl<P: Process> Hosted for Host<P> {
    fn offer(&mut self, offer: Offer<'_>) -> Result<Option<Note>, CodecError> {
        let (event, note) = match offer {
            Offer::Init => (Event::Init, Note::default()),
            Offer::Request => {
                let Some(request) = self.asked.pop_front() else { return Ok(None) };
                let note = Note::of(&request);
                (Event::Request(request), note)
            }
            Offer::Message { from, body } => {
                let message = codec::decode(body)?;
                let note = self.note(&message);
                (Event::Message { from, message }, note)
            }
            Offer::Timeout(number) => {
                let timer = self.timers.get_mut(number as usize).and_then(Option::take);
                let Some(timer) = timer else { return Ok(None) };
                let note = Note::of(&TimerName(&timer));
                (Event::Timeout(timer), note)
            }
        };
        self.event = event;
        Ok(Some(note))
    }

    fn occasion(&self) -> Occasion {
        Occasion::of::<P>(&self.event).named()
    }

    fn take(&mut self, env: Env, choices: &mut Choices) -> Result<(), Misstep> {
        let occasion = Occasion::of::<P>(&self.event);
        let event = mem::replace(&mut self.event, Event::Init);
        let mut effects = mem::take(&mut self.effects);
        effects.clear();
        self.taken = 0;
        let process = &mut self.process;
        let stepped = panics::catch(|| step_into(process, env, choices, event, effects));
        self.effects = stepped.map_err(|panicked| panicked.misstep(&occasion.named()))?;
        Ok(())
    }

    fn wish(&mut self) -> Option<Wish> {
        let effect = self.effects.get(self.taken)?;
        self.taken += 1;
        Some(match effect {
            Effect::Send { to, message } => Wish::Send { to: *to, message: self.note(message) },
            Effect::StartTimer { timer, after } => {
                let timer = place(&mut self.timers, timer) as u32;
                Wish::StartTimer { timer, after: *after }
            }
            Effect::StopTimer { timer } => {
                let place = place(&mut self.timers, timer);
                self.timers[place] = None;
                Wish::StopTimer { timer: place as u32 }
            }
            Effect::Indicate(indication) => Wish::Indicate {
                indication: Note::of(indication),
                contact: (self.bonds.contact)(indication).cloned(),
                is_finished: (self.bonds.is_finished)(indication),
            },
        })
    }

    fn encode(&self, into: &mut Vec<u8>) -> Result<(), CodecError> {
        match self.taken.checked_sub(1).and_then(|last| self.effects.get(last)) {
            Some(Effect::Send { message, .. }) => codec::encode(message, into),
            _ => Ok(()),
        }
    }

    fn tell_application(&mut self) -> Result<(), String> {
        if let Some(Effect::Indicate(indication)) =
            self.taken.checked_sub(1).and_then(|last| self.effects.get(last))
        {
            let asked = self.bonds.application.on_indication(indication);
            let failed = |error| format!("at {}: {error}", indication.text());
            self.asked.extend(asked.map_err(failed)?);
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), String> {
        self.bonds.application.commit().map_err(|error| error.to_string())
    }

    fn ask(&mut self) {
        self.asked.extend(self.bonds.requests.drain(..));
    }

    fn lose(&mut self, other: ProcessId) {
        self.asked.extend((self.bonds.lost)(other));
    }

    fn ask_to_stop(&mut self) -> bool {
        let request = self.bonds.stop.take();
        let can_stop = request.is_some();
        self.asked.extend(request);
        can_stop
    }
}

/// Makes the process, once its place is known: anew, or where one of its rank died from its past.
pub(super) type Build =
    Box<dyn FnOnce(&Place, Option<Former<'_>>) -> Result<Box<dyn Hosted>, String>>;

/// The process of this rank that died.
pub(super) struct Former<'a> {
    /// Where it was made.
    pub(super) place: Place,
    /// What happened to it.
    pub(super) past: Past<'a>,
}

/// How the process of a lab is made, with these options and this mistake.
///
/// # Errors
///
/// If they are not the lab's.
pub(super) fn build<L: Lab>(made_of: &MadeOf, texts: Texts) -> serde_json::Result<Build> {
    let MadeOf { options, broken, .. } = made_of;
    let PlannedLab::<L> { lab, mistake } = PlannedLab::read(options, broken.as_ref())?;
    let texts = match lab.properties().iter().any(Property::reads_messages) {
        true => Texts::Whole,
        false => texts,
    };
    Ok(Box::new(move |place, former| {
        let Deployment { application, restore, contact, is_finished, lost, .. } = lab.deployment();
        let application = application(&lab, place).map_err(|error| error.to_string())?;
        let process = match (restore, former) {
            (Some(restore), _) => Mutant::new(restore(&lab, place, lab.process(place))?, mistake),
            (None, None) => Mutant::new(lab.process(place), mistake),
            (None, Some(Former { place, past })) => {
                let recalled = past.recall(Mutant::new(lab.process(&place), mistake));
                recalled.map_err(|error| format!("it cannot start again: {error}"))?
            }
        };
        let requests = lab.requests(place.me);
        let bonds = Bonds { application, contact, is_finished, lost, requests, stop: None };
        Ok(Box::new(Host::new(process, bonds, texts)))
    }))
}
