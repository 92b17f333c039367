//! By how much the clocks of machines differ, as far as messages show it.
//!
//! The clock of each process counts from its own start, by its own machine. A message cannot arrive before it
//! was sent: where the clocks say so, that of the receiver is behind. So the page draws all events of that
//! process later by the same time, the smallest that puts every message right. Distances along one line stay
//! true to scale.
//!
//! **The rule.** If the quickest message from *i* to *j* took `d`, by the clock of *j* at its receipt less the
//! clock of *i* at its sending, then the shift of *j* is at least that of *i* less `d`. The smallest shifts that
//! obey all these rules are found as Bellman and Ford find shortest paths: each round raises what is too small.
//! If no shifts obey them all, a clock went faster than another one, or was set. The page then moves the single
//! receipts that are left (`page/scene.js`).
//!
//! In a simulation there is one clock, and nothing is shifted.

use std::collections::BTreeMap;

use crate::process::ProcessId;
use crate::trace::{MessageId, TraceEvent, What};

/// The most rounds: as many as there are processes on the longest chain of shifts, and in a room those are
/// few. What is not right by then has no solution, or too long a chain to be worth the wait.
const ROUNDS_MAX: usize = 64;

/// What messages say of the clocks.
#[derive(Clone, Debug, Default)]
pub struct Clocks {
    /// When each message was sent, in microseconds of its sender's clock.
    sent: BTreeMap<MessageId, i64>,
    /// How long the quickest message from one process to another took, by both their clocks. It is negative
    /// where the clock of the receiver is behind.
    quickest: BTreeMap<(ProcessId, ProcessId), i64>,
    /// Whether some message arrived before it was sent, by the clocks.
    differ: bool,
}

impl Clocks {
    /// The next event of the trace.
    pub fn observe(&mut self, event: &TraceEvent) {
        let at = i64::try_from(event.at_us).unwrap_or(i64::MAX);
        match &event.what {
            What::Send { message, .. } => _ = self.sent.insert(message.id, at),
            What::Receive { peer, message } => {
                let Some(sent) = self.sent.get(&message.id) else { return };
                let took = at.saturating_sub(*sent);
                let quickest = self.quickest.entry((*peer, event.process)).or_insert(took);
                *quickest = took.min(*quickest);
                self.differ |= took < 0;
            }
            _ => {}
        }
    }

    /// By how many microseconds the events of each process are drawn later than its clock says, by rank. Empty
    /// where no clock is behind.
    pub fn shifts(&self) -> Vec<i64> {
        if !self.differ {
            return Vec::new();
        }
        let last = self.quickest.keys().map(|(from, to)| from.max(to).index()).max();
        let mut shifts = vec![0_i64; last.map_or(0, |last| last + 1)];
        for _ in 0..ROUNDS_MAX.min(shifts.len()) {
            if !self.raise(&mut shifts) {
                break;
            }
        }
        let least = shifts.iter().copied().min().unwrap_or_default();
        shifts.iter().map(|shift| shift.saturating_sub(least)).collect()
    }

    /// One round. Returns whether a shift was too small.
    fn raise(&self, shifts: &mut [i64]) -> bool {
        let mut is_raised = false;
        for ((from, to), took) in &self.quickest {
            let least = shifts[from.index()].saturating_sub(*took);
            if shifts[to.index()] < least {
                shifts[to.index()] = least;
                is_raised = true;
            }
        }
        is_raised
    }
}

#[cfg(test)]
mod tests;
