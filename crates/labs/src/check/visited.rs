//! The states that were found, each as a fingerprint of 64 bits and the number of the state from which it was
//! found first.
//!
//! Two states with one fingerprint are taken for one, and what follows from the second is then not looked at.
//! Among N states that happens with a probability of N² / 2⁶⁵: with ten million once in 370,000 searches
//! (Wolper and Leroy, *Reliable hashing without collision detection*, CAV 1993).
//!
//! Memory: some 20 bytes a state.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many parts the table has, each with a lock of its own: several for each thread that a machine has.
const SHARDS: usize = 64;
const SHARD_BITS: u32 = SHARDS.trailing_zeros();

/// The number of a state.
pub(super) type StateNumber = u32;

/// Where a run begins there is no state before.
pub(super) const NO_STATE: StateNumber = u32::MAX;

pub(super) struct Visited {
    shards: Vec<Mutex<Shard>>,
    count: AtomicUsize,
}

#[derive(Default)]
struct Shard {
    /// Places of an open hash table: one more than the place of the entry; 0 if it is free.
    slots: Vec<u32>,
    fingerprints: Vec<u64>,
    parents: Vec<StateNumber>,
}

impl Visited {
    pub(super) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect(), count: AtomicUsize::new(0) }
    }

    /// The number of the state with this fingerprint, and whether nobody has found it before.
    pub(super) fn insert(&self, fingerprint: u64, parent: StateNumber) -> (StateNumber, bool) {
        let shard = (fingerprint >> (u64::BITS - SHARD_BITS)) as usize;
        let (place, is_new) = self.shard(shard).insert(fingerprint, parent);
        if is_new {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
        (place << SHARD_BITS | shard as u32, is_new)
    }

    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// The fingerprints of the states that lead to a state, itself the last.
    pub(super) fn way_to(&self, mut state: StateNumber) -> Vec<u64> {
        let mut way = Vec::new();
        while state != NO_STATE {
            let shard = self.shard(state as usize % SHARDS);
            let place = (state >> SHARD_BITS) as usize;
            way.push(shard.fingerprints[place]);
            state = shard.parents[place];
        }
        way.reverse();
        way
    }

    pub(super) fn fingerprint(&self, state: StateNumber) -> u64 {
        let shard = self.shard(state as usize % SHARDS);
        shard.fingerprints[(state >> SHARD_BITS) as usize]
    }

    /// Numbers the states from 0 on, without gaps: what is returned turns their numbers into these.
    pub(super) fn dense(&self) -> Dense {
        let mut before = [0; SHARDS];
        let mut sum = 0;
        for (shard, before) in before.iter_mut().enumerate() {
            *before = sum;
            sum += self.shard(shard).fingerprints.len() as u32;
        }
        Dense { before, count: sum as usize }
    }

    /// A thread that panics with the lock panics in the search, and that is told.
    fn shard(&self, shard: usize) -> MutexGuard<'_, Shard> {
        self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Numbers of states without gaps.
pub(super) struct Dense {
    before: [u32; SHARDS],
    pub(super) count: usize,
}

impl Dense {
    pub(super) fn of(&self, state: StateNumber) -> usize {
        (self.before[state as usize % SHARDS] + (state >> SHARD_BITS)) as usize
    }

    /// The state of a number without gaps.
    pub(super) fn state(&self, dense: usize) -> StateNumber {
        let dense = dense as u32;
        let shard = self.before.partition_point(|&before| before <= dense) - 1;
        (dense - self.before[shard]) << SHARD_BITS | shard as u32
    }
}

impl Shard {
    fn insert(&mut self, fingerprint: u64, parent: StateNumber) -> (u32, bool) {
        if self.fingerprints.len() * 4 >= self.slots.len() * 3 {
            self.grow();
        }
        let free = match self.find(fingerprint) {
            Ok(place) => return (place, false),
            Err(free) => free,
        };
        let place = self.fingerprints.len() as u32;
        self.slots[free] = place + 1;
        self.fingerprints.push(fingerprint);
        self.parents.push(parent);
        (place, true)
    }

    /// The place of an entry, or the slot where it belongs.
    fn find(&self, fingerprint: u64) -> Result<u32, usize> {
        let mask = self.slots.len() - 1;
        // The first bits say which shard this is.
        let mut slot = fingerprint as usize & mask;
        loop {
            match self.slots[slot] {
                0 => return Err(slot),
                next if self.fingerprints[next as usize - 1] == fingerprint => return Ok(next - 1),
                _ => slot = (slot + 1) & mask,
            }
        }
    }

    fn grow(&mut self) {
        let slots = (2 * self.slots.len()).max(16);
        self.slots.clear();
        self.slots.resize(slots, 0);
        for place in 0..self.fingerprints.len() {
            if let Err(free) = self.find(self.fingerprints[place]) {
                self.slots[free] = place as u32 + 1;
            }
        }
    }
}
