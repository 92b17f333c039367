//! Messages, requests and indications as a trace sees them: a kind, a text for people, and the value itself
//! as data.

use std::any::Any;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::{self, Debug, Write};
use std::hash::{Hash, Hasher};
use std::io;
use std::panic::{self, AssertUnwindSafe};

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::process::Kind;

/// The longest text of one value in a trace, in bytes. It is for people, who read no longer one.
pub const TEXT_MAX: usize = 2_048;

/// The largest value in a trace that people keep, in bytes of JSON. A message that carries a list of all
/// processes would otherwise make a trace of a large run quadratic. What is larger is [cut](Data::Cut).
pub const DATA_MAX: usize = 4_096;

/// How many letters of a message's kind stand in its header: in a frame, and so in a capture. Fixed,
/// so that a dissector finds the fields behind it, and enough for every kind that a person would
/// write on a board.
pub(crate) const KIND_LENGTH: usize = 16;

/// A value with a kind, a text and data, each made only when asked for: most runs count and judge
/// without ever writing one down.
pub trait Noted {
    /// Under which name it is counted: see [`Kind::kind`].
    fn kind(&self) -> Cow<'_, str>;

    /// What it says, for people: its `Debug` form.
    fn text(&self) -> String;

    /// What it says, for programs.
    fn data(&self) -> Data;

    /// The same, but of a value that is [too large](DATA_MAX) only what its beginning says. The rest is not even
    /// made: a message that carries a list of all processes passes by as many times as there are processes.
    fn beginning(&self) -> Data {
        let mut data = self.data();
        data.cut_behind_beginning();
        data
    }

    /// The value itself, while it is at hand; a value that was read from a file has only its data.
    fn value(&self) -> Option<&dyn Any> {
        None
    }

    /// Somebody wants the value, and cannot have it.
    fn miss(&self) {}
}

impl dyn Noted + '_ {
    /// The value as its own type: at hand, or made from its data.
    ///
    /// # Errors
    ///
    /// If its data was cut, or is not of this type.
    pub fn get<T: Kind>(&self) -> Result<Cow<'_, T>, Unreadable> {
        match self.value().and_then(|value| value.downcast_ref()) {
            Some(value) => Ok(Cow::Borrowed(value)),
            None => self.data().get().map(Cow::Owned).inspect_err(|_| self.miss()),
        }
    }
}

impl<T: Kind> Noted for T {
    fn kind(&self) -> Cow<'_, str> {
        Cow::Borrowed(Kind::kind(self))
    }

    fn text(&self) -> String {
        debug_text(self)
    }

    fn data(&self) -> Data {
        Data::of(self)
    }

    fn beginning(&self) -> Data {
        Data::beginning_of(self)
    }

    fn value(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

/// Why a value cannot be had from a trace.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unreadable {
    /// It is larger than what a trace keeps.
    #[error("{0} bytes and more are too many for a trace, which keeps only their hash")]
    Cut(u64),
    /// Nobody kept it.
    #[error("what it says was not kept")]
    NotKept,
    /// The data is not that of such a value.
    #[error("the data is of another program, or was changed")]
    Foreign,
}

/// A value as JSON, as it stands in a trace.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(untagged)]
pub enum Data {
    /// Nothing: what is no value, or was not kept.
    #[default]
    Nothing,
    /// A value that was larger than [`DATA_MAX`].
    Cut(Digested),
    /// The whole value.
    Whole(Box<RawValue>),
}

/// What a trace keeps of a value that is too large for it.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Digested {
    /// How many bytes of its JSON the hash is of: all of them, or the first [`DATA_MAX`] of a message.
    pub cut: u64,
    /// Their SHA-256, in hexadecimal digits: equal values have equal ones.
    pub sha256: String,
}

impl Digested {
    fn of(json: &[u8]) -> Self {
        let sha256 = Sha256::digest(json).iter().map(|byte| format!("{byte:02x}")).collect();
        Self { cut: json.len() as u64, sha256 }
    }
}

/// How the JSON of a cut value begins. No other value of a lab does: its fields have other names.
const CUT: &str = "{\"cut\":";

/// The JSON of nothing.
const NOTHING: &str = "null";

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Box::<RawValue>::deserialize(deserializer)?;
        match json.get().starts_with(CUT) {
            true => serde_json::from_str(json.get()).map(Self::Cut).map_err(D::Error::custom),
            false => Ok(Self::Whole(json)),
        }
    }
}

impl Data {
    /// The data of a value.
    pub fn of<T: Serialize>(value: &T) -> Self {
        // Only maps whose keys are no texts have no JSON form. Such a value is not kept.
        serde_json::value::to_raw_value(value).map_or(Self::Nothing, Self::Whole)
    }

    /// The data of a value, or what its beginning says if it is too large. Takes no longer than a value of that size.
    pub fn beginning_of<T: Serialize>(value: &T) -> Self {
        let mut beginning = Beginning(Vec::with_capacity(BEGUN));
        match serde_json::to_writer(&mut beginning, value) {
            Ok(()) => String::from_utf8(beginning.0)
                .ok()
                .and_then(|json| RawValue::from_string(json).ok())
                .map_or(Self::Nothing, Self::Whole),
            Err(error) if error.is_io() => Self::Cut(Digested::of(&beginning.0)),
            Err(_) => Self::Nothing,
        }
    }

    /// The value.
    ///
    /// # Errors
    ///
    /// If it was cut or not kept, or is of another type.
    pub fn get<T: DeserializeOwned>(&self) -> Result<T, Unreadable> {
        match self {
            Self::Nothing => Err(Unreadable::NotKept),
            Self::Whole(json) => serde_json::from_str(json.get()).map_err(|_| Unreadable::Foreign),
            Self::Cut(digested) => Err(Unreadable::Cut(digested.cut)),
        }
    }

