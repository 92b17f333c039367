//! What one participant of a real run keeps of its events, until the launcher collects them.
//!
//! Without `--trace` a journal is kept in memory, a few bytes an event and no texts of messages, so
//! that it costs little beside a hop. With `--trace` each event is appended to a file of JSON Lines
//! before its effects leave the process, so that it survives `kill -9`.
//!
//! A record in memory does not say its number: records stand in order, so the first is 1.

use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};

use netkit::codec;
use netkit::logs::RunFolder;
use serde::{Deserialize, Serialize};

use super::config::Config;
use super::wire::Part;
use crate::process::ProcessId;
use crate::trace::{MessageId, MessageNote, Note, Stamper, TraceEvent, What, format};

/// The largest journal in memory, in bytes: half a million events. What comes after is not
/// kept, and the report says that the run could not be judged.
pub(super) const JOURNAL_MAX: usize = 32 << 20;

/// The largest part of a journal in one frame, in bytes.
pub(super) const PART_MAX: usize = 128 << 10;

/// One event of a process.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Entry {
    pub(super) what: Happened,
    /// Which request, timer, indication or message it was; empty where there is none.
    kind: Cow<'static, str>,
    /// What it says, for people. Messages say nothing in memory.
    text: String,
    /// What it says, whole, as JSON; empty where there is nothing.
    data: String,
}

/// What happened to a process. A message is named by the number of its sending.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(super) enum Happened {
    Init,
    Request,
    Indication,
    Timeout,
    Send(Passage),
    Receive(Passage),
    /// A message of its own was lost.
    Drop(Passage),
    Stop,
    /// This process had died: written when it starts again.
    Crash,
    /// It starts again.
    Recover,
}

/// A message on its way between this process and another.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(super) struct Passage {
    pub(super) peer: ProcessId,
    pub(super) n: u64,
    pub(super) bytes: u32,
}

impl Happened {
    /// With what a request, a timer, an indication or a message says.
    pub(super) fn with(self, note: Note) -> Entry {
        let Note { kind, text, data } = note;
        Entry { what: self, kind, text, data: data.into_json() }
    }
}

impl From<Happened> for Entry {
    fn from(what: Happened) -> Self {
        what.with(Note::default())
    }
}

impl Entry {
    /// As it stands in the trace of `process`.
    fn into_what(self, process: ProcessId) -> What {
        let Self { what, kind, text, data } = self;
        let note = Note { kind, text, data: serde_json::from_str(&data).unwrap_or_default() };
        let message = |sender, Passage { n, bytes, .. }: Passage, note: Note| {
            MessageNote::new(MessageId { process: sender, n }, &note, bytes)
        };
        match what {
            Happened::Init => What::Init,
            Happened::Request => What::Request(note),
            Happened::Indication => What::Indication(note),
            Happened::Timeout => What::Timeout(note),
            Happened::Send(passage) => {
                What::Send { peer: passage.peer, message: message(process, passage, note) }
            }
            Happened::Receive(passage) => {
                What::Receive { peer: passage.peer, message: message(passage.peer, passage, note) }
            }
            Happened::Drop(passage) => {
                What::Drop { peer: passage.peer, message: message(process, passage, note) }
            }
            Happened::Stop => What::Stop(None),
            Happened::Crash if note.kind.is_empty() => What::Crash(None),
            Happened::Crash => What::Crash(Some(note)),
            Happened::Recover => What::Recover,
        }
    }
}

/// An event in memory.
#[derive(Deserialize, Serialize)]
struct Record {
    lamport: u64,
    at_us: u64,
    entry: Entry,
}

/// The journal of this process.
pub(super) enum Journal {
    /// Nobody will ask for it.
    Nowhere,
    Memory {
        bytes: Vec<u8>,
        truncated: bool,
    },
    File(File),
}

impl Journal {
    /// A journal in memory.
    pub(super) fn in_memory() -> Self {
        Self::Memory { bytes: Vec::new(), truncated: false }
    }

    /// Opens the file of a traced journal, in `folder`. A participant that starts again goes on
    /// with the one that is there.
    pub(super) fn open(folder: &RunFolder, config: &Config) -> anyhow::Result<Self> {
        let name = trace_name(config.rank);
        if config.again.is_none() {
            drop(folder.file(&name)?);
        }
        let path = folder.path().join(name);
        Ok(Self::File(OpenOptions::new().read(true).append(true).open(path)?))
    }

