//! Judging events that were written down: the tags follow the ids of the messages.
//!
//! A real process that dies takes along what was on its way to it, and nobody writes that down. So at the
//! end the monitors are told that these messages are lost ([`StreamJudge::verdicts_at`]).
//!
//! Events may be missing ([`gaps`]). Then those are judged that depend on nothing which is missing:
//! they are the beginning of a run, so what breaks a property there breaks it for good. All other verdicts are
//! unknown; but where the others go on when processes die, those whose events are missing are taken for dead
//! ([`surviving_crashes`](StreamJudge::surviving_crashes)).

use std::collections::BTreeMap;
use std::mem;

use super::lost::Lost;
use super::{End, Judge, Property, Tags, Verdict, Witness};
use crate::process::ProcessId;
use crate::trace::{
    Attendance, Gap, Happening, MessageId, MessageNote, Mishap, TraceEvent, What, gaps,
};

/// Judges events that were written down.
#[derive(Clone, Debug, Default)]
pub struct StreamJudge {
    judge: Judge,
    processes: u32,
    attendance: Attendance,
    /// The processes that heard from an event that is missing, maybe through others. What they do from then on is
    /// counted, and not judged.
    misled: Vec<bool>,
    /// Of each process whether it died, and whether it is still dead.
    died: Vec<Option<Death>>,
    /// The messages that were sent, and may arrive, for the first time or again.
    under_way: BTreeMap<MessageId, Sent>,
    /// Whether messages arrive once, so that one that has arrived need not be known any more.
    delivers_once: bool,
    /// Of each channel, from and to, the latest sending that arrived.
    latest: BTreeMap<(ProcessId, ProcessId), u64>,
    end: Option<End>,
    /// What takes lost processes for dead, if the run goes on without them.
    lost: Option<Box<Lost>>,
}

/// The last time that a process died.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Death {
    /// It is dead.
    Dead,
    /// It started again.
    Undone,
}

/// A message, from its sending on: it may arrive again.
#[derive(Clone, Debug)]
struct Sent {
    to: ProcessId,
    kind: String,
    carries: Carried,
    fate: Fate,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fate {
    UnderWay,
    Arrived,
    Lost,
}

/// What arrives with a message, beside what it says.
#[derive(Clone, Copy, Debug, Default)]
struct Carried {
    tags: Tags,
    /// Its sending is missing, or its sender had heard from an event that is.
    misleads: bool,
}

/// Why a list of events is not the trace of a run.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum StreamError {
    /// The event is of a process that the header does not know.
    #[error("{process} is not one of the {processes} processes of the run")]
    NoSuchProcess {
        /// The process.
        process: ProcessId,
        /// How many there are.
        processes: u32,
    },
    /// The events of one process must be numbered 1, 2, 3 and so on.
    #[error("event {n} of {process} follows its event {before}")]
    Numbering {
        /// The process.
        process: ProcessId,
        /// The event.
        n: u64,
        /// The event of the same process that came before, 0 if there was none.
        before: u64,
    },
    /// A file may end early, but all of it begins at the beginning.
    #[error(
        "the trace lacks the beginning of {process}, whose first event here is its event {n}: \
         take the whole file, as the run wrote it"
    )]
    Beginning {
        /// The process.
        process: ProcessId,
        /// Its first event here.
        n: u64,
    },
    /// A message arrives that nobody sent.
    #[error("{process} receives message {id}, which was not sent to it before this line")]
    NotSent {
        /// The receiver.
        process: ProcessId,
        /// The message.
        id: MessageId,
    },
    /// An event stands behind the receipt of a message that its process sent then or later.
    #[error(
        "event {n} of {process} stands behind the receipt of what {process} sent then or later"
    )]
    TooLate {
        /// The process.
        process: ProcessId,
        /// The event.
        n: u64,
    },
    /// A message arrives under another name.
    #[error("{process} receives message {id} as {received}, and it was sent as {sent}")]
    OtherKind {
        /// The receiver.
        process: ProcessId,
        /// The message.
        id: MessageId,
        /// Its kind where it was sent.
        sent: String,
        /// Its kind where it arrives.
        received: String,
    },
}

impl StreamJudge {
    /// A judge of these properties, before a run of so many processes.
    pub fn new(properties: &[Property], processes: u32) -> Self {
        Self {
            judge: Judge::new(properties, processes),
            processes,
            attendance: Attendance::new(processes),
            misled: vec![false; processes as usize],
            died: vec![None; processes as usize],
            ..Self::default()
        }
    }

