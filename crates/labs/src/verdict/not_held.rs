//! Nothing is held without need: a mail that has arrived is read in the same step in which the last mail
//! before it is read, or in which it arrives itself.
//!
//! Without this, holding everything for ever would be a correct way to keep the causal order.

use super::mails::{Mails, Pasts, broken_at};
use super::name::Name;
use super::{End, PropertyKind, Violation, Watch, counted};
use crate::process::ProcessId;
use crate::trace::Happening;

/// The monitor of [`Spec::NotHeld`](super::Spec::NotHeld).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct NotHeld {
    wrote: Name,
    arrived: Name,
    read: Name,
    pasts: Pasts,
    /// Of each process, what has arrived and is not read.
    waiting: Vec<Mails>,
    arrivals: u64,
    held: u64,
    /// Of each process, whether it took a mail, or read one, in a step that may not be over yet.
    stepping: Vec<bool>,
    violation: Option<Violation>,
}

impl NotHeld {
    /// Watches mails, of which these are the addressees.
    pub fn new(
        wrote: String,
        arrived: String,
        read: String,
        addressees: Vec<Vec<ProcessId>>,
        processes: u32,
    ) -> Self {
        Self {
            wrote: wrote.into(),
            arrived: arrived.into(),
            read: read.into(),
            pasts: Pasts::new(addressees, processes),
            waiting: vec![Mails::default(); processes as usize],
            arrivals: 0,
            held: 0,
            stepping: vec![false; processes as usize],
            violation: None,
        }
    }

    /// A mail of `process` that waits for nothing.
    fn needless(&self, process: ProcessId) -> Option<u32> {
        let mut waiting = self.waiting[process.index()].iter();
        waiting.find(|&mail| self.pasts.unread_before(process, mail).is_none())
    }

    /// The step of `process` is over if it was in one: nothing may wait without need.
    fn step_is_over(&mut self, process: ProcessId, n: u64) {
        if !std::mem::take(&mut self.stepping[process.index()]) {
            return;
        }
        self.held += self.waiting[process.index()].iter().count() as u64;
        if let Some(mail) = self.needless(process) {
            let what = held(process, mail);
            self.violation.get_or_insert_with(|| broken_at(process, n, what));
        }
    }
}

fn held(process: ProcessId, mail: u32) -> String {
    format!("{process} holds mail {mail} though it has read all that happened before it")
}

impl Watch for NotHeld {
    fn name(&self) -> (String, PropertyKind) {
        ("nothing held without need".to_owned(), PropertyKind::Safety)
    }

    fn on_receive(&mut self, _: ProcessId, to: ProcessId, _: &str, n: u64, _: u64) {
        self.step_is_over(to, n);
    }

    fn on_event(&mut self, process: ProcessId, happening: Happening<'_>, n: u64) {
        if !matches!(happening, Happening::Indication(_)) {
            return self.step_is_over(process, n);
        }
        if let Some(mail) = self.pasts.addressees.told(happening, &self.wrote) {
            self.pasts.write(process, mail);
        } else if let Some(mail) = self.pasts.addressees.told(happening, &self.arrived) {
            self.arrivals += 1;
            if !self.pasts.has_read(process, mail) {
                self.waiting[process.index()].insert(mail);
            }
            self.stepping[process.index()] = true;
        } else if let Some(mail) = self.pasts.addressees.told(happening, &self.read) {
            self.waiting[process.index()].remove(mail);
            self.pasts.read(process, mail);
            self.stepping[process.index()] = true;
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        self.arrivals > 0
    }

    fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    /// The last steps of all processes are over, too.
    fn unbroken(&self, end: &End) -> (Option<bool>, String) {
        let all = (0..self.waiting.len() as u32).map(ProcessId);
        let needless = all.filter_map(|process| Some((process, self.needless(process)?))).next();
        match (needless, end) {
            (None, _) => {
                let arrivals = counted(self.arrivals, "arrival");
                let waiting = match self.held {
                    0 => "nobody held one back".to_owned(),
                    n => format!("{} in which one was held", counted(n, "step")),
                };
                (Some(true), format!("{arrivals}, {waiting}"))
            }
            (Some((process, mail)), End::Complete) => (Some(false), held(process, mail)),
            // The step in which it is read may have been cut off.
            (Some(_), End::CutShort(why)) => (None, format!("not judged to the end ({why})")),
        }
    }
}
