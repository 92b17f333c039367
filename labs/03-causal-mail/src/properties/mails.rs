//! What happened before what, among mails: what the monitors of causal delivery share.
//!
//! A mail has a number, and those it is addressed to are known before the run. A mail happened
//! before another if its writer wrote it before the other, or if it was read, by somebody who then
//! wrote, directly or through others. So each process has a past, a set of mails: writing a mail
//! keeps the writer's past with it, and reading it adds that past to the reader's. This is
//! happened-before by its definition, among writing and reading and nothing else: it knows no
//! clock, and so can judge one.
//!
//! Cost: a bit for each pair of mails.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use labs::process::ProcessId;

use crate::causal_mail::Indication;
use crate::correspondence::Planned;

/// The most mails of one run: their pasts then take 32 MiB at the most.
pub const MAILS_MAX: u32 = 16_384;

/// Whom each mail is addressed to, by its number. All monitors of one search share it, so it is no
/// part of a hash.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Addressees(Arc<[Vec<ProcessId>]>);

impl Addressees {
    /// How many mails there are.
    pub(super) fn mails(&self) -> u32 {
        self.0.len() as u32
    }

    pub(super) fn of(&self, mail: u32) -> &[ProcessId] {
        &self.0[mail as usize]
    }

    pub(super) fn is_for(&self, mail: u32, process: ProcessId) -> bool {
        self.of(mail).contains(&process)
    }

    /// Whether an indication tells of a mail that does not exist. What stands in a file may do so,
    /// and is not judged.
    pub(super) fn is_stray(&self, indication: &Indication) -> bool {
        match *indication {
            Indication::Wrote(mail) | Indication::Arrived(mail) | Indication::Read(mail) => {
                mail >= self.mails()
            }
            Indication::Finished => false,
        }
    }
}

impl From<&[Planned]> for Addressees {
    fn from(plan: &[Planned]) -> Self {
        let to = plan.iter().map(|mail| mail.to.iter().copied().collect());
        Self(to.collect())
    }
}

impl From<Vec<Vec<ProcessId>>> for Addressees {
    fn from(addressees: Vec<Vec<ProcessId>>) -> Self {
        Self(addressees.into())
    }
}

impl Hash for Addressees {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// A set of mails.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub(super) struct Mails(Vec<u64>);

impl Mails {
    pub(super) fn insert(&mut self, mail: u32) {
        let word = mail as usize / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (mail % 64);
    }

    pub(super) fn contains(&self, mail: u32) -> bool {
        self.0.get(mail as usize / 64).is_some_and(|word| word & 1 << (mail % 64) != 0)
    }

    pub(super) fn remove(&mut self, mail: u32) {
        if let Some(word) = self.0.get_mut(mail as usize / 64) {
            *word &= !(1 << (mail % 64));
        }
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    fn extend(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        self.0.iter_mut().zip(&other.0).for_each(|(mine, theirs)| *mine |= theirs);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        (0_u32..).zip(&self.0).flat_map(|(word, &bits)| {
            (0..64).filter(move |bit| bits & 1 << bit != 0).map(move |bit| word * 64 + bit)
        })
    }
}

/// What every process, and every mail, knows of.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Pasts {
    pub(super) addressees: Addressees,
    /// Of each mail that was written, those before it.
    of_mail: Vec<Option<Mails>>,
    of_process: Vec<Mails>,
    read: Vec<Mails>,
}

impl Pasts {
    pub(super) fn new(addressees: &Addressees, processes: u32) -> Self {
        let n = processes as usize;
        Self {
            of_mail: vec![None; addressees.mails() as usize],
            addressees: addressees.clone(),
            of_process: vec![Mails::default(); n],
            read: vec![Mails::default(); n],
        }
    }

    pub(super) fn write(&mut self, process: ProcessId, mail: u32) {
        let past = &mut self.of_process[process.index()];
        self.of_mail[mail as usize] = Some(past.clone());
        past.insert(mail);
    }

    pub(super) fn read(&mut self, process: ProcessId, mail: u32) {
        self.read[process.index()].insert(mail);
        let past = &mut self.of_process[process.index()];
        if let Some(before) = &self.of_mail[mail as usize] {
            past.extend(before);
        }
        past.insert(mail);
    }

    pub(super) fn has_read(&self, process: ProcessId, mail: u32) -> bool {
        self.read[process.index()].contains(mail)
    }

    /// The mails for `process` that happened before `mail`.
    fn before(&self, process: ProcessId, mail: u32) -> impl Iterator<Item = u32> {
        let past = self.of_mail[mail as usize].iter().flat_map(Mails::iter);
        past.filter(move |&before| self.addressees.is_for(before, process))
    }

    /// All mails that happened before `mail`.
    pub(super) fn all_before(&self, mail: u32) -> impl Iterator<Item = u32> {
        self.of_mail.get(mail as usize).into_iter().flatten().flat_map(Mails::iter)
    }

    /// A mail that `process` must read before `mail`, and has not read.
    pub(super) fn unread_before(&self, process: ProcessId, mail: u32) -> Option<u32> {
        self.before(process, mail).find(|&before| !self.has_read(process, before))
    }

    /// Whether `process` must read anything before `mail`.
    pub(super) fn has_predecessor(&self, process: ProcessId, mail: u32) -> bool {
        self.before(process, mail).next().is_some()
    }
}
