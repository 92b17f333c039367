//! Frames that the plan of faults keeps back: late ones, and ones that wait to be overtaken.
//!
//! A real network is not asked to misbehave: frames are kept back here, before they are handed to
//! it, so that a plan needs no privileges and does to one run what it does to the next. Time is an
//! input.

use std::collections::VecDeque;
use std::time::Duration;

use crate::faults::{Fate, OVERTAKEN_MAX};

/// The frames to one process that the plan keeps back. All times count from one moment.
#[derive(Default)]
pub(super) struct Link {
    /// Late ones, each with the time from which it may leave, in the order of the channel.
    late: VecDeque<(Duration, Vec<u8>)>,
    /// What waits to be overtaken by the next.
    held: Option<Held>,
}

/// A frame that is held back until the next on its channel has overtaken it; if it was doubled too,
/// twice.
struct Held {
    /// It goes on alone then.
    until: Duration,
    /// It is not earlier than that anyway.
    due: Duration,
    /// By which rule of the plan.
    rule: usize,
    frame: Vec<u8>,
    times: usize,
}

/// What may leave now.
#[derive(Default)]
pub(super) struct Due {
    pub(super) frames: Vec<Vec<u8>>,
    /// A frame that was to be overtaken goes on alone.
    pub(super) is_alone: bool,
}

impl Link {
    /// How many frames are late.
    pub(super) fn len(&self) -> usize {
        self.late.len()
    }

    /// When something is to be done.
    pub(super) fn next(&self) -> Option<Duration> {
        let late = self.late.front().map(|(due, _)| *due);
        let held = self.held.as_ref().map(|held| held.until);
        late.into_iter().chain(held).min()
    }

    /// Keeps a frame back as the plan says. Returns the rule by which it has overtaken another.
    pub(super) fn keep(&mut self, frame: Vec<u8>, fate: Fate, now: Duration) -> Option<usize> {
        let due = now + fate.delay;
        let times = 1 + usize::from(fate.is_doubled);
        if let Some(rule) = fate.overtaken_by {
            let held = Held { until: now + OVERTAKEN_MAX, due, rule, frame, times };
            // If the message between the two was lost, nothing has overtaken the first: it goes on
            // alone.
            if let Some(alone) = self.held.replace(held) {
                self.append_held(alone);
            }
            return None;
        }
        for _ in 0..times {
            self.append(due, frame.clone());
        }
        let held = self.held.take()?;
        let rule = held.rule;
        self.append_held(held);
        Some(rule)
    }

    /// Takes out what was kept back long enough.
    pub(super) fn release(&mut self, now: Duration) -> Due {
        let mut due = Due::default();
        if let Some(held) = self.held.take_if(|held| held.until <= now) {
            self.append_held(held);
            due.is_alone = true;
        }
        while let Some((_, frame)) = self.late.pop_front_if(|(at, _)| *at <= now) {
            due.frames.push(frame);
        }
        due
    }

    /// Appends a frame that may leave at `due`, but not before those in front of it.
    fn append(&mut self, due: Duration, frame: Vec<u8>) {
        let last = self.late.back().map(|(at, _)| *at);
        self.late.push_back((due.max(last.unwrap_or(due)), frame));
    }

    /// What was held back stands behind the last frame now.
    fn append_held(&mut self, held: Held) {
        for _ in 0..held.times {
            self.append(held.due, held.frame.clone());
        }
    }
}