    /// Cuts it, if it is too large for a file that people keep.
    pub fn cut(&mut self) {
        if let Some(json) = self.too_large() {
            *self = Self::Cut(Digested::of(json));
        }
    }

    /// Cuts it in the same case, and keeps only what its beginning says, as of a [message](Self::beginning_of).
    pub fn cut_behind_beginning(&mut self) {
        if let Some(json) = self.too_large() {
            *self = Self::Cut(Digested::of(&json[..DATA_MAX]));
        }
    }

    /// Whether it is too large for a file that people keep.
    pub fn is_too_large(&self) -> bool {
        self.too_large().is_some()
    }

    /// Its JSON, if that is too large.
    fn too_large(&self) -> Option<&[u8]> {
        match self {
            Self::Whole(json) if json.get().len() > DATA_MAX => Some(json.get().as_bytes()),
            _ => None,
        }
    }

    /// As it is shown, without a copy of the whole; empty for nothing.
    pub fn into_json(self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Whole(json) => Box::<str>::from(json).into_string(),
            Self::Cut(_) => self.to_string(),
        }
    }

    /// Its JSON.
    fn json(&self) -> Cow<'_, str> {
        match self {
            Self::Nothing => Cow::Borrowed(NOTHING),
            Self::Whole(json) => Cow::Borrowed(json.get()),
            Self::Cut(Digested { cut, sha256 }) => Cow::Owned(format!("{cut} {sha256}")),
        }
    }
}

/// As JSON.
impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.json())
    }
}

impl Eq for Data {}

impl PartialEq for Data {
    fn eq(&self, other: &Self) -> bool {
        self.json() == other.json()
    }
}

impl Hash for Data {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.json().hash(hasher);
    }
}

impl Ord for Data {
    fn cmp(&self, other: &Self) -> Ordering {
        self.json().cmp(&other.json())
    }
}

impl PartialOrd for Data {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Room for most values.
const BEGUN: usize = 64;

/// Takes [`DATA_MAX`] bytes and no more.
struct Beginning(Vec<u8>);

impl io::Write for Beginning {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = DATA_MAX - self.0.len();
        if room == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let taken = bytes.len().min(room);
        self.0.extend(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
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

    fn data(&self) -> Data {
        Data::default()
    }
}

/// A value that was written down.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Note {
    /// Under which name it is counted.
    pub kind: Cow<'static, str>,
    /// What it says, for people.
    pub text: String,
    /// What it says, for programs; null where that is nothing.
    #[serde(default)]
    pub data: Data,
}

impl Note {
    /// The note of something that is at hand.
    pub fn of(noted: &dyn Noted) -> Self {
        Self { kind: noted.kind().into_owned().into(), text: noted.text(), data: noted.data() }
    }
}

impl Noted for Note {
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

/// A kind as it stands in the header of a message: filled up with zeros, or cut off.
pub(crate) fn kind_field(kind: &str) -> [u8; KIND_LENGTH] {
    let mut field = [0; KIND_LENGTH];
    let length = kind.len().min(KIND_LENGTH);
    field[..length].copy_from_slice(&kind.as_bytes()[..length]);
    field
}

/// The `Debug` form up to [`TEXT_MAX`]: what is beyond is not even made.
///
/// An error does not end the writing of a list: it goes on through all its entries, and only writes nothing more. So the
/// way out is that of a panic, which nobody sees.
pub(crate) fn debug_text(value: &dyn Debug) -> String {
    let mut text = Shortened(String::new());
    let written = panic::catch_unwind(AssertUnwindSafe(|| write!(text, "{value:?}")));
    match written {
        Err(other) if !other.is::<Enough>() => panic::resume_unwind(other),
        // A `Debug` that fails says no more than what it has written.
        _ => text.0,
    }
}

struct Shortened(String);

/// There is enough of a text.
struct Enough;

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
        panic::resume_unwind(Box::new(Enough))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Knows how often it was looked at.
    struct Looked<'a>(&'a Cell<usize>);

    impl Debug for Looked<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.set(self.0.get() + 1);
            f.write_str("here")
        }
    }

    impl Serialize for Looked<'_> {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            self.0.set(self.0.get() + 1);
            serializer.serialize_str("here")
        }
    }

    #[test]
    fn of_a_long_list_only_the_beginning_is_made() {
        let looks = Cell::new(0);
        let list: Vec<_> = (0..100_000).map(|_| Looked(&looks)).collect();
        let text = debug_text(&list);
        assert!(text.starts_with("[here, here, ") && text.ends_with('…'), "{text}");
        assert_eq!(text.len(), TEXT_MAX + '…'.len_utf8());
        assert!(looks.replace(0) <= TEXT_MAX, "the rest is made, too");
        let Data::Cut(digested) = Data::beginning_of(&list) else { panic!("it is too large") };
        assert_eq!(digested.cut, DATA_MAX as u64);
        assert!(looks.replace(0) <= DATA_MAX, "the rest is made, too");
        let mut whole = Data::of(&list);
        whole.cut_behind_beginning();
        assert_eq!(whole, Data::Cut(digested));
    }

    #[test]
    fn a_small_value_is_its_own_beginning() {
        let small = vec!["a"; 1_000];
        assert_eq!(Data::beginning_of(&small), Data::of(&small));
    }

    #[test]
    fn a_kind_is_filled_up_or_cut_off() {
        assert_eq!(&kind_field("TOKEN"), b"TOKEN\0\0\0\0\0\0\0\0\0\0\0");
        assert_eq!(&kind_field("ABCDEFGHIJKLMNOPQRST"), b"ABCDEFGHIJKLMNOP");
    }
}
