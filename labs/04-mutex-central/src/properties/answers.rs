//! Every answer of the coordinator fits what it was asked. The line that it must have is kept here a second time.
//!
//! * A client stands in the line because it asked, and for no other reason; and one with a new wish, or with one whose
//!   grant was revoked, gets its place there.
//! * A wish is granted once; again only if its grant was revoked.
//! * A new wish of the client that is inside says that its grant is over, and nothing else that it asks does. (That one
//!   grant is over before the next is asked by [`OneGrant`](super::OneGrant).)
//! * GRANT names the wish of the client that is let in, and the lease of this run; REGRANT says the same once more.
//! * A client that asks again is answered: WAIT if its wish stands in the line, REGRANT if its grant is not over.
//! * A coordinator that starts again gives its grant once more, and the line goes on. In a real run it may have died in
//!   the middle of a step, and nobody knows what it had stored: there nothing is demanded of it any more.
//! * A lease comes to an end: nobody that asks again and again is told to wait for much longer than one takes.
//!
//! In which order the coordinator does what belongs to one step does not matter: a step is judged when it is over.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use labs::process::ProcessId;
use labs::trace::{Happening, Noted};
use labs::verdict::{Check, End, Judgement, TagsUnderWay, Violation, Watch, Witness, counted};

use crate::book::Wish;
use crate::messages::{COORDINATOR, Indication, Message};

/// The monitor.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Answers {
    rules: Rules,
    /// The wishes that stand in the line; the first stands in front.
    line: Vec<Wish>,
    /// The grant that is not over.
    inside: Option<Grant>,
    /// The last wish of each client that was granted.
    granted: BTreeMap<ProcessId, u64>,
    step: Step,
    /// It started again, and it is not known with what.
    is_unknown: bool,
    /// How many times the timer of each client ran out that makes it ask again, where a lease comes to an end.
    timeouts: BTreeMap<ProcessId, u64>,
    answers: u64,
}

/// What the run says.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Rules {
    /// Whether what the coordinator did before it died is known: it did each step as a whole, or not at all.
    pub is_atomic: bool,
    /// How long a client may stay inside.
    pub lease: Duration,
    /// How many times one client may ask again while another is inside; nothing if there is no bound.
    pub waits_max: Option<u64>,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Grant {
    wish: Wish,
    /// Its number, once it was sent.
    token: Option<u64>,
    /// Of each client that was told to wait: how many times, and since which of its timeouts it was not.
    waits: BTreeMap<ProcessId, (u64, u64)>,
}

/// The step that the coordinator is in.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
struct Step {
    /// Its last event.
    at: Option<Witness>,
    /// The coordinator starts again: those that stood in the line before.
    before: Option<VecDeque<Wish>>,
    /// A client asks.
    heard: Option<Wish>,
    /// How many timeouts of that client there were when it asked again.
    timeouts: u64,
    /// What is due to a client.
    owed: Option<Owed>,
    /// What it sent, to whom.
    sent: Vec<(ProcessId, Message)>,
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Owed {
    /// A place in the line.
    Place(ProcessId),
    /// A message of this kind.
    Message(ProcessId, &'static str),
}

impl Answers {
    /// Watches a coordinator that keeps to these rules.
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            line: Vec::new(),
            inside: None,
            granted: BTreeMap::new(),
            step: Step::default(),
            is_unknown: false,
            timeouts: BTreeMap::new(),
            answers: 0,
        }
    }

    /// The step of the coordinator is over.
    fn end_step(&mut self) -> Check {
        let Step { at, before, owed, sent, timeouts, .. } = std::mem::take(&mut self.step);
        let Some(at) = at else { return Ok(()) };
        let is_sent = |client: ProcessId, kind: &str| {
            sent.iter().any(|(to, message)| *to == client && message.kind() == kind)
        };
        let lacking = match owed {
            Some(Owed::Place(client)) => {
                Some(format!("p0 does not put {client} in the line, which has a new wish"))
            }
            Some(Owed::Message(client, kind)) if !is_sent(client, kind) => {
                Some(format!("p0 owes {client} a {kind}, and does not send it"))
            }
            _ => None,
        };
        let left_out = || {
            let left = before.as_ref()?.front()?;
            Some(format!("p0 starts again, and {} stands in the line no more", left.client))
        };
        if let Some(what) = lacking.or_else(left_out) {
            return Violation::check(what, [at]);
        }
        for (to, message) in &sent {
            let fits = match *message {
                Message::Grant { ask, token, lease } => self.grant(*to, ask, token, lease),
                Message::Regrant { ask, token, lease } => self.regrant(*to, ask, token, lease),
                Message::Wait => self.wait(*to, timeouts),
                Message::Request { .. } | Message::Retry { .. } | Message::Release { .. } => Ok(()),
            };
            fits.or_else(|what| Violation::check(what, [at]))?;
        }
        self.answers += sent.len() as u64;
        Ok(())
    }

