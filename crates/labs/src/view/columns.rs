//! Events in columns, as the page reads them: a few bytes an event.
//!
//! A line of a trace has 100 to 300 bytes, most of them names, vector clocks and texts that were there
//! before. Here all events' processes stand one behind the other, then all their kinds, and so on.
//! Numbers are LEB128 (seven bits a byte, the lowest first; the eighth says that more follow) in
//! base64; times are differences to the event before of the same process, in zigzag form since clocks
//! may be set back. Texts stand once, in a table, and events have their numbers.
//!
//! Left out is what follows from the rest: the number of an event within its process, and its vector
//! clock.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};

use super::clocks::Clocks;
use super::{LOG_LINE_SHOWN, LOGS_MAX};
use crate::process::ProcessId;
use crate::trace::{MessageNote, Note, TraceEvent, What};

/// Some events in columns. Strings are counted on from chunk to chunk: the first of the second has the
/// number behind the last of the first.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Chunk {
    events: usize,
    strings: Vec<String>,
    process: Column,
    what: Column,
    time: Column,
    lamport: Column,
    /// Counted from 1; 0 where there is none.
    peer: Column,
    /// With a receipt or a loss, the number of the sending among its sender's events; else 0.
    sent: Column,
    bytes: Column,
    /// The number of a string, counted from 1; 0 where there is none.
    kind: Column,
    text: Column,
    state: Column,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    logs: Vec<LogEntry>,
}

/// A line of a log: its process, the Lamport time of the event that it belongs to, and its text.
type LogEntry = (u32, u64, String);

impl Chunk {
    /// How many events it holds.
    pub fn events(&self) -> usize {
        self.events
    }
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Column(Vec<u8>);

impl Column {
    fn push(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    /// The difference of two numbers: small whatever its sign.
    fn push_difference(&mut self, now: u64, before: u64) {
        let difference = now.wrapping_sub(before).cast_signed();
        self.push((difference.wrapping_shl(1) ^ (difference >> 63)).cast_unsigned());
    }
}

impl Serialize for Column {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

/// Turns events into chunks.
#[derive(Clone, Debug, Default)]
pub struct Encoder {
    chunk: Chunk,
    total: usize,
    strings: BTreeMap<String, u64>,
    /// How many bytes the lines of logs take.
    logged: usize,
    /// The time and the Lamport time of the last event of each process that had one.
    last: BTreeMap<u32, (u64, u64)>,
    clocks: Clocks,
}

impl Encoder {
    /// Before the first event.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many events it was given.
    pub fn total(&self) -> usize {
        self.total
    }

    /// How many of them are in no chunk yet.
    pub fn waiting(&self) -> usize {
        self.chunk.events
    }

    /// By how many microseconds each process is drawn later than its clock says: see [`Clocks::shifts`].
    pub fn clock_shifts(&self) -> Vec<i64> {
        self.clocks.shifts()
    }

    /// The next event, and the state of its process after it, where that is known.
    pub fn push(&mut self, event: &TraceEvent, state: Option<&str>) {
        self.clocks.observe(event);
        let parts = Parts::of(&event.what);
        let (kind, text) = (self.string(parts.kind), self.string(parts.text));
        let state = state.map_or(0, |state| self.string(state));
        let now = (event.at_us, event.lamport);
        let (time, lamport) = self.last.insert(event.process.0, now).unwrap_or_default();
        let chunk = &mut self.chunk;
        chunk.process.push(event.process.0.into());
        chunk.what.push(parts.what);
        chunk.time.push_difference(event.at_us, time);
        chunk.lamport.push_difference(event.lamport, lamport);
        chunk.peer.push(parts.peer);
        chunk.sent.push(parts.sent);
        chunk.bytes.push(parts.bytes);
        chunk.kind.push(kind);
        chunk.text.push(text);
        chunk.state.push(state);
        chunk.events += 1;
        self.total += 1;
    }

    /// A line of the log of a process, which belongs to its event of this Lamport time, or else to the last
    /// before. Returns whether there was room for it.
    pub fn log(&mut self, process: ProcessId, lamport: u64, text: &str) -> bool {
        let text: String = text.chars().take(LOG_LINE_SHOWN).collect();
        if self.logged + text.len() > LOGS_MAX {
            return false;
        }
        // A line without text takes room as well.
        self.logged += text.len() + size_of::<LogEntry>();
        self.chunk.logs.push((process.0, lamport, text));
        true
    }

    /// What came since the last time, if anything did.
    pub fn take(&mut self) -> Option<Chunk> {
        let is_empty = self.chunk.events == 0 && self.chunk.logs.is_empty();
        (!is_empty).then(|| std::mem::take(&mut self.chunk))
    }

    /// The number of a string; 0 of the empty one.
    fn string(&mut self, text: &str) -> u64 {
        if text.is_empty() {
            return 0;
        }
        if let Some(&number) = self.strings.get(text) {
            return number;
        }
        let number = self.strings.len() as u64 + 1;
        self.strings.insert(text.to_owned(), number);
        self.chunk.strings.push(text.to_owned());
        number
    }
}

/// What stands in the columns of an event beside its clocks.
#[derive(Default)]
struct Parts<'a> {
    what: u64,
    peer: u64,
    sent: u64,
    bytes: u64,
    kind: &'a str,
    text: &'a str,
}

impl<'a> Parts<'a> {
    fn of(what: &'a What) -> Self {
        match what {
            What::Init => Self::plain(0),
            What::Request(note) => Self::noted(1, note),
            What::Indication(note) => Self::noted(2, note),
            What::Send { peer, message } => Self::message(3, *peer, 0, message),
            What::Receive { peer, message } => Self::message(4, *peer, message.id.n, message),
            What::Drop { peer, message } => Self::message(5, *peer, message.id.n, message),
            What::Timeout(note) => Self::noted(6, note),
            What::Crash(_) => Self::plain(7),
            What::Recover => Self::plain(8),
            What::Stop(None) => Self::plain(9),
            What::Stop(Some(note)) => Self::noted(9, note),
        }
    }

    fn plain(what: u64) -> Self {
        Self { what, ..Self::default() }
    }

    fn noted(what: u64, Note { kind, text, .. }: &'a Note) -> Self {
        Self { what, kind, text, ..Self::default() }
    }

    fn message(what: u64, peer: ProcessId, sent: u64, message: &'a MessageNote) -> Self {
        let MessageNote { kind, text, bytes, .. } = message;
        Self { what, peer: u64::from(peer.0) + 1, sent, bytes: (*bytes).into(), kind, text }
    }
}

#[cfg(test)]
mod tests;
