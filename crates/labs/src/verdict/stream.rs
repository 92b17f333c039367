//! Judging events that were written down: the tags follow the ids of the messages.

use std::collections::BTreeMap;

use super::{End, Judge, Property, Tags, Witness};
use crate::process::ProcessId;
use crate::trace::{Happening, MessageId, MessageNote, TraceEvent, What};

/// Judges events that were written down.
#[derive(Clone, Debug, Default)]
pub struct StreamJudge {
    judge: Judge,
    processes: u32,
    /// How many events of each process were seen.
    seen: Vec<u64>,
    under_way: BTreeMap<MessageId, Sent>,
    end: Option<End>,
}

/// A message, from its sending on: it may arrive again.
#[derive(Clone, Debug)]
struct Sent {
    to: ProcessId,
    kind: String,
    tags: Tags,
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
    /// A message arrives that nobody sent.
    #[error("{process} receives message {id}, which was not sent to it before this line")]
    NotSent {
        /// The receiver.
        process: ProcessId,
        /// The message.
        id: MessageId,
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
            seen: vec![0; processes as usize],
            ..Self::default()
        }
    }

    /// The next event. Events come in any order that respects causality.
    ///
    /// # Errors
    ///
    /// If no run has such an event at this place.
    pub fn observe(&mut self, event: &TraceEvent) -> Result<(), StreamError> {
        self.check_place(event)?;
        let process = event.process;
        let at = Witness { process, n: event.n };
        let happening = match &event.what {
            What::Send { peer, message } => {
                let tags = self.judge.on_send(at, *peer, message);
                let kind = message.kind.clone();
                self.under_way.insert(message.id, Sent { to: *peer, kind, tags });
                return Ok(());
            }
            What::Receive { peer, message } => {
                let tags = self.tags(message, *peer, process, process)?;
                self.judge.on_receive(*peer, at, message, tags);
                return Ok(());
            }
            What::Drop { peer, message } => {
                let tags = self.tags(message, process, *peer, process)?;
                self.judge.on_drop(at, *peer, message, tags);
                return Ok(());
            }
            What::Init => Happening::Init,
            What::Request(note) => Happening::Request(note),
            What::Indication(note) => Happening::Indication(note),
            What::Timeout(note) => Happening::Timeout(note),
            What::Crash => Happening::Crash,
            What::Recover => Happening::Recover,
            What::Stop(end) => {
                self.end = end.as_ref().and_then(End::from_note).or(self.end.take());
                Happening::Stop(None)
            }
        };
        self.judge.on_event(at, happening);
        Ok(())
    }

    /// The judge, with what it has seen so far.
    pub fn judge(&self) -> &Judge {
        &self.judge
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
        let seen = &mut self.seen[event.process.index()];
        if event.n != *seen + 1 {
            let (process, n, before) = (event.process, event.n, *seen);
            return Err(StreamError::Numbering { process, n, before });
        }
        *seen = event.n;
        Ok(())
    }

    /// What a message carries that was sent so.
    fn tags(
        &self,
        message: &MessageNote,
        from: ProcessId,
        to: ProcessId,
        process: ProcessId,
    ) -> Result<Tags, StreamError> {
        let id = message.id;
        let sent = self.under_way.get(&id).filter(|sent| id.process == from && sent.to == to);
        let Sent { kind, tags, .. } = sent.ok_or(StreamError::NotSent { process, id })?;
        if *kind != message.kind {
            let (sent, received) = (kind.clone(), message.kind.clone());
            return Err(StreamError::OtherKind { process, id, sent, received });
        }
        Ok(*tags)
    }
}
