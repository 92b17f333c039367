//! Every grant is taken or declined: a client enters if the grant is that of the wish that it has, and declines it
//! otherwise. What comes a second time, or late, it does not heed: a token that is not greater than all before.

use std::collections::BTreeMap;

use labs::process::ProcessId;
use labs::trace::{Happening, Noted};
use labs::verdict::{Check, End, Judgement, TagsUnderWay, Violation, Watch, Witness, counted};

use crate::messages::{COORDINATOR, Indication, Message};

/// The monitor.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Taking {
    clients: BTreeMap<ProcessId, Client>,
    grants: u64,
}

#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
struct Client {
    /// Its last wish, and whether it still has it.
    ask: u64,
    is_waiting: bool,
    /// The greatest token that it was given.
    token: u64,
    /// What it must do with the grant that has just come.
    owed: Option<Owed>,
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Owed {
    Enter(u64),
    Decline(u64),
}

impl Taking {
    /// The step of a client is over.
    fn end_step(&self, process: ProcessId) -> Check {
        let what = match self.clients.get(&process).and_then(|client| client.owed) {
            None => return Ok(()),
            Some(Owed::Enter(token)) => format!("{process} does not enter by grant {token}"),
            Some(Owed::Decline(token)) => {
                format!("{process} does not decline grant {token}, and has not the wish any more")
            }
        };
        Violation::check(what, [])
    }

    fn hear(&mut self, process: ProcessId, ask: u64, token: u64) {
        let client = self.clients.entry(process).or_default();
        if token <= client.token {
            return;
        }
        self.grants += 1;
        client.token = token;
        client.owed = Some(match client.is_waiting && ask == client.ask {
            true => Owed::Enter(token),
            false => Owed::Decline(token),
        });
    }
}

impl Watch<Indication> for Taking {
    fn on_receive(&mut self, _: ProcessId, to: Witness, message: &dyn Noted, _: u64) -> Check {
        if to.process == COORDINATOR {
            return Ok(());
        }
        self.end_step(to.process)?;
        if let Ok(message) = message.get::<Message>()
            && let Message::Grant { ask, token, .. } | Message::Regrant { ask, token, .. } =
                *message
        {
            self.hear(to.process, ask, token);
        }
        Ok(())
    }

    fn on_indication(&mut self, at: Witness, indication: &Indication) -> Check {
        let process = at.process;
        if process == COORDINATOR {
            return Ok(());
        }
        let client = self.clients.entry(process).or_default();
        let (does, owed) = match *indication {
            Indication::Entered(token) => ("enters by", Owed::Enter(token)),
            Indication::Declined(token) => ("declines", Owed::Decline(token)),
            Indication::Asked(ask) => {
                (client.ask, client.is_waiting) = (ask, true);
                return Ok(());
            }
            Indication::GaveUp | Indication::Stopped => {
                client.is_waiting = false;
                return Ok(());
            }
            _ => return Ok(()),
        };
        if client.owed.take() == Some(owed) {
            client.is_waiting &= matches!(owed, Owed::Decline(_));
            return Ok(());
        }
        let (Owed::Enter(token) | Owed::Decline(token)) = owed;
        let what = format!("{process} {does} grant {token}, which it must not");
        Violation::check(what, [at])
    }

    fn on_other(&mut self, at: Witness, happening: Happening<'_>) -> Check {
        if matches!(happening, Happening::Crash) {
            self.clients.remove(&at.process);
            return Ok(());
        }
        self.end_step(at.process)
    }

    fn reads(&self, kind: &str) -> bool {
        super::is_read(kind)
    }

    fn reads_messages(&self) -> bool {
        true
    }

    fn at_end(&self, _: &End) -> Judgement {
        let mut ended = self.clients.keys().map(|process| self.end_step(*process));
        match ended.find_map(Result::err) {
            Some(violation) => Judgement::Violated(violation),
            None => Judgement::Holds(counted(self.grants, "grant")),
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        self.grants > 0
    }

    fn forget_history(&mut self, _: &mut TagsUnderWay<'_>) {
        self.grants = self.grants.min(1);
    }
}

#[cfg(test)]
mod tests;
