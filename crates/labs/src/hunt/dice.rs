//! What cases are drawn from.

use std::time::Duration;

use crate::chance::below;
use crate::process::split_mix;

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// One of the streams of a seed.
    pub fn new(seed: u64, stream: u64) -> Self {
        let (mut seed, mut stream) = (seed, stream);
        Self(split_mix(&mut seed) ^ split_mix(&mut stream).rotate_left(32))
    }

    /// A number from `least` to `greatest`, each as often.
    pub fn between(&mut self, least: u64, greatest: u64) -> u64 {
        let span = greatest.saturating_sub(least).saturating_add(1);
        least + below(split_mix(&mut self.0), span)
    }

    /// A number from `least` to `greatest`, each order of magnitude as often: most are small, and some large.
    pub fn magnitude(&mut self, least: u64, greatest: u64) -> u64 {
        let bits = self.between(0, u64::from((greatest.max(1)).ilog2()));
        self.between(least, greatest.min((2 << bits) - 1).max(least))
    }

    /// Whether something happens that happens so many times in a hundred.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.between(0, 99) < percent
    }

    /// One of these, if there is any.
    pub fn one_of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        all.get(self.between(0, (all.len() as u64).saturating_sub(1)) as usize)
    }

    /// A time between these, in whole microseconds.
    pub fn time(&mut self, least: Duration, greatest: Duration) -> Duration {
        let us = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX / 2);
        Duration::from_micros(self.between(us(least), us(greatest)))
    }
}
