//! A run again, from its trace: the same events happen to the same processes, and what they do is
//! compared with what the trace says they did.
//!
//! **The idea.** A process is a state machine without I/O. So whoever gives it the events that it had,
//! in the order in which it had them, gets from it what it did then: the same messages, the same
//! indications, and between them states that nobody had written down. A trace is therefore a *schedule*,
//! whatever world it comes from; a run on twenty machines can be gone through again on one, step by
//! step.
//!
//! **What a process is given.** Its start, requests, receipts and timeouts, as they stand in the trace. A
//! message is the one that its sender has just sent *here*, a request is read from the trace, a timer is one
//! that runs here. If the events of a process are missing in the trace ([`gaps`](crate::trace::gaps)), what it sent
//! is read where it arrived. A process that starts again does so from what it says
//! that it keeps ([`Process::recovered`]).
//!
//! **What must be the same** for that: the processes, which are made from the options; what
//! [`Context::now`](crate::process::Context::now) says, which is the time of the event in the trace; and
//! what [`Context::choose`](crate::process::Context::choose) says ([`Luck`]). Each world draws choices its
//! own way. Those of the checker are not in a trace, and are found by trying: the first with which the
//! process does what the trace says.
//!
//! **What is compared.** Each message, with its receiver, kind and text, and each indication, in their
//! order. Texts are compared as far as a trace has them ([`TEXT_MAX`](crate::trace::note::TEXT_MAX)). If a
//! process does something else, the two have *parted* ([`Parting`]), and nothing behind that can be
//! compared: either the program is another one by now, or a handler reads something that is not in its
//! state.
//!
//! **What it costs.** One step an event, and the memory of all messages.
//!
//! The idea is old: Curtis and Wittie, *BugNet: a debugging system for parallel programming environments*,
//! ICDCS 1982; LeBlanc and Mellor-Crummey, *Debugging parallel programs with Instant Replay*, IEEE
//! Transactions on Computers 36(4), 1987. Left out is what they spend their effort on: programs that have
//! shared memory, and do I/O of their own.

mod follower;
mod luck;
pub(crate) mod recall;
mod round;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use self::follower::Follower;
pub use self::luck::Luck;
pub use self::round::Round;
use crate::misstep::watchdog::Whereabouts;
use crate::misstep::{Misstep, Wrong};
use crate::process::{Env, Event, Process, ProcessId};
use crate::trace::note::debug_text;
use crate::trace::{Attendance, MessageId, MessageNote, Note, TraceEvent, What};

/// The most messages that a replay keeps, each for a receipt that may come: some hundred bytes each.
pub const MESSAGES_MAX: usize = 10_000_000;

/// A run that is gone through again.
pub struct Replay<P: Process> {
    followers: Vec<Follower<P>>,
    luck: Luck,
    has_clock: bool,
    sent: Sent,
    /// The messages of it.
    messages: Vec<P::Message>,
    attendance: Attendance,
    followed: u64,
    /// What a handler did that none may do, in the trace as here.
    misstep: Option<(ProcessId, Misstep)>,
}

/// What was sent here, to whom, and its place among all messages.
#[derive(Default)]
struct Sent(BTreeMap<MessageId, (ProcessId, usize)>);

impl Sent {
    fn add(&mut self, id: MessageId, to: ProcessId, place: usize) {
        self.0.insert(id, (to, place));
    }

    /// The place of a message that was sent to this process.
    fn place(&self, id: MessageId, to: ProcessId) -> Option<usize> {
        self.0.get(&id).filter(|(receiver, _)| *receiver == to).map(|(_, place)| *place)
    }
}

/// Where the replay and the trace say different things.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Parting {
    /// The process does something else.
    #[error("the trace says `{told}`, and {process} here does `{done}`")]
    Other {
        /// Whose event it is.
        process: ProcessId,
        /// What the trace says.
        told: String,
        /// What happens here.
        done: String,
    },
    /// The process does nothing more.
    #[error("the trace says `{told}`, and {process} here does nothing of the kind")]
    Nothing {
        /// Whose event it is.
        process: ProcessId,
        /// What the trace says.
        told: String,
    },
    /// A timer runs out that does not run.
    #[error("the trace says `{told}`, and no such timer of {process} runs here")]
    NoTimer {
        /// Whose event it is.
        process: ProcessId,
        /// What the trace says.
        told: String,
    },
    /// A message arrives that was not sent, or to somebody else.
    #[error("the trace says `{told}`, and no such message was sent to {process} here")]
    NoMessage {
        /// Whose event it is.
        process: ProcessId,
        /// What the trace says.
        told: String,
    },
    /// A handler does what none may do, and in the trace it goes on, or does something else of that kind.
    #[error("the trace says `{told}`, and here {done}")]
    Misstep {
        /// What the trace says.
        told: String,
        /// What was done here.
        done: String,
    },
    /// A handler did what none may do, and does not do it here.
    #[error("in the trace {told}; here it does not: the program was mended, or is another")]
    Mended {
        /// What the trace says.
        told: String,
    },
}

