//! A number for each peer of a process.
//!
//! Most processes talk to one or two others, and there may be a million of them, so the first peer
//! stands in the struct itself; few more are a short list, many a tree.

use std::collections::BTreeMap;

use crate::process::ProcessId;

/// Up to how many peers a list is quicker than a tree.
const FEW: usize = 16;

/// A number for each peer, 0 at first. Numbers only grow.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Peers {
    /// Any, while the number is 0.
    first: ProcessId,
    number: u64,
    others: Others,
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
enum Others {
    Few(Vec<(ProcessId, u64)>),
    #[expect(clippy::box_collection, reason = "a million processes pay for the size of this enum")]
    Many(Box<BTreeMap<ProcessId, u64>>),
}

impl Default for Others {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Peers {
    /// The number of a peer.
    pub(crate) fn number(&self, peer: ProcessId) -> u64 {
        if self.first == peer {
            return self.number;
        }
        match &self.others {
            Others::Few(list) => {
                list.iter().find(|(other, _)| *other == peer).map_or(0, |&(_, number)| number)
            }
            Others::Many(tree) => tree.get(&peer).copied().unwrap_or(0),
        }
    }

    /// The number of a peer, to raise it.
    pub(crate) fn number_mut(&mut self, peer: ProcessId) -> &mut u64 {
        if self.first == peer || self.number == 0 {
            self.first = peer;
            return &mut self.number;
        }
        self.others.number_mut(peer)
    }

    /// How many peers have a number above 0.
    pub(crate) fn count(&self) -> usize {
        let others = match &self.others {
            Others::Few(list) => list.len(),
            Others::Many(tree) => tree.len(),
        };
        usize::from(self.number > 0) + others
    }
}

impl Others {
    fn number_mut(&mut self, peer: ProcessId) -> &mut u64 {
        if let Self::Few(list) = self
            && list.len() >= FEW
            && !list.iter().any(|&(other, _)| other == peer)
        {
            *self = Self::Many(Box::new(list.drain(..).collect()));
        }
        match self {
            Self::Few(list) => {
                let place = list.iter().position(|&(other, _)| other == peer);
                let place = place.unwrap_or_else(|| {
                    list.push((peer, 0));
                    list.len() - 1
                });
                &mut list[place].1
            }
            Self::Many(tree) => tree.entry(peer).or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_and_many_peers_keep_their_numbers() {
        let mut peers = Peers::default();
        // Others first, so that p0 is not the one in the struct.
        for rank in (0..100).rev() {
            *peers.number_mut(ProcessId(rank)) = u64::from(rank) + 1;
            *peers.number_mut(ProcessId(rank)) += 1;
        }
        assert_eq!(peers.count(), 100);
        for rank in 0..100 {
            assert_eq!(peers.number(ProcessId(rank)), u64::from(rank) + 2);
        }
        assert_eq!(peers.number(ProcessId(100)), 0);
        assert_eq!(Peers::default().number(ProcessId(0)), 0);
    }
}
