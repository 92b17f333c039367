//! Verdicts: what a run was required to do, and whether it did.
//!
//! A property is written once and judges runs of all three worlds. What a lab demands is data, a
//! [`Spec`]; the trace carries it in its header, so that a file alone can be judged again. Each spec
//! has a monitor, a small automaton that watches the events of a run in any order that respects
//! causality and notices the first event that breaks the property.
//!
//! **Verdicts come from happened-before, never from a clock on the wall.** A monitor that needs to
//! know whether *a* happened before *b* lets messages carry a word for it, a *tag*: what the sender
//! knew. Whoever receives the message knows it too. That is happened-before by its definition
//! (Lamport 1978), costs one number a message instead of one for each process, and is what lets a run
//! of a million processes be judged while it runs. In a real run, where messages carry no tags, the
//! same monitors read the collected events and let the tags follow the message ids.
//!
//! A **safety** property says that something bad never happens: one event breaks it for good. A
//! **liveness** property says that something good happens in the end: a run that was cut short cannot
//! break it, and the verdict says "not yet".

mod as_predicted;
mod blocked;
mod causal_delivery;
mod channel_states;
mod conservation;
mod consistent_cut;
mod entries;
mod eventual_accuracy;
mod every_request;
mod every_wave;
mod everyone_learns;
mod exactly_once;
mod fifo;
mod first_come;
mod growing_tokens;
mod hops;
mod judge;
mod leased_exclusion;
mod lists_agree;
mod mails;
mod markers;
mod messages_each;
mod mutual_exclusion;
mod name;
mod not_held;
mod one_leader;
mod one_list;
mod one_token;
mod ranks;
mod read_once;
mod right_leader;
mod ring;
mod strong_completeness;
mod tally;
#[cfg(test)]
mod tests;
mod true_count;
mod two_levels;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use self::as_predicted::AsPredicted;
pub use self::blocked::Blocked;
pub use self::causal_delivery::CausalDelivery;
pub use self::channel_states::ChannelStates;
pub use self::conservation::Conservation;
pub use self::consistent_cut::ConsistentCut;
pub use self::entries::Entries;
pub use self::eventual_accuracy::EventualAccuracy;
pub use self::every_request::EveryRequestServed;
pub use self::every_wave::EveryWave;
pub use self::everyone_learns::EveryoneLearns;
pub use self::exactly_once::ExactlyOnce;
pub use self::fifo::Fifo;
pub use self::first_come::FirstComeFirstServed;
pub use self::growing_tokens::GrowingTokens;
pub use self::hops::OneMessageAHop;
pub use self::judge::{
    AllTagsUnderWay, Judge, Monitor, Monitors, StreamError, StreamJudge, TAGS, Tags,
};
pub use self::leased_exclusion::LeasedExclusion;
pub use self::lists_agree::ListsAgree;
pub use self::markers::Markers;
pub use self::messages_each::MessagesEach;
pub use self::mutual_exclusion::MutualExclusion;
pub use self::not_held::NotHeld;
pub use self::one_leader::OneLeader;
pub use self::one_list::OneList;
pub use self::one_token::OneToken;
pub use self::ranks::Ranks;
pub use self::read_once::ReadOnce;
pub use self::right_leader::RightLeader;
pub use self::ring::SingleRing;
pub use self::strong_completeness::StrongCompleteness;
pub use self::tally::Tally;
pub use self::true_count::TrueCount;
use crate::process::ProcessId;
pub(crate) use crate::text::counted;
use crate::trace::{Happening, Note, Noted};