/// Why something cannot be gone through again, though nothing says that it would be different.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ReplayError {
    /// The trace names a process that it does not have.
    #[error("the trace has an event of {0}, and only {1} processes")]
    NoSuchProcess(ProcessId, usize),
    /// There are more than [`MESSAGES_MAX`] messages.
    #[error("the trace has more than {MESSAGES_MAX} messages: replay a shorter run")]
    TooManyMessages,
}

/// What came of one event.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Step {
    /// It happened here too.
    Same,
    /// Here something else happened.
    Parted(Parting),
}

/// A process that could not be followed to its end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unfollowed {
    /// Which.
    pub process: ProcessId,
    /// From which of its events on.
    pub n: u64,
    /// Why not.
    pub why: String,
}

/// A run that is gone through again, of processes of any type.
pub trait Replayed {
    /// Lets the next event of the trace happen here. `ahead` are the events behind it, where the luck is
    /// to be found by trying; else it may be empty.
    ///
    /// # Errors
    ///
    /// If no run can have that event.
    fn follow(&mut self, event: &TraceEvent, ahead: &[TraceEvent]) -> Result<Step, ReplayError>;

    /// How many events happened here as they did in the trace.
    fn followed(&self) -> u64;

    /// What a process is now, for people; none if it is not followed any more.
    fn state(&self, process: ProcessId) -> Option<String>;

    /// The processes that could not be followed to their end.
    fn unfollowed(&self) -> Vec<Unfollowed>;

    /// What a handler did that none may do, in the trace as here.
    fn misstep(&self) -> Option<(ProcessId, Misstep)>;

    /// Before the first event: handlers say there what they do. `rehearses` asks of each step whether it is the same
    /// when it happens twice.
    fn look_after(&mut self, whereabouts: &Whereabouts, rehearses: bool);
}

impl<P: Process> Replayed for Replay<P> {
    fn follow(&mut self, event: &TraceEvent, ahead: &[TraceEvent]) -> Result<Step, ReplayError> {
        let me = event.process;
        let all = self.followers.len();
        if me.index() >= all {
            return Err(ReplayError::NoSuchProcess(me, all));
        }
        if self.messages.len() > MESSAGES_MAX {
            return Err(ReplayError::TooManyMessages);
        }
        self.attendance.observe(event);
        let follower = &mut self.followers[me.index()];
        if follower.lost.is_some() {
            return Ok(Step::Same);
        }
        let parted = match &event.what {
            What::Send { peer, message } => self.expect_send(event, *peer, message),
            What::Indication(note) => follower.expect_indication(event, note),
            // The network's doing, not the process's.
            What::Drop { .. } => None,
            What::Crash(note) => self.die(event, note.as_ref()),
            What::Stop(end) => follower.expect_end(event, end.as_ref()),
            What::Recover => self.recover(event, ahead),
            What::Init | What::Request(_) | What::Receive { .. } | What::Timeout(_) => {
                self.happen(event, ahead)
            }
        };
        // What does something else each time does something else than the trace says.
        let wavers = self.followers[me.index()].wavers();
        if let Some(parting) = parted.filter(|_| !wavers) {
            return Ok(Step::Parted(parting));
        }
        self.followed += u64::from(self.followers[me.index()].lost.is_none());
        Ok(Step::Same)
    }

    fn followed(&self) -> u64 {
        self.followed
    }

    fn state(&self, process: ProcessId) -> Option<String> {
        let follower = self.followers.get(process.index())?;
        follower.lost.is_none().then(|| debug_text(&follower.process))
    }

    fn unfollowed(&self) -> Vec<Unfollowed> {
        let lost = |(process, follower): (ProcessId, &Follower<P>)| {
            let (n, why) = follower.lost.clone()?;
            Some(Unfollowed { process, n, why })
        };
        (0..).map(ProcessId).zip(&self.followers).filter_map(lost).collect()
    }

    fn misstep(&self) -> Option<(ProcessId, Misstep)> {
        self.misstep.clone()
    }

    fn look_after(&mut self, whereabouts: &Whereabouts, rehearses: bool) {
        for follower in &mut self.followers {
            follower.whereabouts = whereabouts.clone();
            follower.rehearses = rehearses;
        }
    }
}

impl<P: Process> Replay<P> {
    /// A run of these processes that is about to begin. `has_clock` says whether handlers may ask for the
    /// time.
    pub fn new(processes: Vec<P>, luck: Luck, has_clock: bool) -> Self {
        let attendance = Attendance::new(processes.len() as u32);
        let followers = processes.into_iter().map(Follower::new).collect();
        Self {
            attendance,
            followers,
            luck,
            has_clock,
            sent: Sent::default(),
            messages: Vec::new(),
            followed: 0,
            misstep: None,
        }
    }

