//! Every request is served: a client that asks is let in, and gets out again, in the end.
//!
//! One that had to leave before its work was done was let in; it asks anew. One that died or was told to stop wants
//! nothing any more. Nor does one that gave up for a reason: the coordinator had died meanwhile, a message between the
//! two was lost or has not arrived, or an answer came too late. If the coordinator is dead at the end, that is no excuse
//! for anybody.
//!
//! *In the end* says nothing about a client that is told to wait, and asks again for ever. So where clients ask again
//! there is a bound: counted in timers of the client that waits, the only time that it has.

use std::collections::{BTreeMap, BTreeSet};

use labs::process::ProcessId;
use labs::trace::{Happening, Noted};
use labs::verdict::{Check, End, Judgement, TagsUnderWay, Violation, Watch, Witness, counted};

use crate::messages::{COORDINATOR, Indication};

/// The monitor.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Served {
    /// How many timers of a client that waits may run out.
    within: Option<u32>,
    waiting: BTreeMap<ProcessId, Wait>,
    /// How many messages were sent: their numbers.
    sent: u64,
    served: u64,
    gave_up: u64,
    is_dead: bool,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Wait {
    since: Witness,
    timeouts: u32,
    /// The messages between the client and the coordinator that are under way.
    under_way: BTreeSet<u64>,
    /// It gave up.
    gave_up: bool,
    /// A message between them was lost, the coordinator died, or an answer came after the client gave up.
    has_reason: bool,
}

impl Served {
    /// Watches clients that wait through so many of their timeouts at the most, if there is such a bound.
    pub fn new(within: Option<u32>) -> Self {
        let waiting = BTreeMap::new();
        Self { within, waiting, sent: 0, served: 0, gave_up: 0, is_dead: false }
    }

    /// The wait of the client that has part in a message.
    fn wait_of(&mut self, one: ProcessId, other: ProcessId) -> Option<&mut Wait> {
        let client = if one == COORDINATOR { other } else { one };
        self.waiting.get_mut(&client)
    }

    fn time_out(&mut self, at: Witness) -> Check {
        let (Some(within), Some(wait)) = (self.within, self.waiting.get_mut(&at.process)) else {
            return Ok(());
        };
        wait.timeouts = wait.timeouts.saturating_add(1);
        if wait.timeouts <= within {
            return Ok(());
        }
        let timeouts = counted(wait.timeouts.into(), "timeout");
        let what =
            format!("{} waits through {timeouts} of its own, and may wait {within}", at.process);
        Violation::check(what, [wait.since, at])
    }

    /// The clients that are to be served.
    fn waiting(&self) -> impl Iterator<Item = ProcessId> {
        let has_reason = |wait: &Wait| wait.has_reason || !wait.under_way.is_empty();
        let waits = move |wait: &Wait| self.is_dead || !(wait.gave_up && has_reason(wait));
        self.waiting.iter().filter(move |(_, wait)| waits(wait)).map(|(process, _)| *process)
    }
}

impl Watch<Indication> for Served {
    /// Messages are told apart by their numbers: one may arrive twice.
    fn on_send(&mut self, from: Witness, to: ProcessId, _: &dyn Noted) -> Result<u64, Violation> {
        self.sent += 1;
        let number = self.sent;
        if let Some(wait) = self.wait_of(from.process, to) {
            wait.under_way.insert(number);
        }
        Ok(number)
    }

    fn on_receive(&mut self, from: ProcessId, to: Witness, _: &dyn Noted, tag: u64) -> Check {
        if let Some(wait) = self.wait_of(from, to.process) {
            wait.under_way.remove(&tag);
            wait.has_reason |= wait.gave_up && from == COORDINATOR;
        }
        Ok(())
    }

    fn on_drop(&mut self, from: Witness, to: ProcessId, _: &dyn Noted, _: u64) -> Check {
        if let Some(wait) = self.wait_of(from.process, to) {
            wait.has_reason = true;
        }
        Ok(())
    }

    fn on_indication(&mut self, at: Witness, indication: &Indication) -> Check {
        match indication {
            // The checker does not count events: there this is the same for all.
            Indication::Asked(_) => {
                self.waiting.entry(at.process).or_insert(Wait {
                    since: at,
                    timeouts: 0,
                    under_way: BTreeSet::new(),
                    gave_up: false,
                    has_reason: false,
                });
            }
            Indication::Left(_) | Indication::Expired(_) => {
                self.served += u64::from(self.waiting.remove(&at.process).is_some());
            }
            Indication::GaveUp => {
                if let Some(wait) = self.waiting.get_mut(&at.process) {
                    wait.gave_up = true;
                    self.gave_up += 1;
                }
            }
            Indication::Stopped => drop(self.waiting.remove(&at.process)),
            _ => {}
        }
        Ok(())
    }

    fn on_other(&mut self, at: Witness, happening: Happening<'_>) -> Check {
        match happening {
            Happening::Crash => {
                self.waiting.remove(&at.process);
                if at.process == COORDINATOR {
                    self.is_dead = true;
                    self.waiting.values_mut().for_each(|wait| wait.has_reason = true);
                }
            }
            Happening::Recover => self.is_dead &= at.process != COORDINATOR,
            Happening::Timeout(_) => return self.time_out(at),
            _ => {}
        }
        Ok(())
    }

    fn reads(&self, kind: &str) -> bool {
        super::is_read(kind)
    }

    fn at_end(&self, end: &End) -> Judgement {
        let mut waiting = self.waiting();
        let Some(first) = waiting.next() else {
            let requests = counted(self.served + self.gave_up, "request");
            return Judgement::Holds(match self.gave_up {
                0 => format!("{requests}, each served"),
                n => format!("{requests}; {n} given up, each other served"),
            });
        };
        let others = match waiting.count() as u64 {
            0 => String::new(),
            1 => ", and 1 process more".to_owned(),
            others => format!(", and {others} processes more"),
        };
        Judgement::not_yet(end, format!("{first} waits{others}"))
    }

    fn owes(&self) -> u64 {
        let bit = |process: ProcessId| 1_u64.checked_shl(process.0).unwrap_or(0);
        self.waiting().fold(0, |all, process| all | bit(process))
    }

    fn uses_tags(&self) -> bool {
        true
    }

    fn is_put_to_the_test(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn forget_history(&mut self, _: &mut TagsUnderWay<'_>) {
        (self.served, self.gave_up) = (0, 0);
    }
}

#[cfg(test)]
mod tests;