/// A property that a lab demands of its runs.
///
/// The strings are kinds: of messages for `message`, of indications for the others. Where an indication
/// says a number, it is read from its text: see [`Noted::number`].
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case", tag = "property")]
pub enum Spec {
    /// No two critical sections overlap: see [`MutualExclusion`].
    MutualExclusion {
        /// Says that a process entered its critical section.
        enter: String,
        /// Says that it left.
        exit: String,
    },
    /// Exactly one token exists at any time: see [`OneToken`].
    OneToken {
        /// Says that a process made the token.
        created: String,
        /// The message that the token is.
        message: String,
    },
    /// Every process enters its critical section a number of times: see [`Entries`].
    Entries {
        /// Says that a process entered.
        enter: String,
        /// How many times each must.
        times: u64,
    },
    /// The token moves from process to process with one message: see [`OneMessageAHop`].
    OneMessageAHop {
        /// The message that the token is.
        message: String,
        /// Kinds that belong to another phase of the algorithm and do not count.
        besides: Vec<String>,
    },
    /// The processes form one ring, each with exactly two neighbours: see [`SingleRing`].
    SingleRing {
        /// The message that goes once round.
        message: String,
    },
    /// No message overtakes another on its channel: see [`Fifo`].
    Fifo,
    /// Every message arrives, once: see [`ExactlyOnce`].
    ExactlyOnce,
    /// Exactly one process leads, and all name the same: see [`OneLeader`].
    OneLeader {
        /// Says that a process leads, with its identity.
        won: String,
        /// Says that a process knows the leader, with the leader's identity.
        learned: String,
    },
    /// The process leads that must: see [`RightLeader`].
    RightLeader {
        /// Says that a process leads, with its identity.
        won: String,
        /// What is right about it: it has the `greatest` or the `smallest` identity.
        which: String,
        /// Who must lead.
        process: ProcessId,
        /// Its identity.
        identity: u64,
    },
    /// Every process learns the leader: see [`EveryoneLearns`].
    EveryoneLearns {
        /// Says that a process knows the leader, with the leader's identity.
        learned: String,
    },
    /// The processes are numbered in the order of the ring: see [`Ranks`].
    Ranks {
        /// Says that a process has a rank, and which.
        numbered: String,
        /// The message that goes round and carries the next rank.
        message: String,
    },
    /// Who counts the processes counts right: see [`TrueCount`].
    TrueCount {
        /// Says that a process counted all, and how many there are.
        counted: String,
    },
    /// Exactly as many messages of a kind are sent as predicted: see [`AsPredicted`].
    AsPredicted {
        /// The kind.
        message: String,
        /// How many.
        times: u64,
    },
    /// Who died is suspected by both failure detectors, and whoever is silent at once: see
    /// [`StrongCompleteness`].
    StrongCompleteness {
        /// The message that a detector sends to all it watches.
        heartbeat: String,
        /// The message that answers it.
        answer: String,
        /// Says that a detector has sent the heartbeats of a round.
        round: String,
        /// By how many heartbeats a process may be behind.
        threshold: u64,
        /// After how many rounds the other detector must know.
        settle: u64,
    },
    /// Who answers is not suspected in the end: see [`EventualAccuracy`].
    EventualAccuracy {
        /// The message that a detector sends to all it watches.
        heartbeat: String,
        /// The message that answers it.
        answer: String,
        /// Says that a detector has sent the heartbeats of a round.
        round: String,
        /// By how many heartbeats a process may be behind.
        threshold: u64,
    },
    /// Both failure detectors say the same of every process: see [`ListsAgree`].
    ListsAgree {
        /// Says that a detector has sent the heartbeats of a round.
        round: String,
        /// After how many rounds the other detector must know.
        settle: u64,
    },
    /// No process is on two lists of a failure detector, or on none: see [`OneList`].
    OneList {
        /// Says that a detector has sent the heartbeats of a round, and how many are on each list.
        round: String,
    },
    /// No message crosses a cut from behind: see [`ConsistentCut`].
    ConsistentCut {
        /// Says that a wave cuts a process here, and which wave.
        cut: String,
        /// The message of the application.
        message: String,
    },
    /// What is recorded of each channel is what was in transit: see [`ChannelStates`].
    ChannelStates {
        /// Says that a wave cuts a process here, and which wave.
        cut: String,
        /// Says what a process [recorded](crate::snapshot::Recorded).
        recorded: String,
        /// The message of the application.
        message: String,
    },
    /// Every recorded global state has the same total: see [`Conservation`].
    Conservation {
        /// Says what a process [recorded](crate::snapshot::Recorded).
        recorded: String,
        /// What there is in all.
        total: u64,
    },
    /// One marker a channel and wave: see [`Markers`].
    Markers {
        /// Says that a wave cuts a process here, and which wave.
        cut: String,
        /// The message that the marker is.
        message: String,
        /// How many waves there are.
        waves: u64,
    },
    /// Every wave is recorded by all: see [`EveryWave`].
    EveryWave {
        /// Says what a process [recorded](crate::snapshot::Recorded).
        recorded: String,
        /// How many waves there are.
        waves: u64,
    },
    /// Who records a wave sends nothing for the application meanwhile: see [`Blocked`].
    Blocked {
        /// Says that a wave cuts a process here.
        cut: String,
        /// Says what a process recorded.
        recorded: String,
        /// The message of the application.
        message: String,
    },
    /// Nobody reads a mail before another that happened before it: see [`CausalDelivery`].
    CausalDelivery {
        /// Says that a process wrote a mail, with its number.
        wrote: String,
        /// Says that a process read a mail, with its number.
        read: String,
        /// Whom each mail is addressed to, by its number.
        addressees: Vec<Vec<ProcessId>>,
    },
    /// A mail that need not wait is read at once: see [`NotHeld`].
    NotHeld {
        /// Says that a process wrote a mail, with its number.
        wrote: String,
        /// Says that a mail has arrived where it is read, with its number.
        arrived: String,
        /// Says that a process read a mail, with its number.
        read: String,
        /// Whom each mail is addressed to, by its number.
        addressees: Vec<Vec<ProcessId>>,
    },
    /// Every mail is read exactly once by each of its addressees: see [`ReadOnce`].
    ReadOnce {
        /// Says that a process read a mail, with its number.
        read: String,
        /// Whom each mail is addressed to, by its number.
        addressees: Vec<Vec<ProcessId>>,
    },
    /// No two critical sections overlap that were granted by number, and may be revoked: see
    /// [`LeasedExclusion`]. All indications say the number.
    LeasedExclusion {
        /// Says that a process entered.
        enter: String,
        /// Each says that a process left the section that it was in.
        exits: Vec<String>,
        /// Each says that a section is over that the process is not in: it will never be entered, or was left
        /// by another.
        unused: Vec<String>,
        /// Says that a section was revoked; not by its own process.
        revoked: String,
    },
    /// Later sections have greater fencing tokens: see [`GrowingTokens`].
    GrowingTokens {
        /// Says that a process entered, and its token.
        enter: String,
    },
    /// A waiting line is served from its front: see [`FirstComeFirstServed`]. All indications say the
    /// rank of a process.
    FirstComeFirstServed {
        /// Says that it joined the line.
        queued: String,
        /// Says that it was served.
        granted: String,
        /// Says that it left the line.
        dropped: String,
    },
    /// Who asks is served, unless he dies: see [`EveryRequestServed`].
    EveryRequestServed {
        /// Says that a process asks.
        asked: String,
        /// Says that it was served.
        served: String,
    },
    /// Each entry costs one message of each of some kinds: see [`MessagesEach`].
    MessagesEach {
        /// Says that a process asks.
        asked: String,
        /// Says that it left.
        left: String,
        /// The kinds of messages, in their order.
        messages: Vec<String>,
        /// Each says that something went wrong, and entries that are not over yet may cost more.
        disturbed: Vec<String>,
    },
}

