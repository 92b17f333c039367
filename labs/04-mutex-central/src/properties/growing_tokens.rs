//! Fencing tokens grow: of two critical sections, the later one has the greater token.
//!
//! A process that slept through the end of its lease does not know that it lost it. What it writes to can
//! know: each write carries the token of its section, and a write with a smaller token than one that was
//! seen before is refused. That works if tokens strictly grow along happened-before, and no two
//! sections have the same. (Kleppmann, *How to do distributed locking*, 2016; the sequencers of Burrows,
//! *The Chubby lock service*, OSDI 2006.)
//!
//! Each process knows the greatest token of its causal past, and messages carry it along.
//!
//! Cost: one number a process and one a message; constant time an event.

use labs::process::ProcessId;
use labs::trace::Noted;
use labs::verdict::{Check, End, Judgement, TagsUnderWay, Violation, Watch, Witness, counted};

use crate::messages::Indication;

/// The monitor.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct GrowingTokens {
    /// For each process, the greatest token in its causal past.
    known: Vec<u64>,
    /// The greatest token that was seen at all, and where.
    greatest: Option<(u64, Witness)>,
    sections: u64,
}

impl GrowingTokens {
    /// Watches so many processes.
    pub fn new(processes: u32) -> Self {
        Self { known: vec![0; processes as usize], greatest: None, sections: 0 }
    }
}

impl Watch<Indication> for GrowingTokens {
    fn on_send(&mut self, from: Witness, _: ProcessId, _: &dyn Noted) -> Result<u64, Violation> {
        Ok(self.known[from.process.index()])
    }

    fn on_receive(&mut self, _: ProcessId, to: Witness, _: &dyn Noted, tag: u64) -> Check {
        let known = &mut self.known[to.process.index()];
        *known = tag.max(*known);
        Ok(())
    }

    fn on_indication(&mut self, at: Witness, indication: &Indication) -> Check {
        let Indication::Entered(token) = *indication else { return Ok(()) };
        self.sections += 1;
        if let Some((_, other)) = self.greatest.filter(|(greatest, _)| *greatest == token) {
            let (one, other_one) = (at.process, other.process);
            let what = format!("{one} enters with token {token}, and so did {other_one}");
            return Violation::check(what, [other, at]);
        }
        let known = &mut self.known[at.process.index()];
        if token <= *known {
            let what = format!("{} enters with token {token} after token {known}", at.process);
            return Violation::check(what, [at]);
        }
        *known = token;
        if self.greatest.is_none_or(|(greatest, _)| greatest < token) {
            self.greatest = Some((token, at));
        }
        Ok(())
    }

    fn reads(&self, kind: &str) -> bool {
        super::is_read(kind)
    }

    fn at_end(&self, _: &End) -> Judgement {
        let greatest = self.greatest.map_or(0, |(greatest, _)| greatest);
        let sections = counted(self.sections, "section");
        Judgement::Holds(format!("{sections}, the greatest token is {greatest}"))
    }

    fn uses_tags(&self) -> bool {
        true
    }

    fn is_put_to_the_test(&self) -> bool {
        self.sections > 1
    }

    fn forget_history(&mut self, _: &mut TagsUnderWay<'_>) {
        self.sections = self.sections.min(2);
    }
}

#[cfg(test)]
mod tests;
