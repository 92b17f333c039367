//! The algorithm of one process: each event is one step, and what it asks for is written down first
//! and carried out then.
//!
//! What is to be carried out are [`Deed`]s: frames to send, timers to start. A runner takes them
//! out after each step ([`Algorithm::deed`]), over whatever network it has. What the plan of faults
//! does to messages and to this process is decided here.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use log::{debug, error, info};
use netkit::Signal;
use netkit::codec::CodecError;

use super::hosted::{Hosted, Offer, Wish};
use super::journal::{Entry, Happened, Journal, Passage};
use super::runner::now;
use super::shell::hands::signal_of;
use super::wire::{MessageHeader, Part, PeerFrame, kind_field};
use crate::faults::{Fate, Injector, Toll, Triggers};
use crate::misstep::Misstep;
use crate::misstep::watchdog::Whereabouts;
use crate::overlay::Contact;
use crate::process::{Choices, Env, ProcessId};
use crate::trace::{Note, Stamper, What};

/// How many messages may arrive before the start: each neighbour that starts earlier may send a
/// few.
const EARLY_MAX: usize = 10_000;

/// What the runner of an algorithm has to do.
pub(super) enum Deed {
    /// The plan of faults may say that the frame goes later, or twice.
    Send {
        to: ProcessId,
        frame: Vec<u8>,
        fate: Fate,
    },
    /// A timer that runs is started anew.
    StartTimer {
        timer: u32,
        after: Duration,
    },
    StopTimer {
        timer: u32,
    },
    /// Connect to it.
    Meet(Contact),
    /// The process has done all it has to do.
    Finished,
    /// The process cannot go on, for this reason. Nothing comes behind this.
    Fail(String),
}

/// The stamps of a process and its journal.
pub(super) struct Books {
    pub(super) stamper: Stamper,
    pub(super) journal: Journal,
    /// When the algorithm started, here or at the others.
    started_at: Instant,
    /// Lines of the log say to which event they belong.
    shows_lamport: bool,
}

impl Books {
    pub(super) fn new(stamper: Stamper, journal: Journal) -> Self {
        let shows_lamport = matches!(journal, Journal::File(_));
        Self { stamper, journal, started_at: now(), shows_lamport }
    }

    /// Stamps and writes an event that is not a receipt. Returns when it happened: what a handler
    /// reads as the time is what stands in the journal, so that a replay can tell it the same.
    fn record(&mut self, entry: impl Into<Entry>) -> Result<Duration, String> {
        self.stamper.tick();
        self.write(entry.into())
    }

    /// Writes the event that was stamped last.
    fn write(&mut self, entry: Entry) -> Result<Duration, String> {
        netkit::logs::set_lamport(if self.shows_lamport { self.stamper.lamport() } else { 0 });
        let at_us = self.at().as_micros().try_into().unwrap_or(u64::MAX);
        let written = self.journal.append(&self.stamper, at_us, entry);
        written.map_err(|error| format!("cannot write the journal: {error}"))?;
        Ok(Duration::from_micros(at_us))
    }

    fn at(&self) -> Duration {
        self.started_at.elapsed()
    }

    /// Goes on behind the last event of a process that died, so long after the others started, and
    /// writes down that it died.
    fn resume(&mut self, me: ProcessId, at_us: u64) -> Result<(), String> {
        let last = self.journal.resume().map_err(|error| unreadable(&error))?;
        let last = last.ok_or_else(|| "nothing is left of the journal".to_owned())?;
        self.stamper = Stamper::resumed(me, last.n, last.lamport, last.clock);
        let before = Duration::from_micros(at_us);
        self.started_at = now().checked_sub(before).unwrap_or_else(now);
        match last.what {
            // One that starts again may die before it has written its own first event.
            What::Crash(_) => Ok(()),
            _ => self.record(Happened::Crash).map(drop),
        }
    }
}

