//! What the processes of a lock may do in one step: each message and each indication has its place.
//!
//! * The coordinator stores its book before GRANT leaves, and the book has the client that is let in as the one
//!   that is inside. What else changes its line is stored in the same step.
//! * It tells a client to wait, or gives a grant once more, only if the client asks again, once; only a client that
//!   stands in the line is told to wait, and only the client that is inside is given its grant once more. A
//!   coordinator that starts again may do that by itself.
//! * It revokes a grant when the lease is over, or when the connection to its client has ended.
//! * A client asks once for each wish, by REQUEST; it asks again (RETRY) when its timer runs out, and gives up when
//!   it has run out so many times in a row without an answer, and then only.
//! * A client leaves its section when its work is done, and not before. It ends its section with the work undone when
//!   its lease is over, or when what it writes to refuses it, and only then.
//! * A client says RELEASE once for each section that it has left and for each grant that it did not want.
//!
//! In which order a process does what belongs to one step does not matter, but for what must be stored before.

use std::collections::{BTreeMap, BTreeSet};

use labs::process::ProcessId;
use labs::trace::{Happening, Noted};
use labs::verdict::{Check, End, Judgement, TagsUnderWay, Violation, Watch, Witness, counted};

use crate::messages::{COORDINATOR, Indication};

/// What is demanded of each step.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Steps {
    /// Whether the coordinator has stable storage.
    keeps: bool,
    /// How many times in a row a client's timer runs out without an answer before it gives up.
    tries: u32,
    coordinator: Coordinator,
    clients: BTreeMap<ProcessId, Client>,
    looks: u64,
}

/// The step that the coordinator is in, and the line.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
struct Coordinator {
    cause: Cause,
    /// The clients that stand in the line.
    line: BTreeSet<u32>,
    /// What changed and is not stored.
    unstored: Option<Witness>,
    /// The client that the stored book has inside.
    stored_inside: Option<ProcessId>,
    has_answered: bool,
}

/// The step that a client is in, and what it has to say.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
struct Client {
    cause: Cause,
    /// What it has to send in this step, less what it sent.
    requests: i8,
    releases: i8,
    retries: i8,
    /// How many times its timer ran out since it last heard something.
    silence: u32,
    last: Option<Witness>,
    /// It must give up now.
    must_give_up: bool,
    /// It waits: its timer makes it ask again.
    is_waiting: bool,
    is_inside: bool,
    /// It must say this in this step: the work is done, or the lease is over.
    must_say: Option<&'static str>,
}

/// What began a step.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
enum Cause {
    #[default]
    Other,
    Start,
    /// REQUEST or RETRY came from a client.
    Request(ProcessId),
    Retry(ProcessId),
    /// The timer of a lease, or of a client that waits.
    Timeout(&'static str),
    /// The connection to a client has ended.
    Lost,
    /// What a client writes to refused its token.
    Refused,
}

const TIMERS: [&str; 4] = ["Lease", "Retry", "Work", "Rest"];

impl Client {
    /// What is left of a step that is over.
    fn rested(&self) -> Self {
        let Self { silence, is_waiting, is_inside, .. } = *self;
        Self { silence, is_waiting, is_inside, ..Self::default() }
    }
}

impl Steps {
    /// Watches a coordinator that `keeps` its book, and clients that give up after so many `tries`.
    pub fn new(keeps: bool, tries: u32) -> Self {
        let coordinator = Coordinator::default();
        Self { keeps, tries, coordinator, clients: BTreeMap::new(), looks: 0 }
    }

    /// A new step of a process begins: what belongs to the one before is done.
    fn begin(&mut self, at: Witness, cause: Cause) -> Check {
        self.looks += 1;
        let ended = self.end_step(at.process);
        if at.process == COORDINATOR {
            self.coordinator.cause = cause;
            self.coordinator.has_answered = false;
        } else {
            let client = self.clients.entry(at.process).or_default();
            let must_say = match cause {
                Cause::Timeout("Work") if client.is_inside => Some("Left"),
                Cause::Timeout("Lease") if client.is_inside => Some("Expired"),
                _ => None,
            };
            *client = Client { cause, must_say, ..client.rested() };
        }
        ended
    }

