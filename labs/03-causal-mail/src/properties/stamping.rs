//! Each mail bears what its writer knew, and no more than it must.
//!
//! A stamp counts, for each two users, the mails from the one to the other that happened before. A full stamp has them
//! all. An incremental one leaves out what no recipient needs: what had not changed since its writer wrote to each of
//! them before; it must have what has changed since it last wrote to any of them.

use std::collections::BTreeMap;

use labs::process::ProcessId;
use labs::trace::Noted;
use labs::verdict::{Check, End, Judgement, Violation, Watch, Witness, counted};

use super::mails::{Addressees, Mails, Pasts};
use crate::causal_mail::{Indication, Mail, Message};
use crate::ordering::Stamps;

/// The monitor.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Stamping {
    stamps: Stamps,
    pasts: Pasts,
    /// Who wrote each mail.
    writers: BTreeMap<u32, ProcessId>,
    /// Of each mail, those that its writer last wrote to each of its recipients before; none to one of them is a gap.
    previous: BTreeMap<u32, Vec<Option<u32>>>,
    /// The last mail of each writer to each reader.
    last: BTreeMap<(ProcessId, ProcessId), u32>,
    judged: Mails,
}

/// How many mails each wrote to each.
type Counts = BTreeMap<(ProcessId, ProcessId), u64>;

impl Stamping {
    /// Watches so many processes, and the mails of which these are the addressees.
    pub fn new(processes: u32, addressees: &Addressees, stamps: Stamps) -> Self {
        Self {
            stamps,
            pasts: Pasts::new(addressees, processes),
            writers: BTreeMap::new(),
            previous: BTreeMap::new(),
            last: BTreeMap::new(),
            judged: Mails::default(),
        }
    }

    fn write(&mut self, writer: ProcessId, mail: u32) {
        let readers = self.pasts.addressees.of(mail).to_vec();
        let last = |reader: &ProcessId| self.last.get(&(writer, *reader)).copied();
        self.previous.insert(mail, readers.iter().map(last).collect());
        self.last.extend(readers.into_iter().map(|reader| ((writer, reader), mail)));
        self.writers.insert(mail, writer);
        self.pasts.write(writer, mail);
    }

    fn add(&self, counts: &mut Counts, mail: u32) {
        let Some(&writer) = self.writers.get(&mail) else { return };
        for &reader in self.pasts.addressees.of(mail) {
            *counts.entry((writer, reader)).or_default() += 1;
        }
    }

    /// What the writer of a mail knew before it.
    fn before(&self, mail: u32) -> Counts {
        let mut counts = Counts::new();
        self.pasts.all_before(mail).for_each(|before| self.add(&mut counts, before));
        counts
    }

    fn judge(&self, mail: &Mail) -> Result<(), String> {
        let (number, now) = (mail.number, self.before(mail.number));
        let mut stamped = Counts::new();
        for (&from, &to, count) in mail.envelope.clock.entries() {
            let known = now.get(&(from, to)).copied().unwrap_or(0);
            if count != known {
                return Err(format!(
                    "mail {number} says that {from} wrote {count} mails to {to}, and its writer knew of {known}"
                ));
            }
            stamped.insert((from, to), count);
        }
        let previous = self.previous.get(&number).map_or(&[][..], Vec::as_slice);
        let before: Vec<_> =
            previous.iter().map(|mail| mail.map(|mail| self.before(mail))).collect();
        let mut after = before.clone();
        for (counts, mail) in after.iter_mut().zip(previous) {
            if let (Some(counts), Some(mail)) = (counts, mail) {
                self.add(counts, *mail);
            }
        }
        for (pair @ (from, to), count) in &now {
            let has_changed = |since: &Option<Counts>| {
                since.as_ref().is_none_or(|since| since.get(pair) != Some(count))
            };
            let is_full = self.stamps == Stamps::Full;
            let is_stamped = stamped.contains_key(pair);
            if !is_stamped && (is_full || after.iter().any(has_changed)) {
                return Err(format!("mail {number} does not say that {from} wrote to {to}"));
            }
            if is_stamped && !is_full && !before.iter().any(has_changed) {
                return Err(format!(
                    "mail {number} says that {from} wrote to {to}, which all its readers have heard from its writer"
                ));
            }
        }
        Ok(())
    }
}

impl Watch<Indication> for Stamping {
    fn on_send(
        &mut self,
        at: Witness,
        _: ProcessId,
        message: &dyn Noted,
    ) -> Result<u64, Violation> {
        if let Ok(message) = message.get::<Message>()
            && let Message::Submit(_, mail) = &*message
            && self.writers.contains_key(&mail.number)
            && !self.judged.contains(mail.number)
        {
            self.judged.insert(mail.number);
            self.judge(mail).or_else(|what| Violation::check(what, [at]))?;
        }
        Ok(0)
    }

    fn reads_messages(&self) -> bool {
        true
    }

    fn on_indication(&mut self, at: Witness, indication: &Indication) -> Check {
        match *indication {
            _ if self.pasts.addressees.is_stray(indication) => {}
            Indication::Wrote(mail) => self.write(at.process, mail),
            Indication::Read(mail) => self.pasts.read(at.process, mail),
            Indication::Arrived(_) | Indication::Finished => {}
        }
        Ok(())
    }

    fn at_end(&self, _: &End) -> Judgement {
        Judgement::Holds(counted(self.judged.iter().count() as u64, "mail"))
    }

    fn is_put_to_the_test(&self) -> bool {
        !self.last.is_empty()
    }
}

#[cfg(test)]
mod tests;
