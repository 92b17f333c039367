//! Nothing is held without need: a mail that has arrived is read in the same step in which the last
//! mail before it is read, or in which it arrives itself.
//!
//! Without this, holding everything for ever would be a correct way to keep the causal order.

use labs::process::ProcessId;
use labs::trace::{Happening, Noted};
use labs::verdict::{Check, End, Judgement, Violation, Watch, Witness, counted};

use super::mails::{Addressees, Mails, Pasts};
use crate::causal_mail::Indication;

/// No mail waits once everything before it is read.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct NotHeld {
    pasts: Pasts,
    /// Of each process, what has arrived and is not read.
    waiting: Vec<Mails>,
    arrivals: u64,
    held: u64,
    /// Of each process, whether it took a mail, or read one, in a step that may not be over yet.
    stepping: Vec<bool>,
}

impl NotHeld {
    /// Watches so many processes, and the mails of which these are the addressees.
    pub fn new(processes: u32, addressees: &Addressees) -> Self {
        Self {
            pasts: Pasts::new(addressees, processes),
            waiting: vec![Mails::default(); processes as usize],
            arrivals: 0,
            held: 0,
            stepping: vec![false; processes as usize],
        }
    }

    /// A mail of `process` that waits for nothing.
    fn needless(&self, process: ProcessId) -> Option<u32> {
        let mut waiting = self.waiting[process.index()].iter();
        waiting.find(|&mail| self.pasts.unread_before(process, mail).is_none())
    }

    /// The step of a process is over if it was in one: nothing may wait without need.
    fn step_is_over(&mut self, at: Witness) -> Check {
        let process = at.process;
        if !std::mem::take(&mut self.stepping[process.index()]) {
            return Ok(());
        }
        self.held += self.waiting[process.index()].iter().count() as u64;
        match self.needless(process) {
            Some(mail) => Violation::check(held(process, mail), [at]),
            None => Ok(()),
        }
    }
}

fn held(process: ProcessId, mail: u32) -> String {
    format!("{process} holds mail {mail} though it has read all that happened before it")
}

impl Watch<Indication> for NotHeld {
    fn on_receive(&mut self, _: ProcessId, to: Witness, _: &dyn Noted, _: u64) -> Check {
        self.step_is_over(to)
    }

    fn on_indication(&mut self, at: Witness, indication: &Indication) -> Check {
        let process = at.process;
        match *indication {
            _ if self.pasts.addressees.is_stray(indication) => {}
            Indication::Wrote(mail) => self.pasts.write(process, mail),
            Indication::Arrived(mail) => {
                self.arrivals += 1;
                if !self.pasts.has_read(process, mail) {
                    self.waiting[process.index()].insert(mail);
                }
                self.stepping[process.index()] = true;
            }
            Indication::Read(mail) => {
                self.waiting[process.index()].remove(mail);
                self.pasts.read(process, mail);
                self.stepping[process.index()] = true;
            }
            Indication::Finished => {}
        }
        Ok(())
    }

    fn on_other(&mut self, at: Witness, _: Happening<'_>) -> Check {
        self.step_is_over(at)
    }

    /// The last steps of all processes are over, too.
    fn at_end(&self, end: &End) -> Judgement {
        let all = (0..self.waiting.len() as u32).map(ProcessId);
        let needless = all.filter_map(|process| Some((process, self.needless(process)?))).next();
        match (needless, end) {
            (None, _) => {
                let arrivals = counted(self.arrivals, "arrival");
                let waiting = match self.held {
                    0 => "nobody held one back".to_owned(),
                    n => format!("{} in which one was held", counted(n, "step")),
                };
                Judgement::Holds(format!("{arrivals}, {waiting}"))
            }
            (Some((process, mail)), End::Complete) => Judgement::violated(held(process, mail)),
            // The step in which it is read may have been cut off.
            (Some(_), End::CutShort(why)) => {
                Judgement::Unknown(format!("not judged to the end ({why})"))
            }
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        self.arrivals > 0
    }
}
