//! One event of one process, and the header of a trace.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::meaning::Meaning;
use super::note::{Data, Note, Noted};
use super::observe::Happening;
use crate::clocks::Vector;
use crate::process::ProcessId;
use crate::verdict::Property;

/// From how many processes on a trace leaves vector clocks out: at 256 entries they are most of
/// the file already, and what needs happened-before can follow the messages themselves.
pub const CLOCKS_MAX_PROCESSES: u32 = 256;

/// The format this crate writes, the value of the header's `trace`.
pub const FORMAT: u32 = 2;

/// The first line of a trace.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Header {
    /// The version of the format.
    pub trace: u32,
    /// Which run of which lab.
    #[serde(flatten)]
    pub identity: Identity,
    /// The command line after the verb.
    pub arguments: Vec<String>,
    /// Whether events carry vector clocks.
    #[serde(default = "yes")]
    pub clocks: bool,
    /// What the lab demands of the run, so that the file alone can be judged.
    #[serde(default)]
    pub properties: Vec<Property>,
    /// How its indications are drawn.
    #[serde(default, skip_serializing_if = "Meaning::is_empty")]
    pub meaning: Meaning,
    /// Where the run goes round for ever, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cycle_from: Option<CycleFrom>,
}

/// From where on the events of a run repeat for ever, and what they put off.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct CycleFrom {
    /// The line of the first event that repeats; the header is line 1.
    pub line: u64,
    /// The name of the property that waits for ever.
    pub property: String,
}

/// Which run of which lab this is: what a report and a trace both say.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Identity {
    /// Which lab: `token-ring`.
    pub lab: String,
    /// In which world: `run`, `simulate` or `check`.
    pub verb: String,
    /// The name of the run.
    pub run: String,
    /// How many processes there are.
    pub processes: u32,
    /// What the run's random choices were drawn from.
    pub seed: u64,
}

impl Header {
    /// The header of a run that this command line asked for.
    pub fn new(
        identity: Identity,
        arguments: Vec<String>,
        properties: Vec<Property>,
        meaning: Meaning,
    ) -> Self {
        let clocks = identity.processes <= CLOCKS_MAX_PROCESSES;
        Self { trace: FORMAT, identity, arguments, clocks, properties, meaning, cycle_from: None }
    }
}

impl std::ops::Deref for Header {
    type Target = Identity;

    fn deref(&self) -> &Identity {
        &self.identity
    }
}

fn yes() -> bool {
    true
}

/// How the processes of a real run were made, so that they can be made again: what the command line came
/// to, and where each was. In the header's line, and only of `run`: the other two worlds make theirs
/// from the arguments and the seed alone.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Setup {
    /// The lab's options, complete.
    pub options: serde_json::Value,
    /// The mistake that was made, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<serde_json::Value>,
    /// Where each process was, by rank.
    pub places: Vec<Whereabouts>,
    /// Whether the others go on when a process dies: one whose events are missing is then taken for dead.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub survives_crashes: bool,
}

/// Where a process of a real run was.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Whereabouts {
    /// On which machine, by its own name.
    pub host: String,
    /// Its process id there.
    pub pid: u32,
    /// The address on which it could be reached.
    pub address: String,
}

/// One event of one process.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TraceEvent {
    /// Whose event it is.
    pub process: ProcessId,
    /// Its number among the events of this process, counted from 1.
    pub n: u64,
    /// The vector clock after the event; none in large runs.
    pub clock: Option<Vector>,
    /// The Lamport time of the event.
    pub lamport: u64,
    /// Microseconds since the start of the run: virtual in `simulate`, the machine's own in `run`.
    /// For display only.
    pub at_us: u64,
    /// What happened.
    pub what: What,
}

