//! All in its turn: a mail is written once, by its writer, after the reading that it answers; it arrives with
//! those it is for and nobody else, once, after it was written; it is read where it has arrived; and after a user
//! has finished nothing of that happens to it, and a server that has finished hands nothing on.
//!
//! Without this the other monitors could be blind: a mail that nobody says was written has no past.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use labs::process::ProcessId;
use labs::trace::Noted;
use labs::verdict::{Check, End, Judgement, Violation, Watch, Witness, counted};

use super::mails::{Addressees, Mails};
use crate::causal_mail::Indication;
use crate::correspondence::Planned;

/// The messages that hand a mail on.
const HANDS_ON: [&str; 3] = ["SUBMIT", "FORWARD", "HAND"];

/// The monitor.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct InTurn {
    plan: Plan,
    addressees: Addressees,
    written: Mails,
    /// Of each process, what arrived there, and what it read.
    arrived: Vec<Mails>,
    read: Vec<Mails>,
    finished: Vec<bool>,
}

/// The mails that are to be written. All monitors of one search share it, so it is no part of a hash.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Plan(Arc<[Planned]>);

impl Hash for Plan {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl InTurn {
    /// Watches so many processes, of which the users write by this plan.
    pub fn new(processes: u32, plan: &[Planned]) -> Self {
        let n = processes as usize;
        Self {
            plan: Plan(plan.into()),
            addressees: plan.into(),
            written: Mails::default(),
            arrived: vec![Mails::default(); n],
            read: vec![Mails::default(); n],
            finished: vec![false; n],
        }
    }

    fn write(&mut self, process: ProcessId, mail: u32) -> Result<(), String> {
        let Planned { from, after, .. } = &self.plan.0[mail as usize];
        if *from != process {
            return Err(format!("{process} writes mail {mail}, which is {from}'s to write"));
        }
        if self.written.contains(mail) {
            return Err(format!("{process} writes mail {mail} twice"));
        }
        if let Some(after) = after.filter(|&after| !self.read[process.index()].contains(after)) {
            return Err(format!(
                "{process} writes mail {mail} before it has read mail {after}, which it answers"
            ));
        }
        self.written.insert(mail);
        Ok(())
    }

    fn arrive(&mut self, process: ProcessId, mail: u32) -> Result<(), String> {
        if !self.addressees.is_for(mail, process) {
            return Err(format!("mail {mail} arrives with {process}, and is not for it"));
        }
        if !self.written.contains(mail) {
            return Err(format!("mail {mail} arrives with {process}, and nobody wrote it"));
        }
        let arrived = &mut self.arrived[process.index()];
        if arrived.contains(mail) {
            return Err(format!("mail {mail} arrives with {process} twice"));
        }
        arrived.insert(mail);
        Ok(())
    }

    fn read(&mut self, process: ProcessId, mail: u32) -> Result<(), String> {
        if !self.arrived[process.index()].contains(mail) {
            return Err(format!("{process} reads mail {mail}, which has not arrived with it"));
        }
        self.read[process.index()].insert(mail);
        Ok(())
    }
}

impl Watch<Indication> for InTurn {
    fn on_send(
        &mut self,
        at: Witness,
        to: ProcessId,
        message: &dyn Noted,
    ) -> Result<u64, Violation> {
        let kind = message.kind();
        if self.finished[at.process.index()] && HANDS_ON.contains(&&*kind) {
            let what = format!("{} has finished, and sends {to} a {kind}", at.process);
            return Violation::check(what, [at]);
        }
        Ok(0)
    }

    fn on_indication(&mut self, at: Witness, indication: &Indication) -> Check {
        let process = at.process;
        if self.addressees.is_stray(indication) {
            return Ok(());
        }
        let finished = &mut self.finished[process.index()];
        let told = match *indication {
            Indication::Finished => {
                *finished = true;
                Ok(())
            }
            Indication::Wrote(mail) | Indication::Arrived(mail) | Indication::Read(mail)
                if *finished =>
            {
                Err(format!("{process} has finished, and goes on with mail {mail}"))
            }
            Indication::Wrote(mail) => self.write(process, mail),
            Indication::Arrived(mail) => self.arrive(process, mail),
            Indication::Read(mail) => self.read(process, mail),
        };
        told.or_else(|what| Violation::check(what, [at]))
    }

    fn at_end(&self, end: &End) -> Judgement {
        let mails = self.addressees.mails();
        match (0..mails).find(|&mail| !self.written.contains(mail)) {
            None => Judgement::Holds(counted(mails.into(), "mail")),
            Some(mail) => {
                let from = self.plan.0[mail as usize].from;
                Judgement::not_yet(end, format!("{from} does not write mail {mail}"))
            }
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        self.written.iter().next().is_some()
    }
}
