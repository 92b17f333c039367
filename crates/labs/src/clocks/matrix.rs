//! The matrix clock of Raynal, Schiper and Toueg, *The causal ordering abstraction and a simple way
//! to implement it*, Information Processing Letters 39, 1991.
//!
//! Entry *[i][j]* counts the messages from *i* to *j* that the owner knows of. A message from *i*
//! to *j* carries its sender's matrix from before the sending; *j* may deliver it once it has
//! delivered, from each *k*, as many messages as the stamp says *k* had sent to *j*.

use serde::{Deserialize, Serialize};

use super::Causality;
use crate::process::ProcessId;

/// Counts of messages sent, for each sender and receiver.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Matrix {
    processes: u32,
    /// Row by row.
    entries: Vec<u64>,
}

impl Matrix {
    /// The clock of `processes` processes before any message.
    pub fn new(processes: u32) -> Self {
        Self { processes, entries: vec![0; (processes as usize).pow(2)] }
    }

    /// `from` sends a message to `to`. Returns its number on that channel, counted from 1.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn tick(&mut self, from: ProcessId, to: ProcessId) -> u64 {
        let entry = self.index(from, to);
        self.entries[entry] += 1;
        self.entries[entry]
    }

    /// A message brought `other`: each entry becomes the greater of the two.
    ///
    /// # Panics
    ///
    /// If `other` is of another number of processes.
    pub fn merge(&mut self, other: &Self) {
        assert_eq!(self.processes, other.processes, "matrices of different systems");
        for (mine, theirs) in self.entries.iter_mut().zip(&other.entries) {
            *mine = (*mine).max(*theirs);
        }
    }

    /// How this stamp stands to `other`.
    ///
    /// # Panics
    ///
    /// If `other` is of another number of processes.
    pub fn compare(&self, other: &Self) -> Causality {
        assert_eq!(self.processes, other.processes, "matrices of different systems");
        let at_most = |a: &Self, b: &Self| a.entries.iter().zip(&b.entries).all(|(a, b)| a <= b);
        Causality::from_at_most(at_most(self, other), at_most(other, self))
    }

    /// How many messages from `from` to `to` are known.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn of(&self, from: ProcessId, to: ProcessId) -> u64 {
        self.entries[self.index(from, to)]
    }

    /// Whether `to` may deliver a message with this stamp, having delivered so many messages from each
    /// process: at least as many as the stamp says were sent to it.
    ///
    /// # Panics
    ///
    /// If there is no such process, or `delivered` is of another number of processes.
    pub fn allows(&self, to: ProcessId, delivered: &[u64]) -> bool {
        assert_eq!(self.processes as usize, delivered.len(), "counts of a different system");
        (0..self.processes).map(ProcessId).all(|from| delivered[from.index()] >= self.of(from, to))
    }

    fn index(&self, from: ProcessId, to: ProcessId) -> usize {
        assert!(from.0 < self.processes, "no process {from} among {}", self.processes);
        assert!(to.0 < self.processes, "no process {to} among {}", self.processes);
        from.index() * self.processes as usize + to.index()
    }
}
