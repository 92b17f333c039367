//! The trace as a file: JSON Lines, the header first, then one event a line.
//!
//! ```json
//! {"trace":2,"lab":"token-ring","verb":"simulate","run":"sim","processes":4,"seed":7,"arguments":[]}
//! {"process":2,"n":17,"clock":[3,9,17,2],"lamport":31,"at_us":1234567,"event":"send","peer":3,
//!  "message":{"id":"2-17","kind":"TOKEN","text":"Token { lap: 3 }","bytes":12,"data":{"Token":{"lap":3}}}}
//! ```
//!
//! (The second is one line in the file.) The events of one process stand in order; those of several
//! interleave in any order that respects causality. `request`, `indication` and `timeout` carry
//! `"value":{"kind":..,"text":..,"data":..}`; `stop` may carry one that says how the run ended. Fields that
//! a reader does not know are passed over.
//!
//! A file for people keeps of a large value its length and its hash ([`Data::cut`]). What a participant
//! of a run writes down for its launcher is whole: see [`line()`].

use std::borrow::Cow;
use std::io::{self, BufRead, Read, Write};

use serde::{Deserialize, Serialize};

use super::event::{FORMAT, Header, MessageNote, Setup, TraceEvent, What};
use super::note::{Data, Note};
use super::rules::{self, Broken, Rules};
use crate::clocks::Vector;
use crate::process::ProcessId;
use crate::verdict::Monitors;

/// The longest line that is read, in bytes: a text at its limit, escaped, and a vector clock with
/// its 256 largest entries fit ten times. A file that is no trace must not fill memory.
pub const LINE_MAX: u64 = 1 << 18;

/// The longest line of a journal, whose values are whole: as long as four of the largest messages that
/// netkit sends unless told otherwise, for JSON is longer than what is sent.
pub const WHOLE_LINE_MAX: u64 = 64 << 20;

/// The longest header that is read, in bytes. Its arguments may hold a fault plan.
pub const HEADER_MAX: u64 = 1 << 20;

/// The most processes that a trace may name: as many as the simulator takes, and a few bytes each.
pub const PROCESSES_MAX: u32 = 16_777_216;

/// What stands in the header of any format.
#[derive(Deserialize)]
struct AnyFormat {
    trace: u32,
}

/// The header as it stands in its line.
#[derive(Deserialize)]
struct FirstLine {
    #[serde(flatten)]
    header: Header,
    #[serde(default)]
    setup: Option<Setup>,
}

/// Whether a header says anything of clocks.
#[derive(Deserialize)]
struct Clocks {
    #[serde(default)]
    clocks: Option<bool>,
}

/// The same, to be written.
#[derive(Serialize)]
struct FirstLineRef<'a> {
    #[serde(flatten)]
    header: &'a Header,
    setup: &'a Setup,
}

/// One event as it stands in a line, with what a replay adds.
#[derive(Serialize)]
struct LineWithState<'a> {
    #[serde(flatten)]
    line: Line<'a>,
    state: &'a str,
}

/// One event as it stands in a line.
#[derive(Deserialize, Serialize)]
struct Line<'a> {
    process: ProcessId,
    n: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    clock: Option<Cow<'a, Vector>>,
    lamport: u64,
    at_us: u64,
    event: Name,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    peer: Option<ProcessId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message: Option<Cow<'a, MessageNote>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<Cow<'a, Note>>,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Name {
    Init,
    Request,
    Indication,
    Send,
    Receive,
    Drop,
    Timeout,
    Crash,
    Recover,
    Stop,
}

/// Writes a trace.
pub struct Writer<W> {
    to: W,
}

impl<W: Write> Writer<W> {
    /// Writes the header.
    ///
    /// # Errors
    ///
    /// Those of the file.
    pub fn new(header: &Header, mut to: W) -> io::Result<Self> {
        serde_json::to_writer(&mut to, header)?;
        to.write_all(b"\n")?;
        // A run that hangs leaves at least that: the file says of which run it is.
        to.flush()?;
        Ok(Self { to })
    }

    /// Writes the header, and how the processes of this real run were made.
    ///
    /// # Errors
    ///
    /// Those of the file.
    pub fn of_run(header: &Header, setup: &Setup, mut to: W) -> io::Result<Self> {
        serde_json::to_writer(&mut to, &FirstLineRef { header, setup })?;
        to.write_all(b"\n")?;
        Ok(Self { to })
    }

    /// Goes on with a trace whose header is already written.
    pub fn append(to: W) -> Self {
        Self { to }
    }

