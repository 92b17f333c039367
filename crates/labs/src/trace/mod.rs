//! What happened in a run: its events, in an order that respects causality.
//!
//! A run of any world can be written to a file of JSON Lines ([`mod@format`]), one event a line, each
//! with its Lamport time and its vector clock, and read back for judging and drawing. The same
//! events have a notation for people ([`notation`]): `p1 → p2 TOKEN`.

pub mod event;
pub mod format;
pub mod gaps;
pub mod meaning;
pub mod notation;
pub mod note;
pub mod observe;
pub mod rules;
pub mod stamp;
#[cfg(test)]
mod tests;

pub use self::event::{
    CycleFrom, Header, Identity, MessageId, MessageNote, Setup, TraceEvent, What, Whereabouts,
};
pub use self::gaps::{Attendance, Gap};
pub use self::meaning::Meaning;
pub use self::note::{Data, Note, Noted, Unreadable};
pub use self::observe::{Happening, Mishap, Observer, Passing};
pub use self::rules::{Broken, Rules};
pub use self::stamp::Stamper;
