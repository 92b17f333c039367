//! What one process records in one wave, and what of it is told.

use std::collections::BTreeMap;
use std::fmt::{self, Debug};

use labs::process::ProcessId;
use serde::{Deserialize, Serialize};

use super::Worth;
use crate::wave::Wave;

/// What one process records in one wave.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Recording<A: Worth> {
    /// Which wave.
    pub wave: Wave,
    /// The state of the application at the cut.
    pub state: A,
    /// What the application had sent and the process held back.
    pub held: Vec<(ProcessId, A::Message)>,
    /// What was in transit to this process, by sender and in the order of arrival; a channel without
    /// messages is left out. Each message stands with its place, counted from 1, among all that arrived on
    /// its channel since the cut.
    pub channels: BTreeMap<ProcessId, Vec<(u64, A::Message)>>,
    /// The channels whose markers have not arrived, each with how many messages have arrived on it since
    /// the cut. When the recording is complete there is none.
    open: BTreeMap<ProcessId, u64>,
}

/// What one process recorded in one wave, as far as it can be judged without knowing the application.
#[derive(Clone, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Recorded {
    /// Which wave.
    pub wave: Wave,
    /// What is conserved, over the state and the messages.
    pub worth: u64,
    /// What can be known of the state: see [`Worth::facts`]. Older traces lack it.
    #[serde(default)]
    pub state: Vec<u64>,
    /// Of each channel with messages the places of these, in the order in which they were recorded: runs
    /// of places, each as its first and its last.
    pub channels: BTreeMap<ProcessId, Vec<(u64, u64)>>,
}

/// The part of a process in a wave that is complete: what is stored, and what is told of it.
#[derive(Clone, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(bound = "", transparent)]
pub struct Part<A: Worth> {
    /// What is told: all that a trace keeps.
    pub recorded: Recorded,
    /// What is stored, as long as the process is at hand.
    #[serde(skip)]
    pub recording: Option<Recording<A>>,
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

    fn recorded(&self) -> Recorded {
        let in_channels = self.channels.values().flatten().map(|(_, message)| message);
        let messages = self.held.iter().map(|(_, message)| message).chain(in_channels);
        let worth = messages.map(A::worth_of).fold(self.state.worth(), u64::saturating_add);
        let places = |messages: &Vec<(u64, A::Message)>| {
            let runs = messages.chunk_by(|(one, _), (next, _)| one + 1 == *next);
            runs.map(|run| (run[0].0, run[run.len() - 1].0)).collect()
        };
        let channels = self.channels.iter().map(|(&from, messages)| (from, places(messages)));
        let state = self.state.facts();
        Recorded { wave: self.wave, worth, state, channels: channels.collect() }
    }
}

impl<A: Worth> From<Recording<A>> for Part<A> {
    fn from(recording: Recording<A>) -> Self {
        Self { recorded: recording.recorded(), recording: Some(recording) }
    }
}

impl Recorded {
    /// How many messages were in transit to the process.
    pub fn in_transit(&self) -> u64 {
        let runs = self.channels.values().flatten();
        let lengths = runs.map(|(first, last)| last.saturating_sub(*first).saturating_add(1));
        lengths.fold(0, u64::saturating_add)
    }
}

/// For people: `2@p0, worth 107, p1: 1-3, p4: 2`.
impl Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, worth {}", self.wave, self.worth)?;
        for (from, runs) in &self.channels {
            write!(f, ", {from}:")?;
            for (first, last) in runs {
                match first == last {
                    true => write!(f, " {first}")?,
                    false => write!(f, " {first}-{last}")?,
                }
            }
        }
        Ok(())
    }
}

impl<A: Worth> Debug for Recording<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.recorded().fmt(f)
    }
}

impl<A: Worth> Debug for Part<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.recorded.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_short_and_read_again() {
        let wave = "2@p0".parse().unwrap();
        let channels = [(1, vec![(1, 3)]), (4, vec![(2, 2), (5, 1_000)])];
        let channels = channels.map(|(from, runs)| (ProcessId(from), runs)).into();
        let recorded = Recorded { wave, worth: 107, state: vec![3, 90], channels };
        assert_eq!(format!("{recorded:?}"), "2@p0, worth 107, p1: 1-3, p4: 2 5-1000");
        assert_eq!(recorded.in_transit(), 1_000);
        let json = serde_json::to_string(&recorded).unwrap();
        assert_eq!(serde_json::from_str::<Recorded>(&json).unwrap(), recorded, "{json}");
    }
}