    fn grant(
        &mut self,
        to: ProcessId,
        ask: u64,
        token: u64,
        lease: Duration,
    ) -> Result<(), String> {
        let wish = Wish { client: to, ask };
        match &mut self.inside {
            Some(grant) if grant.wish == wish && grant.token.is_none() => grant.token = Some(token),
            _ => return Err(format!("p0 grants wish {ask} of {to}, which is not the next")),
        }
        self.tells(lease)
    }

    fn regrant(
        &mut self,
        to: ProcessId,
        ask: u64,
        token: u64,
        lease: Duration,
    ) -> Result<(), String> {
        let wish = Wish { client: to, ask };
        match &mut self.inside {
            Some(grant) if grant.wish == wish && grant.token.is_none_or(|given| given == token) => {
                grant.token = Some(token);
                // The lease begins anew.
                grant.waits.clear();
            }
            _ => {
                return Err(format!(
                    "p0 gives {to} grant {token} for wish {ask} once more, and that was not given"
                ));
            }
        }
        self.tells(lease)
    }

    fn tells(&self, lease: Duration) -> Result<(), String> {
        match lease == self.rules.lease {
            true => Ok(()),
            false => Err(format!("p0 grants for {lease:?}, and a lease is {:?}", self.rules.lease)),
        }
    }

    fn wait(&mut self, to: ProcessId, timeouts: u64) -> Result<(), String> {
        let (Some(max), Some(grant)) = (self.rules.waits_max, &mut self.inside) else {
            return Ok(());
        };
        let (waits, last) = grant.waits.entry(to).or_default();
        // A message may come twice.
        if timeouts > *last {
            (*waits, *last) = (*waits + 1, timeouts);
        }
        match *waits > max {
            false => Ok(()),
            true => Err(format!(
                "p0 tells {to} to wait {waits} times, and the lease of {} is long over",
                grant.wish.client
            )),
        }
    }

    fn queue(&mut self, rank: u32) -> Result<(), String> {
        let client = ProcessId(rank);
        let wish = match &mut self.step.before {
            Some(before) => match before.pop_front() {
                Some(wish) if wish.client == client => wish,
                _ => {
                    return Err(format!(
                        "p0 starts again, and has {client} where it did not stand"
                    ));
                }
            },
            None => match self.step.heard.filter(|wish| wish.client == client) {
                Some(wish) => wish,
                None => return Err(format!("p0 puts {client} in the line, which did not ask")),
            },
        };
        self.line.retain(|wish| wish.client != client);
        self.line.push(wish);
        self.step.owed.take_if(|owed| *owed == Owed::Place(client));
        Ok(())
    }

    fn let_in(&mut self, rank: u32) -> Result<(), String> {
        let client = ProcessId(rank);
        // Whether it stood in the line, and was the first there, is asked by another property.
        let Some(place) = self.line.iter().position(|wish| wish.client == client) else {
            return Ok(());
        };
        let wish = self.line.remove(place);
        let last = self.granted.insert(client, wish.ask);
        self.inside = Some(Grant { wish, token: None, waits: BTreeMap::new() });
        match last {
            Some(last) if wish.ask <= last => {
                Err(format!("p0 grants wish {} of {client} after wish {last}", wish.ask))
            }
            _ => Ok(()),
        }
    }

    fn revoke(&mut self) {
        if let Some(Grant { wish, .. }) = self.inside.take() {
            self.granted.insert(wish.client, wish.ask.saturating_sub(1));
        }
    }

    fn is_over(&mut self) -> Result<(), String> {
        let Some(Grant { wish, .. }) = self.inside.take() else { return Ok(()) };
        let heard = self.step.heard.filter(|heard| heard.client == wish.client);
        match heard.is_some_and(|heard| heard.ask > wish.ask) {
            true => Ok(()),
            false => Err(format!(
                "p0 takes the grant of {} for over, which has no new wish",
                wish.client
            )),
        }
    }

    /// The last wish of a client that stands in the line, or was fulfilled.
    fn known(&self, client: ProcessId) -> u64 {
        let waiting = self.line.iter().filter(|wish| wish.client == client).map(|wish| wish.ask);
        waiting.chain(self.granted.get(&client).copied()).max().unwrap_or(0)
    }

