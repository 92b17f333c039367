//! What is due, and when: the program's timers and the loop's own deadlines, in one ordered map.
//!
//! A stopped timer leaves the map at once. In a heap it would stay until it was due, and a program
//! that restarts a timer of thirty seconds with every message would pile up thirty seconds of
//! messages.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::slots::Key;

/// Names what is due. Ordered by time.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct DeadlineKey {
    at: Instant,
    serial: u64,
}

/// What is due.
#[derive(Clone, Copy, Debug)]
pub(super) enum Due {
    /// A timer of the program.
    Timer,
    /// A connection is not made, not greeted or not closed.
    Connection(Key),
    /// A listener that had failed may try again.
    Listener(Key),
    /// The window of the strangers' log is over.
    StrangerLog,
}

#[derive(Debug, Default)]
pub(super) struct Deadlines {
    due: BTreeMap<DeadlineKey, Due>,
    next_serial: u64,
}

impl Deadlines {
    pub(super) fn start(&mut self, after: Duration, due: Due) -> DeadlineKey {
        let now = Instant::now();
        // A time that the clock cannot express is as good as never: a century.
        let never = Duration::from_secs(100 * 365 * 86_400);
        let at = now.checked_add(after).unwrap_or_else(|| now + never);
        let key = DeadlineKey { at, serial: self.next_serial };
        self.next_serial += 1;
        self.due.insert(key, due);
        key
    }

    pub(super) fn stop(&mut self, key: DeadlineKey) {
        self.due.remove(&key);
    }

    /// How long until the first is due, or `None` if nothing is.
    pub(super) fn wait(&self) -> Option<Duration> {
        let (first, _) = self.due.first_key_value()?;
        Some(first.at.saturating_duration_since(Instant::now()))
    }

    /// The moment up to which deadlines are due in this turn. What a handler starts with no delay
    /// is due in the next turn: otherwise a timer that restarts itself would hold the loop for
    /// ever.
    pub(super) fn now(&self) -> Option<DeadlineKey> {
        (!self.due.is_empty()).then(|| DeadlineKey { at: Instant::now(), serial: self.next_serial })
    }

    /// Takes the first that is due before `now`.
    pub(super) fn pop(&mut self, now: DeadlineKey) -> Option<(DeadlineKey, Due)> {
        let entry = self.due.first_entry()?;
        (entry.key().at <= now.at && entry.key().serial < now.serial)
            .then(|| (*entry.key(), entry.remove()))
    }
}
