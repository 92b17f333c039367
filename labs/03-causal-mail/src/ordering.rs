//! Causal order for messages from one to some, by the algorithm of Raynal, Schiper and Toueg (*The
//! causal ordering abstraction and a simple way to implement it*, Information Processing Letters
//! 39, 1991).
//!
//! **The idea.** Everyone keeps a matrix: entry (*i*, *j*) counts the mails from *i* to *j* that it knows of. A
//! mail carries the matrix that its writer had before writing it. A reader *j* looks at its own
//! column: for each *i*, the stamp says how many mails from *i* to *j* happened before this one. If
//! *j* has read all of them it may read this one, and otherwise holds it. On reading, it learns
//! what the stamp says, and that the mail itself was sent.
//!
//! **Why it is correct.** *Safety:* let *m* to *j* happen before *m'* to *j*. Whoever wrote *m'* knew of *m*,
//! for every reading on the way from *m* to *m'* brought the count of *m* along; so *m'* waits for
//! *m*.
//! *Liveness:* happened-before has no cycle, so among the mails that *j* holds there is a first one, and all
//! that it waits for arrives.
//!
//! **Several recipients.** The mail is one, and is counted once for each recipient. Its stamp is the matrix
//! before all of them, so that no copy waits for another.
//!
//! **Cost.** One number for each pair that ever wrote to each other: see [`Stamps`] for what a mail really
//! carries, and the README for measurements.
//!
//! This module is pure: the simulator, the checker and the real client use it as it is, with ranks
//! for names or with addresses. **Left out:** Kshemkalyani and Singhal (*Necessary and sufficient
//! conditions on information for causal message ordering*, Distributed Computing 11, 1998) also
//! leave out entries that other entries imply.

mod mistake;
pub mod shorter;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;

use labs::clocks::SparseMatrix;
use serde::{Deserialize, Serialize};

/// In which order mails are read.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    Deserialize,
    Eq,
    Hash,
    Ord,
    PartialEq,
    PartialOrd,
    Serialize,
    clap::ValueEnum,
)]
pub enum Order {
    /// As they arrive.
    None,
    /// Those of one sender in the order of their sending.
    Fifo,
    /// None before another that happened before it.
    #[default]
    Causal,
    /// By a scalar clock, the smallest of those that are here. It breaks the causal order.
    Scalar,
    /// By a vector clock, when all mails that it counts are read. It waits for ever.
    Vector,
}

impl Order {
    /// Whether it orders by less than the matrix, and so fails.
    pub fn is_by_shorter_clock(self) -> bool {
        matches!(self, Self::Scalar | Self::Vector)
    }
}

/// What a mail carries of its writer's matrix.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    Deserialize,
    Eq,
    Hash,
    Ord,
    PartialEq,
    PartialOrd,
    Serialize,
    clap::ValueEnum,
)]
pub enum Stamps {
    /// All of it but the zeros.
    #[default]
    Full,
    /// What has changed since the writer's last mail to the same recipient, after Singhal and
    /// Kshemkalyani (1992). The rest is not needed: the recipient reads that last mail first, and
    /// it said the rest. This holds only if everyone reads in FIFO order at least.
    Incremental,
}

/// From whom to whom, and after what: all that the order depends on.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(bound(deserialize = "Name: Deserialize<'de> + Ord"))]
pub struct Envelope<Name: Ord> {
    /// Who wrote it.
    pub from: Name,
    /// Whom it is for.
    pub to: BTreeSet<Name>,
    /// What its writer knew before writing it. Shared by all copies of the mail, for it is large.
    pub clock: Arc<SparseMatrix<Name>>,
}

impl<Name: Clone + Ord> Envelope<Name> {
    /// Its number among the mails of its writer to this recipient, from 1.
    pub fn number(&self, recipient: &Name) -> u64 {
        self.clock.of(&self.from, recipient).saturating_add(1)
    }
}

/// Which mails of one sender were read: all up to a number, and some beyond where they are not read
/// in order.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Numbers {
    /// All up to this one.
    up_to: u64,
    /// And these.
    beyond: BTreeSet<u64>,
}

impl Numbers {
    fn contains(&self, number: u64) -> bool {
        number <= self.up_to || self.beyond.contains(&number)
    }

    fn insert(&mut self, number: u64) {
        if number > self.up_to {
            self.beyond.insert(number);
        }
        while self.beyond.remove(&self.up_to.saturating_add(1)) {
            self.up_to += 1;
        }
    }

