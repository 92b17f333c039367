//! Every mail is read exactly once by each of its addressees, and by nobody else.

use labs::process::ProcessId;
use labs::verdict::{Check, End, Judgement, Violation, Watch, Witness, counted};

use super::mails::{Addressees, Mails};
use crate::causal_mail::Indication;

/// Each addressee of a mail reads it once.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct ReadOnce {
    addressees: Addressees,
    /// Of each process, what it has read.
    has_read: Vec<Mails>,
    /// Whether anybody has read anything.
    anything: bool,
}

impl ReadOnce {
    /// Watches so many processes, and the mails of which these are the addressees.
    pub fn new(processes: u32, addressees: &Addressees) -> Self {
        let has_read = vec![Mails::default(); processes as usize];
        Self { addressees: addressees.clone(), has_read, anything: false }
    }

    /// Who must still read what.
    fn unread(&self) -> impl Iterator<Item = (ProcessId, u32)> {
        let all = (0..self.addressees.mails())
            .flat_map(|mail| self.addressees.of(mail).iter().map(move |&process| (process, mail)));
        all.filter(|&(process, mail)| {
            !self.has_read.get(process.index()).is_some_and(|read| read.contains(mail))
        })
    }
}

impl Watch<Indication> for ReadOnce {
    fn on_indication(&mut self, at: Witness, indication: &Indication) -> Check {
        let (process, &Indication::Read(mail)) = (at.process, indication) else { return Ok(()) };
        if self.addressees.is_stray(indication) {
            return Ok(());
        }
        if !self.addressees.is_for(mail, process) {
            let what = format!("{process} reads mail {mail}, which is not for it");
            return Violation::check(what, [at]);
        }
        let has_read = &mut self.has_read[process.index()];
        if has_read.contains(mail) {
            return Violation::check(format!("{process} reads mail {mail} twice"), [at]);
        }
        has_read.insert(mail);
        self.anything = true;
        Ok(())
    }

    fn at_end(&self, end: &End) -> Judgement {
        let mut unread = self.unread();
        let Some((process, mail)) = unread.next() else {
            let mails = counted(u64::from(self.addressees.mails()), "mail");
            return Judgement::Holds(format!("{mails}, each by all its addressees"));
        };
        let more = match unread.count() {
            0 => String::new(),
            n => format!(", and {} more missing", counted(n as u64, "reading")),
        };
        Judgement::not_yet(end, format!("{process} did not read mail {mail}{more}"))
    }

    fn is_put_to_the_test(&self) -> bool {
        self.anything
    }
}
