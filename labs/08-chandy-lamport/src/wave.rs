//! The names of waves.

use std::fmt::{self, Debug, Display};
use std::str::FromStr;

use labs::process::ProcessId;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// One snapshot of the system, and the markers that belong to it: `2@p0` is the second that p0 started.
///
/// Several processes may start one at the same time. Counting alone would not tell their markers apart, so
/// a wave is named after its initiator as well, as Spezialetti and Kearns do (*Efficient distributed
/// snapshots*, ICDCS 1986).
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Wave {
    /// How many the initiator has started with this one.
    pub number: u32,
    /// The process that started it.
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
        let parsed = || {
            let (number, initiator) = text.split_once("@p")?;
            let initiator = ProcessId(initiator.parse().ok()?);
            Some(Self { number: number.parse().ok()?, initiator })
        };
        let wrong = || format!("{text:?} is not the name of a wave; one looks like 2@p0");
        parsed().ok_or_else(wrong)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(number in any::<u32>(), initiator in any::<u32>()) {
            let wave = Wave { number, initiator: ProcessId(initiator) };
            prop_assert_eq!(wave.to_string().parse(), Ok(wave));
        }

        #[test]
        fn no_text_panics(text in "[0-9@p]{0,20}") {
            let _ = text.parse::<Wave>();
        }
    }

    #[test]
    fn what_names_no_wave_is_refused() {
        for text in ["", "2", "2@0", "@p0", "2@p", "4294967296@p0"] {
            assert!(text.parse::<Wave>().is_err(), "{text:?}");
        }
    }
}
