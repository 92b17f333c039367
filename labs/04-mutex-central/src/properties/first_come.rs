//! First come, first served: a waiting line is served from its front.
//!
//! It is the line of one process, and *first* is first in the line: when the process that keeps it heard of
//! the request. That is all that can be demanded without a clock that all share: of two that ask at
//! different places the one that asked first may be heard second.
//!
//! A keeper that dies takes the line along, and one that starts again says anew which clients stand in it.

use std::collections::VecDeque;

use labs::process::ProcessId;
use labs::trace::Happening;
use labs::verdict::{Check, End, Judgement, TagsUnderWay, Violation, Watch, Witness, counted};

use crate::messages::Indication;

/// The monitor.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct FirstComeFirstServed {
    /// The process that keeps the line.
    keeper: Option<ProcessId>,
    /// The clients that wait, by rank, and since which event. The first stands in front.
    line: VecDeque<(u32, Witness)>,
    served: u64,
}

impl FirstComeFirstServed {
    fn serve(&mut self, rank: u32, at: Witness) -> Check {
        self.served += 1;
        match self.line.pop_front() {
            Some((first, _)) if first == rank => Ok(()),
            Some((first, since)) => {
                let what = format!("p{rank} is served before p{first}, who came first");
                Violation::check(what, [since, at])
            }
            None => Violation::check(format!("p{rank} is served, who did not wait"), [at]),
        }
    }

    fn leave(&mut self, rank: u32) {
        self.line.retain(|(waiting, _)| *waiting != rank);
    }
}

impl Watch<Indication> for FirstComeFirstServed {
    fn on_indication(&mut self, at: Witness, indication: &Indication) -> Check {
        match *indication {
            Indication::Queued(rank) => {
                self.keeper = Some(at.process);
                self.leave(rank);
                self.line.push_back((rank, at));
            }
            Indication::Granted(rank) => return self.serve(rank, at),
            Indication::Dropped(rank) => self.leave(rank),
            _ => {}
        }
        Ok(())
    }

    fn on_other(&mut self, at: Witness, happening: Happening<'_>) -> Check {
        if matches!(happening, Happening::Crash) && self.keeper == Some(at.process) {
            self.line.clear();
        }
        Ok(())
    }

    fn reads(&self, kind: &str) -> bool {
        super::is_read(kind)
    }

    fn at_end(&self, _: &End) -> Judgement {
        let grants = counted(self.served, "grant");
        Judgement::Holds(format!("{grants}, each from the front of the line"))
    }

    fn is_put_to_the_test(&self) -> bool {
        self.line.len() > 1
    }

    fn forget_history(&mut self, _: &mut TagsUnderWay<'_>) {
        self.served = 0;
    }
}

#[cfg(test)]
mod tests;