    /// A process dies; if its own handler is to blame, it must be so here too.
    fn die(&mut self, event: &TraceEvent, note: Option<&Note>) -> Option<Parting> {
        let (process, all) = (event.process, self.followers.len());
        let follower = &mut self.followers[process.index()];
        let done = follower.taken_misstep(all);
        follower.die();
        let told = Misstep::from_note(note?)?;
        let is_same = |done: &Misstep| {
            done.wrong == told.wrong && (told.wrong == Wrong::Wavers || done.what == told.what)
        };
        match done {
            Some(done) if is_same(&done) => {
                self.misstep = Some((process, done));
                None
            }
            Some(done) => {
                let (told, done) = (told.sentence(process), done.sentence(process));
                Some(Parting::Misstep { told, done })
            }
            None => Some(Parting::Mended { told: told.sentence(process) }),
        }
    }

    /// A process starts again, from what it kept where it died.
    fn recover(&mut self, event: &TraceEvent, ahead: &[TraceEvent]) -> Option<Parting> {
        let follower = &mut self.followers[event.process.index()];
        match follower.process.recovered() {
            // Storing may have been part of what it did not do any more.
            _ if follower.died_within_step => {
                let why =
                    "it died within a step, and the trace does not tell what it had stored by then";
                self.lose(event, why.to_owned())
            }
            Some(process) => {
                follower.process = process;
                self.luck.begin_again(event.process);
                self.happen(event, ahead)
            }
            None => self.lose(event, "it starts again, and here it keeps nothing".to_owned()),
        }
    }

    /// An event that is one step of a process.
    fn happen(&mut self, event: &TraceEvent, ahead: &[TraceEvent]) -> Option<Parting> {
        let me = event.process;
        let follower = &mut self.followers[me.index()];
        if let Some(parting) = follower.expect_rest(event) {
            return Some(parting);
        }
        let given = match &event.what {
            What::Init | What::Recover => Event::Init,
            What::Request(note) => match note.data.get() {
                Ok(request) => Event::Request(request),
                Err(why) => return self.lose(event, format!("{}: {why}", note.text)),
            },
            What::Timeout(note) => match follower.take_timer(note) {
                Some(timer) => Event::Timeout(timer),
                None => return Some(Parting::NoTimer { process: me, told: event.to_string() }),
            },
            What::Receive { peer, message } => match self.message(me, *peer, message) {
                Some(message) => Event::Message { from: *peer, message },
                None if self.lacks(*peer, message) => match message.data.get() {
                    Ok(message) => Event::Message { from: *peer, message },
                    Err(why) => return self.lose(event, format!("{}: {why}", message.text)),
                },
                None if self.is_lost(message.id.process) => {
                    let why = format!("nobody knows what {} sent it", message.id.process);
                    return self.lose(event, why);
                }
                None => return Some(Parting::NoMessage { process: me, told: event.to_string() }),
            },
            _ => return None,
        };
        let now = self.has_clock.then(|| Duration::from_micros(event.at_us));
        let env = Env { me, processes: self.followers.len() as u32, now };
        let follower = &mut self.followers[me.index()];
        if let Err(why) = follower.step(env, &mut self.luck, given, ahead) {
            return self.lose(event, why);
        }
        None
    }

    /// The value of a message that arrives, if it was sent here.
    fn message(&self, to: ProcessId, from: ProcessId, note: &MessageNote) -> Option<P::Message> {
        let message = &self.messages[self.sent.place(note.id, to)?];
        let is_it = note.id.process == from && debug_text(message) == note.text;
        is_it.then(|| message.clone())
    }

    fn expect_send(
        &mut self,
        event: &TraceEvent,
        to: ProcessId,
        note: &MessageNote,
    ) -> Option<Parting> {
        match self.followers[event.process.index()].expect_send(event, to, note) {
            Ok(message) => {
                let id = MessageId { process: event.process, n: event.n };
                self.sent.add(id, to, self.messages.len());
                self.messages.push(message);
                None
            }
            Err(parting) => Some(parting),
        }
    }

    /// Whether the sending of a message is missing in the trace.
    fn lacks(&self, from: ProcessId, note: &MessageNote) -> bool {
        note.id.process == from && self.attendance.may_lack(note.id)
    }

    fn is_lost(&self, process: ProcessId) -> bool {
        self.followers.get(process.index()).is_some_and(|follower| follower.lost.is_some())
    }

    /// From here on a process cannot be followed.
    fn lose(&mut self, event: &TraceEvent, why: String) -> Option<Parting> {
        self.followers[event.process.index()].lose(event.n, why);
        self.luck.miss();
        None
    }
}
