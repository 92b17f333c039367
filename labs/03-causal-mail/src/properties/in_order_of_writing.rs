//! Mails of one writer are read in the order of their writing, by whomever.
//!
//! That is FIFO order among users. The causal order implies it, and so does any path that does not overtake
//! itself: it holds whatever readers order by, even by nothing.

use std::collections::BTreeMap;

use labs::process::ProcessId;
use labs::verdict::{Check, End, Judgement, Violation, Watch, Witness, counted};

use super::mails::Addressees;
use crate::causal_mail::Indication;

/// The monitor.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct InOrderOfWriting {
    addressees: Addressees,
    /// Of each mail that was written, its writer, and its number among the mails of this writer.
    written: BTreeMap<u32, (ProcessId, u32)>,
    /// How many mails each process wrote.
    count: Vec<u32>,
    /// The last that each reader read of each writer.
    latest: BTreeMap<(ProcessId, ProcessId), u32>,
}

impl InOrderOfWriting {
    /// Watches so many processes, and the mails of which these are the addressees.
    pub fn new(processes: u32, addressees: &Addressees) -> Self {
        Self {
            addressees: addressees.clone(),
            written: BTreeMap::new(),
            count: vec![0; processes as usize],
            latest: BTreeMap::new(),
        }
    }

    fn read(&mut self, at: Witness, mail: u32) -> Check {
        let Some(&(writer, number)) = self.written.get(&mail) else { return Ok(()) };
        let latest = self.latest.entry((at.process, writer)).or_default();
        if number < *latest {
            let process = at.process;
            let what = format!("{process} reads mail {mail} of {writer} after a later one of it");
            return Violation::check(what, [at]);
        }
        *latest = number;
        Ok(())
    }
}

impl Watch<Indication> for InOrderOfWriting {
    fn on_indication(&mut self, at: Witness, indication: &Indication) -> Check {
        match *indication {
            _ if self.addressees.is_stray(indication) => {}
            Indication::Wrote(mail) => {
                let count = &mut self.count[at.process.index()];
                *count += 1;
                self.written.entry(mail).or_insert((at.process, *count));
            }
            Indication::Read(mail) => return self.read(at, mail),
            Indication::Arrived(_) | Indication::Finished => {}
        }
        Ok(())
    }

    fn at_end(&self, _: &End) -> Judgement {
        let pairs = counted(self.latest.len() as u64, "pair");
        Judgement::Holds(format!("{pairs} of a reader and a writer"))
    }

    fn is_put_to_the_test(&self) -> bool {
        !self.latest.is_empty()
    }
}