    /// The same, of a run in which processes may die and the others go on: one whose events are missing is
    /// taken for dead after the last event that others know of.
    #[must_use]
    pub fn surviving_crashes(mut self) -> Self {
        self.lost = Some(Box::new(Lost::new(self.judge.clone())));
        self
    }

    /// The same, of a run over channels on which nothing arrives twice: a message that has arrived is forgotten, and
    /// memory does not grow with the run. If it arrives again all the same, it is one that nobody sent.
    #[must_use]
    pub fn delivering_once(mut self) -> Self {
        self.delivers_once = true;
        self
    }

    /// The next event. Events come in any order that respects causality.
    ///
    /// # Errors
    ///
    /// If no run has such an event at this place.
    pub fn observe(&mut self, event: &TraceEvent) -> Result<(), StreamError> {
        self.check_place(event)?;
        let arrived = self.arrived(event)?;
        if let Some(lost) = &mut self.lost {
            lost.observe(event, |process| self.attendance.events(process));
        }
        self.attendance.observe(event);
        self.misled[event.process.index()] |= arrived.misleads;
        let died = &mut self.died[event.process.index()];
        match &event.what {
            What::Crash(_) => *died = Some(Death::Dead),
            What::Recover if died.is_some() => *died = Some(Death::Undone),
            _ => {}
        }
        match self.misled[event.process.index()] {
            true => self.count(event),
            false => self.judge_event(event, arrived.tags),
        }
        if let What::Stop(end) = &event.what {
            self.end = end.as_ref().and_then(End::from_note).or(self.end.take());
        }
        Ok(())
    }

    /// An event that depends on nothing which is missing. `tags` is what its message carries, if one arrives.
    fn judge_event(&mut self, event: &TraceEvent, tags: Tags) {
        let process = event.process;
        let at = Witness { process, n: event.n };
        let happening = match &event.what {
            What::Send { peer, message } => {
                let tags = self.judge.on_send(at, *peer, message);
                self.send(*peer, message, tags);
                return;
            }
            What::Receive { peer, message } => {
                self.note_mishap(*peer, process, message.id);
                return self.judge.on_receive(*peer, at, message, tags);
            }
            What::Drop { peer, message } => {
                if let Some(sent) = self.under_way.get_mut(&message.id)
                    && sent.fate == Fate::UnderWay
                {
                    sent.fate = Fate::Lost;
                }
                return self.judge.on_drop(at, *peer, message, tags);
            }
            What::Init => Happening::Init,
            What::Request(note) => Happening::Request(note),
            What::Indication(note) => Happening::Indication(note),
            What::Timeout(note) => Happening::Timeout(note),
            What::Crash(None) => Happening::Crash,
            What::Crash(Some(note)) => Happening::Misstep(note),
            What::Recover => Happening::Recover,
            What::Stop(_) => Happening::Stop(None),
        };
        self.judge.on_event(at, happening);
    }

    /// Tells the judge if a message arrives for the second time, or behind one that was sent later.
    fn note_mishap(&mut self, from: ProcessId, to: ProcessId, id: MessageId) {
        let latest = self.latest.entry((from, to)).or_default();
        let is_overtaken = id.n < *latest;
        *latest = id.n.max(*latest);
        let sent = self.under_way.get_mut(&id);
        let fate = sent.map(|sent| mem::replace(&mut sent.fate, Fate::Arrived));
        let is_doubled = fate.is_some_and(|fate| fate != Fate::UnderWay);
        if is_doubled {
            self.judge.on_mishap(Mishap::Doubled);
        } else if is_overtaken {
            self.judge.on_mishap(Mishap::Overtaken);
        }
        if self.delivers_once {
            self.under_way.remove(&id);
        }
    }

    /// An event that depends on what is missing.
    fn count(&mut self, event: &TraceEvent) {
        match &event.what {
            What::Send { peer, message } => {
                self.judge.count(Some(message));
                self.send(*peer, message, Tags::default());
            }
            What::Crash(Some(note)) => {
                self.judge.count(None);
                self.judge.note_misstep(Witness { process: event.process, n: event.n }, note);
            }
            _ => self.judge.count(None),
        }
    }

    fn send(&mut self, to: ProcessId, message: &MessageNote, tags: Tags) {
        let misleads = self.misled[message.id.process.index()];
        let (kind, carries) = (message.kind.clone(), Carried { tags, misleads });
        self.under_way.insert(message.id, Sent { to, kind, carries, fate: Fate::UnderWay });
    }

