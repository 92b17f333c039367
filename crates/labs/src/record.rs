//! Stamps the events of a run with clocks, has them judged, and writes them down.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use crate::clocks::Vector;
use crate::process::ProcessId;
use crate::trace::event::CLOCKS_MAX_PROCESSES;
use crate::trace::format::Writer;
use crate::trace::{
    Happening, Header, MessageId, MessageNote, Mishap, Observer, Passing, Stamper, TraceEvent, What,
};
use crate::verdict::{Judge, Tags, Witness};

/// What a message carries from its sending to its receipt on a [`Recorder`]'s behalf.
#[derive(Clone, Debug, Default)]
pub struct Carried {
    /// The number of the sending among the sender's events.
    pub n: u64,
    /// The sender's Lamport time.
    pub lamport: u64,
    /// The sender's vector clock, in runs that keep one.
    pub clock: Option<Box<Vector>>,
    /// What the monitors let it carry.
    pub tags: Tags,
    /// When it was sent, in microseconds since the start.
    pub at_us: u64,
    /// What stands of it in the trace, if one is written: the same at its sending, its receipts and its loss.
    note: Option<Arc<MessageNote>>,
}

/// Stamps, judges and writes the events of a whole run that happens in one program.
pub struct Recorder {
    stampers: Vec<Stamper>,
    judge: Judge,
    crashes: Vec<(ProcessId, u64)>,
    /// How many microseconds the slowest of the messages that arrived was under way.
    slowest_us: u64,
    writer: Option<Writer<Box<dyn Write>>>,
    failure: Option<io::Error>,
}

impl Recorder {
    /// A recorder that judges by `judge` and writes nothing.
    pub fn new(processes: u32, judge: Judge) -> Self {
        Self::with_clocks(processes, judge, false)
    }

    /// A recorder that judges, and writes a trace.
    ///
    /// # Errors
    ///
    /// If the header cannot be written.
    pub fn writing(header: &Header, judge: Judge, to: Box<dyn Write>) -> io::Result<Self> {
        let writer = Writer::new(header, to)?;
        let mut this = Self::with_clocks(header.processes, judge, header.clocks);
        this.writer = Some(writer);
        Ok(this)
    }

    fn with_clocks(processes: u32, judge: Judge, clocks: bool) -> Self {
        let clocks = clocks && processes <= CLOCKS_MAX_PROCESSES;
        let stampers =
            (0..processes).map(|rank| Stamper::new(ProcessId(rank), processes, clocks)).collect();
        Self { stampers, judge, crashes: Vec::new(), slowest_us: 0, writer: None, failure: None }
    }

    /// Ends the recording and returns the judge.
    ///
    /// # Errors
    ///
    /// If any part of the trace could not be written.
    pub fn finish(mut self) -> io::Result<Judge> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        if let Some(writer) = self.writer {
            writer.finish()?;
        }
        Ok(self.judge)
    }

    /// The judge, with what it has seen so far.
    pub fn judge(&self) -> &Judge {
        &self.judge
    }

    /// Who died, and when, in microseconds since the start: in the order of their deaths.
    pub fn crashes(&self) -> &[(ProcessId, u64)] {
        &self.crashes
    }

    /// How long the slowest of the messages that arrived was under way.
    pub fn slowest(&self) -> Duration {
        Duration::from_micros(self.slowest_us)
    }

    fn write(&mut self, at_us: u64, process: ProcessId, what: What) {
        let Some(writer) = &mut self.writer else { return };
        let stamper = &self.stampers[process.index()];
        let event = TraceEvent {
            process,
            n: stamper.n(),
            clock: stamper.clock().cloned(),
            lamport: stamper.lamport(),
            at_us,
            what,
        };
        if let Err(error) = writer.write(&event) {
            // The run goes on: its verdicts do not need the file. `finish` reports it.
            self.failure = Some(error);
            self.writer = None;
        }
    }
}

impl Observer for Recorder {
    type Carried = Carried;

    fn on_send(&mut self, message: Passing<'_>) -> Carried {
        let Passing { at_us, from, to, message, bytes } = message;
        let stamper = &mut self.stampers[from.index()];
        stamper.tick();
        let (n, lamport) = (stamper.n(), stamper.lamport());
        let clock = stamper.clock().cloned().map(Box::new);
        let tags = self.judge.on_send(Witness { process: from, n }, to, message);
        let note = self.writer.is_some().then(|| {
            let id = MessageId { process: from, n };
            Arc::new(MessageNote::cut(id, message, bytes))
        });
        if let Some(note) = &note {
            let message = MessageNote::clone(note);
            self.write(at_us, from, What::Send { peer: to, message });
        }
        Carried { n, lamport, clock, tags, at_us, note }
    }

    fn on_receive(&mut self, message: Passing<'_>, carried: &Carried) {
        let Passing { at_us, from, to, .. } = message;
        let stamper = &mut self.stampers[to.index()];
        stamper.receive(carried.lamport, carried.clock.as_deref());
        let at = Witness { process: to, n: stamper.n() };
        self.slowest_us = self.slowest_us.max(at_us.saturating_sub(carried.at_us));
        self.judge.on_receive(from, at, message.message, carried.tags);
        if let Some(note) = &carried.note {
            let message = MessageNote::clone(note);
            self.write(at_us, to, What::Receive { peer: from, message });
        }
    }

    fn on_drop(&mut self, message: Passing<'_>, carried: &Carried) {
        let Passing { at_us, from, to, .. } = message;
        let stamper = &mut self.stampers[from.index()];
        stamper.tick();
        let at = Witness { process: from, n: stamper.n() };
        self.judge.on_drop(at, to, message.message, carried.tags);
        if let Some(note) = &carried.note {
            let message = MessageNote::clone(note);
            self.write(at_us, from, What::Drop { peer: to, message });
        }
    }

    fn on_mishap(&mut self, mishap: Mishap) {
        self.judge.on_mishap(mishap);
    }

    fn on_happening(&mut self, at_us: u64, process: ProcessId, happening: Happening<'_>) {
        let stamper = &mut self.stampers[process.index()];
        stamper.tick();
        self.judge.on_event(Witness { process, n: stamper.n() }, happening);
        if matches!(happening, Happening::Crash | Happening::Misstep(_)) {
            self.crashes.push((process, at_us));
        }
        if self.writer.is_some() {
            self.write(at_us, process, What::of(happening));
        }
    }
}

#[cfg(test)]
mod tests;
