//! What one participant of a real run keeps of its events, until the launcher collects them.
//!
//! Without `--trace` a journal is kept in memory, a few bytes an event and no texts of messages, so
//! that it costs little beside a hop. With `--trace` each event is appended to a file of JSON Lines
//! before its effects leave the process, so that it survives `kill -9`.
//!
//! A record does not say its number: records stand in order, so the first is 1. A sending does not say
//! its id for the same reason.

use std::fs::File;
use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};

use netkit::codec;
use netkit::files::read_part;
use serde::{Deserialize, Serialize};

use crate::clocks::Vector;
use crate::process::ProcessId;
use crate::trace::{MessageId, MessageNote, Note, Noted, Stamper, TraceEvent, What, format};

/// The largest journal in memory, in bytes: about a million events. What comes after is not
/// kept, and the report says that the run could not be judged.
pub(super) const JOURNAL_MAX: usize = 32 << 20;

/// The largest part of a journal in one frame, in bytes.
pub(super) const PART_MAX: usize = 128 << 10;

/// An event of this process, message texts apart.
pub(super) enum Entry<'a> {
    Init,
    Request(&'a dyn Noted),
    Indication(&'a dyn Noted),
    Timeout(&'a dyn Noted),
    Send {
        to: ProcessId,
        message: &'a dyn Noted,
        bytes: u32,
    },
    Receive {
        from: ProcessId,
        n: u64,
        message: &'a dyn Noted,
        bytes: u32,
    },
    /// A message of its own, its `n`-th event, was lost.
    Drop {
        to: ProcessId,
        n: u64,
        message: &'a dyn Noted,
        bytes: u32,
    },
    Stop,
    /// This process had died: written when it starts again.
    Crash,
    /// It starts again.
    Recover,
}

#[derive(Deserialize, Serialize)]
struct Record {
    lamport: u64,
    at_us: u64,
    what: RecordedWhat,
}

#[derive(Deserialize, Serialize)]
enum RecordedWhat {
    Init,
    Request { kind: String, text: String },
    Indication { kind: String, text: String },
    Timeout { kind: String, text: String },
    Send { to: ProcessId, kind: String, bytes: u32 },
    Receive { from: ProcessId, n: u64, kind: String, bytes: u32 },
    Stop,
    Drop { to: ProcessId, n: u64, kind: String, bytes: u32 },
    Crash,
    Recover,
}

/// The journal of this process.
pub(super) enum Journal {
    Memory { bytes: Vec<u8>, truncated: bool },
    File(File),
}

impl Journal {
    /// A journal in memory.
    pub(super) fn in_memory() -> Self {
        Self::Memory { bytes: Vec::new(), truncated: false }
    }

    /// Appends the event that `stamper` just stamped.
    pub(super) fn append(
        &mut self,
        stamper: &Stamper,
        at_us: u64,
        entry: &Entry<'_>,
    ) -> io::Result<()> {
        match self {
            Self::Memory { truncated: true, .. } => Ok(()),
            Self::Memory { bytes, truncated } => {
                if bytes.len() >= JOURNAL_MAX {
                    *truncated = true;
                    return Ok(());
                }
                let record = Record { lamport: stamper.lamport(), at_us, what: recorded(entry) };
                append_record(&record, bytes)
            }
            Self::File(file) => {
                let event = TraceEvent {
                    process: stamper.message_id().process,
                    n: stamper.n(),
                    clock: stamper.clock().cloned(),
                    lamport: stamper.lamport(),
                    at_us,
                    what: traced(stamper, entry),
                };
                file.write_all(&format::line(&event))
            }
        }
    }

    /// Goes on where a process that died left off: returns its last whole event, and cuts off what a
    /// `kill -9` left of the next. Only a journal on disk is left of it.
    pub(super) fn resume(&mut self) -> io::Result<Option<TraceEvent>> {
        let Self::File(file) = self else { return Ok(None) };
        let end = file.seek(SeekFrom::End(0))?;
        let start = end.saturating_sub(2 * format::LINE_MAX);
        let tail = read_part(file, start, 2 * format::LINE_MAX)?;
        let whole = tail.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        file.set_len(start + whole as u64)?;
        let last = tail[..whole].split_inclusive(|&byte| byte == b'\n').next_back();
        last.map(format::parse).transpose().map_err(io::Error::other)
    }

    /// The part from `offset` on, whether it is the last, and whether events are missing at the end.
    pub(super) fn part(&mut self, offset: u64) -> io::Result<(Vec<u8>, bool, bool)> {
        match self {
            Self::Memory { bytes, truncated } => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                let end = (start + PART_MAX).min(bytes.len());
                Ok((bytes[start..end].to_vec(), end == bytes.len(), *truncated))
            }
            Self::File(file) => {
                let part = read_part(file, offset, PART_MAX as u64)?;
                let is_last = part.len() < PART_MAX;
                Ok((part, is_last, false))
            }
        }
    }
}

/// A record is a frame of its own: its length, then its body.
fn append_record(record: &Record, into: &mut Vec<u8>) -> io::Result<()> {
    let start = into.len();
    into.extend([0; 4]);
    codec::encode(record, into).map_err(io::Error::other)?;
    let length = u32::try_from(into.len() - start - 4).map_err(io::Error::other)?;
    into[start..start + 4].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

fn recorded(entry: &Entry<'_>) -> RecordedWhat {
    let kind = |value: &dyn Noted| value.kind().into_owned();
    match *entry {
        Entry::Init => RecordedWhat::Init,
        Entry::Request(value) => RecordedWhat::Request { kind: kind(value), text: value.text() },
        Entry::Indication(value) => {
            RecordedWhat::Indication { kind: kind(value), text: value.text() }
        }
        Entry::Timeout(value) => RecordedWhat::Timeout { kind: kind(value), text: value.text() },
        Entry::Send { to, message, bytes } => RecordedWhat::Send { to, kind: kind(message), bytes },
        Entry::Receive { from, n, message, bytes } => {
            RecordedWhat::Receive { from, n, kind: kind(message), bytes }
        }
        Entry::Drop { to, n, message, bytes } => {
            RecordedWhat::Drop { to, n, kind: kind(message), bytes }
        }
        Entry::Stop => RecordedWhat::Stop,
        Entry::Crash => RecordedWhat::Crash,
        Entry::Recover => RecordedWhat::Recover,
    }
}

fn traced(stamper: &Stamper, entry: &Entry<'_>) -> What {
    let note = |id, message: &dyn Noted, bytes| MessageNote {
        id,
        kind: message.kind().into_owned(),
        text: message.text(),
        bytes,
    };
    match *entry {
        Entry::Init => What::Init,
        Entry::Request(value) => What::Request(Note::of(value)),
        Entry::Indication(value) => What::Indication(Note::of(value)),
        Entry::Timeout(value) => What::Timeout(Note::of(value)),
        Entry::Send { to, message, bytes } => {
            What::Send { peer: to, message: note(stamper.message_id(), message, bytes) }
        }
        Entry::Receive { from, n, message, bytes } => {
            let id = MessageId { process: from, n };
            What::Receive { peer: from, message: note(id, message, bytes) }
        }
        Entry::Drop { to, n, message, bytes } => {
            let id = MessageId { n, ..stamper.message_id() };
            What::Drop { peer: to, message: note(id, message, bytes) }
        }
        Entry::Stop => What::Stop(None),
        Entry::Crash => What::Crash,
        Entry::Recover => What::Recover,
    }
}

/// Reads the journal of one process back, event by event.
pub(super) struct Events<R> {
    process: ProcessId,
    n: u64,
    from: R,
    is_trace: bool,
}

impl<R: BufRead> Events<R> {
    /// Reads what [`Journal`] wrote for `process`.
    pub(super) fn new(process: ProcessId, from: R, is_trace: bool) -> Self {
        Self { process, n: 0, from, is_trace }
    }

    fn read_line(&mut self) -> Option<Result<TraceEvent, String>> {
        let mut line = Vec::new();
        let limited = &mut self.from.by_ref().take(format::LINE_MAX);
        match limited.read_until(b'\n', &mut line) {
            Err(error) => Some(Err(error.to_string())),
            // A line without its end is one that a `kill -9` cut short: it never had an effect.
            Ok(_) if line.last() != Some(&b'\n') => None,
            Ok(_) => Some(format::parse(&line)),
        }
    }

    fn read_record(&mut self) -> Option<Result<TraceEvent, String>> {
        let mut length = [0; 4];
        if self.from.read_exact(&mut length).is_err() {
            return None;
        }
        let length = u32::from_be_bytes(length) as usize;
        if length > PART_MAX {
            return Some(Err(format!("a record of {length} bytes")));
        }
        let mut body = vec![0; length];
        if self.from.read_exact(&mut body).is_err() {
            return None;
        }
        self.n += 1;
        let record = codec::decode::<Record>(&body).map_err(|error| error.to_string());
        Some(record.map(|record| self.event(record)))
    }

    fn event(&self, record: Record) -> TraceEvent {
        let text = String::new;
        let what = match record.what {
            RecordedWhat::Init => What::Init,
            RecordedWhat::Request { kind, text } => What::Request(Note { kind, text }),
            RecordedWhat::Indication { kind, text } => What::Indication(Note { kind, text }),
            RecordedWhat::Timeout { kind, text } => What::Timeout(Note { kind, text }),
            RecordedWhat::Send { to, kind, bytes } => {
                let id = MessageId { process: self.process, n: self.n };
                What::Send { peer: to, message: MessageNote { id, kind, text: text(), bytes } }
            }
            RecordedWhat::Receive { from, n, kind, bytes } => {
                let id = MessageId { process: from, n };
                What::Receive { peer: from, message: MessageNote { id, kind, text: text(), bytes } }
            }
            RecordedWhat::Drop { to, n, kind, bytes } => {
                let id = MessageId { process: self.process, n };
                What::Drop { peer: to, message: MessageNote { id, kind, text: text(), bytes } }
            }
            RecordedWhat::Stop => What::Stop(None),
            RecordedWhat::Crash => What::Crash,
            RecordedWhat::Recover => What::Recover,
        };
        let (process, n, clock) = (self.process, self.n, None::<Vector>);
        TraceEvent { process, n, clock, lamport: record.lamport, at_us: record.at_us, what }
    }
}

impl<R: BufRead> Iterator for Events<R> {
    type Item = Result<TraceEvent, String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_trace { self.read_line() } else { self.read_record() }
    }
}
