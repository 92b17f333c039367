//! So many messages an entry: one of each of three kinds for every critical section, and no more.
//!
//! Between asking and leaving, one message of each kind passes between the client and the coordinator. An
//! entry during which something went wrong (a message was lost, a process died or was given up) costs more,
//! and is not counted.

use std::collections::BTreeMap;

use labs::process::ProcessId;
use labs::trace::{Happening, Noted};
use labs::verdict::{Check, End, Judgement, TagsUnderWay, Violation, Watch, Witness};

use crate::messages::Indication;

/// The kinds of messages that an entry costs, in their order.
const MESSAGES: [&str; 3] = ["REQUEST", "GRANT", "RELEASE"];

/// The monitor.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct MessagesEach {
    /// Of each process that asked, the entry that it is about.
    entries: BTreeMap<ProcessId, Entry>,
    undisturbed: u64,
    others: u64,
}

#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
struct Entry {
    /// How many messages of each kind.
    sent: [u64; MESSAGES.len()],
    is_disturbed: bool,
    is_over: bool,
}

impl MessagesEach {
    fn disturb(&mut self) {
        self.entries.values_mut().for_each(|entry| entry.is_disturbed = true);
    }

    /// The entry of a process is over for good: the next begins, or its last message is sent.
    fn close(&mut self, process: ProcessId, at: Witness) -> Check {
        let Some(entry) = self.entries.remove(&process).filter(|entry| entry.is_over) else {
            return Ok(());
        };
        if entry.is_disturbed {
            self.others += 1;
            return Ok(());
        }
        self.undisturbed += 1;
        if entry.sent.iter().all(|&sent| sent == 1) {
            return Ok(());
        }
        let counts = MESSAGES.iter().zip(&entry.sent).map(|(kind, sent)| format!("{sent} {kind}"));
        let counts: Vec<_> = counts.collect();
        Violation::check(format!("an entry of {process} took {}", counts.join(", ")), [at])
    }
}

impl Watch<Indication> for MessagesEach {
    fn on_send(
        &mut self,
        from: Witness,
        to: ProcessId,
        message: &dyn Noted,
    ) -> Result<u64, Violation> {
        let kind = message.kind();
        let Some(place) = MESSAGES.iter().position(|message| *message == kind) else {
            return Ok(0);
        };
        for process in [from.process, to] {
            let Some(entry) = self.entries.get_mut(&process) else { continue };
            entry.sent[place] += 1;
            if entry.is_over && place + 1 == MESSAGES.len() {
                self.close(process, from)?;
            }
        }
        Ok(0)
    }

    fn on_drop(&mut self, _: Witness, _: ProcessId, _: &dyn Noted, _: u64) -> Check {
        self.disturb();
        Ok(())
    }

    fn on_indication(&mut self, at: Witness, indication: &Indication) -> Check {
        match indication {
            Indication::Asked(_) => {
                self.close(at.process, at)?;
                self.entries.insert(at.process, Entry::default());
            }
            Indication::Left(_) => {
                if let Some(entry) = self.entries.get_mut(&at.process) {
                    entry.is_over = true;
                }
            }
            Indication::Revoked(_)
            | Indication::Over(_)
            | Indication::Expired(_)
            | Indication::Declined(_)
            | Indication::Dropped(_)
            | Indication::GaveUp => self.disturb(),
            _ => {}
        }
        Ok(())
    }

    fn on_other(&mut self, _: Witness, happening: Happening<'_>) -> Check {
        if matches!(happening, Happening::Crash | Happening::Recover) {
            self.disturb();
        }
        Ok(())
    }

    fn reads(&self, kind: &str) -> bool {
        super::is_read(kind)
    }

    fn at_end(&self, _: &End) -> Judgement {
        let entries = match self.undisturbed {
            1 => "1 entry".to_owned(),
            n => format!("{n} entries"),
        };
        let others = match self.others {
            0 => String::new(),
            n => format!("; {n} in trouble, and not counted"),
        };
        Judgement::Holds(format!("{entries}{others}"))
    }

    fn is_put_to_the_test(&self) -> bool {
        self.undisturbed > 0
    }

    fn forget_history(&mut self, _: &mut TagsUnderWay<'_>) {
        self.undisturbed = 0;
        self.others = 0;
    }
}

#[cfg(test)]
mod tests;
