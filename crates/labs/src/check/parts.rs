//! The parts that states are made of, each kept once.
//!
//! One step changes one process of a state, one or two messages and a monitor: all else is as it was. So a
//! state is a short list of numbers, each of which names a part (collapse compression: Holzmann, *State
//! compression in SPIN*, 1997). Copying a state copies no part, and what a step does to a part is worked
//! out once ([`super::space`]).

use std::hash::Hash;

use super::state::Shared;

/// A hasher for what is a hash, or a few small numbers: the same in every run of the program.
pub(super) type Quick = std::hash::BuildHasherDefault<ahash::AHasher>;

/// A map whose order is the same in every run of the program, as its hasher is.
#[expect(clippy::disallowed_types, reason = "its hasher has no seed")]
pub(super) type Map<K, V> = std::collections::HashMap<K, V, Quick>;

/// The same as a set.
#[expect(clippy::disallowed_types, reason = "its hasher has no seed")]
pub(super) type Set<K> = std::collections::HashSet<K, Quick>;

/// Parts of one type, each under a number.
pub(super) struct Parts<T> {
    numbers: Map<Shared<T>, u32>,
    parts: Vec<Shared<T>>,
}

impl<T: Eq + Hash> Parts<T> {
    pub(super) fn new() -> Self {
        Self { numbers: Map::default(), parts: Vec::new() }
    }

    /// The number of this part, and whether it is a new one.
    pub(super) fn number(&mut self, part: Shared<T>) -> (u32, bool) {
        if let Some(&number) = self.numbers.get(&part) {
            return (number, false);
        }
        let number = u32::try_from(self.parts.len()).expect("there is no memory for so many parts");
        self.numbers.insert(part.clone(), number);
        self.parts.push(part);
        (number, true)
    }

    pub(super) fn get(&self, number: u32) -> &Shared<T> {
        &self.parts[number as usize]
    }

    /// The hash of a part: it depends on what the part is, and not on its number.
    pub(super) fn hash(&self, number: u32) -> u64 {
        self.parts[number as usize].hash_of()
    }

    pub(super) fn len(&self) -> usize {
        self.parts.len()
    }
}

/// Adds a number to a hash of several (a multiplication, folded: Yi, *wyhash*, 2019).
pub(super) fn mix(hash: u64, with: u64) -> u64 {
    let product =
        u128::from(hash ^ 0x9e37_79b9_7f4a_7c15) * u128::from(with ^ 0xa076_1d64_78bd_642f);
    (product ^ (product >> 64)) as u64
}
