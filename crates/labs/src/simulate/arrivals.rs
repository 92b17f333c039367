//! When the last message of one process to each other one arrives: what keeps channels FIFO.
//!
//! Most processes talk to one or two others, and there may be a million of them, so the first peer
//! stands in the struct itself; few more are a short list, many a tree.

use std::collections::BTreeMap;

use crate::process::ProcessId;

/// Up to how many peers a list is quicker than a tree.
const FEW: usize = 16;

/// The last arrivals of one sender's messages, in microseconds.
#[derive(Debug, Default)]
pub(super) struct LastArrivals {
    to: ProcessId,
    at: u64,
    others: Others,
}

#[derive(Debug)]
enum Others {
    Few(Vec<(ProcessId, u64)>),
    #[expect(
        clippy::box_collection,
        reason = "keeps the struct small, of which there is one a process"
    )]
    Many(Box<BTreeMap<ProcessId, u64>>),
}

impl Default for Others {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl LastArrivals {
    /// A message to `to` would arrive at `at`. Returns when it may arrive: not before those ahead.
    pub(super) fn not_before_last(&mut self, to: ProcessId, at: u64) -> u64 {
        // No message is ever earlier than 0, so the place of p0 need not be told from an unused one.
        if self.to == to || self.at == 0 {
            self.to = to;
            self.at = at.max(self.at);
            return self.at;
        }
        let last = self.others.entry(to);
        *last = at.max(*last);
        *last
    }
}

impl Others {
    fn entry(&mut self, to: ProcessId) -> &mut u64 {
        if let Self::Few(list) = self
            && list.len() >= FEW
            && !list.iter().any(|&(peer, _)| peer == to)
        {
            *self = Self::Many(Box::new(list.drain(..).collect()));
        }
        match self {
            Self::Few(list) => {
                let place = list.iter().position(|&(peer, _)| peer == to);
                let place = place.unwrap_or_else(|| {
                    list.push((to, 0));
                    list.len() - 1
                });
                &mut list[place].1
            }
            Self::Many(tree) => tree.entry(to).or_default(),
        }
    }
}