    /// What is due to a client that asks, for the first time or again.
    fn owed(&self, wish: Wish, is_again: bool) -> Option<Owed> {
        let Wish { client, ask } = wish;
        if ask > self.known(client) {
            return Some(Owed::Place(client));
        }
        let is_inside = self.inside.as_ref().is_some_and(|grant| grant.wish == wish);
        let kind =
            if self.line.contains(&wish) { Some("WAIT") } else { is_inside.then_some("REGRANT") };
        kind.filter(|_| is_again).map(|kind| Owed::Message(client, kind))
    }

    fn hear(&mut self, from: ProcessId, message: &Message) {
        match *message {
            Message::Request { ask } | Message::Retry { ask } => {
                let wish = Wish { client: from, ask };
                self.step.heard = Some(wish);
                self.step.owed = self.owed(wish, matches!(message, Message::Retry { .. }));
            }
            Message::Release { token } => {
                let is_its =
                    |grant: &mut Grant| grant.wish.client == from && grant.token == Some(token);
                drop(self.inside.take_if(is_its));
            }
            Message::Grant { .. } | Message::Regrant { .. } | Message::Wait => {}
        }
    }
}

impl Watch<Indication> for Answers {
    fn on_send(
        &mut self,
        from: Witness,
        to: ProcessId,
        message: &dyn Noted,
    ) -> Result<u64, Violation> {
        if from.process != COORDINATOR {
            return Ok(self.timeouts.get(&from.process).copied().unwrap_or(0));
        }
        if !self.is_unknown
            && let Ok(message) = message.get::<Message>()
        {
            self.step.at = Some(from);
            self.step.sent.push((to, message.into_owned()));
        }
        Ok(0)
    }

    fn on_receive(&mut self, from: ProcessId, to: Witness, message: &dyn Noted, _: u64) -> Check {
        if to.process != COORDINATOR || self.is_unknown {
            return Ok(());
        }
        self.end_step()?;
        let timeouts = self.timeouts.get(&from).copied().unwrap_or(0);
        self.step = Step { at: Some(to), timeouts, ..Step::default() };
        if let Ok(message) = message.get::<Message>() {
            self.hear(from, &message);
        }
        Ok(())
    }

    fn on_indication(&mut self, at: Witness, indication: &Indication) -> Check {
        if at.process != COORDINATOR || self.is_unknown {
            return Ok(());
        }
        self.step.at = Some(at);
        let fits = match *indication {
            Indication::Queued(rank) => self.queue(rank),
            Indication::Granted(rank) => self.let_in(rank),
            Indication::Over(_) => self.is_over(),
            Indication::Revoked(_) => {
                self.revoke();
                Ok(())
            }
            Indication::Dropped(rank) => {
                self.line.retain(|wish| wish.client.0 != rank);
                Ok(())
            }
            _ => Ok(()),
        };
        fits.or_else(|what| Violation::check(what, [at]))
    }

    fn on_other(&mut self, at: Witness, happening: Happening<'_>) -> Check {
        if at.process != COORDINATOR {
            if self.rules.waits_max.is_some()
                && matches!(happening, Happening::Timeout(timer) if timer.kind() == "Retry")
            {
                *self.timeouts.entry(at.process).or_default() += 1;
            }
            return Ok(());
        }
        self.is_unknown |= !self.rules.is_atomic && matches!(happening, Happening::Crash);
        if self.is_unknown {
            self.step = Step::default();
            return Ok(());
        }
        self.end_step()?;
        self.step = Step { at: Some(at), ..Step::default() };
        if matches!(happening, Happening::Recover) {
            self.step.before = Some(std::mem::take(&mut self.line).into());
            let regrant = |grant: &Grant| Owed::Message(grant.wish.client, "REGRANT");
            self.step.owed = self.inside.as_ref().map(regrant);
        }
        Ok(())
    }

    fn reads(&self, kind: &str) -> bool {
        super::is_read(kind)
    }

    fn reads_messages(&self) -> bool {
        true
    }

    fn at_end(&self, _: &End) -> Judgement {
        match self.clone().end_step() {
            Err(violation) => Judgement::Violated(violation),
            Ok(()) => {
                Judgement::Holds(counted(self.answers + self.step.sent.len() as u64, "answer"))
            }
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        !self.step.sent.is_empty()
    }

    /// A step that is over and was right is of no more interest.
    fn forget_history(&mut self, _: &mut TagsUnderWay<'_>) {
        if self.clone().end_step().is_ok() {
            drop(self.end_step());
        }
        self.answers = 0;
    }
}

#[cfg(test)]
mod tests;
