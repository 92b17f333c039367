//! Runs written by hand, to try a property on: one that keeps it, and each way to break it.

use crate::process::ProcessId;
use crate::trace::{Data, MessageId, MessageNote, Note, Noted, TraceEvent, What};
use crate::verdict::{End, Property, StreamJudge, Verdict};

/// A run in the making, written event by event, and judged by one property.
///
/// Indications are read back from what a trace keeps of them, as they are where a file is judged.
#[derive(Clone, Debug)]
pub struct Story {
    judge: StreamJudge,
    n: Vec<u64>,
}

impl Story {
    /// A run of so many processes that is about to begin.
    pub fn of(processes: u32, property: Property) -> Self {
        Self { judge: StreamJudge::new(&[property], processes), n: vec![0; processes as usize] }
    }

    /// A process told its application this.
    #[must_use]
    pub fn tells(self, process: u32, indication: &dyn Noted) -> Self {
        let data = serde_json::to_string(&Note::of(indication)).expect("a note has a JSON form");
        let note = serde_json::from_str(&data).expect("what was written can be read");
        self.event(process, |_| What::Indication(note))
    }

    /// A process told its application something of this kind.
    #[must_use]
    pub fn says(self, process: u32, kind: &str) -> Self {
        let (text, data) = (kind.to_owned(), Data::of(&kind));
        self.event(process, |_| What::Indication(Note { kind: kind.to_owned().into(), text, data }))
    }

    /// A message of this kind is sent.
    #[must_use]
    pub fn sends(self, from: u32, to: u32, kind: &str) -> Self {
        self.event(from, |n| What::Send { peer: ProcessId(to), message: message(from, n, kind) })
    }

    /// `to` receives what `from` sent as its `n`-th event.
    #[must_use]
    pub fn receives(self, to: u32, from: u32, n: u64, kind: &str) -> Self {
        self.event(to, |_| What::Receive { peer: ProcessId(from), message: message(from, n, kind) })
    }

    /// The network loses what `from` sent `to` as its `n`-th event.
    #[must_use]
    pub fn loses(self, from: u32, to: u32, n: u64, kind: &str) -> Self {
        self.event(from, |_| What::Drop { peer: ProcessId(to), message: message(from, n, kind) })
    }

    /// A message of this kind is sent, and arrives at once.
    #[must_use]
    pub fn passes(self, from: u32, to: u32, kind: &str) -> Self {
        let n = self.n[from as usize] + 1;
        self.sends(from, to, kind).receives(to, from, n, kind)
    }

    /// A message that says something is sent.
    #[must_use]
    pub fn sends_this(self, from: u32, to: u32, said: &dyn Noted) -> Self {
        let peer = ProcessId(to);
        self.event(from, |n| What::Send { peer, message: message_of(from, n, said) })
    }

    /// A message that says something is sent, and arrives at once.
    #[must_use]
    pub fn passes_this(self, from: u32, to: u32, said: &dyn Noted) -> Self {
        let (n, peer) = (self.n[from as usize] + 1, ProcessId(from));
        let story = self.sends_this(from, to, said);
        story.event(to, |_| What::Receive { peer, message: message_of(from, n, said) })
    }

    /// A timer of this name runs out at a process.
    #[must_use]
    pub fn times_out(self, process: u32, timer: &str) -> Self {
        let (text, data) = (timer.to_owned(), Data::default());
        self.event(process, |_| What::Timeout(Note { kind: timer.to_owned().into(), text, data }))
    }

    /// The application asks a process for this.
    #[must_use]
    pub fn is_asked(self, process: u32, request: &dyn Noted) -> Self {
        self.event(process, |_| What::Request(Note::of(request)))
    }

    /// A process begins.
    #[must_use]
    pub fn begins(self, process: u32) -> Self {
        self.event(process, |_| What::Init)
    }

    /// A process dies.
    #[must_use]
    pub fn dies(self, process: u32) -> Self {
        self.event(process, |_| What::Crash(None))
    }

    /// A process starts again.
    #[must_use]
    pub fn recovers(self, process: u32) -> Self {
        self.event(process, |_| What::Recover)
    }

    /// What becomes of the property if the run ends so.
    ///
    /// # Panics
    ///
    /// If no run can have the events of the story.
    pub fn verdict(&self, end: &End) -> Verdict {
        self.judge.verdicts_at(end).remove(0)
    }

    /// Whether the property holds if the run is complete.
    pub fn holds(&self) -> Option<bool> {
        self.verdict(&End::Complete).holds()
    }

    /// What the verdict says if the run is complete.
    pub fn detail(&self) -> String {
        self.verdict(&End::Complete).detail().to_owned()
    }

    fn event(mut self, process: u32, what: impl FnOnce(u64) -> What) -> Self {
        let n = &mut self.n[process as usize];
        *n += 1;
        let what = what(*n);
        let process = ProcessId(process);
        let event = TraceEvent { process, n: *n, clock: None, lamport: 0, at_us: 0, what };
        self.judge.observe(&event).expect("the events of a story can happen");
        self
    }
}

fn message_of(from: u32, n: u64, said: &dyn Noted) -> MessageNote {
    MessageNote { text: said.text(), data: said.data(), ..message(from, n, &said.kind()) }
}

fn message(from: u32, n: u64, kind: &str) -> MessageNote {
    let id = MessageId { process: ProcessId(from), n };
    let (kind, text) = (kind.to_owned(), String::new());
    MessageNote { id, kind, text, bytes: 0, data: Data::default() }
}
