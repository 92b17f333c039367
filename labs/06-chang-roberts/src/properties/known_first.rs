//! Everyone knows the leader before the first takes a rank.
//!
//! *Before* means happened-before. ELECTED goes round the ring, and each process learns from it who leads in the step
//! in which it sends it on. So ELECTED carries how many processes have done that, one after the other, and other
//! messages carry how many their sender has heard of. Who takes a rank must have heard of all. It does not matter
//! who happens to be observed first. Whether each process says what it learned is asked by another property.

use labs::process::ProcessId;
use labs::trace::Noted;
use labs::verdict::{Check, End, Judgement, Violation, Watch, Witness};

use crate::numbering::Indication;

/// The monitor.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct KnownFirst {
    /// Of each process, of how many it knows that they know who leads.
    heard: Vec<u32>,
    /// Of each process, whether it knows itself.
    knows: Vec<bool>,
    /// How many do not know it: nobody counts a million processes at each event.
    ignorant: u32,
}

impl KnownFirst {
    /// Watches so many processes.
    pub fn new(processes: u32) -> Self {
        let n = processes as usize;
        Self { heard: vec![0; n], knows: vec![false; n], ignorant: processes }
    }
}

impl Watch<Indication> for KnownFirst {
    fn on_send(
        &mut self,
        from: Witness,
        _: ProcessId,
        message: &dyn Noted,
    ) -> Result<u64, Violation> {
        let heard = u64::from(self.heard[from.process.index()]);
        Ok(heard + u64::from(message.kind() == "ELECTED"))
    }

    fn on_receive(&mut self, _: ProcessId, to: Witness, _: &dyn Noted, tag: u64) -> Check {
        let heard = &mut self.heard[to.process.index()];
        *heard = u32::try_from(tag).unwrap_or(u32::MAX).max(*heard);
        Ok(())
    }

    fn on_indication(&mut self, at: Witness, indication: &Indication) -> Check {
        let place = at.process.index();
        match indication {
            Indication::Elected(_) if !self.knows[place] => {
                self.knows[place] = true;
                self.ignorant -= 1;
            }
            Indication::Numbered(rank) if (self.heard[place] as usize) < self.knows.len() => {
                let (process, all) = (at.process, self.knows.len());
                let what = format!(
                    "{process} takes rank {rank}, and has heard of {} of {all} that know the leader",
                    self.heard[place]
                );
                return Violation::check(what, [at]);
            }
            _ => {}
        }
        Ok(())
    }

    fn reads(&self, kind: &str) -> bool {
        matches!(kind, "Elected" | "Numbered")
    }

    fn at_end(&self, end: &End) -> Judgement {
        match self.ignorant {
            0 => Judgement::Holds(format!("{} knew it", self.knows.len())),
            _ => Judgement::not_yet(end, "not all know the leader".to_owned()),
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        (self.ignorant as usize) < self.knows.len()
    }

    fn uses_tags(&self) -> bool {
        true
    }
}
