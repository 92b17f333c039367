//! Passwords that wait to be compared.
//!
//! To compare one takes some hundredths of a second, on purpose, and they are compared one at a
//! time. Somebody who guesses must not keep others out:
//!
//! * **Turns.** Addresses take turns, and within an address the names of boxes do. So a guesser
//!   delays others by one comparison, however many attempts it has waiting.
//! * **Bounds.** Of one address so many attempts are heard at a time ([`OF_ONE_ADDRESS_MAX`]). More
//!   are told to come again, and so is everybody when [`ATTEMPTS_MAX`] wait.
//! * **Penalties.** A wrong password is answered late, and later each time it is of the same address
//!   for the same name. A right one is answered at once: nobody can lock another out by guessing.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// How many attempts of one address are heard at a time, whether they wait for their turn or for the
/// answer: more than a room has users behind one address, and compared within ten seconds.
pub const OF_ONE_ADDRESS_MAX: usize = 128;

/// How many attempts may wait in all, each with a password of a kilobyte at the most.
pub const ATTEMPTS_MAX: usize = 1_024;

/// How late the answer to the first wrong password is; it doubles each time.
const PENALTY: Duration = Duration::from_millis(100);

/// The longest penalty: a person who has mistyped often still waits for it.
const PENALTY_MAX: Duration = Duration::from_secs(5);

/// How long wrong passwords are remembered.
const MEMORY: Duration = Duration::from_secs(60);

/// How many addresses and names are remembered for their wrong passwords.
const REMEMBERED_MAX: usize = 1_024;

/// The network that a client comes from: an address, or of IPv6 the part that a single machine
/// cannot choose.
pub fn network(address: IpAddr) -> IpAddr {
    /// The upper half names the network, the lower half the machine (RFC 4291).
    const NETWORK: u128 = !(u64::MAX as u128);
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & NETWORK)),
    }
}

/// The attempts that wait, in turns.
#[derive(Debug)]
pub struct Waiting<T> {
    /// The address whose turn is next stands first.
    turns: VecDeque<(IpAddr, VecDeque<OfName<T>>)>,
    length: usize,
}

/// What waits for one name; within an address the name whose turn is next stands first.
type OfName<T> = (String, VecDeque<T>);

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Self { turns: VecDeque::new(), length: 0 }
    }
}

impl<T> Waiting<T> {
    /// Whether there is no room for another.
    pub fn is_full(&self) -> bool {
        self.length >= ATTEMPTS_MAX
    }

    /// Takes an attempt in.
    pub fn push(&mut self, from: IpAddr, name: &str, attempt: T) {
        self.length += 1;
        let names = entry(&mut self.turns, &from);
        entry(names, &name.to_owned()).push_back(attempt);
    }

    /// The attempt whose turn it is.
    pub fn take(&mut self) -> Option<T> {
        let (from, mut names) = self.turns.pop_front()?;
        let (name, mut attempts) = names.pop_front()?;
        let attempt = attempts.pop_front()?;
        if !attempts.is_empty() {
            names.push_back((name, attempts));
        }
        if !names.is_empty() {
            self.turns.push_back((from, names));
        }
        self.length -= 1;
        Some(attempt)
    }

    /// Forgets what nobody waits for any more.
    pub fn forget(&mut self, is_gone: impl Fn(&T) -> bool) {
        for (_, names) in &mut self.turns {
            for (_, attempts) in names.iter_mut() {
                let before = attempts.len();
                attempts.retain(|attempt| !is_gone(attempt));
                self.length -= before - attempts.len();
            }
            names.retain(|(_, attempts)| !attempts.is_empty());
        }
        self.turns.retain(|(_, names)| !names.is_empty());
    }
}

/// The queue of this key, which is made at the end if there is none.
fn entry<'a, K: Clone + PartialEq, V>(
    all: &'a mut VecDeque<(K, VecDeque<V>)>,
    key: &K,
) -> &'a mut VecDeque<V> {
    let place = all.iter().position(|(other, _)| other == key).unwrap_or_else(|| {
        all.push_back((key.clone(), VecDeque::new()));
        all.len() - 1
    });
    &mut all[place].1
}

/// Wrong passwords, and how late they are answered.
#[derive(Debug, Default)]
pub struct Penalties {
    /// How many there were, and when the last one was.
    wrong: BTreeMap<(IpAddr, String), (u32, Instant)>,
}

impl Penalties {
    /// A password was wrong. Returns how late that is to be said.
    pub fn of_wrong(&mut self, from: IpAddr, name: &str, now: Instant) -> Duration {
        if self.wrong.len() >= REMEMBERED_MAX {
            self.make_room(now);
        }
        let (count, last) = self.wrong.entry((from, name.to_owned())).or_insert((0, now));
        *count = if now.duration_since(*last) > MEMORY { 1 } else { count.saturating_add(1) };
        *last = now;
        PENALTY.saturating_mul(1 << (*count - 1).min(10)).min(PENALTY_MAX)
    }

    /// A password was right.
    pub fn forget(&mut self, from: IpAddr, name: &str) {
        self.wrong.remove(&(from, name.to_owned()));
    }

    fn make_room(&mut self, now: Instant) {
        self.wrong.retain(|_, (_, last)| now.duration_since(*last) <= MEMORY);
        if self.wrong.len() >= REMEMBERED_MAX {
            let oldest = self.wrong.iter().min_by_key(|(_, (_, last))| *last);
            if let Some((oldest, _)) = oldest.map(|(key, last)| (key.clone(), *last)) {
                self.wrong.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests;
