//! Heartbeats and their answers: the only time that a detector knows.
//!
//! Heartbeats are numbered, and all processes that a detector watches are sent the same ones. Of
//! each process the detector keeps the greatest number that it answered. The difference is how long
//! the process has been silent: in heartbeats, not in seconds. No clock is read, neither here nor
//! there; a detector that was itself stopped for a minute has sent nothing meanwhile, and so
//! suspects nobody for it.

use std::collections::BTreeMap;

use labs::process::ProcessId;

/// What one detector sent, and what was answered.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Heartbeats {
    /// The number of the last heartbeat sent; 0 before the first.
    sent: u32,
    /// Of each process that is watched, the greatest number that it answered.
    answered: BTreeMap<ProcessId, u32>,
    /// By how many heartbeats a process may be behind.
    threshold: u32,
}

impl Heartbeats {
    /// None yet, to these processes.
    pub fn new(watched: impl IntoIterator<Item = ProcessId>, threshold: u32) -> Self {
        let answered = watched.into_iter().map(|process| (process, 0)).collect();
        Self { sent: 0, answered, threshold }
    }

    /// The next heartbeat: its number.
    pub fn beat(&mut self) -> u32 {
        self.sent = self.sent.saturating_add(1);
        self.sent
    }

    /// The number of the last heartbeat sent.
    pub fn sent(&self) -> u32 {
        self.sent
    }

    /// A process answers a heartbeat. An answer to an older one than another answer tells nothing
    /// new, and one to a heartbeat that was never sent is none.
    pub fn answer(&mut self, process: ProcessId, number: u32) {
        if let Some(answered) = self.answered.get_mut(&process)
            && number <= self.sent
        {
            *answered = number.max(*answered);
        }
    }

    /// Of each process that is watched, the greatest number that it answered.
    pub fn answered(&self) -> &BTreeMap<ProcessId, u32> {
        &self.answered
    }

    /// Whether a process is behind by more heartbeats than it may be.
    pub fn is_silent(&self, process: ProcessId) -> bool {
        self.answered.get(&process).is_some_and(|answered| self.sent - answered > self.threshold)
    }

    /// All that are behind by more heartbeats than they may be.
    pub fn silent(&self) -> impl Iterator<Item = ProcessId> + '_ {
        self.answered.keys().copied().filter(|&process| self.is_silent(process))
    }
}

#[cfg(test)]
mod tests;
