//! Verdicts: what a run was required to do, and whether it did.
//!
//! A property is written once and judges runs of all three worlds. What a lab demands is a list of
//! [`Property`]s. Some are [patterns](Pattern) that say the same of any algorithm; others are the lab's
//! own, and stand beside its algorithm. Each has a monitor, a small automaton that watches the events of
//! a run in any order that respects causality and notices the first event that breaks the property.
//!
//! **Verdicts come from happened-before, never from a clock on the wall.** A monitor that needs to
//! know whether *a* happened before *b* lets messages carry a word for it, a *tag*: what the sender
//! knew. The process that receives the message then knows it too. That is happened-before by its
//! definition (Lamport 1978), costs one number a message instead of one for each process, and is what
//! lets a run of a million processes be judged while it runs. In a real run, where messages carry no
//! tags, the same monitors read the collected events and let the tags follow the message ids.
//!
//! A **safety** property says that something bad never happens: one event breaks it for good. A
//! **liveness** property says that something good happens in the end: a run that was cut short cannot
//! break it, and the verdict says "not yet".

mod cycle;
mod judge;
mod lost;
mod misstep;
pub mod pattern;
mod property;
mod stream;
mod tally;
#[cfg(test)]
mod tests;
mod watch;

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::cycle::{CycleError, CycleJudge};
pub use self::judge::{AllTagsUnderWay, Judge, Monitors, PROPERTIES_MAX, TAGS, Tags};
pub use self::misstep::{Misstep, Wrong};
pub use self::pattern::{Cost, Pattern, Times};
pub use self::property::{Property, PropertyKind};
pub use self::stream::{StreamError, StreamJudge};
pub use self::tally::Tally;
pub use self::watch::{Check, NOBODY_IN_PARTICULAR, State, TagsUnderWay, Watch};
use crate::process::ProcessId;
pub use crate::text::counted;
use crate::trace::{Data, Note, Noted};

/// The detail of every verdict on a run that never began.
pub const NEVER_BEGAN: &str = "the run never began";

/// What became of one property in one run.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(from = "Written", into = "Written")]
pub struct Verdict {
    /// The property's name. Names are stable.
    pub name: String,
    /// What kind of claim it makes.
    pub kind: PropertyKind,
    /// Whether anything happened that could have broken it. A property that holds and was never put to the
    /// test holds of nothing.
    pub tested: bool,
    /// Whether it holds.
    pub judgement: Judgement,
}

/// What a verdict says first where a property holds of nothing.
pub const NEVER_TESTED: &str = "never put to the test";

/// Whether a property holds.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Judgement {
    /// It holds: how that was seen.
    Holds(String),
    /// It does not hold.
    Violated(Violation),
    /// It could not be judged: why not.
    Unknown(String),
}

/// The event that breaks a property.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Violation {
    /// What is wrong, naming the processes.
    pub what: String,
    /// The events that show it.
    pub witnesses: Vec<Witness>,
}

impl Violation {
    /// A violation that these events show.
    pub fn new(what: impl Into<String>, witnesses: impl Into<Vec<Witness>>) -> Self {
        Self { what: what.into(), witnesses: witnesses.into() }
    }

    /// The same, as what a [monitor](Watch) returns.
    ///
    /// # Errors
    ///
    /// Always: it is the error.
    pub fn check<T>(
        what: impl Into<String>,
        witnesses: impl Into<Vec<Witness>>,
    ) -> Result<T, Self> {
        Err(Self::new(what, witnesses))
    }
}

impl Judgement {
    /// A violation that no single event shows.
    pub fn violated(what: impl Into<String>) -> Self {
        Self::Violated(Violation::new(what, []))
    }

    /// The same, in other words.
    #[must_use]
    pub fn map(self, word: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::Holds(detail) => Self::Holds(word(detail)),
            Self::Unknown(why) => Self::Unknown(word(why)),
            Self::Violated(Violation { what, witnesses }) => {
                Self::Violated(Violation { what: word(what), witnesses })
            }
        }
    }

    /// Something that must happen in the end did not: a violation in a complete run, and open in one that
    /// was cut short.
    pub fn not_yet(end: &End, missing: String) -> Self {
        match end {
            End::Complete => Self::violated(missing),
            End::CutShort(why) => Self::Unknown(format!("not yet: {missing} ({why})")),
        }
    }
}

impl Verdict {
    /// The verdict on a property that was put to the test.
    pub fn tested(name: impl Into<String>, kind: PropertyKind, judgement: Judgement) -> Self {
        Self { name: name.into(), kind, tested: true, judgement }
    }

    /// Whether the property holds; nothing where that could not be judged.
    pub fn holds(&self) -> Option<bool> {
        match self.judgement {
            Judgement::Holds(_) => Some(true),
            Judgement::Violated(_) => Some(false),
            Judgement::Unknown(_) => None,
        }
    }

    /// Whether the property is violated.
    pub fn is_violated(&self) -> bool {
        self.holds() == Some(false)
    }

    /// How it was seen, or how it was broken, or why it could not be judged.
    pub fn detail(&self) -> &str {
        match &self.judgement {
            Judgement::Holds(detail) | Judgement::Unknown(detail) => detail,
            Judgement::Violated(violation) => &violation.what,
        }
    }

    /// The same for people: a property that holds of nothing says so first.
    pub fn said(&self) -> Cow<'_, str> {
        match &self.judgement {
            Judgement::Holds(detail) if !self.tested => {
                Cow::Owned(format!("{NEVER_TESTED}: {detail}"))
            }
            _ => Cow::Borrowed(self.detail()),
        }
    }

    /// The events that show a violation.
    pub fn witnesses(&self) -> &[Witness] {
        match &self.judgement {
            Judgement::Violated(violation) => &violation.witnesses,
            _ => &[],
        }
    }
}

/// A verdict as it stands in reports.
#[derive(Deserialize, Serialize)]
struct Written {
    name: String,
    kind: PropertyKind,
    holds: Option<bool>,
    #[serde(default = "yes")]
    tested: bool,
    detail: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    witnesses: Vec<Witness>,
}

/// Older reports do not say it.
fn yes() -> bool {
    true
}

impl From<Verdict> for Written {
    fn from(verdict: Verdict) -> Self {
        let holds = verdict.holds();
        let Verdict { name, kind, tested, judgement } = verdict;
        let (detail, witnesses) = match judgement {
            Judgement::Holds(detail) | Judgement::Unknown(detail) => (detail, Vec::new()),
            Judgement::Violated(Violation { what, witnesses }) => (what, witnesses),
        };
        Self { name, kind, holds, tested, detail, witnesses }
    }
}

impl From<Written> for Verdict {
    fn from(written: Written) -> Self {
        let Written { name, kind, holds, tested, detail, witnesses } = written;
        let judgement = match holds {
            Some(true) => Judgement::Holds(detail),
            Some(false) => Judgement::Violated(Violation { what: detail, witnesses }),
            None => Judgement::Unknown(detail),
        };
        Self { name, kind, tested, judgement }
    }
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
        match self.n {
            0 => write!(f, "{}", self.process),
            n => write!(f, "{}#{n}", self.process),
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
        match &*note.kind {
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

    fn data(&self) -> Data {
        Data::default()
    }
}