fn unreadable(error: &std::io::Error) -> String {
    format!("cannot read the journal: {error}")
}

/// What the plan of faults does to the messages of this process, and to the process itself.
#[derive(Default)]
pub(super) struct Misfortune {
    pub(super) injector: Option<Injector>,
    /// What happens to the process when messages reach it.
    pub(super) triggers: Triggers,
    /// How many times that struck.
    toll: Toll,
    /// What the launcher was told of all that struck here.
    told: Toll,
}

impl Misfortune {
    pub(super) fn new(plan: &crate::faults::Plan, seed: u64, triggers: Triggers) -> Self {
        let injector = (!plan.is_empty()).then(|| Injector::new(plan, seed));
        Self { injector, triggers, ..Self::default() }
    }

    /// A message reaches this process. Returns the signal that strikes it now.
    fn on_message(&mut self, kind: &str) -> Option<Signal> {
        let (action, rule) = self.triggers.count(kind)?;
        self.toll.add(rule, 1);
        signal_of(action)
    }

    /// How many times each rule struck here, if that is not what it was the last time.
    pub(super) fn news(&mut self) -> Option<Toll> {
        let mut toll = self.toll.clone();
        if let Some(injector) = &self.injector {
            toll.merge(injector.toll());
        }
        (toll != self.told).then(|| {
            self.told = toll.clone();
            toll
        })
    }
}

/// A message that has reached the process, and did not happen yet.
pub(super) struct Arrival {
    header: MessageHeader,
    note: Note,
    bytes: u32,
    /// What the plan of faults sends to this process before it receives the message.
    pub(super) signal: Option<Signal>,
}

/// A process of an algorithm, with all that it needs but a network.
pub(super) struct Algorithm {
    hosted: Box<dyn Hosted>,
    env: Env,
    choices: Choices,
    books: Books,
    pub(super) misfortune: Misfortune,
    /// Messages to itself, and those that came before the start.
    waiting: VecDeque<(MessageHeader, Vec<u8>)>,
    deeds: VecDeque<Deed>,
    /// The message that is being sent.
    message: Vec<u8>,
    course: Course,
    /// Where its steps are, for the thread that looks after them.
    whereabouts: Whereabouts,
}

/// Whether events happen to the process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Course {
    /// Not yet.
    Waiting,
    Running,
    /// No more: it was stopped, or cannot go on.
    Over,
}

impl Algorithm {
    pub(super) fn new(hosted: Box<dyn Hosted>, env: Env, choices: Choices, books: Books) -> Self {
        Self {
            hosted,
            env,
            choices,
            books,
            misfortune: Misfortune::default(),
            waiting: VecDeque::new(),
            deeds: VecDeque::new(),
            message: Vec::new(),
            course: Course::Waiting,
            whereabouts: Whereabouts::default(),
        }
    }

    /// Where its steps are.
    pub(super) fn whereabouts(&self) -> Whereabouts {
        self.whereabouts.clone()
    }

    /// What is to be carried out next.
    pub(super) fn deed(&mut self) -> Option<Deed> {
        self.deeds.pop_front()
    }

    pub(super) fn start(&mut self) {
        self.books.started_at = now();
        self.course = Course::Running;
        self.happen(Offer::Init, Happened::Init);
        self.hosted.ask();
    }

