//! What a handler did that no handler may do, as a verdict and as it stands in a trace.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Judgement, PropertyKind, Verdict, Violation, Witness};
use crate::process::ProcessId;
use crate::trace::note::debug_text;
use crate::trace::{Data, Noted};

/// What was done that no handler may do.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wrong {
    /// It panicked.
    Panics,
    /// It did not return in time.
    Hangs,
    /// It did one thing once and another thing the next time.
    Wavers,
}

impl Wrong {
    const ALL: [Self; 3] = [Self::Panics, Self::Hangs, Self::Wavers];

    /// The property that this breaks. Names are stable.
    pub fn property(self) -> &'static str {
        match self {
            Self::Panics => "no panic",
            Self::Hangs => "every handler returns",
            Self::Wavers => "deterministic",
        }
    }

    /// Its kind in a trace.
    fn kind(self) -> &'static str {
        match self {
            Self::Panics => "panic",
            Self::Hangs => "no return",
            Self::Wavers => "not deterministic",
        }
    }
}

/// What one handler did.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Misstep {
    /// What was wrong.
    #[serde(skip, default = "panics_first")]
    pub wrong: Wrong,
    /// In which event: "when TOKEN came from p0".
    pub when: String,
    /// What it said, or what else shows it.
    pub what: String,
    /// Where in the program, where that is known: `src/ring.rs:31`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}

fn panics_first() -> Wrong {
    Wrong::Panics
}

impl Misstep {
    /// That a handler gave up, and what it said.
    pub fn panics(when: &str, what: impl Into<String>) -> Self {
        Self { wrong: Wrong::Panics, when: when.to_owned(), what: what.into(), place: None }
    }

    /// Reads what stands in the crash of a process; nothing if it died of something else.
    pub fn from_note(note: &dyn Noted) -> Option<Self> {
        let kind = note.kind();
        let wrong = Wrong::ALL.into_iter().find(|wrong| wrong.kind() == kind)?;
        match note.data().get::<Self>() {
            Ok(misstep) => Some(Self { wrong, ..misstep }),
            // A value that was cut, or is of another program, still has its text.
            Err(_) => {
                let when = "in a step".to_owned();
                Some(Self { wrong, when, what: note.text(), place: None })
            }
        }
    }

    /// What happened, in a sentence about the process.
    pub fn sentence(&self, process: ProcessId) -> String {
        let Self { wrong, when, what, place } = self;
        let place = place.as_ref().map_or(String::new(), |place| format!(" at {place}"));
        match wrong {
            Wrong::Panics => format!("{process} panicked {when}{place}: {what}"),
            Wrong::Hangs => format!("{process} did not return {when}: {what}"),
            Wrong::Wavers => format!("{process} is not deterministic {when}: {what}"),
        }
    }

    /// The verdict on the property that this breaks.
    pub fn verdict(&self, at: Witness) -> Verdict {
        let witnesses = if at.n > 0 { vec![at] } else { Vec::new() };
        let violation = Violation::new(self.sentence(at.process), witnesses);
        let judgement = Judgement::Violated(violation);
        Verdict::tested(self.wrong.property(), PropertyKind::Safety, judgement)
    }
}

/// As the crash of a process says it.
impl Noted for Misstep {
    fn kind(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.wrong.kind())
    }

    fn text(&self) -> String {
        debug_text(&format_args!("{}: {}", self.when, self.what))
    }

    fn data(&self) -> Data {
        Data::of(self)
    }
}