    /// Writes one event, as one write.
    ///
    /// # Errors
    ///
    /// Those of the file.
    pub fn write(&mut self, event: &TraceEvent) -> io::Result<()> {
        self.to.write_all(&line(&bounded(event)))
    }

    /// Writes one event with what its process was afterwards, as one write.
    ///
    /// # Errors
    ///
    /// Those of the file.
    pub fn write_with_state(&mut self, event: &TraceEvent, state: &str) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(512);
        let event = bounded(event);
        let line = Line::from(&*event);
        serde_json::to_writer(&mut bytes, &LineWithState { line, state })?;
        bytes.push(b'\n');
        self.to.write_all(&bytes)
    }

    /// Writes what is buffered.
    ///
    /// # Errors
    ///
    /// Those of the file.
    pub fn finish(mut self) -> io::Result<W> {
        self.to.flush()?;
        Ok(self.to)
    }
}

/// The event as a file for people has it: large values are cut.
fn bounded(event: &TraceEvent) -> Cow<'_, TraceEvent> {
    if !event.what.data().is_some_and(Data::is_too_large) {
        return Cow::Borrowed(event);
    }
    let mut event = event.clone();
    match &mut event.what {
        What::Send { message, .. } | What::Receive { message, .. } | What::Drop { message, .. } => {
            message.data.cut_behind_beginning();
        }
        What::Request(note)
        | What::Indication(note)
        | What::Timeout(note)
        | What::Crash(Some(note))
        | What::Stop(Some(note)) => note.data.cut(),
        What::Init | What::Crash(None) | What::Recover | What::Stop(None) => {}
    }
    Cow::Owned(event)
}

/// One event as its line, the line's end included, with its values whole.
pub fn line(event: &TraceEvent) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    serde_json::to_writer(&mut bytes, &Line::from(event))
        .expect("integers and strings always have a JSON form");
    bytes.push(b'\n');
    bytes
}

/// Why a trace cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be read.
    #[error("line {line}: {error}")]
    Io {
        /// The line, counted from 1.
        line: u64,
        /// Why.
        error: io::Error,
    },
    /// The first line is not the header of a trace.
    #[error("this is not a trace: its first line is no header ({0})")]
    NoHeader(String),
    /// The trace was written by an older or a newer program.
    #[error(
        "the trace has format {0}, and this program reads format {FORMAT}: use the program that wrote it, \
         or make the run again"
    )]
    Format(u32),
    /// The header names more processes than any run has.
    #[error("the trace names {0} processes, and the limit is {PROCESSES_MAX}")]
    TooManyProcesses(u32),
    /// The header names no process.
    #[error("the trace is of no process at all")]
    NoProcesses,
    /// Nobody can judge what the header demands.
    #[error("the properties that the trace names cannot be judged: {0}")]
    Properties(String),
    /// A line is not an event.
    #[error("line {line}: {what}")]
    Malformed {
        /// The line, counted from 1.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
}

/// Reads a trace, event by event.
#[derive(Debug)]
pub struct Reader<R> {
    from: R,
    header: Header,
    setup: Option<Setup>,
    /// Whether the header says anything of clocks.
    says_clocks: bool,
    line: u64,
    buffer: Vec<u8>,
}