    /// And all that are in the other.
    fn add(&mut self, other: &Self) {
        if other.up_to > self.up_to {
            self.up_to = other.up_to;
            self.beyond.retain(|&number| number > other.up_to);
        }
        // One that is there already moves what follows it.
        other.beyond.iter().for_each(|&number| self.insert(number));
        self.insert(self.up_to);
    }

    /// The first number up to this one that is missing.
    fn first_missing(&self, up_to: u64) -> Option<u64> {
        (self.up_to < up_to).then_some(self.up_to + 1)
    }
}

/// What one member knows: its matrix, and what it has read.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(bound(deserialize = "Name: Deserialize<'de> + Ord"))]
pub struct Knowledge<Name: Ord> {
    me: Name,
    clock: SparseMatrix<Name>,
    read: BTreeMap<Name, Numbers>,
    told: Option<Told<Name>>,
}

/// What incremental stamps need: when each entry changed, and when each recipient was last written
/// to.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(bound(deserialize = "Name: Deserialize<'de> + Ord"))]
struct Told<Name: Ord> {
    /// Counts the mails that were written.
    mails: u64,
    /// After how many of these an entry last changed.
    changed: BTreeMap<(Name, Name), u64>,
    /// After how many of these somebody was last written to.
    written_to: BTreeMap<Name, u64>,
}

impl<Name: Clone + Ord> Knowledge<Name> {
    /// What `me` knows before any mail.
    pub fn new(me: Name, stamps: Stamps) -> Self {
        let told = match stamps {
            Stamps::Full => None,
            Stamps::Incremental => {
                Some(Told { mails: 0, changed: BTreeMap::new(), written_to: BTreeMap::new() })
            }
        };
        Self { me, clock: SparseMatrix::new(), read: BTreeMap::new(), told }
    }

    /// The matrix.
    pub fn clock(&self) -> &SparseMatrix<Name> {
        &self.clock
    }

    /// Writes a mail: returns what stands on it.
    pub fn write(&mut self, to: BTreeSet<Name>) -> Envelope<Name> {
        let clock = Arc::new(self.stamp(&to));
        let envelope = Envelope { from: self.me.clone(), to, clock };
        self.know(&envelope);
        envelope
    }

    /// Reads a mail. Returns whether it is for this member, and was not read before.
    pub fn read(&mut self, envelope: &Envelope<Name>) -> bool {
        if !envelope.to.contains(&self.me) || self.has_read(envelope) {
            return false;
        }
        let number = envelope.number(&self.me);
        self.read.entry(envelope.from.clone()).or_default().insert(number);
        self.know(envelope);
        true
    }

    /// That the mail was written, and all that its writer knew: written or read, it is known. To
    /// know it again changes nothing.
    pub fn know(&mut self, envelope: &Envelope<Name>) {
        let Self { clock, told, .. } = self;
        let mut learn = |from: &Name, to: &Name, count| {
            if clock.learn(from, to, count)
                && let Some(told) = told
            {
                told.changed.insert((from.clone(), to.clone()), told.mails);
            }
        };
        envelope.clock.entries().for_each(|(from, to, count)| learn(from, to, count));
        let numbers = envelope.to.iter().map(|to| (to, envelope.number(to)));
        numbers.for_each(|(to, number)| learn(&envelope.from, to, number));
    }

    /// Takes what another copy of this member's own knowledge says.
    pub fn add(&mut self, other: &Self) {
        self.clock.merge(&other.clock);
        for (from, theirs) in &other.read {
            let mine = self.read.entry(from.clone()).or_default();
            mine.add(theirs);
        }
    }

    /// Whether this mail was read.
    pub fn has_read(&self, envelope: &Envelope<Name>) -> bool {
        let read = self.read.get(&envelope.from);
        read.is_some_and(|read| read.contains(envelope.number(&self.me)))
    }

    /// What must be read before this mail: from whom, from which number to which. Nothing if it may
    /// be read. In the order by a vector the numbers count the copies of mails, for whomever.
    pub fn missing(&self, envelope: &Envelope<Name>, order: Order) -> Vec<(Name, u64, u64)> {
        let counts = |from: &Name| match order {
            Order::None | Order::Scalar => false,
            Order::Fifo => *from == envelope.from,
            Order::Causal | Order::Vector => true,
        };
        if order == Order::Vector {
            return self.unknown(envelope);
        }
        let first = |from: &Name, up_to| match self.read.get(from) {
            Some(read) => read.first_missing(up_to),
            None => Some(1),
        };
        let missing = envelope.clock.missing(&self.me, |from, up_to| first(from, up_to).is_none());
        missing
            .filter(|(from, _)| counts(from))
            .filter_map(|(from, up_to)| Some((from.clone(), first(from, up_to)?, up_to)))
            .collect()
    }