    fn end_step(&self, process: ProcessId) -> Check {
        if process == COORDINATOR {
            return match self.coordinator.unstored {
                Some(at) if self.keeps => {
                    Violation::check("p0 changes its line, and does not store that", [at])
                }
                _ => Ok(()),
            };
        }
        let Some(client) = self.clients.get(&process) else { return Ok(()) };
        if let Some(kind) = client.must_say {
            let what = format!("{process} does not say {kind}, and it is time");
            return Violation::check(what, client.last.as_slice());
        }
        if client.must_give_up {
            let timeouts = counted(client.silence.into(), "timeout");
            let what = format!("{process} does not give up after {timeouts} without an answer");
            return Violation::check(what, client.last.as_slice());
        }
        let counts =
            [("REQUEST", client.requests), ("RELEASE", client.releases), ("RETRY", client.retries)];
        match counts.into_iter().find(|(_, count)| *count != 0) {
            None => Ok(()),
            Some((kind, count)) => {
                let how = if count > 0 { "does not send" } else { "sends one too many:" };
                Violation::check(format!("{process} {how} {kind}"), client.last.as_slice())
            }
        }
    }

    fn coordinator_sends(&mut self, from: Witness, to: ProcessId, kind: &str) -> Check {
        let coordinator = &mut self.coordinator;
        let may_give_again = [Cause::Start, Cause::Request(to)].contains(&coordinator.cause);
        let asked_again = coordinator.cause == Cause::Retry(to) && !coordinator.has_answered;
        let what = match kind {
            "GRANT" if self.keeps && coordinator.stored_inside != Some(to) => {
                format!("p0 lets {to} in, and has not stored that")
            }
            "GRANT" if self.keeps && coordinator.unstored.is_some() => {
                format!("p0 lets {to} in, and has not stored its line")
            }
            "WAIT" if !coordinator.line.contains(&to.0) => {
                format!("p0 tells {to} to wait, which does not stand in the line")
            }
            "WAIT" if !asked_again => format!("p0 tells {to} to wait, which did not ask again"),
            "REGRANT" if self.keeps && coordinator.stored_inside != Some(to) => {
                format!("p0 gives {to} a grant again that is not its own")
            }
            "REGRANT" if !asked_again && !may_give_again => {
                format!("p0 gives {to} its grant again, and nobody asked")
            }
            _ => {
                coordinator.has_answered |= ["WAIT", "REGRANT"].contains(&kind);
                return Ok(());
            }
        };
        Violation::check(what, [from])
    }

    fn coordinator_says(&mut self, at: Witness, indication: &Indication) -> Check {
        let coordinator = &mut self.coordinator;
        match indication {
            Indication::Stored(book) => {
                coordinator.unstored = None;
                coordinator.stored_inside = book.inside.map(|wish| wish.client);
                return Ok(());
            }
            Indication::Queued(rank) => drop(coordinator.line.insert(*rank)),
            Indication::Granted(rank) | Indication::Dropped(rank) => {
                coordinator.line.remove(rank);
            }
            Indication::Revoked(token)
                if ![Cause::Timeout("Lease"), Cause::Lost].contains(&coordinator.cause) =>
            {
                let what = format!("p0 revokes grant {token}, and its lease is not over");
                return Violation::check(what, [at]);
            }
            Indication::Revoked(_) | Indication::Over(_) => {}
            _ => return Ok(()),
        }
        // One that starts again says whom it has in its line.
        if coordinator.cause != Cause::Start {
            coordinator.unstored = Some(at);
        }
        Ok(())
    }

