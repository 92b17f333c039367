//! The connections whose other ends have not yet proved to be members.
//!
//! Strangers are told apart by age, so that the oldest can make room, and are spoken of in the log
//! one by one only as long as they are few: 10,000 of them must not fill a disk.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Peer;
use super::slots::Key;

/// How many strangers are logged one by one in each [`WINDOW`]; the others are only counted.
const LINES: usize = 10;

/// How long a count goes on.
pub(super) const WINDOW: Duration = Duration::from_secs(10);

/// The strangers of one loop.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    /// Keys are ordered by age.
    waiting: BTreeSet<Key>,
    in_window: usize,
}

impl Strangers {
    pub(super) fn add(&mut self, key: Key) {
        self.waiting.insert(key);
    }

    /// True if it was one.
    pub(super) fn remove(&mut self, key: Key) -> bool {
        self.waiting.remove(&key)
    }

    pub(super) fn contains(&self, key: Key) -> bool {
        self.waiting.contains(&key)
    }

    pub(super) fn count(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn oldest(&self) -> Option<Key> {
        self.waiting.first().copied()
    }

    /// Logs that one was cut off, or counts it. True if a window has begun: call
    /// [`end_window`](Self::end_window) when it is over.
    pub(super) fn cut_off(&mut self, peer: &Peer, why: &str) -> bool {
        if self.in_window < LINES {
            let Peer { address, local, .. } = peer;
            log::warn!("cut off a stranger at {address} on {local}: {why}");
        }
        self.in_window += 1;
        self.in_window == 1
    }

    /// Logs how many were only counted, and returns that number.
    pub(super) fn end_window(&mut self) -> usize {
        let more = std::mem::take(&mut self.in_window).saturating_sub(LINES);
        if more > 0 {
            log::warn!("cut off strangers: and {more} more in the last {} s", WINDOW.as_secs());
        }
        more
    }
}