    /// Goes on where the one of this rank that died left off, so long after the others started.
    pub(super) fn resume(&mut self, at_us: u64) {
        self.course = Course::Running;
        match self.books.resume(self.env.me, at_us) {
            Ok(()) => drop(self.happen(Offer::Init, Happened::Recover)),
            Err(why) => self.fail(why),
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.course == Course::Waiting
    }

    pub(super) fn is_running(&self) -> bool {
        self.course == Course::Running
    }

    /// The run has ended.
    pub(super) fn stop(&mut self) {
        if self.is_running()
            && let Err(why) = self.books.record(Happened::Stop)
        {
            self.fail(why);
        }
        self.course = Course::Over;
    }

    /// Nothing happens to the process any more.
    pub(super) fn halt(&mut self) {
        self.course = Course::Over;
        self.deeds.clear();
    }

    /// A message has reached the process.
    pub(super) fn arrive(
        &mut self,
        header: MessageHeader,
        body: &[u8],
    ) -> Result<Arrival, CodecError> {
        let offered = self.hosted.offer(Offer::Message { from: header.from, body })?;
        let note = offered.unwrap_or_default();
        let signal = match self.misfortune.triggers.is_empty() {
            true => None,
            false => self.misfortune.on_message(&note.kind),
        };
        Ok(Arrival { header, note, bytes: body.len() as u32, signal })
    }

    /// Receives the message that has arrived last.
    pub(super) fn receive(&mut self, arrival: Arrival) {
        if !self.is_running() {
            return;
        }
        let Arrival { header: MessageHeader { from, n, lamport, clock, .. }, note, bytes, .. } =
            arrival;
        self.books.stamper.receive(lamport, clock.as_ref());
        let receipt = Happened::Receive(Passage { peer: from, n, bytes });
        match self.books.write(receipt.with(note)) {
            Ok(at) => self.step(at),
            Err(why) => self.fail(why),
        }
    }

    pub(super) fn on_timeout(&mut self, timer: u32) {
        self.happen(Offer::Timeout(timer), Happened::Timeout);
    }

    /// The process is told that a neighbour is gone.
    pub(super) fn lose(&mut self, other: ProcessId) {
        self.hosted.lose(other);
    }

    /// See [`Hosted::ask_to_stop`].
    pub(super) fn ask_to_stop(&mut self) -> bool {
        self.hosted.ask_to_stop()
    }

    /// A message that the process has not received yet: one to itself, or one that came before the
    /// start.
    pub(super) fn next_message(&mut self) -> Option<(MessageHeader, Vec<u8>)> {
        self.waiting.pop_front_if(|_| self.course == Course::Running)
    }

    /// Keeps a message until the start. One that is none is refused at once.
    pub(super) fn keep(&mut self, header: MessageHeader, body: &[u8]) -> Result<(), CodecError> {
        if self.course != Course::Waiting {
            return Ok(());
        }
        self.hosted.offer(Offer::Message { from: header.from, body })?;
        if self.waiting.len() < EARLY_MAX {
            self.waiting.push_back((header, body.to_vec()));
        } else {
            self.course = Course::Over;
            let why = format!("{EARLY_MAX} messages arrived before the start");
            self.deeds.push_back(Deed::Fail(why));
        }
        Ok(())
    }

    /// Asks the process the next that its application wants. Returns whether there was something.
    pub(super) fn next_request(&mut self) -> bool {
        self.happen(Offer::Request, Happened::Request)
    }

    /// What the process has said so far may leave when this has returned: see
    /// [`Application::commit`](crate::lab::Application::commit).
    pub(super) fn commit(&mut self) -> Result<(), String> {
        self.hosted.commit()
    }

    /// The part of the journal from this byte on.
    pub(super) fn part(&mut self, offset: u64) -> Result<Part, String> {
        self.books.journal.part(offset).map_err(|error| unreadable(&error))
    }

    /// Lets an event happen that is no receipt, if there is one. Returns whether there is.
    fn happen(&mut self, offer: Offer<'_>, what: Happened) -> bool {
        if !self.is_running() {
            return false;
        }
        // Only messages are bytes that may be malformed.
        let Ok(Some(note)) = self.hosted.offer(offer) else { return false };
        match self.books.record(what.with(note)) {
            Ok(at) => {
                match what {
                    Happened::Init => info!("the algorithm starts"),
                    Happened::Recover => {
                        // Its end and its new start are two events.
                        let last = self.books.stamper.n() - 2;
                        info!("starts again, after its event {last}");
                    }
                    _ => {}
                }
                self.step(at);
            }
            Err(why) => self.fail(why),
        }
        true
    }

    fn step(&mut self, at: Duration) {
        self.env.now = Some(at);
        self.whereabouts.enter(self.env.me, self.hosted.occasion());
        let taken = self.hosted.take(self.env, &mut self.choices);
        self.whereabouts.leave();
        if let Err(misstep) = taken {
            return self.take_misstep(&misstep);
        }
        while self.is_running()
            && let Some(wish) = self.hosted.wish()
        {
            if let Err(why) = self.grant(wish) {
                self.fail(why);
            }
        }
    }

    /// A handler did what none may do: the process is out of the run, and says why in its journal.
    fn take_misstep(&mut self, misstep: &Misstep) {
        let why = misstep.sentence(self.env.me);
        if let Err(error) = self.books.record(Happened::Crash.with(Note::of(misstep))) {
            error!("{error}");
        }
        self.fail(why);
    }

    fn grant(&mut self, wish: Wish) -> Result<(), String> {
        let deed = match wish {
            Wish::Send { to, message } => return self.send(to, message),
            Wish::StartTimer { timer, after } => Deed::StartTimer { timer, after },
            Wish::StopTimer { timer } => Deed::StopTimer { timer },
            Wish::Indicate { indication, contact, is_finished } => {
                let said = log::log_enabled!(log::Level::Debug).then(|| indication.text.clone());
                self.books.record(Happened::Indication.with(indication))?;
                if let Some(said) = said {
                    debug!("{} ! {said}", self.env.me);
                }
                self.hosted.tell_application()?;
                self.deeds.extend(contact.map(Deed::Meet));
                if !is_finished {
                    return Ok(());
                }
                info!("finished");
                Deed::Finished
            }
        };
        self.deeds.push_back(deed);
        Ok(())
    }

    fn send(&mut self, to: ProcessId, message: Note) -> Result<(), String> {
        let n = self.env.processes;
        if to.0 >= n {
            let what = format!("it sends to {to}, which is not one of the {n} processes");
            self.take_misstep(&Misstep::panics("in a step", what));
            return Ok(());
        }
        let unencodable = |error| format!("cannot encode {}: {error}", message.kind);
        let stamper = &mut self.books.stamper;
        stamper.tick();
        let header = MessageHeader {
            from: self.env.me,
            to,
            n: stamper.n(),
            lamport: stamper.lamport(),
            kind: kind_field(&message.kind),
            clock: stamper.clock().cloned(),
        };
        self.message.clear();
        self.hosted.encode(&mut self.message).map_err(unencodable)?;
        let passage = Passage { peer: to, n: header.n, bytes: self.message.len() as u32 };
        if to == self.env.me {
            self.waiting.push_back((header, self.message.clone()));
            self.books.write(Happened::Send(passage).with(message))?;
            return Ok(());
        }
        let frame = PeerFrame::Message(header, &self.message).write().map_err(unencodable)?;
        let Some(injector) = &mut self.misfortune.injector else {
            self.books.write(Happened::Send(passage).with(message))?;
            self.deeds.push_back(Deed::Send { to, frame, fate: Fate::default() });
            return Ok(());
        };
        let fate = injector.fate(self.books.at(), self.env.me, to, &message.kind);
        self.books.write(Happened::Send(passage).with(message.clone()))?;
        if !fate.is_lost {
            self.deeds.push_back(Deed::Send { to, frame, fate });
            return Ok(());
        }
        info!("{} ⇥ {to} {}: lost by plan", self.env.me, message.text);
        self.books.record(Happened::Drop(passage).with(message))?;
        Ok(())
    }

    /// The process cannot go on: what was not written down must not leave.
    fn fail(&mut self, why: String) {
        if self.is_running() {
            self.course = Course::Over;
            self.deeds.push_back(Deed::Fail(why));
        }
    }
}
