//! What is demanded of a token ring and of no other algorithm.

mod roll_call;
mod visits;

use labs::process::ProcessId;
use labs::trace::{Happening, Noted};
use labs::verdict::{Check, End, Judgement, TagsUnderWay, Violation, Watch, Witness, counted};

pub use self::roll_call::RollCall;
pub use self::visits::Visits;
use crate::token_ring::Indication;

/// The kind of the message that the token is.
const TOKEN: &str = "TOKEN";

/// Kinds that belong to the closing of the ring.
const BESIDES: [&str; 2] = ["ADDRESS", "ROLL"];

/// Exactly one token at any time: in every consistent cut, one process holds it or one channel carries it.
///
/// That is a statement about all cuts, and yet it follows from what each process does by itself: the
/// token is made once; a process that sends it holds it, and holds it no longer; what is sent arrives once.
/// So each process has a balance, and no clock is needed.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct OneToken {
    creation: Option<Witness>,
    /// How many tokens each process holds.
    held: Vec<u32>,
}

impl OneToken {
    /// Watches so many processes.
    pub fn new(processes: u32) -> Self {
        Self { creation: None, held: vec![0; processes as usize] }
    }

    fn take(&mut self, holder: Witness) -> Check {
        let held = &mut self.held[holder.process.index()];
        *held += 1;
        match held {
            1 => Ok(()),
            _ => Violation::check(format!("{} holds two tokens", holder.process), [holder]),
        }
    }
}

impl Watch<Indication> for OneToken {
    fn on_send(
        &mut self,
        from: Witness,
        to: ProcessId,
        message: &dyn Noted,
    ) -> Result<u64, Violation> {
        if message.kind() == TOKEN {
            let (process, held) = (from.process, &mut self.held[from.process.index()]);
            *held = held.checked_sub(1).ok_or_else(|| {
                let what = format!("{process} sends {to} a token that it does not hold");
                Violation::new(what, [from])
            })?;
        }
        Ok(0)
    }

    fn on_receive(&mut self, _: ProcessId, to: Witness, message: &dyn Noted, _: u64) -> Check {
        if message.kind() == TOKEN { self.take(to) } else { Ok(()) }
    }

    fn on_drop(&mut self, from: Witness, to: ProcessId, message: &dyn Noted, _: u64) -> Check {
        if message.kind() != TOKEN {
            return Ok(());
        }
        let process = from.process;
        Violation::check(format!("the token was lost on its way from {process} to {to}"), [from])
    }

    fn on_indication(&mut self, at: Witness, indication: &Indication) -> Check {
        if *indication != Indication::Created {
            return Ok(());
        }
        if let Some(first) = self.creation {
            let (one, other) = (at.process, first.process);
            return Violation::check(
                format!("{one} makes a token, and {other} made one"),
                [first, at],
            );
        }
        self.creation = Some(at);
        self.take(at)
    }

    fn on_other(&mut self, at: Witness, happening: Happening<'_>) -> Check {
        match happening {
            Happening::Crash if self.held[at.process.index()] > 0 => {
                Violation::check(format!("{} died holding the token", at.process), [at])
            }
            _ => Ok(()),
        }
    }

    fn at_end(&self, end: &End) -> Judgement {
        match self.creation {
            Some(first) => {
                Judgement::Holds(format!("made by {}, never lost, never doubled", first.process))
            }
            None => Judgement::not_yet(end, "no token was ever made".to_owned()),
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        self.creation.is_some()
    }
}

/// One message a hop: nothing is sent but the token itself.
///
/// A hop is the token's arrival at its next holder. Whoever sends the token on knows that it has made all hops before:
/// so messages carry the number of the last hop that their sender knows of. In the end there are as many messages as
/// hops.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct OneMessageAHop {
    /// The last message that was sent, by number.
    last: u64,
    /// For each process, the number of the last hop that it knows of.
    known: Vec<u64>,
    /// Messages sent.
    sent: u64,
    /// Arrivals of the token.
    hops: u64,
}

impl OneMessageAHop {
    /// A monitor for so many processes.
    pub fn new(processes: u32) -> Self {
        Self { last: 0, known: vec![0; processes as usize], sent: 0, hops: 0 }
    }
}

impl Watch<Indication> for OneMessageAHop {
    fn on_send(
        &mut self,
        from: Witness,
        to: ProcessId,
        message: &dyn Noted,
    ) -> Result<u64, Violation> {
        let (kind, process) = (message.kind(), from.process);
        let known = self.known[process.index()];
        if BESIDES.contains(&&*kind) {
            return Ok(known);
        }
        if known < self.last {
            let what =
                format!("{process} sends {to} a second {kind} before the first has made its hop");
            return Violation::check(what, [from]);
        }
        self.last += 1;
        self.sent += 1;
        Ok(self.last)
    }

    fn on_receive(&mut self, _: ProcessId, to: Witness, message: &dyn Noted, tag: u64) -> Check {
        self.hops += u64::from(message.kind() == TOKEN);
        let known = &mut self.known[to.process.index()];
        *known = tag.max(*known);
        Ok(())
    }

    fn at_end(&self, end: &End) -> Judgement {
        let counts = format!("{} for {}", counted(self.sent, "message"), counted(self.hops, "hop"));
        match self.sent == self.hops {
            true => Judgement::Holds(counts),
            false => Judgement::not_yet(end, counts),
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        self.sent > 0
    }

    fn uses_tags(&self) -> bool {
        true
    }

    /// Only the difference of the counts matters, and who knows of the last hop.
    fn forget_history(&mut self, tags: &mut TagsUnderWay<'_>) {
        let common = self.sent.min(self.hops);
        self.sent -= common;
        self.hops -= common;
        let last = self.last;
        let forget = |known: &mut u64| *known = u64::from(last > 0 && *known == last);
        self.known.iter_mut().for_each(forget);
        tags(&mut |_, _, tag| forget(tag));
        self.last = last.min(1);
    }
}

#[cfg(test)]
mod tests;