/// What kind of claim a property makes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PropertyKind {
    /// Something bad never happens.
    Safety,
    /// Something good happens in the end.
    Liveness,
}

/// What became of one property in one run.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Verdict {
    /// The property's name. Names are stable.
    pub name: String,
    /// What kind of claim it makes.
    pub kind: PropertyKind,
    /// Whether it holds; nothing where that could not be judged.
    pub holds: Option<bool>,
    /// How it was seen, or how it was broken, or why it could not be judged.
    pub detail: String,
    /// The events that show a violation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub witnesses: Vec<Witness>,
}

/// One event of one process.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Witness {
    /// Whose event it is.
    pub process: ProcessId,
    /// Its number among the events of this process, from 1; 0 in the checker, which does not count.
    pub n: u64,
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.n == 0 {
            write!(f, "{}", self.process)
        } else {
            write!(f, "{}#{}", self.process, self.n)
        }
    }
}

/// How a run ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum End {
    /// It came to its end: nothing more would have happened.
    Complete,
    /// It was cut short, for the reason that stands here.
    CutShort(String),
}

impl End {
    /// Reads what the end of a trace says.
    pub fn from_note(note: &Note) -> Option<Self> {
        match note.kind.as_str() {
            COMPLETE => Some(Self::Complete),
            CUT_SHORT => Some(Self::CutShort(note.text.clone())),
            _ => None,
        }
    }
}

const COMPLETE: &str = "complete";
const CUT_SHORT: &str = "cut short";