    /// Appends the event that `stamper` just stamped.
    pub(super) fn append(&mut self, stamper: &Stamper, at_us: u64, entry: Entry) -> io::Result<()> {
        match self {
            Self::Nowhere | Self::Memory { truncated: true, .. } => Ok(()),
            Self::Memory { bytes, truncated } => {
                if bytes.len() >= JOURNAL_MAX {
                    *truncated = true;
                    return Ok(());
                }
                append_record(&Record { lamport: stamper.lamport(), at_us, entry }, bytes)
            }
            Self::File(file) => {
                let process = stamper.message_id().process;
                let event = TraceEvent {
                    process,
                    n: stamper.n(),
                    clock: stamper.clock().cloned(),
                    lamport: stamper.lamport(),
                    at_us,
                    what: entry.into_what(process),
                };
                file.write_all(&format::line(&event))
            }
        }
    }

    /// The events in a file, from the first on; none in memory.
    pub(super) fn events(&self, process: ProcessId) -> io::Result<Events<Box<dyn BufRead>>> {
        let Self::File(file) = self else {
            return Ok(Events::new(process, Box::new(io::empty()), Form::Lines));
        };
        let mut file = file.try_clone()?;
        file.seek(SeekFrom::Start(0))?;
        Ok(Events::new(process, Box::new(BufReader::new(file)), Form::Lines))
    }

    /// Goes on where a process that died left off: returns its last whole event, and cuts off what
    /// a `kill -9` left of the next. Only a journal on disk is left of it.
    pub(super) fn resume(&mut self) -> io::Result<Option<TraceEvent>> {
        let Self::File(file) = self else { return Ok(None) };
        let end = file.seek(SeekFrom::End(0))?;
        let start = end.saturating_sub(2 * format::WHOLE_LINE_MAX);
        file.seek(SeekFrom::Start(start))?;
        let mut tail = Vec::new();
        Read::by_ref(file).take(2 * format::WHOLE_LINE_MAX).read_to_end(&mut tail)?;
        let whole = tail.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        file.set_len(start + whole as u64)?;
        let last = tail[..whole].split_inclusive(|&byte| byte == b'\n').next_back();
        last.map(format::parse).transpose().map_err(io::Error::other)
    }

    /// The part from `offset` on.
    pub(super) fn part(&mut self, offset: u64) -> io::Result<Part> {
        match self {
            Self::Nowhere => {
                Ok(Part { offset, bytes: Vec::new(), is_last: true, truncated: false })
            }
            Self::Memory { bytes, truncated } => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                let end = (start + PART_MAX).min(bytes.len());
                let is_last = end == bytes.len();
                let (bytes, truncated) = (bytes[start..end].to_vec(), *truncated);
                Ok(Part { offset, bytes, is_last, truncated })
            }
            Self::File(file) => {
                file.seek(SeekFrom::Start(offset))?;
                let mut bytes = Vec::new();
                Read::by_ref(file).take(PART_MAX as u64).read_to_end(&mut bytes)?;
                let is_last = bytes.len() < PART_MAX;
                Ok(Part { offset, bytes, is_last, truncated: false })
            }
        }
    }
}

/// The name of a traced journal in the folder of its run.
pub(super) fn trace_name(rank: u32) -> String {
    format!("trace-{rank}.jsonl")
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

/// How journals are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Form {
    /// Records without texts of messages, as they are kept in memory.
    Records,
    /// The lines of a trace, as they are kept on disk.
    Lines,
}

/// Reads the journal of one process back, event by event.
pub(super) struct Events<R> {
    process: ProcessId,
    n: u64,
    from: R,
    form: Form,
}

impl<R: BufRead> Events<R> {
    /// Reads what [`Journal`] wrote for `process`.
    pub(super) fn new(process: ProcessId, from: R, form: Form) -> Self {
        Self { process, n: 0, from, form }
    }

    fn read_line(&mut self) -> Option<Result<TraceEvent, String>> {
        let mut line = Vec::new();
        let limited = &mut self.from.by_ref().take(format::WHOLE_LINE_MAX);
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
        if length as u64 > format::WHOLE_LINE_MAX {
            return Some(Err(format!("a record of {length} bytes")));
        }
        let mut body = vec![0; length];
        if self.from.read_exact(&mut body).is_err() {
            return None;
        }
        self.n += 1;
        let record = codec::decode::<Record>(&body).map_err(|error| error.to_string());
        Some(record.map(|Record { lamport, at_us, entry }| TraceEvent {
            process: self.process,
            n: self.n,
            clock: None,
            lamport,
            at_us,
            what: entry.into_what(self.process),
        }))
    }
}

impl<R: BufRead> Iterator for Events<R> {
    type Item = Result<TraceEvent, String>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.form {
            Form::Lines => self.read_line(),
            Form::Records => self.read_record(),
        }
    }
}
