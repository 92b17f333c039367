//! What is made of processes whose events are missing, where the others go on when some die.
//!
//! If the machine of a process is cut off, nobody can fetch its last events. What it did then is known from the
//! messages that others got from it. Such a message was sent, as the event of which it carries the number; and the
//! events between that and the last one that is known were receipts, as far as there are messages that it had not
//! received. After its last known event it is taken for dead.
//!
//! A verdict *holds* if it holds so. A violation may be due to what is missing: it counts if it needs nothing that
//! is missing, or if each event of the lost processes is explained; else the verdict is *unknown*, and says
//! what it hangs on.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::judge::{Judge, Tags};
use super::{End, Judgement, Verdict, Witness};
use crate::process::ProcessId;
use crate::trace::{Gap, Happening, MessageId, MessageNote, Note, TraceEvent, What};

/// A judge that takes lost processes for dead after their last known events.
#[derive(Clone, Debug)]
pub(super) struct Lost {
    judge: Judge,
    processes: BTreeMap<ProcessId, Known>,
    /// The messages that were sent, with their kinds and receivers and what they carry.
    under_way: BTreeMap<MessageId, Passing>,
    /// The number of the last message that each process received from each other, by receiver and sender.
    heard: BTreeMap<(ProcessId, ProcessId), u64>,
}

/// How far a process is known of which events are missing.
#[derive(Clone, Debug, Default)]
struct Known {
    events: u64,
    /// What it was sent, and may not have received.
    pending: VecDeque<MessageId>,
    /// Whether it did something that nothing explains.
    is_unexplained: bool,
}

/// A message on its way.
#[derive(Clone, Debug)]
struct Passing {
    to: ProcessId,
    kind: String,
    tags: Tags,
}

impl Lost {
    /// Before the first event. The judge is told nothing by now.
    pub(super) fn new(judge: Judge) -> Self {
        let (under_way, heard) = (BTreeMap::new(), BTreeMap::new());
        Self { judge, processes: BTreeMap::new(), under_way, heard }
    }

    /// The next event. `events` is how many events of a process the file had before it.
    pub(super) fn observe(&mut self, event: &TraceEvent, events: impl Fn(ProcessId) -> u64) {
        let at = Witness { process: event.process, n: event.n };
        let happening = match &event.what {
            What::Send { peer, message } => return self.send(at, *peer, message),
            What::Receive { peer, message } => {
                if !self.under_way.contains_key(&message.id) {
                    self.infer(*peer, event.process, message, events(*peer));
                }
                return self.receive(*peer, at, message);
            }
            What::Drop { peer, message } => {
                let tags = self.tags(message.id);
                return self.judge.on_drop(at, *peer, message, tags);
            }
            What::Init => Happening::Init,
            What::Request(note) => Happening::Request(note),
            What::Indication(note) => Happening::Indication(note),
            What::Timeout(note) => Happening::Timeout(note),
            What::Crash(_) => Happening::Crash,
            What::Recover => Happening::Recover,
            What::Stop(_) => Happening::Stop(None),
        };
        self.judge.on_event(at, happening);
    }

    fn send(&mut self, at: Witness, to: ProcessId, message: &MessageNote) {
        let tags = self.judge.on_send(at, to, message);
        self.under_way.insert(message.id, Passing { to, kind: message.kind.clone(), tags });
        if let Some(known) = self.processes.get_mut(&to) {
            known.pending.push_back(message.id);
        }
    }

    fn receive(&mut self, from: ProcessId, at: Witness, message: &MessageNote) {
        self.heard.insert((at.process, from), message.id.n);
        let tags = self.tags(message.id);
        self.judge.on_receive(from, at, message, tags);
    }

    fn tags(&self, id: MessageId) -> Tags {
        self.under_way.get(&id).map_or_else(Tags::default, |passing| passing.tags)
    }

    /// A message arrives whose sending is missing: what its sender did up to it.
    fn infer(&mut self, from: ProcessId, to: ProcessId, message: &MessageNote, events: u64) {
        let n = message.id.n;
        if !self.processes.contains_key(&from) {
            let pending = self.pending(from);
            self.processes.insert(from, Known { events, pending, is_unexplained: false });
        }
        while let Some(before) = self.next_before(from, n) {
            self.explain(Witness { process: from, n: before });
        }
        self.send(Witness { process: from, n }, to, message);
        if let Some(known) = self.processes.get_mut(&from) {
            known.events = known.events.max(n);
        }
    }

    /// The number of the next event of a process that is missing, if it comes before this one.
    fn next_before(&self, process: ProcessId, n: u64) -> Option<u64> {
        let known = self.processes.get(&process)?;
        // What cannot be explained any more needs no look at each event.
        let next = known.events.saturating_add(1);
        (next < n && !(known.is_unexplained && known.pending.is_empty())).then_some(next)
    }

    /// What a process was sent and has not received, the oldest of each sender first.
    fn pending(&self, to: ProcessId) -> VecDeque<MessageId> {
        let is_pending = |(id, passing): &(&MessageId, &Passing)| {
            let heard = self.heard.get(&(to, id.process)).copied().unwrap_or(0);
            passing.to == to && id.n > heard
        };
        self.under_way.iter().filter(is_pending).map(|(id, _)| *id).collect()
    }

    /// An event of a process that is missing: a receipt, if there is a message for it.
    fn explain(&mut self, at: Witness) {
        let Some(known) = self.processes.get_mut(&at.process) else { return };
        known.events = at.n;
        let Some(id) = known.pending.pop_front() else {
            known.is_unexplained = true;
            return;
        };
        let Some(passing) = self.under_way.get(&id) else { return };
        let kind = Note { kind: passing.kind.clone().into(), ..Note::default() };
        self.receive(id.process, at, &MessageNote::new(id, &kind, 0));
    }

    /// The verdicts, with these processes dead after their last known events. `part` is what is known without
    /// what is missing.
    pub(super) fn verdicts(&self, end: &End, gaps: &[Gap], part: Vec<Verdict>) -> Vec<Verdict> {
        let mut judge = self.judge.clone();
        for gap in gaps {
            let n = self
                .processes
                .get(&gap.process)
                .map_or(gap.from, |known| known.events.saturating_add(1));
            judge.on_event(Witness { process: gap.process, n }, Happening::Crash);
        }
        let unexplained: BTreeSet<_> = self
            .processes
            .iter()
            .filter(|(_, known)| known.is_unexplained)
            .map(|(process, _)| *process)
            .collect();
        let hangs_on = gaps.iter().find(|gap| unexplained.contains(&gap.process));
        let judged = |(whole, part): (Verdict, Verdict)| match (hangs_on, whole.judgement) {
            _ if part.is_violated() => part,
            (Some(Gap { process, from }), Judgement::Violated(violation)) => {
                let what = violation.what;
                let why =
                    format!("{what}; but what {process} did from its event {from} on is lost");
                Verdict { judgement: Judgement::Unknown(why), ..part }
            }
            (_, judgement) => Verdict { judgement, ..part },
        };
        judge.verdicts(end).into_iter().zip(part).map(judged).collect()
    }
}

#[cfg(test)]
mod tests;
