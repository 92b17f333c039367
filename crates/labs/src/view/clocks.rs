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
mod tests {
    use super::*;
    use crate::trace::MessageNote;

    /// Messages, each from a process at a time of its clock to another at a time of that one's clock.
    fn shifts(messages: &[(u32, u64, u32, u64)]) -> Vec<i64> {
        let mut clocks = Clocks::default();
        for (n, &(from, sent, to, arrived)) in (1..).zip(messages) {
            let (from, to) = (ProcessId(from), ProcessId(to));
            let id = MessageId { process: from, n };
            let (kind, text) = (String::new(), String::new());
            let message = MessageNote { id, kind, text, bytes: 0, data: Default::default() };
            let event = |process, at_us, what| TraceEvent {
                process,
                n,
                clock: None,
                lamport: n,
                at_us,
                what,
            };
            clocks.observe(&event(from, sent, What::Send { peer: to, message: message.clone() }));
            clocks.observe(&event(to, arrived, What::Receive { peer: from, message }));
        }
        clocks.shifts()
    }

    #[test]
    fn clocks_that_no_message_contradicts_are_left_alone() {
        assert_eq!(shifts(&[]), [0; 0]);
        assert_eq!(shifts(&[(0, 5, 1, 5), (1, 7, 0, 90)]), [0; 0]);
    }

    #[test]
    fn a_clock_that_is_behind_is_shifted_by_the_least_that_is_needed() {
        // p1 is 5 s behind p0, and messages take 1 and 2 ms.
        let there = (0, 6_000_000, 1, 1_001_000);
        let back = (1, 1_500_000, 0, 6_502_000);
        assert_eq!(shifts(&[there, back]), [0, 4_999_000]);
    }

    #[test]
    fn a_shift_goes_on_along_a_chain_and_round_a_ring() {
        // Each clock is 1 s behind the one before, and each message takes 10 ms.
        let chain = [(0, 9_000_000, 1, 8_010_000), (1, 8_020_000, 2, 7_030_000)];
        assert_eq!(shifts(&chain), [0, 990_000, 1_980_000]);
        let back = (2, 7_040_000, 0, 9_050_000);
        assert_eq!(shifts(&[chain[1], chain[0], back]), [0, 990_000, 1_980_000]);
    }

    #[test]
    fn clocks_that_contradict_themselves_come_to_an_end() {
        // Both arrive before they were sent: one of the clocks was set in between.
        let set = [(0, 1_000, 1, 0), (1, 1_000, 0, 0)];
        assert_eq!(shifts(&set).iter().min(), Some(&0));
        let odd = [(0, u64::MAX, 1, 0), (1, u64::MAX, 0, 0), (1, 3, 2, 0)];
        assert_eq!(shifts(&odd).len(), 3);
    }
}