    /// The copies that the vector on this mail counts and that this member does not know of.
    ///
    /// All that it knows of it has written or read, if it reads by this rule: then this is the rule of
    /// Birman, Schiper and Stephenson (1991), which is right where every mail is for everyone.
    fn unknown(&self, envelope: &Envelope<Name>) -> Vec<(Name, u64, u64)> {
        let known = shorter::vector(&self.clock);
        let counted = shorter::vector(&envelope.clock).into_iter().map(|(from, up_to)| {
            let first = known.get(&from).copied().unwrap_or(0).saturating_add(1);
            (from, first, up_to)
        });
        counted.filter(|(_, first, up_to)| first <= up_to).collect()
    }

    /// What a mail to these recipients carries.
    fn stamp(&mut self, to: &BTreeSet<Name>) -> SparseMatrix<Name> {
        let Some(told) = &mut self.told else { return self.clock.clone() };
        let last = |name| told.written_to.get(name).copied();
        // One who was never written to knows nothing yet.
        let since = to.iter().map(last).min().flatten();
        let changed = |from: &Name, to: &Name| {
            let changed = told.changed.get(&(from.clone(), to.clone())).copied();
            since.is_none_or(|since| changed.is_none_or(|changed| changed >= since))
        };
        let stamp = self.clock.only(changed);
        told.mails += 1;
        for name in to {
            told.written_to.insert(name.clone(), told.mails);
        }
        stamp
    }
}

/// A mail, whatever it says.
pub trait Mailed<Name: Ord> {
    /// What stands on it.
    fn envelope(&self) -> &Envelope<Name>;
}

/// What has arrived and is not read.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Inbox<Mail> {
    order: Order,
    /// In the order of arrival.
    waiting: Vec<Mail>,
}

impl<Mail> Inbox<Mail> {
    /// An empty one.
    pub fn new(order: Order) -> Self {
        Self { order, waiting: Vec::new() }
    }

    /// In which order mails are read.
    pub fn order(&self) -> Order {
        self.order
    }

    /// What has arrived and is not read, in the order of arrival.
    pub fn waiting(&self) -> &[Mail] {
        &self.waiting
    }

    /// A mail has arrived. Returns whether it is news: neither here already, nor read.
    pub fn arrive<Name>(&mut self, mail: Mail, knowledge: &Knowledge<Name>) -> bool
    where
        Name: Clone + Ord,
        Mail: Mailed<Name>,
    {
        let key = |mail: &Mail| {
            let envelope = mail.envelope();
            (envelope.from.clone(), envelope.number(&knowledge.me))
        };
        let is_known = knowledge.has_read(mail.envelope())
            || self.waiting.iter().any(|other| key(other) == key(&mail));
        if !is_known {
            self.waiting.push(mail);
        }
        !is_known
    }

    /// The mail to read next, of those that wait for nothing the one that arrived first, or with the
    /// smallest scalar. It counts as read.
    pub fn next<Name>(&mut self, knowledge: &mut Knowledge<Name>) -> Option<Mail>
    where
        Name: Clone + Ord,
        Mail: Mailed<Name>,
    {
        let order = self.order;
        let may_be_read = |mail: &Mail| knowledge.missing(mail.envelope(), order).is_empty();
        let mut ready = (0..self.waiting.len()).filter(|&at| may_be_read(&self.waiting[at]));
        let place = match order {
            Order::Scalar => {
                ready.min_by_key(|&at| shorter::scalar(&self.waiting[at].envelope().clock))
            }
            _ => ready.next(),
        };
        let mail = self.waiting.remove(place?);
        knowledge.read(mail.envelope());
        Some(mail)
    }

    /// What is held, each mail with what it waits for.
    pub fn held<Name>(
        &self,
        knowledge: &Knowledge<Name>,
    ) -> impl Iterator<Item = (&Mail, Vec<(Name, u64, u64)>)>
    where
        Name: Clone + Ord,
        Mail: Mailed<Name>,
    {
        let missing = |mail: &Mail| knowledge.missing(mail.envelope(), self.order);
        let all = self.waiting.iter().map(move |mail| (mail, missing(mail)));
        all.filter(|(_, missing)| !missing.is_empty())
    }
}

#[cfg(test)]
mod tests;
