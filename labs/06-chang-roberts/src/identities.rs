//! Who is called what, and who starts the election.
//!
//! A real run's processes are on many machines, a simulated run has a million of them: nobody holds a
//! table. A random order is a permutation that can be computed at any place from the seed ([`shuffled`]).

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use labs::process::{ProcessId, split_mix};
use serde::{Deserialize, Serialize};

/// How identities lie on the ring, as asked for.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub enum Order {
    /// At random, from 1 to [`SPREAD`] times N.
    #[default]
    Random,
    /// From 1 to N, growing in the direction of the messages.
    Sorted,
    /// From N to 1, shrinking in the direction of the messages.
    Reverse,
    /// As they stand in this file, that of p0 first.
    File(PathBuf),
}

/// Out of how many times N random identities are taken, so that none looks like a rank.
pub const SPREAD: u32 = 10;

impl FromStr for Order {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "random" => Self::Random,
            "sorted" => Self::Sorted,
            "reverse" => Self::Reverse,
            path => Self::File(path.into()),
        })
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Random => f.write_str("random"),
            Self::Sorted => f.write_str("sorted"),
            Self::Reverse => f.write_str("reverse"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// How many processes start the election.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub enum Initiators {
    /// Everyone.
    #[default]
    All,
    /// So many, chosen at random.
    Some(u32),
}

impl FromStr for Initiators {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match (text, text.parse()) {
            ("all", _) => Ok(Self::All),
            (_, Ok(count)) if count > 0 => Ok(Self::Some(count)),
            _ => Err("a number of processes from 1, or `all`".to_owned()),
        }
    }
}

impl fmt::Display for Initiators {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Some(count) => count.fmt(f),
        }
    }
}

/// The identities of a run's processes, and which of them initiate.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Identities {
    /// How many processes there are.
    pub processes: u32,
    /// How they lie on the ring.
    pub order: Order,
    /// Those that stood in the file, by rank; empty if there was none.
    pub given: Vec<u64>,
    /// How many initiate.
    pub initiators: u32,
    /// What the order and the initiators are drawn from.
    pub seed: u64,
}

impl Identities {
    /// Random identities of so many processes, which all initiate.
    pub fn random(processes: u32, seed: u64) -> Self {
        let (order, given) = (Order::Random, Vec::new());
        Self { processes, order, given, initiators: processes, seed }
    }

    /// The identity of a process. Messages travel from a process to the one before it.
    ///
    /// # Panics
    ///
    /// If identities were given, but none to this process: [`read`] sees to it.
    pub fn identity(&self, process: ProcessId) -> u64 {
        let rank = process.0;
        match self.order {
            Order::Random => 1 + u64::from(shuffled(self.seed, SPREAD * self.processes, rank)),
            Order::Sorted => u64::from(self.processes - rank),
            Order::Reverse => 1 + u64::from(rank),
            Order::File(_) => self.given[process.index()],
        }
    }

    /// Whether a process starts an election.
    pub fn initiates(&self, process: ProcessId) -> bool {
        /// Makes the choice of initiators another than that of identities.
        const INITIATORS: u64 = 0x1217_1A70_125E_ED00;
        self.initiators == self.processes
            || shuffled(self.seed ^ INITIATORS, self.processes, process.0) < self.initiators
    }

    /// Identity and initiative of all, in the direction of the messages: from the last to the first.
    pub fn round_the_ring(&self) -> impl Iterator<Item = (u64, bool)> + '_ {
        let all = (0..self.processes).rev().map(ProcessId);
        all.map(|process| (self.identity(process), self.initiates(process)))
    }
}

/// Where `place` is after a random permutation of `0..n`: the same for the same seed, another for
/// another, and for each place another.
///
/// Adding a key, multiplying with an odd number and folding the upper half onto the lower are each
/// reversible on numbers of so many bits, so rounds of them permute these numbers. What falls outside of
/// `0..n` is permuted again until it falls inside, which keeps a permutation one (Black and Rogaway,
/// *Ciphers with arbitrary finite domains*, 2002).
///
/// # Panics
///
/// If `place` is not one of them.
pub fn shuffled(seed: u64, n: u32, place: u32) -> u32 {
    /// So many rounds that each bit of the place and the key reaches all others several times.
    const ROUNDS: u32 = 6;
    assert!(place < n, "{place} is not below {n}");
    let bits = (u32::BITS - (n - 1).leading_zeros()).max(1);
    let mask = (1_u64 << bits) - 1;
    let fold = bits.div_ceil(2);
    let mut x = u64::from(place);
    loop {
        let mut state = seed;
        for _ in 0..ROUNDS {
            x = x.wrapping_add(split_mix(&mut state)) & mask;
            x = x.wrapping_mul(split_mix(&mut state) | 1) & mask;
            x ^= x >> fold;
        }
        // The mask is below 2^32.
        if x < u64::from(n) {
            return x as u32;
        }
    }
}

/// Reads the identities of `processes` processes: whole numbers, one for each, all different.
///
/// # Errors
///
/// One line that says what is wrong with the text.
pub fn read(text: &str, processes: u32) -> Result<Vec<u64>, String> {
    let number = |word: &str| {
        word.parse().map_err(|_| format!("{word:?} is not a whole number of 64 bits without sign"))
    };
    let given: Vec<u64> = text.split_whitespace().map(number).collect::<Result<_, _>>()?;
    if given.len() != processes as usize {
        return Err(format!("{} identities for {processes} processes", given.len()));
    }
    let mut sorted = given.clone();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!("{} stands in it twice: identities are distinct", pair[0])),
        None => Ok(given),
    }
}

#[cfg(test)]
mod tests;
