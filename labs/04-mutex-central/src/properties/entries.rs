//! Every client enters exactly as often as it wants.
//!
//! It wants to enter K times, and once more for each section that it had left when what it wrote was refused. A section
//! that it had to leave with its work undone does not count. One that gave up, was told to stop or died is done with
//! fewer; no client has more.

use labs::process::ProcessId;
use labs::trace::Happening;
use labs::verdict::{Check, End, Judgement, Violation, Watch, Witness, counted};

use crate::messages::{COORDINATOR, Indication};

/// Watches how often each client enters.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Entries {
    clients: Vec<Client>,
}

/// One client, by rank.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Client {
    /// How many more times it is to leave a section with its work done.
    left: u64,
    is_inside: bool,
    is_finished: bool,
    fate: Fate,
}

/// What became of a client.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
enum Fate {
    /// It goes on.
    Stays,
    /// It gave up, and has no more entries to make.
    GaveUp,
    /// It was told to stop, or died, and need not even say that it has finished.
    Gone,
}

impl Entries {
    /// Watches so many processes, of which each client wants to enter so many times.
    pub fn new(processes: u32, entries: u64) -> Self {
        let client =
            Client { left: entries, is_inside: false, is_finished: false, fate: Fate::Stays };
        Self { clients: vec![client; processes as usize] }
    }
}

impl Watch<Indication> for Entries {
    fn on_indication(&mut self, at: Witness, indication: &Indication) -> Check {
        let process = at.process;
        let client = &mut self.clients[process.index()];
        match indication {
            Indication::Entered(_) => client.is_inside = true,
            Indication::Expired(_) => client.is_inside = false,
            Indication::Left(_) => {
                client.is_inside = false;
                let Some(left) = client.left.checked_sub(1) else {
                    let what = format!("{process} has entered more often than it wanted");
                    return Violation::check(what, [at]);
                };
                client.left = left;
            }
            Indication::GaveUp => client.fate = Fate::GaveUp.max(client.fate),
            Indication::Stopped => client.fate = Fate::Gone,
            Indication::Finished => {
                client.is_finished = true;
                if client.left > 0 && client.fate == Fate::Stays {
                    let entries = counted(client.left, "section");
                    let what = format!("{process} finishes with {entries} to go");
                    return Violation::check(what, [at]);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn on_other(&mut self, at: Witness, happening: Happening<'_>) -> Check {
        let client = &mut self.clients[at.process.index()];
        match happening {
            Happening::Crash => client.fate = Fate::Gone,
            Happening::Request(request) if request.kind() == "Stop" => client.fate = Fate::Gone,
            Happening::Request(request) if request.kind() == "Refused" && !client.is_inside => {
                client.left += 1;
                client.is_finished = false;
            }
            _ => {}
        }
        Ok(())
    }

    fn reads(&self, kind: &str) -> bool {
        super::is_read(kind)
    }

    fn at_end(&self, end: &End) -> Judgement {
        let clients = || (0..).map(ProcessId).zip(&self.clients).filter(|(p, _)| *p != COORDINATOR);
        let is_late = |client: &Client| {
            let has_to_go = client.left > 0 && client.fate == Fate::Stays;
            has_to_go || !client.is_finished && client.fate != Fate::Gone
        };
        match clients().find(|(_, client)| is_late(client)) {
            Some((process, client)) if client.left > 0 && client.fate == Fate::Stays => {
                let entries = counted(client.left, "section");
                Judgement::not_yet(end, format!("{process} has {entries} to go"))
            }
            Some((process, _)) => Judgement::not_yet(end, format!("{process} has not finished")),
            None => {
                let gone =
                    clients().filter(|(_, client)| client.fate != Fate::Stays).count() as u64;
                let all = counted(clients().count() as u64, "client");
                let gone = if gone > 0 { format!("; {gone} gone before") } else { String::new() };
                Judgement::Holds(format!("by {all}{gone}"))
            }
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        self.clients.iter().any(|client| client.is_inside || client.is_finished)
    }
}

#[cfg(test)]
mod tests;
