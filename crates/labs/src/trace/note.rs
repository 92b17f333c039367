//! Messages, requests and indications as a trace sees them: a kind and a text.

use std::borrow::Cow;
use std::fmt::{self, Debug, Write};

use serde::{Deserialize, Serialize};

use crate::process::Kind;

/// The longest text of one value in a trace, in bytes. A message that carries a list of all
/// processes would otherwise make a trace of a large run quadratic.
pub const TEXT_MAX: usize = 2_048;

/// How many letters of a message's kind stand in its header: in a frame, and so in a capture. Fixed,
/// so that a dissector finds the fields behind it, and enough for every kind that a person would
/// write on a board.
pub(crate) const KIND_LENGTH: usize = 16;

/// Something with a kind and a text, made only when asked for: most runs count and judge without
/// ever writing a text.
pub trait Noted {
    /// Under which name it is counted: see [`Kind::kind`].
    fn kind(&self) -> Cow<'_, str>;

    /// What it says, for people: its `Debug` form.
    fn text(&self) -> String;

    /// The number in it, if it is a kind and a number: 42 in `Elected(42)`.
    fn number(&self) -> Option<u64> {
        let text = self.text();
        let (_, number) = text.strip_suffix(')')?.split_once('(')?;
        number.parse().ok()
    }
}

impl<T: Kind> Noted for T {
    fn kind(&self) -> Cow<'_, str> {
        Cow::Borrowed(Kind::kind(self))
    }

    fn text(&self) -> String {
        debug_text(self)
    }
}

/// The name of a timer, which has a text and no kind of its own: its kind is the text up to the
/// first sign that is not part of a name.
#[derive(Clone, Copy, Debug)]
pub struct TimerName<'a, T>(pub &'a T);

impl<T: Debug> Noted for TimerName<'_, T> {
    fn kind(&self) -> Cow<'_, str> {
        let text = self.text();
        let end = text.find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len());
        Cow::Owned(text[..end].to_owned())
    }

    fn text(&self) -> String {
        debug_text(self.0)
    }
}

/// A kind and a text read from a file.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Note {
    /// Under which name it is counted.
    pub kind: String,
    /// What it says.
    pub text: String,
}

impl Note {
    /// The note of something that is at hand.
    pub fn of(noted: &dyn Noted) -> Self {
        Self { kind: noted.kind().into_owned(), text: noted.text() }
    }
}

impl Noted for Note {
    fn kind(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.kind)
    }

    fn text(&self) -> String {
        self.text.clone()
    }
}

/// A kind as it stands in the header of a message: filled up with zeros, or cut off.
pub(crate) fn kind_field(kind: &str) -> [u8; KIND_LENGTH] {
    let mut field = [0; KIND_LENGTH];
    let length = kind.len().min(KIND_LENGTH);
    field[..length].copy_from_slice(&kind.as_bytes()[..length]);
    field
}

/// The `Debug` form up to [`TEXT_MAX`]: what is beyond is not even made.
pub(crate) fn debug_text(value: &dyn Debug) -> String {
    let mut text = Shortened(String::new());
    // The only error is the one with which `Shortened` says that it has enough.
    let _ = write!(text, "{value:?}");
    text.0
}

struct Shortened(String);

impl Write for Shortened {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let room = TEXT_MAX - self.0.len().min(TEXT_MAX);
        if part.len() <= room {
            self.0.push_str(part);
            return Ok(());
        }
        let end = (0..=room).rev().find(|&i| part.is_char_boundary(i)).unwrap_or(0);
        self.0.push_str(&part[..end]);
        self.0.push('…');
        Err(fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_filled_up_or_cut_off() {
        assert_eq!(&kind_field("TOKEN"), b"TOKEN\0\0\0\0\0\0\0\0\0\0\0");
        assert_eq!(&kind_field("ABCDEFGHIJKLMNOPQRST"), b"ABCDEFGHIJKLMNOP");
    }
}
