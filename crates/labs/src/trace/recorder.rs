//! Watching a run from outside: what a driver tells, and what is made of it.
//!
//! A driver tells its [`Observer`] everything that happens, and lets each message carry something
//! on the observer's behalf. [`Recorder`] is the observer that stamps events with clocks, has them
//! judged, and writes them down. The observer `()` costs nothing.

use std::io::{self, Write};

use super::event::{CLOCKS_MAX_PROCESSES, Header, MessageId, MessageNote, TraceEvent, What};
use super::format::Writer;
use super::note::{Note, Noted};
use super::stamp::Stamper;
use crate::clocks::Vector;
use crate::process::ProcessId;
use crate::verdict::{Judge, Tags};

/// What happened to one process, apart from messages.
#[derive(Clone, Copy)]
pub enum Happening<'a> {
    /// The process started.
    Init,
    /// The application asked for something.
    Request(&'a dyn Noted),
    /// The process told the application something.
    Indication(&'a dyn Noted),
    /// A timer ran out.
    Timeout(&'a dyn Noted),
    /// The process died.
    Crash,
    /// The process started again.
    Recover,
    /// The process ended because the run did, and how that ended, where it is known.
    Stop(Option<&'a dyn Noted>),
}

/// Who watches a run.
///
/// The driver calls it in an order that respects causality: a receipt after its sending, the events
/// of one process one after the other. Times are microseconds since the start of the run.
pub trait Observer {
    /// What each message carries on the observer's behalf.
    type Carried: Clone;

    /// A message is sent. `bytes` is the size of its encoding, 0 where nobody measured it.
    fn on_send(
        &mut self,
        at_us: u64,
        from: ProcessId,
        to: ProcessId,
        message: &dyn Noted,
        bytes: u32,
    ) -> Self::Carried;

    /// A message that was sent before arrives.
    fn on_receive(
        &mut self,
        at_us: u64,
        from: ProcessId,
        to: ProcessId,
        message: &dyn Noted,
        bytes: u32,
        carried: &Self::Carried,
    );

    /// The network lost a message that was sent before.
    fn on_drop(
        &mut self,
        at_us: u64,
        from: ProcessId,
        to: ProcessId,
        message: &dyn Noted,
        bytes: u32,
        carried: &Self::Carried,
    );

    /// Something else happened to a process.
    fn on_happening(&mut self, at_us: u64, process: ProcessId, happening: Happening<'_>);
}

impl Observer for () {
    type Carried = ();

    fn on_send(&mut self, _: u64, _: ProcessId, _: ProcessId, _: &dyn Noted, _: u32) {}

    fn on_receive(&mut self, _: u64, _: ProcessId, _: ProcessId, _: &dyn Noted, _: u32, (): &()) {}

    fn on_drop(&mut self, _: u64, _: ProcessId, _: ProcessId, _: &dyn Noted, _: u32, (): &()) {}

    fn on_happening(&mut self, _: u64, _: ProcessId, _: Happening<'_>) {}
}

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
}

/// Stamps, judges and writes the events of a whole run that happens in one program.
pub struct Recorder {
    stampers: Vec<Stamper>,
    judge: Judge,
    crashes: Vec<(ProcessId, u64)>,
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
        Self { stampers, judge, crashes: Vec::new(), writer: None, failure: None }
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

    fn write(&mut self, at_us: u64, process: ProcessId, what: impl FnOnce() -> What) {
        let Some(writer) = &mut self.writer else { return };
        let stamper = &self.stampers[process.index()];
        let event = TraceEvent {
            process,
            n: stamper.n(),
            clock: stamper.clock().cloned(),
            lamport: stamper.lamport(),
            at_us,
            what: what(),
        };
        if let Err(error) = writer.write(&event) {
            // The run goes on: its verdicts do not need the file. `finish` reports it.
            self.failure = Some(error);
            self.writer = None;
        }
    }
}

fn note(id: MessageId, message: &dyn Noted, bytes: u32) -> MessageNote {
    MessageNote { id, kind: message.kind().into_owned(), text: message.text(), bytes }
}

impl Observer for Recorder {
    type Carried = Carried;

    fn on_send(
        &mut self,
        at_us: u64,
        from: ProcessId,
        to: ProcessId,
        message: &dyn Noted,
        bytes: u32,
    ) -> Carried {
        let stamper = &mut self.stampers[from.index()];
        stamper.tick();
        let id = stamper.message_id();
        let lamport = stamper.lamport();
        let clock = stamper.clock().cloned().map(Box::new);
        let tags = self.judge.on_send(from, to, message, id.n);
        self.write(at_us, from, || What::Send { peer: to, message: note(id, message, bytes) });
        Carried { n: id.n, lamport, clock, tags }
    }

    fn on_receive(
        &mut self,
        at_us: u64,
        from: ProcessId,
        to: ProcessId,
        message: &dyn Noted,
        bytes: u32,
        carried: &Carried,
    ) {
        let stamper = &mut self.stampers[to.index()];
        stamper.receive(carried.lamport, carried.clock.as_deref());
        self.judge.on_receive(from, to, message, stamper.n(), carried.tags);
        let id = MessageId { process: from, n: carried.n };
        self.write(at_us, to, || What::Receive { peer: from, message: note(id, message, bytes) });
    }

    fn on_drop(
        &mut self,
        at_us: u64,
        from: ProcessId,
        to: ProcessId,
        message: &dyn Noted,
        bytes: u32,
        carried: &Carried,
    ) {
        let stamper = &mut self.stampers[from.index()];
        stamper.tick();
        self.judge.on_drop(from, to, message, stamper.n(), carried.tags);
        let id = MessageId { process: from, n: carried.n };
        self.write(at_us, from, || What::Drop { peer: to, message: note(id, message, bytes) });
    }

    fn on_happening(&mut self, at_us: u64, process: ProcessId, happening: Happening<'_>) {
        let stamper = &mut self.stampers[process.index()];
        stamper.tick();
        self.judge.on_event(process, happening, stamper.n());
        if matches!(happening, Happening::Crash) {
            self.crashes.push((process, at_us));
        }
        self.write(at_us, process, || match happening {
            Happening::Init => What::Init,
            Happening::Request(value) => What::Request(Note::of(value)),
            Happening::Indication(value) => What::Indication(Note::of(value)),
            Happening::Timeout(value) => What::Timeout(Note::of(value)),
            Happening::Crash => What::Crash,
            Happening::Recover => What::Recover,
            Happening::Stop(end) => What::Stop(end.map(Note::of)),
        });
    }
}
