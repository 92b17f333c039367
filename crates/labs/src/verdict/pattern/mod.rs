//! Properties that say the same of any algorithm: a small language over the kinds of messages and
//! indications, and over the values that indications tell.
//!
//! Most demands of a lab are one line in it. The names are those of the property specification patterns
//! of Dwyer, Avrunin and Corbett (*Patterns in property specifications for finite-state verification*,
//! ICSE 1999) where they have one, else those of the textbooks. A pattern is data: it stands in the header
//! of a trace, and the file alone can be judged.
//!
//! | pattern | says |
//! |---|---|
//! | [`Property::fifo`](crate::verdict::Property::fifo) | no message overtakes another on its channel |
//! | [`Property::exactly_once`](crate::verdict::Property::exactly_once) | every message arrives, once |
//! | [`Property::never`](crate::verdict::Property::never) | no process says this (absence) |
//! | [`Property::between`](crate::verdict::Property::between) | a process says this only between these two (universality between) |
//! | [`Property::precedes`](crate::verdict::Property::precedes) | this happened before each of that (precedence) |
//! | [`Property::responds`](crate::verdict::Property::responds) | after each of this, the process says that in the end (response) |
//! | [`within_timeouts`](crate::verdict::Property::within_timeouts) | the same, before so many timers of the process run out (bounded response) |
//! | [`Property::each`](crate::verdict::Property::each) | each process says this so many times (bounded existence) |
//! | [`Property::one`](crate::verdict::Property::one) | one process at most says this |
//! | [`Property::agree`](crate::verdict::Property::agree) | all that say this say the same value |
//! | [`Property::pairwise_ordered`](crate::verdict::Property::pairwise_ordered) | of any two such intervals, one ended before the other began |
//! | [`Property::one_ring`](crate::verdict::Property::one_ring) | the processes form one ring, seen from these messages |
//! | [`Property::as_predicted`](crate::verdict::Property::as_predicted) | as many messages of each kind as theory predicts |

mod as_predicted;
mod between;
mod each;
mod exactly_once;
mod fifo;
mod name;
mod one_ring;
mod one_value;
mod pairwise_ordered;
mod precedes;
mod responds;

use std::fmt;

use serde::{Deserialize, Serialize};

use self::as_predicted::AsPredicted;
pub use self::as_predicted::Cost;
use self::between::Between;
use self::each::Each;
use self::exactly_once::ExactlyOnce;
use self::fifo::Fifo;
use self::name::Name;
use self::one_ring::OneRing;
use self::one_value::{Agree, One};
use self::pairwise_ordered::PairwiseOrdered;
use self::precedes::Precedes;
use self::responds::Responds;
use super::watch::Monitor;

/// A general property, as data. Strings are kinds: of messages for `message`, else of indications.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pattern {
    /// See [`Property::fifo`](crate::verdict::Property::fifo).
    Fifo,
    /// See [`Property::exactly_once`](crate::verdict::Property::exactly_once).
    ExactlyOnce,
    /// See [`Property::never`](crate::verdict::Property::never).
    Never {
        /// What no process says.
        says: String,
    },
    /// See [`Property::between`](crate::verdict::Property::between).
    Between {
        /// What a process says only then.
        says: String,
        /// What it said before.
        after: String,
        /// What it has not said since.
        until: String,
    },
    /// See [`Property::precedes`](crate::verdict::Property::precedes).
    Precedes {
        /// What happened before.
        first: String,
        /// What it happened before.
        then: String,
    },
    /// See [`Property::responds`](crate::verdict::Property::responds).
    Responds {
        /// What asks for something.
        asked: String,
        /// What grants it.
        served: String,
        /// How many timers of a process that waits may run out before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        within_timeouts: Option<u32>,
    },
    /// See [`Property::each`](crate::verdict::Property::each).
    Each {
        /// What each process says.
        says: String,
        /// How many times.
        times: Times,
    },
    /// See [`Property::one`](crate::verdict::Property::one).
    One {
        /// What one process says.
        says: String,
    },
    /// See [`Property::agree`](crate::verdict::Property::agree).
    Agree {
        /// What carries the value.
        says: String,
    },
    /// See [`Property::pairwise_ordered`](crate::verdict::Property::pairwise_ordered).
    PairwiseOrdered {
        /// What begins an interval.
        enter: String,
        /// What ends it.
        exit: String,
    },
    /// See [`Property::one_ring`](crate::verdict::Property::one_ring).
    OneRing {
        /// The messages that go round.
        messages: Vec<String>,
    },
    /// See [`Property::as_predicted`](crate::verdict::Property::as_predicted).
    AsPredicted(Cost),
}

/// How many times something happens.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Times {
    /// So many times.
    Exactly(u64),
    /// So many times or more.
    AtLeast(u64),
    /// At least the first, and at most the second.
    Within(u64, u64),
}

impl Times {
    /// The fewest.
    pub fn min(self) -> u64 {
        match self {
            Self::Exactly(times) | Self::AtLeast(times) | Self::Within(times, _) => times,
        }
    }

    /// The most, if there is a bound.
    pub fn max(self) -> Option<u64> {
        match self {
            Self::Exactly(times) | Self::Within(_, times) => Some(times),
            Self::AtLeast(_) => None,
        }
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(times) => write!(f, "{times}"),
            Self::AtLeast(times) => write!(f, "at least {times}"),
            Self::Within(min, max) => write!(f, "{min} to {max}"),
        }
    }
}

impl Pattern {
    /// Its monitor before a run of so many processes.
    pub(super) fn monitor(&self, processes: u32) -> Box<dyn Monitor> {
        let name = |kind: &String| Name::from(kind.as_str());
        match self {
            Self::Fifo => Box::new(Fifo::default()),
            Self::ExactlyOnce => Box::new(ExactlyOnce::default()),
            Self::Never { says } => Box::new(Between::never(name(says))),
            Self::Between { says, after, until } => {
                Box::new(Between::new(name(says), name(after), name(until)))
            }
            Self::Precedes { first, then } => {
                Box::new(Precedes::new(name(first), name(then), processes))
            }
            Self::Responds { asked, served, within_timeouts } => {
                Box::new(Responds::new(name(asked), name(served), *within_timeouts))
            }
            Self::Each { says, times } => Box::new(Each::new(name(says), *times, processes)),
            Self::One { says } => Box::new(One::new(name(says))),
            Self::Agree { says } => Box::new(Agree::new(name(says))),
            Self::PairwiseOrdered { enter, exit } => {
                Box::new(PairwiseOrdered::new(name(enter), name(exit), processes))
            }
            Self::OneRing { messages } => {
                Box::new(OneRing::new(messages.iter().map(name).collect(), processes))
            }
            Self::AsPredicted(cost) => Box::new(AsPredicted::new(cost)),
        }
    }
}
