//! What one process records in one wave.

use std::collections::BTreeMap;
use std::fmt::{self, Debug};

use labs::process::ProcessId;
use serde::{Deserialize, Serialize};

use super::Worth;
use crate::wave::Wave;

/// What one process records in one wave.
#[derive(Clone, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(bound = "")]
pub struct Recording<A: Worth> {
    /// Which wave.
    pub wave: Wave,
    /// The state of the application at the cut.
    pub state: A,
    /// What the application had sent and the process held back.
    pub held: Vec<(ProcessId, A::Message)>,
    /// What was in transit to this process, by sender and in the order of arrival; a channel without
    /// messages is left out. Each message stands with its place, counted from 1, among all that arrived on
    /// its channel since the cut: so what was recorded can be judged without knowing the application.
    pub channels: BTreeMap<ProcessId, Vec<(u64, A::Message)>>,
    /// The channels whose markers have not arrived, each with how many messages have arrived on it since
    /// the cut. When the recording is complete there is none.
    #[serde(skip)]
    open: BTreeMap<ProcessId, u64>,
}

impl<A: Worth> Recording<A> {
    /// A recording that begins with the cut, on the channels from these processes.
    pub fn new(
        wave: Wave,
        state: A,
        held: Vec<(ProcessId, A::Message)>,
        from: impl Iterator<Item = ProcessId>,
    ) -> Self {
        let open = from.map(|process| (process, 0)).collect();
        Self { wave, state, held, channels: BTreeMap::new(), open }
    }

    /// A message arrives. It was in transit if its channel's marker has not arrived.
    pub(super) fn record(&mut self, from: ProcessId, message: &A::Message) {
        if let Some(arrived) = self.open.get_mut(&from) {
            *arrived += 1;
            self.channels.entry(from).or_default().push((*arrived, message.clone()));
        }
    }

    /// The marker of a channel arrives. Returns whether it is the first.
    pub(super) fn mark(&mut self, from: ProcessId) -> bool {
        self.open.remove(&from).is_some()
    }

    /// Whether the marker of this channel has not arrived.
    pub(super) fn waits_for(&self, from: ProcessId) -> bool {
        self.open.contains_key(&from)
    }

    /// Whether all markers have arrived.
    pub(super) fn is_complete(&self) -> bool {
        self.open.is_empty()
    }

    /// How many messages were in transit to this process.
    pub fn in_transit(&self) -> u64 {
        self.channels.values().map(|messages| messages.len() as u64).sum()
    }

    /// What is conserved, over the state and the messages.
    pub fn worth(&self) -> u64 {
        let in_channels = self.channels.values().flatten().map(|(_, message)| message);
        let messages = self.held.iter().map(|(_, message)| message).chain(in_channels);
        messages.map(A::worth_of).fold(self.state.worth(), u64::saturating_add)
    }
}

/// For people: `2@p0, worth 107, p1: 1-3, p4: 2`, the wave, what the state and the messages are worth
/// together, and the places of the messages on each channel.
impl<A: Worth> Debug for Recording<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, worth {}", self.wave, self.worth())?;
        for (from, messages) in &self.channels {
            write!(f, ", {from}:")?;
            for run in messages.chunk_by(|(one, _), (next, _)| one.checked_add(1) == Some(*next)) {
                match run {
                    [(one, _)] => write!(f, " {one}")?,
                    [(first, _), .., (last, _)] => write!(f, " {first}-{last}")?,
                    [] => {}
                }
            }
        }
        Ok(())
    }
}
