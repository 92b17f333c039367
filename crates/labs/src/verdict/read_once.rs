//! Every mail is read exactly once by each of its addressees, and by nobody else.

use super::mails::{Addressees, Mails, broken_at};
use super::name::Name;
use super::{End, PropertyKind, Violation, Watch, counted, not_yet};
use crate::process::ProcessId;
use crate::trace::Happening;

/// The monitor of [`Spec::ReadOnce`](super::Spec::ReadOnce).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ReadOnce {
    read: Name,
    addressees: Addressees,
    /// Of each process, what it has read.
    has_read: Vec<Mails>,
    violation: Option<Violation>,
}

impl ReadOnce {
    /// Watches mails, of which these are the addressees.
    pub fn new(read: String, addressees: Vec<Vec<ProcessId>>, processes: u32) -> Self {
        let has_read = vec![Mails::default(); processes as usize];
        let addressees = Addressees::new(addressees);
        Self { read: read.into(), addressees, has_read, violation: None }
    }

    fn wrong(&self, process: ProcessId, mail: u32) -> Option<String> {
        if !self.addressees.is_for(mail, process) {
            return Some(format!("{process} reads mail {mail}, which is not for it"));
        }
        let twice = self.has_read[process.index()].contains(mail);
        twice.then(|| format!("{process} reads mail {mail} twice"))
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

impl Watch for ReadOnce {
    fn name(&self) -> (String, PropertyKind) {
        ("every mail read exactly once".to_owned(), PropertyKind::Liveness)
    }

    fn on_event(&mut self, process: ProcessId, happening: Happening<'_>, n: u64) {
        let Some(mail) = self.addressees.told(happening, &self.read) else { return };
        if let Some(what) = self.wrong(process, mail) {
            self.violation.get_or_insert_with(|| broken_at(process, n, what));
        }
        self.has_read[process.index()].insert(mail);
    }

    fn is_put_to_the_test(&self) -> bool {
        self.has_read.iter().any(|read| read.iter().next().is_some())
    }

    fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    fn unbroken(&self, end: &End) -> (Option<bool>, String) {
        let mut unread = self.unread();
        let Some((process, mail)) = unread.next() else {
            let mails = counted(u64::from(self.addressees.mails()), "mail");
            return (Some(true), format!("{mails}, each by all its addressees"));
        };
        let more = match unread.count() {
            0 => String::new(),
            n => format!(", and {} more missing", counted(n as u64, "reading")),
        };
        not_yet(end, format!("{process} did not read mail {mail}{more}"))
    }
}