/// As the end of a trace says it.
impl Noted for End {
    fn kind(&self) -> Cow<'_, str> {
        Cow::Borrowed(match self {
            Self::Complete => COMPLETE,
            Self::CutShort(_) => CUT_SHORT,
        })
    }

    fn text(&self) -> String {
        match self {
            Self::Complete => String::new(),
            Self::CutShort(why) => why.clone(),
        }
    }
}

/// The event that breaks a property.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Violation {
    /// What is wrong, naming the processes.
    pub what: String,
    /// The events that show it.
    pub witnesses: Vec<Witness>,
}

/// What all monitors can do.
///
/// `n` is the event's number among those of its process, 0 where nobody counts.
pub trait Watch {
    /// The property's name and kind.
    fn name(&self) -> (String, PropertyKind);

    /// A message is sent. Returns its tag: what the receiver shall know.
    fn on_send(&mut self, from: ProcessId, to: ProcessId, kind: &str, n: u64) -> u64 {
        let _ = (from, to, kind, n);
        0
    }

    /// A message arrives, with its tag.
    fn on_receive(&mut self, from: ProcessId, to: ProcessId, kind: &str, n: u64, tag: u64) {
        let _ = (from, to, kind, n, tag);
    }

    /// The network lost a message.
    fn on_drop(&mut self, from: ProcessId, to: ProcessId, kind: &str, n: u64, tag: u64) {
        let _ = (from, to, kind, n, tag);
    }

    /// Something else happened to a process.
    fn on_event(&mut self, process: ProcessId, happening: Happening<'_>, n: u64) {
        let _ = (process, happening, n);
    }

    /// The event that broke the property, if one did.
    fn violation(&self) -> Option<&Violation>;

    /// What became of the property, no event having broken it.
    fn unbroken(&self, end: &End) -> (Option<bool>, String);

    /// Whether messages carry a tag for this monitor.
    fn uses_tags(&self) -> bool {
        false
    }

    /// Whether anything happened yet that could have broken the property. The checker says so where
    /// nothing ever does: then the property holds of nothing.
    fn is_put_to_the_test(&self) -> bool {
        true
    }

    /// Makes equal what no longer makes a difference: states of the checker that differ only in old
    /// history become one. `tags` calls its argument with each message under way, as often as it is
    /// called, each time in the same order, which is the same in equal states.
    fn forget_history(&mut self, tags: &mut TagsUnderWay<'_>) {
        let _ = tags;
    }

    /// The verdict on a run that ended so.
    fn verdict(&self, end: &End) -> Verdict {
        let (name, kind) = self.name();
        match self.violation() {
            Some(violation) => Verdict {
                name,
                kind,
                holds: Some(false),
                detail: violation.what.clone(),
                witnesses: violation.witnesses.clone(),
            },
            None => {
                let (holds, detail) = self.unbroken(end);
                Verdict { name, kind, holds, detail, witnesses: Vec::new() }
            }
        }
    }
}

/// Visits the tag of each message under way, with its sender and its receiver.
pub type TagsUnderWay<'a> = dyn FnMut(&mut dyn FnMut(ProcessId, ProcessId, &mut u64)) + 'a;

/// "not yet: ..." or nothing more to wait for.
fn not_yet(end: &End, missing: String) -> (Option<bool>, String) {
    match end {
        End::Complete => (Some(false), missing),
        End::CutShort(why) => (None, format!("not yet: {missing} ({why})")),
    }
}

fn is_indication(happening: Happening<'_>, kind: &str) -> bool {
    matches!(happening, Happening::Indication(value) if Noted::kind(value) == kind)
}

/// The number that an indication of this kind tells, if this is one.
fn number_told(happening: Happening<'_>, kind: &str) -> Option<u64> {
    match happening {
        Happening::Indication(value) if Noted::kind(value) == kind => value.number(),
        _ => None,
    }
}

/// What stands between the parentheses of an indication of this kind, if this is one.
fn told<T: FromStr>(happening: Happening<'_>, kind: &str) -> Option<Result<T, T::Err>> {
    match happening {
        Happening::Indication(value) if Noted::kind(value) == kind => {
            let text = value.text();
            let rest = text.strip_prefix(kind).and_then(|rest| rest.strip_prefix('('));
            Some(rest.and_then(|rest| rest.strip_suffix(')')).unwrap_or_default().parse())
        }
        _ => None,
    }
}

/// Why a property could not be judged.
fn unreadable(times: u64) -> String {
    format!("not judged: {} what was recorded cannot be read in the trace", counted(times, "time"))
}