/// What happened in an event.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum What {
    /// The process started.
    Init,
    /// The application asked for something.
    Request(Note),
    /// The process told the application something.
    Indication(Note),
    /// A message was sent.
    Send {
        /// To whom.
        peer: ProcessId,
        /// Which.
        message: MessageNote,
    },
    /// A message arrived.
    Receive {
        /// From whom.
        peer: ProcessId,
        /// Which.
        message: MessageNote,
    },
    /// The network lost a message. Stands at its sender.
    Drop {
        /// To whom it was sent.
        peer: ProcessId,
        /// Which.
        message: MessageNote,
    },
    /// A timer ran out.
    Timeout(Note),
    /// The process died; why, where the algorithm itself is to blame: its handler panicked.
    Crash(Option<Note>),
    /// The process started again.
    Recover,
    /// The process ended because the run did, and how that ended, where it is known: what
    /// [`End`](crate::verdict::End) says.
    Stop(Option<Note>),
}

impl What {
    /// The value that stands in it, if one does.
    pub fn data(&self) -> Option<&Data> {
        match self {
            Self::Send { message, .. }
            | Self::Receive { message, .. }
            | Self::Drop { message, .. } => Some(&message.data),
            Self::Request(note) | Self::Indication(note) | Self::Timeout(note) => Some(&note.data),
            Self::Crash(note) | Self::Stop(note) => note.as_ref().map(|note| &note.data),
            Self::Init | Self::Recover => None,
        }
    }

    /// What happened to a process, written down.
    pub fn of(happening: Happening<'_>) -> Self {
        match happening {
            Happening::Init => Self::Init,
            Happening::Request(value) => Self::Request(Note::of(value)),
            Happening::Indication(value) => Self::Indication(Note::of(value)),
            Happening::Timeout(value) => Self::Timeout(Note::of(value)),
            Happening::Crash => Self::Crash(None),
            Happening::Misstep(misstep) => Self::Crash(Some(Note::of(misstep))),
            Happening::Recover => Self::Recover,
            Happening::Stop(end) => Self::Stop(end.map(Note::of)),
        }
    }
}

/// A message in a trace.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct MessageNote {
    /// Which message: the same at its sending and its receipts.
    pub id: MessageId,
    /// Under which name it is counted.
    pub kind: String,
    /// What it says, for people.
    pub text: String,
    /// The size of its encoding, in bytes.
    pub bytes: u32,
    /// What it says, for programs.
    #[serde(default)]
    pub data: Data,
}

impl MessageNote {
    /// A message that is at hand.
    pub fn new(id: MessageId, message: &dyn Noted, bytes: u32) -> Self {
        let Note { kind, text, data } = Note::of(message);
        Self { id, kind: kind.into_owned(), text, bytes, data }
    }

    /// The same, of a large one only its [beginning](Noted::beginning).
    pub fn cut(id: MessageId, message: &dyn Noted, bytes: u32) -> Self {
        let (kind, text, data) = (message.kind(), message.text(), message.beginning());
        Self { id, kind: kind.into_owned(), text, bytes, data }
    }

    /// A message of this kind, of which was not kept what it says.
    pub(crate) fn of_kind(id: MessageId, kind: &str) -> Self {
        Self { id, kind: kind.to_owned(), text: String::new(), bytes: 0, data: Data::default() }
    }
}

impl Noted for MessageNote {
    fn kind(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.kind)
    }

    fn text(&self) -> String {
        self.text.clone()
    }

    fn data(&self) -> Data {
        self.data.clone()
    }
}

/// The identity of a message: its sending.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct MessageId {
    /// Who sent it.
    pub process: ProcessId,
    /// The number of the sending among the sender's events.
    pub n: u64,
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.process.0, self.n)
    }
}

impl FromStr for MessageId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split_once('-')
            .and_then(|(process, n)| {
                Some(Self { process: ProcessId(process.parse().ok()?), n: n.parse().ok()? })
            })
            .ok_or_else(|| format!("{text:?} is not a message id; one looks like 2-17"))
    }
}

impl Serialize for MessageId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MessageId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}