impl<R: BufRead> Reader<R> {
    /// Reads the header.
    ///
    /// # Errors
    ///
    /// If there is none, or it is of another format.
    pub fn new(mut from: R) -> Result<Self, ReadError> {
        let mut buffer = Vec::new();
        let io = |error| ReadError::Io { line: 1, error };
        from.by_ref().take(HEADER_MAX).read_until(b'\n', &mut buffer).map_err(io)?;
        let no_header = |error: serde_json::Error| ReadError::NoHeader(error.to_string());
        let AnyFormat { trace } = serde_json::from_slice(&buffer).map_err(no_header)?;
        if trace != FORMAT {
            return Err(ReadError::Format(trace));
        }
        let FirstLine { header, setup } = serde_json::from_slice(&buffer).map_err(no_header)?;
        let Clocks { clocks } = serde_json::from_slice(&buffer).map_err(no_header)?;
        if header.processes == 0 {
            return Err(ReadError::NoProcesses);
        }
        if let Err(why) = Monitors::check(&header.properties) {
            return Err(ReadError::Properties(why));
        }
        if header.processes > PROCESSES_MAX {
            return Err(ReadError::TooManyProcesses(header.processes));
        }
        Ok(Self { from, header, setup, says_clocks: clocks.is_some(), line: 1, buffer })
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The rules that the events keep, if the header keeps its own.
    ///
    /// # Errors
    ///
    /// The rule that the header breaks.
    pub fn rules(&self) -> Result<Rules, Broken> {
        rules::check_header(&self.header, self.setup.as_ref())?;
        Ok(Rules::new(&self.header, self.says_clocks))
    }

    /// How the processes were made, in the trace of a real run.
    pub fn setup(&self) -> Option<&Setup> {
        self.setup.as_ref()
    }

    /// The number of the line read last, counted from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    fn read(&mut self) -> Result<Option<TraceEvent>, ReadError> {
        self.line += 1;
        self.buffer.clear();
        let mut limited = self.from.by_ref().take(LINE_MAX);
        let line = self.line;
        let length = limited
            .read_until(b'\n', &mut self.buffer)
            .map_err(|error| ReadError::Io { line, error })?;
        if length == 0 {
            return Ok(None);
        }
        if length as u64 == LINE_MAX {
            let what = format!("longer than {LINE_MAX} bytes");
            return Err(ReadError::Malformed { line, what });
        }
        parse(&self.buffer).map(Some).map_err(|what| ReadError::Malformed { line, what })
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = Result<TraceEvent, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// Reads one line.
///
/// # Errors
///
/// Says what is wrong with it.
pub fn parse(line: &[u8]) -> Result<TraceEvent, String> {
    let line: Line<'_> = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    line.try_into()
}

impl<'a> From<&'a TraceEvent> for Line<'a> {
    fn from(event: &'a TraceEvent) -> Self {
        let (name, peer, message, value) = match &event.what {
            What::Init => (Name::Init, None, None, None),
            What::Request(value) => (Name::Request, None, None, Some(value)),
            What::Indication(value) => (Name::Indication, None, None, Some(value)),
            What::Send { peer, message } => (Name::Send, Some(*peer), Some(message), None),
            What::Receive { peer, message } => (Name::Receive, Some(*peer), Some(message), None),
            What::Drop { peer, message } => (Name::Drop, Some(*peer), Some(message), None),
            What::Timeout(value) => (Name::Timeout, None, None, Some(value)),
            What::Crash(why) => (Name::Crash, None, None, why.as_ref()),
            What::Recover => (Name::Recover, None, None, None),
            What::Stop(end) => (Name::Stop, None, None, end.as_ref()),
        };
        Self {
            process: event.process,
            n: event.n,
            clock: event.clock.as_ref().map(Cow::Borrowed),
            lamport: event.lamport,
            at_us: event.at_us,
            event: name,
            peer,
            message: message.map(Cow::Borrowed),
            value: value.map(Cow::Borrowed),
        }
    }
}

impl Line<'_> {
    /// Refuses fields that events of this name do not have.
    fn check_fields(&self) -> Result<(), String> {
        let is_message = matches!(self.event, Name::Send | Name::Receive | Name::Drop);
        let may_have_value = !is_message && !matches!(self.event, Name::Init | Name::Recover);
        let stray = [
            ("peer", self.peer.is_some() && !is_message),
            ("message", self.message.is_some() && !is_message),
            ("value", self.value.is_some() && !may_have_value),
        ];
        match stray.into_iter().find(|(_, is_stray)| *is_stray) {
            Some((field, _)) => {
                let name = format!("{:?}", self.event).to_lowercase();
                Err(format!("event {name} has no {field}"))
            }
            None => Ok(()),
        }
    }
}

impl TryFrom<Line<'_>> for TraceEvent {
    type Error = String;

    fn try_from(line: Line<'_>) -> Result<Self, String> {
        let name = line.event;
        line.check_fields()?;
        let missing = |field: &str| format!("a {name:?} event without its {field}").to_lowercase();
        let peer = line.peer.ok_or_else(|| missing("peer"));
        let message = line.message.map(Cow::into_owned).ok_or_else(|| missing("message"));
        let value = line.value.map(Cow::into_owned).ok_or_else(|| missing("value"));
        let what = match name {
            Name::Init => What::Init,
            Name::Request => What::Request(value?),
            Name::Indication => What::Indication(value?),
            Name::Send => What::Send { peer: peer?, message: message? },
            Name::Receive => What::Receive { peer: peer?, message: message? },
            Name::Drop => What::Drop { peer: peer?, message: message? },
            Name::Timeout => What::Timeout(value?),
            Name::Crash => What::Crash(value.ok()),
            Name::Recover => What::Recover,
            Name::Stop => What::Stop(value.ok()),
        };
        Ok(Self {
            process: line.process,
            n: line.n,
            clock: line.clock.map(Cow::into_owned),
            lamport: line.lamport,
            at_us: line.at_us,
            what,
        })
    }
}
