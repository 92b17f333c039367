//! Snapshots as everybody who looks at one sees them: which wave it is of, and what a process recorded.
//!
//! The algorithm is a lab's. What stands here is the little that its monitors must be able to read from a
//! trace: [`Wave`] and [`Recorded`], each with its text.

use std::collections::BTreeMap;
use std::fmt::{self, Debug, Display};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::process::ProcessId;

/// One snapshot of the system, and the markers that belong to it: `2@p0` is the second that p0 started.
///
/// Several processes may start one at the same time. Counting alone would not tell their markers apart, so
/// a wave is named after its initiator as well, as Spezialetti and Kearns do (*Efficient distributed
/// snapshots*, ICDCS 1986).
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Wave {
    /// How many the initiator has started with this one.
    pub number: u32,
    /// Who started it.
    pub initiator: ProcessId,
}

impl Display for Wave {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.number, self.initiator)
    }
}

impl Debug for Wave {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

impl FromStr for Wave {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not the name of a wave; one looks like 2@p0");
        let (number, initiator) = text.split_once('@').ok_or_else(wrong)?;
        let number = number.parse().map_err(|_| wrong())?;
        Ok(Self { number, initiator: process(initiator).ok_or_else(wrong)? })
    }
}

/// As text, so that people can read the files in which waves stand.
impl Serialize for Wave {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serializer.is_human_readable() {
            true => serializer.collect_str(self),
            false => (self.number, self.initiator).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Wave {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return String::deserialize(deserializer)?.parse().map_err(de::Error::custom);
        }
        let (number, initiator) = Deserialize::deserialize(deserializer)?;
        Ok(Self { number, initiator })
    }
}

/// The kind of the indication by which a process says that a marker has reached it, and of which wave:
/// `Marked(2@p0)`. It says so first of all that it does about the marker.
pub const MARKED: &str = "Marked";

/// What one process recorded in one wave, as far as it can be judged without knowing the application.
///
/// The text is `2@p0, worth 107, p1: 1-3, p4: 2`: the wave, what the recorded state and messages are worth
/// together, and of each channel which messages were recorded. Messages are counted from 1, those of one
/// channel that arrived since the process recorded its state. A channel without messages is left out. A
/// trace keeps [2 KiB](crate::trace::note::TEXT_MAX) of it, some two hundred channels with messages; of what is
/// longer, its monitors say that they cannot judge it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Recorded {
    /// The wave.
    pub wave: Wave,
    /// What is conserved, over the state and the channels.
    pub worth: u64,
    /// Of each sender, which messages, in the order in which they were recorded.
    pub channels: BTreeMap<ProcessId, Vec<u64>>,
}

impl Display for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, worth {}", self.wave, self.worth)?;
        for (from, messages) in self.channels.iter().filter(|(_, messages)| !messages.is_empty()) {
            write!(f, ", {from}:")?;
            for run in messages.chunk_by(|one, next| one.checked_add(1) == Some(*next)) {
                match run {
                    [one] => write!(f, " {one}")?,
                    [first, .., last] => write!(f, " {first}-{last}")?,
                    [] => {}
                }
            }
        }
        Ok(())
    }
}

/// More messages than this, over all channels together, are refused when a text is read: a few ranges of a few
/// letters each must not fill memory.
const MESSAGES_MAX: u64 = 1 << 20;

impl FromStr for Recorded {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |part: &str| format!("{part:?} does not say what was recorded");
        let mut parts = text.split(", ");
        let wave = parts.next().unwrap_or("").parse()?;
        let worth = parts.next().and_then(|part| part.strip_prefix("worth ")?.parse().ok());
        let worth = worth.ok_or_else(|| wrong(text))?;
        let mut channels = BTreeMap::new();
        let mut room = MESSAGES_MAX;
        for part in parts {
            let (from, messages) = part.split_once(": ").ok_or_else(|| wrong(part))?;
            let from = process(from).ok_or_else(|| wrong(part))?;
            let messages = ranges(messages, &mut room).ok_or_else(|| wrong(part))?;
            if channels.insert(from, messages).is_some() {
                return Err(wrong(part));
            }
        }
        Ok(Self { wave, worth, channels })
    }
}

/// The numbers of `1-3 7`, if there is room for them; they take it.
fn ranges(text: &str, room: &mut u64) -> Option<Vec<u64>> {
    let mut numbers = Vec::new();
    for part in text.split(' ') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
        let count = last.checked_sub(first)?.checked_add(1)?;
        *room = room.checked_sub(count)?;
        numbers.extend(first..=last);
    }
    Some(numbers)
}

/// The process of `p3`.
fn process(text: &str) -> Option<ProcessId> {
    Some(ProcessId(text.strip_prefix('p')?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(
            number in any::<u32>(),
            initiator in any::<u32>(),
            worth in any::<u64>(),
            channels in prop::collection::btree_map(
                (0_u32..9).prop_map(ProcessId),
                prop::collection::vec(1_u64..12, 1..8),
                0..5,
            ),
        ) {
            let wave = Wave { number, initiator: ProcessId(initiator) };
            prop_assert_eq!(wave.to_string().parse(), Ok(wave));
            let recorded = Recorded { wave, worth, channels };
            prop_assert_eq!(recorded.to_string().parse(), Ok(recorded));
        }

        #[test]
        fn no_text_panics(text in "[0-9@p, :worth-]{0,40}") {
            let _ = text.parse::<Recorded>();
        }
    }

    #[test]
    fn consecutive_messages_are_one_range() {
        let text = "2@p0, worth 107, p1: 1-3, p4: 2 1 5-6";
        let recorded: Recorded = text.parse().unwrap();
        assert_eq!(recorded.channels[&ProcessId(1)], [1, 2, 3]);
        assert_eq!(recorded.channels[&ProcessId(4)], [2, 1, 5, 6]);
        assert_eq!(recorded.to_string(), text);
    }

    /// A text of 14 KB names a thousand channels: they share what one may have.
    #[test]
    fn the_channels_of_a_text_share_its_limit() {
        let channels = |each: u64| (1..=1_024).map(move |p| format!(", p{p}: 1-{each}"));
        let text = |each| format!("2@p0, worth 1{}", channels(each).collect::<String>());
        let most: Recorded = text(1_024).parse().unwrap();
        assert_eq!(most.channels.values().map(Vec::len).sum::<usize>(), 1 << 20);
        assert!(text(1_025).parse::<Recorded>().is_err());
    }

    #[test]
    fn what_says_nothing_or_too_much_is_refused() {
        for text in [
            "",
            "2@p0",
            "2@p0, worth ",
            "2@0, worth 1",
            "2@p0, worth 1, p1:",
            "2@p0, worth 1, p1: 3-1",
            "2@p0, worth 1, p1: 1, p1: 2",
            "2@p0, worth 1, p1: 1-18446744073709551615",
            "2@p0, worth 1, p1: 1-1048576 1-1048576",
            "2@p0, worth 1, p1: 0-18446744073709551615",
            "2@p0, worth 1, p1: 1-1048576, p2: 1",
        ] {
            assert!(text.parse::<Recorded>().is_err(), "{text:?}");
        }
    }
}
