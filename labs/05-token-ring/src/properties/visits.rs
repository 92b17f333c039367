//! In the critical section once a visit of the token: a process enters only while the token is with it, once
//! at most each time, leaves once what it entered, passes the token on only when it has left, and sees no
//! token after it has finished.

use labs::process::ProcessId;
use labs::trace::Noted;
use labs::verdict::{Check, End, Judgement, Violation, Watch, Witness};

use super::TOKEN;
use crate::token_ring::Indication;

/// The monitor.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Visits {
    visits: Vec<Visit>,
    finished: Vec<bool>,
    /// How many visits there are now: nobody counts a million processes at each event.
    visited: u32,
}

/// Where a process is, seen from the token's visit.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Visit {
    /// The token is elsewhere.
    None,
    /// It is here, and the process has not entered.
    Begun,
    /// The process is in its section.
    Inside,
    /// It has left it.
    Over,
}

impl Visits {
    /// Watches so many processes.
    pub fn new(processes: u32) -> Self {
        let n = processes as usize;
        Self { visits: vec![Visit::None; n], finished: vec![false; n], visited: 0 }
    }

    fn begin(&mut self, at: Witness) -> Check {
        let process = at.process;
        if self.finished[process.index()] {
            return wrong(at, "gets the token, and has finished");
        }
        let visit = &mut self.visits[process.index()];
        self.visited += u32::from(*visit == Visit::None);
        *visit = Visit::Begun;
        Ok(())
    }
}

fn wrong<T>(at: Witness, what: &str) -> Result<T, Violation> {
    Violation::check(format!("{} {what}", at.process), [at])
}

impl Watch<Indication> for Visits {
    fn on_send(
        &mut self,
        from: Witness,
        _: ProcessId,
        message: &dyn Noted,
    ) -> Result<u64, Violation> {
        if message.kind() == TOKEN {
            let visit = &mut self.visits[from.process.index()];
            if *visit == Visit::Inside {
                return wrong(from, "passes the token on in its section");
            }
            self.visited -= u32::from(*visit != Visit::None);
            *visit = Visit::None;
        }
        Ok(0)
    }

    fn on_receive(&mut self, _: ProcessId, to: Witness, message: &dyn Noted, _: u64) -> Check {
        if message.kind() == TOKEN { self.begin(to) } else { Ok(()) }
    }

    fn on_indication(&mut self, at: Witness, indication: &Indication) -> Check {
        let visit = &mut self.visits[at.process.index()];
        match (indication, *visit) {
            (Indication::Created, _) => return self.begin(at),
            (Indication::Entered, Visit::Begun) => *visit = Visit::Inside,
            (Indication::Entered, Visit::None) => return wrong(at, "enters without the token"),
            (Indication::Entered, Visit::Inside | Visit::Over) => {
                return wrong(at, "enters twice in one visit of the token");
            }
            (Indication::Left, Visit::Inside) => *visit = Visit::Over,
            (Indication::Left, _) => return wrong(at, "leaves, and is not in its section"),
            (Indication::Finished, Visit::Inside) => {
                return wrong(at, "finishes in its section");
            }
            (Indication::Finished, _) => self.finished[at.process.index()] = true,
            (Indication::Closed(_) | Indication::RollCall(_), _) => {}
        }
        Ok(())
    }

    fn at_end(&self, end: &End) -> Judgement {
        let inside = self.visits.iter().position(|visit| *visit == Visit::Inside);
        match inside {
            Some(rank) => {
                let process = ProcessId(rank as u32);
                Judgement::not_yet(end, format!("{process} does not leave its section"))
            }
            None => Judgement::Holds("entered with the token, and left before it".to_owned()),
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        self.visited > 0
    }
}
