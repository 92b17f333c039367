//! How often something random happens.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::process::split_mix;

/// How often something happens, in parts per million: an integer, so that runs are the same on every
/// machine.
#[derive(
    Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize,
)]
pub struct Chance(u32);

impl Chance {
    /// It never happens.
    pub const NEVER: Self = Self(0);

    /// It always happens.
    pub const ALWAYS: Self = Self(MILLION);

    /// So many times in a million, a million at the most.
    pub const fn parts_per_million(parts: u32) -> Self {
        Self(if parts < MILLION { parts } else { MILLION })
    }

    /// So many times in a hundred, a hundred at the most.
    pub const fn percent(percent: u32) -> Self {
        Self::parts_per_million(percent.saturating_mul(MILLION / 100))
    }

    /// How often it happens, from 0 to 1: to calculate with, not to draw by.
    pub fn share(self) -> f64 {
        f64::from(self.0) / f64::from(MILLION)
    }

    /// Whether it happens this time. What never happens draws no random number.
    pub(crate) fn happens(self, stream: &mut u64) -> bool {
        self != Self::NEVER && below(split_mix(stream), u64::from(MILLION)) < u64::from(self.0)
    }
}

const MILLION: u32 = 1_000_000;

/// A number below `bound` made of a random one. Its bias is below `bound` / 2^64.
pub(crate) fn below(random: u64, bound: u64) -> u64 {
    ((u128::from(random) * u128::from(bound)) >> 64) as u64
}

/// As it is read.
impl fmt::Display for Chance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.0 / (MILLION / 100), self.0 % (MILLION / 100));
        match fraction {
            0 => write!(f, "{whole}%"),
            _ => write!(f, "{whole}.{}%", format!("{fraction:04}").trim_end_matches('0')),
        }
    }
}

impl FromStr for Chance {
    type Err = ChanceError;

    /// Reads `10%`, or `0.05%` with at most four digits after the point.
    fn from_str(text: &str) -> Result<Self, ChanceError> {
        let error = || ChanceError(text.to_owned());
        let number = text.strip_suffix('%').ok_or_else(error)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |digits: &str| {
            let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| digits.parse::<u32>().ok()).flatten().ok_or_else(error)
        };
        let places = u32::try_from(fraction.len()).ok().filter(|&places| places <= 4);
        let scale = 10_u32.pow(4 - places.ok_or_else(error)?);
        let parts = digits(whole)?
            .checked_mul(MILLION / 100)
            .and_then(|parts| parts.checked_add(digits(fraction).ok()? * scale))
            .filter(|&parts| parts <= MILLION);
        digits(fraction)?;
        parts.map(Self).ok_or_else(error)
    }
}

/// Why a text is no chance.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0:?} is no chance: write a percentage from 0% to 100%, such as 10% or 0.5%")]
pub struct ChanceError(String);
