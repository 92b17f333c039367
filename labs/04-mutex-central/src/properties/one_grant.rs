//! One grant at a time: a grant is given when the one before is over.
//!
//! It is over when its process says so, or when the coordinator *revokes* it: the process died, or kept silent for
//! longer than its lease. A grant that nobody used is over without a section. That is what the coordinator can see
//! to by itself, whatever messages and steps take, so it is demanded even where leases run out at any moment.
//! Whether the sections themselves are apart is asked by [`MutualExclusion`](super::MutualExclusion).
//!
//! It is enough to keep, for each process, the greatest token up to which all grants are over as far as it can know,
//! and to let messages carry that along. A process that enters a section must know that the last one that was entered
//! is over. A section that is entered behind one with a greater token must have been revoked. And none may revoke a
//! grant that it knows to be over: its process left, and the news was ignored. By how much tokens grow does not
//! matter.
//!
//! Cost: one number a process and one a message; constant time an event.

use labs::process::ProcessId;
use labs::trace::{Happening, Noted};
use labs::verdict::{Check, End, Judgement, TagsUnderWay, Violation, Watch, Witness, counted};

use crate::messages::Indication;

/// The monitor.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct OneGrant {
    /// For each process, the section that it entered and did not leave.
    inside: Vec<Option<u64>>,
    /// For each process, the number up to which it knows all sections to be over.
    known: Vec<u64>,
    /// The same, as far as it cannot have forgotten it: what a process heard before it died may not have
    /// been stored.
    remembered: Vec<u64>,
    /// The last section that was entered, by its number, and how.
    last: Option<(u64, Witness)>,
    sections: u64,
    /// How many grants were revoked, and the greatest token of one that was.
    voided: u64,
    voided_up_to: u64,
}

impl OneGrant {
    /// Watches so many processes.
    pub fn new(processes: u32) -> Self {
        let n = processes as usize;
        let (inside, known, remembered) = (vec![None; n], vec![0; n], vec![0; n]);
        Self { inside, known, remembered, last: None, sections: 0, voided: 0, voided_up_to: 0 }
    }

    fn enter(&mut self, number: u64, entry: Witness) -> Check {
        self.sections += 1;
        self.inside[entry.process.index()] = Some(number);
        let known = self.known[entry.process.index()];
        if let Some((last, before)) = self.last {
            let wrong = match last {
                _ if last < number && last > known => {
                    format!("cannot know that section {last} of {} is over", before.process)
                }
                _ if last > number && number > self.voided_up_to => {
                    format!("{} is in section {last} by a later grant", before.process)
                }
                _ => String::new(),
            };
            if !wrong.is_empty() {
                let what = format!("{} enters section {number}, and {wrong}", entry.process);
                return Violation::check(what, [before, entry]);
            }
        }
        if self.last.is_none_or(|(last, _)| last < number) {
            self.last = Some((number, entry));
        }
        Ok(())
    }

    fn exit(&mut self, number: u64, exit: Witness) -> Check {
        let process = exit.process;
        if self.inside[process.index()].take() != Some(number) {
            let what = format!("{process} leaves section {number}, and was not in it");
            return Violation::check(what, [exit]);
        }
        self.learn(number, process);
        Ok(())
    }

    fn learn(&mut self, number: u64, process: ProcessId) {
        for known in [&mut self.known, &mut self.remembered] {
            let known = &mut known[process.index()];
            *known = number.max(*known);
        }
    }

    fn revoke(&mut self, number: u64, at: Witness) -> Check {
        self.voided += 1;
        if number <= self.remembered[at.process.index()] {
            let what =
                format!("{} revokes section {number}, and could know that it is over", at.process);
            return Violation::check(what, [at]);
        }
        self.voided_up_to = number.max(self.voided_up_to);
        self.learn(number, at.process);
        Ok(())
    }
}

impl Watch<Indication> for OneGrant {
    fn on_send(&mut self, from: Witness, _: ProcessId, _: &dyn Noted) -> Result<u64, Violation> {
        Ok(self.known[from.process.index()])
    }

    fn on_receive(&mut self, _: ProcessId, to: Witness, _: &dyn Noted, tag: u64) -> Check {
        self.learn(tag, to.process);
        Ok(())
    }

    fn on_indication(&mut self, at: Witness, indication: &Indication) -> Check {
        match *indication {
            Indication::Entered(number) => return self.enter(number, at),
            Indication::Revoked(number) => return self.revoke(number, at),
            Indication::Left(number) | Indication::Expired(number) => return self.exit(number, at),
            Indication::Declined(number) | Indication::Over(number) => {
                self.learn(number, at.process);
            }
            _ => {}
        }
        Ok(())
    }

    fn on_other(&mut self, at: Witness, happening: Happening<'_>) -> Check {
        if matches!(happening, Happening::Crash) {
            self.inside[at.process.index()] = None;
            self.remembered[at.process.index()] = 0;
        }
        Ok(())
    }

    fn reads(&self, kind: &str) -> bool {
        super::is_read(kind)
    }

    fn at_end(&self, _: &End) -> Judgement {
        let sections = counted(self.sections, "section");
        let revoked = match self.voided {
            0 => String::new(),
            n => format!("; {} revoked", counted(n, "grant")),
        };
        Judgement::Holds(format!("{sections}, each by a grant of its own{revoked}"))
    }

    fn uses_tags(&self) -> bool {
        true
    }

    fn is_put_to_the_test(&self) -> bool {
        self.sections > 1
    }

    /// How many sections there were makes no difference, nor how the last was entered.
    fn forget_history(&mut self, _: &mut TagsUnderWay<'_>) {
        self.sections = self.sections.min(1);
        self.voided = self.voided.min(1);
    }
}

#[cfg(test)]
mod tests;
