//! How the simulated network treats messages.

use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use crate::process::split_mix;

/// The longest latency that a network may have. An hour is beyond any experiment, and keeps virtual
/// time far from its end.
pub const LATENCY_MAX: Duration = Duration::from_secs(3_600);

/// How the simulated network treats messages.
///
/// The default is a local network that loses nothing and keeps the order of each channel.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Network {
    /// How long a message is under way: uniform, in whole microseconds.
    pub latency: RangeInclusive<Duration>,
    /// How often a message is lost.
    pub loss: Chance,
    /// How often a message arrives twice. The second copy has a latency of its own.
    pub duplication: Chance,
    /// How often a message is held back for another longest latency, so that later ones overtake
    /// it. Impossible where channels are FIFO.
    pub reordering: Chance,
    /// Whether the messages of one process to another arrive in the order of their sending.
    pub fifo: bool,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(1)..=Duration::from_millis(5),
            loss: Chance::NEVER,
            duplication: Chance::NEVER,
            reordering: Chance::NEVER,
            fifo: true,
        }
    }
}

impl Network {
    /// A network whose latencies alone decide the order of arrival.
    pub fn unordered() -> Self {
        Self { fifo: false, ..Self::default() }
    }

    /// Refuses what cannot be.
    ///
    /// # Errors
    ///
    /// Says what contradicts what.
    pub fn validate(&self) -> Result<(), NetworkError> {
        if self.latency.is_empty() {
            return Err(NetworkError::Latency(*self.latency.start(), *self.latency.end()));
        }
        if *self.latency.end() > LATENCY_MAX {
            return Err(NetworkError::TooSlow(*self.latency.end()));
        }
        if self.fifo && self.reordering != Chance::NEVER {
            return Err(NetworkError::OrderedAndNot);
        }
        Ok(())
    }
}

/// Why a network is impossible.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NetworkError {
    /// The range of latencies is empty.
    #[error("the least latency, {0:?}, is above the greatest, {1:?}: exchange them")]
    Latency(Duration, Duration),
    /// A latency is beyond [`LATENCY_MAX`].
    #[error("a latency of {0:?} is above the limit of {LATENCY_MAX:?}: choose a lower one")]
    TooSlow(Duration),
    /// Reordering on FIFO channels.
    #[error("FIFO channels do not reorder: give up one of the two")]
    OrderedAndNot,
}

/// How often something happens, in parts per million: an integer, so that runs are the same on every
/// machine.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
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

    /// Whether it happens this time. What never happens draws no random number.
    pub(super) fn happens(self, stream: &mut u64) -> bool {
        self != Self::NEVER && below(split_mix(stream), u64::from(MILLION)) < u64::from(self.0)
    }
}

const MILLION: u32 = 1_000_000;

/// A number below `bound` made of a random one. Its bias is below `bound` / 2^64.
pub(super) fn below(random: u64, bound: u64) -> u64 {
    ((u128::from(random) * u128::from(bound)) >> 64) as u64
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
