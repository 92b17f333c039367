//! Causal delivery: nobody reads a mail before another one to the same reader that happened before
//! it.
//!
//! This is the causal order of Birman and Joseph (1987) for messages from one process to some
//! others, as Raynal, Schiper and Toueg (1991) state it. Happened-before is followed among writing
//! and reading themselves, and by no clock of the algorithm's: see `mails`.

use labs::verdict::{Check, End, Judgement, Violation, Watch, Witness, counted};

use super::mails::{Addressees, Pasts};
use crate::causal_mail::Indication;

/// Nobody reads a mail before another one that happened before it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct CausalDelivery {
    pasts: Pasts,
    /// How many times somebody read a mail.
    reads: u64,
    /// How many of these had to come after another.
    ordered: u64,
}

impl CausalDelivery {
    /// Watches so many processes, and the mails of which these are the addressees.
    pub fn new(processes: u32, addressees: &Addressees) -> Self {
        Self { pasts: Pasts::new(addressees, processes), reads: 0, ordered: 0 }
    }

    fn read(&mut self, at: Witness, mail: u32) -> Check {
        let process = at.process;
        self.reads += 1;
        self.ordered += u64::from(self.pasts.has_predecessor(process, mail));
        let before = self.pasts.unread_before(process, mail);
        self.pasts.read(process, mail);
        let Some(before) = before else { return Ok(()) };
        let what =
            format!("{process} reads mail {mail} before mail {before}, which happened before it");
        Violation::check(what, [at])
    }
}

impl Watch<Indication> for CausalDelivery {
    fn on_indication(&mut self, at: Witness, indication: &Indication) -> Check {
        match *indication {
            _ if self.pasts.addressees.is_stray(indication) => {}
            Indication::Wrote(mail) => self.pasts.write(at.process, mail),
            Indication::Read(mail) => return self.read(at, mail),
            Indication::Arrived(_) | Indication::Finished => {}
        }
        Ok(())
    }

    fn at_end(&self, _: &End) -> Judgement {
        let ordered = match self.ordered {
            1 => "1 of them after another that happened before it".to_owned(),
            n => format!("{n} of them after others that happened before them"),
        };
        Judgement::Holds(format!("{}, {ordered}", counted(self.reads, "reading")))
    }

    fn is_put_to_the_test(&self) -> bool {
        self.ordered > 0
    }
}
