//! What a simulation draws from its seed.
//!
//! The seed gives several streams, one for each kind of draw, so that what is drawn of one kind does not shift what
//! is drawn of another: a network that loses messages draws the same latencies as one that does not.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::microseconds;
use crate::chance::below;
use crate::process::{Choices, ProcessId, split_mix};
use crate::simulate::Network;

/// The streams of the network.
#[derive(Debug)]
pub(super) struct Random {
    /// The least latency and how many there are, in microseconds.
    latencies: (u64, u64),
    /// How many processes there are, in regions or not.
    processes: u32,
    latency: u64,
    loss: u64,
    duplication: u64,
    reordering: u64,
    slowness: u64,
}

/// What the processes of a simulation with this seed choose, all from one stream.
pub(crate) fn choices(mut seed: u64) -> Choices {
    Choices::Random(split_mix(&mut seed))
}

impl Random {
    pub(super) fn new(seed: u64, network: &Network, processes: u32) -> Self {
        let mut seeds = seed;
        let mut stream = || split_mix(&mut seeds);
        // The first is that of `choices`.
        stream();
        Self {
            latencies: ends(&network.latency),
            processes,
            latency: stream(),
            loss: stream(),
            duplication: stream(),
            reordering: stream(),
            slowness: stream(),
        }
    }

    /// The latency of a message, held back or not, in microseconds.
    pub(super) fn latency(&mut self, network: &Network, from: ProcessId, to: ProcessId) -> u64 {
        let latencies = self.latencies(network, from, to);
        let latency = draw(&mut self.latency, latencies);
        if network.reordering.happens(&mut self.reordering) {
            let (least, count) = latencies;
            return latency + least + count - 1;
        }
        latency
    }

    /// The least latency on a channel, and how many there are.
    fn latencies(&self, network: &Network, from: ProcessId, to: ProcessId) -> (u64, u64) {
        match &network.regions {
            None => self.latencies,
            Some(regions) => ends(&regions.way(from, to, self.processes).latency),
        }
    }

    /// How much longer than others a message takes on its channel, in microseconds.
    pub(super) fn slowness(&mut self, network: &Network, from: ProcessId, to: ProcessId) -> u64 {
        let slow = network.slow.iter().filter(|slow| slow.concerns(from, to));
        slow.map(|slow| draw(&mut self.slowness, ends(&slow.by))).sum()
    }

    pub(super) fn loses(&mut self, network: &Network, from: ProcessId, to: ProcessId) -> bool {
        let on_its_way =
            network.regions.as_ref().map(|regions| regions.way(from, to, self.processes).loss);
        let is_lost = network.loss.happens(&mut self.loss);
        on_its_way.is_some_and(|loss| loss.happens(&mut self.loss)) || is_lost
    }

    /// The latency of the copy, if the message is doubled.
    pub(super) fn second_latency(
        &mut self,
        network: &Network,
        from: ProcessId,
        to: ProcessId,
    ) -> Option<u64> {
        let doubled = network.duplication.happens(&mut self.duplication);
        let latencies = self.latencies(network, from, to);
        doubled.then(|| draw(&mut self.duplication, latencies))
    }
}

/// The least of these times and how many there are, in microseconds.
fn ends(times: &RangeInclusive<Duration>) -> (u64, u64) {
    let (least, greatest) = (microseconds(*times.start()), microseconds(*times.end()));
    (least, greatest - least + 1)
}

/// A latency in microseconds.
fn draw(stream: &mut u64, (least, count): (u64, u64)) -> u64 {
    least + below(split_mix(stream), count)
}