    fn client_says(&mut self, at: Witness, indication: &Indication) -> Check {
        let client = self.clients.entry(at.process).or_default();
        client.last = Some(at);
        match indication {
            Indication::Asked(_) => {
                client.requests += 1;
                client.silence = 0;
                client.is_waiting = true;
            }
            Indication::Declined(_) => client.releases += 1,
            Indication::Left(_) | Indication::Expired(_) => {
                client.releases += 1;
                client.is_inside = false;
                client.must_say = None;
                let is_time = match indication {
                    Indication::Left(_) => client.cause == Cause::Timeout("Work"),
                    _ => [Cause::Timeout("Lease"), Cause::Refused].contains(&client.cause),
                };
                if !is_time {
                    let what =
                        format!("{} says {}, and it is not time", at.process, indication.kind());
                    return Violation::check(what, [at]);
                }
            }
            Indication::Entered(_) => (client.is_waiting, client.is_inside) = (false, true),
            Indication::Stopped => client.is_waiting = false,
            Indication::GaveUp => {
                client.must_give_up = false;
                client.is_waiting = false;
                if client.silence != self.tries.saturating_add(1) {
                    let tries = counted(client.silence.into(), "timeout");
                    let what = format!("{} gives up after {tries} without an answer", at.process);
                    return Violation::check(what, [at]);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl Watch<Indication> for Steps {
    fn on_send(
        &mut self,
        from: Witness,
        to: ProcessId,
        message: &dyn Noted,
    ) -> Result<u64, Violation> {
        let kind = message.kind();
        if from.process == COORDINATOR {
            self.coordinator_sends(from, to, &kind)?;
            return Ok(0);
        }
        let client = self.clients.entry(from.process).or_default();
        client.last = Some(from);
        match &*kind {
            "REQUEST" => client.requests -= 1,
            "RELEASE" => client.releases -= 1,
            "RETRY" => client.retries -= 1,
            _ => {}
        }
        Ok(0)
    }

    fn on_receive(&mut self, from: ProcessId, to: Witness, message: &dyn Noted, _: u64) -> Check {
        let kind = message.kind();
        let cause = match &*kind {
            "RETRY" => Cause::Retry(from),
            "REQUEST" => Cause::Request(from),
            _ => Cause::Other,
        };
        self.begin(to, cause)?;
        if let Some(client) = self.clients.get_mut(&to.process).filter(|_| kind == "WAIT") {
            client.silence = 0;
        }
        Ok(())
    }

    fn on_indication(&mut self, at: Witness, indication: &Indication) -> Check {
        match at.process {
            COORDINATOR => self.coordinator_says(at, indication),
            _ => self.client_says(at, indication),
        }
    }

    fn on_other(&mut self, at: Witness, happening: Happening<'_>) -> Check {
        let cause = match happening {
            Happening::Crash => {
                // It may die in the middle of its step.
                self.clients.remove(&at.process);
                if at.process == COORDINATOR {
                    let stored_inside = self.coordinator.stored_inside;
                    self.coordinator = Coordinator { stored_inside, ..Coordinator::default() };
                }
                return Ok(());
            }
            Happening::Init | Happening::Recover => Cause::Start,
            Happening::Timeout(timer) => {
                let kind = timer.kind();
                let timer = TIMERS.into_iter().find(|timer| *timer == kind);
                timer.map_or(Cause::Other, Cause::Timeout)
            }
            Happening::Request(request) if request.kind() == "Lost" => Cause::Lost,
            Happening::Request(request) if request.kind() == "Refused" => Cause::Refused,
            _ => Cause::Other,
        };
        let is_retry = cause == Cause::Timeout("Retry");
        self.begin(at, cause)?;
        if let Some(client) = self.clients.get_mut(&at.process)
            && is_retry
            && client.is_waiting
        {
            client.silence += 1;
            client.last = Some(at);
            match client.silence > self.tries {
                true => client.must_give_up = true,
                false => client.retries += 1,
            }
        }
        Ok(())
    }

    fn reads(&self, kind: &str) -> bool {
        self.keeps || kind != "Stored"
    }

    fn at_end(&self, _: &End) -> Judgement {
        let everyone = [COORDINATOR].into_iter().chain(self.clients.keys().copied());
        for process in everyone {
            if let Err(violation) = self.end_step(process) {
                return Judgement::Violated(violation);
            }
        }
        Judgement::Holds(format!("{} looked at", counted(self.looks, "step")))
    }

    fn is_put_to_the_test(&self) -> bool {
        self.looks > 0
    }

    /// A step that is over and was right is of no more interest.
    fn forget_history(&mut self, _: &mut TagsUnderWay<'_>) {
        self.looks = self.looks.min(1);
        if self.end_step(COORDINATOR).is_ok() {
            let Coordinator { line, stored_inside, .. } = std::mem::take(&mut self.coordinator);
            self.coordinator = Coordinator { line, stored_inside, ..Coordinator::default() };
        }
        let processes: Vec<_> = self.clients.keys().copied().collect();
        for process in processes {
            if self.end_step(process).is_ok()
                && let Some(client) = self.clients.get_mut(&process)
            {
                *client = client.rested();
            }
        }
    }
}

#[cfg(test)]
mod tests;