    /// The judge, with what it has seen so far.
    pub fn judge(&self) -> &Judge {
        &self.judge
    }

    /// Which events are missing, if the last was seen.
    pub fn gaps(&self) -> Vec<Gap> {
        self.attendance.gaps()
    }

    /// Whether some process received a message whose sending is missing.
    pub fn is_misled(&self) -> bool {
        self.attendance.lacks_sendings()
    }

    /// The verdicts, if the last event was seen, in the order of the properties. Where events are missing, only a
    /// violation that needs none of them is known.
    pub fn verdicts(&self) -> Vec<Verdict> {
        match gaps::sentence(&self.gaps()) {
            None => self.verdicts_at(&self.end()),
            Some(why) => {
                let part = self.judge.verdicts_on_part(&why);
                match &self.lost {
                    None => part,
                    Some(lost) => lost.verdicts(&self.end(), &self.gaps(), part),
                }
            }
        }
    }

    /// The same, of a run that ended so, whatever its last event says.
    pub(crate) fn verdicts_ending(&self, end: &End) -> Vec<Verdict> {
        Self { end: Some(end.clone()), ..self.clone() }.verdicts()
    }

    /// The verdicts, if nothing is missing and the run ended so, in the order of the properties.
    pub fn verdicts_at(&self, end: &End) -> Vec<Verdict> {
        let mut judge = self.judge.clone();
        for (id, sent) in &self.under_way {
            if self.is_lost(*id, sent, end) {
                let message = MessageNote::of_kind(*id, &sent.kind);
                let at = Witness { process: id.process, n: id.n };
                judge.on_drop(at, sent.to, &message, sent.carries.tags);
            }
        }
        judge.verdicts(end)
    }

    /// Whether a message will never arrive: its receiver is dead, or the run came to its end after one of both
    /// had died. (What a process sent just before its death may never have left it.)
    fn is_lost(&self, id: MessageId, sent: &Sent, end: &End) -> bool {
        let (from, to) = (self.died[id.process.index()], self.died[sent.to.index()]);
        let is_over = *end == End::Complete && (from.is_some() || to.is_some());
        let never_arrives = to == Some(Death::Dead) || is_over;
        sent.fate == Fate::UnderWay && !sent.carries.misleads && never_arrives
    }

    /// How the run ended, as far as its events say.
    pub fn end(&self) -> End {
        let unknown =
            || End::CutShort("the trace does not say that the run came to its end".into());
        self.end.clone().unwrap_or_else(unknown)
    }

    fn check_place(&mut self, event: &TraceEvent) -> Result<(), StreamError> {
        let peer = match &event.what {
            What::Send { peer, .. } | What::Receive { peer, .. } | What::Drop { peer, .. } => *peer,
            _ => event.process,
        };
        for process in [event.process, peer] {
            if process.0 >= self.processes {
                return Err(StreamError::NoSuchProcess { process, processes: self.processes });
            }
        }
        let (process, n, before) = (event.process, event.n, self.attendance.events(event.process));
        if before == 0 && n > 1 {
            return Err(StreamError::Beginning { process, n });
        }
        if n != before + 1 {
            return Err(StreamError::Numbering { process, n, before });
        }
        if self.attendance.is_heard_of(process) {
            return Err(StreamError::TooLate { process, n });
        }
        Ok(())
    }

    /// What arrives with an event; nothing with one that is about no message.
    fn arrived(&self, event: &TraceEvent) -> Result<Carried, StreamError> {
        let process = event.process;
        let (from, to, message) = match &event.what {
            What::Receive { peer, message } => (*peer, process, message),
            What::Drop { peer, message } => (process, *peer, message),
            _ => return Ok(Carried::default()),
        };
        let id = message.id;
        let is_from = id.process == from;
        match self.under_way.get(&id).filter(|sent| is_from && sent.to == to) {
            Some(sent) if sent.kind == message.kind => Ok(sent.carries),
            Some(sent) => {
                let (sent, received) = (sent.kind.clone(), message.kind.clone());
                Err(StreamError::OtherKind { process, id, sent, received })
            }
            None if is_from && from != process && self.attendance.may_lack(id) => {
                Ok(Carried { misleads: true, ..Carried::default() })
            }
            None => Err(StreamError::NotSent { process, id }),
        }
    }
}
