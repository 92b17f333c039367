//! How the simulated network treats messages.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use super::latency::LATENCY_MAX;
use super::regions::Regions;
use crate::chance::Chance;
use crate::faults::Channels;
use crate::process::ProcessId;

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
    /// The channels that are slower than the others.
    pub slow: Vec<Slow>,
    /// The regions in which the processes are, instead of one latency for all, and losses beside those of all.
    pub regions: Option<Arc<Regions>>,
}

/// Channels whose messages are under way for longer than others.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Slow {
    /// Which channels.
    pub channels: Channels,
    /// How much longer: uniform, in whole microseconds.
    pub by: RangeInclusive<Duration>,
}

impl Slow {
    /// Whether messages from one process to another are concerned. What a process sends to itself meets
    /// no network.
    pub(super) fn concerns(&self, from: ProcessId, to: ProcessId) -> bool {
        from != to && self.channels.contain(from, to)
    }
}

impl Default for Network {
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(1)..=Duration::from_millis(5),
            loss: Chance::NEVER,
            duplication: Chance::NEVER,
            reordering: Chance::NEVER,
            fifo: true,
            slow: Vec::new(),
            regions: None,
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
        for times in self.slow.iter().map(|slow| &slow.by).chain([&self.latency]) {
            if times.is_empty() {
                return Err(NetworkError::Latency(*times.start(), *times.end()));
            }
            if *times.end() > LATENCY_MAX {
                return Err(NetworkError::TooSlow(*times.end()));
            }
        }
        if self.fifo && self.reordering != Chance::NEVER {
            return Err(NetworkError::OrderedAndNot);
        }
        Ok(())
    }
}

/// What the network did to messages in a run, apart from what a plan of faults says.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Mishaps {
    /// How many messages were lost.
    pub lost: u64,
    /// How many messages were doubled.
    pub doubled: u64,
    /// How many messages overtook an earlier one on their channel, one that is held back too.
    pub overtaking: u64,
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
