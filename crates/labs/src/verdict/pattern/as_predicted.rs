//! As many messages of each kind as theory predicts for this run: neither more nor fewer.
//!
//! A prediction is for a run in which nothing goes wrong. Once a process died, a message was lost or doubled,
//! or a process did what the prediction leaves out (it asked again, it was given up), nothing is judged any
//! more, and the verdict says why. What was one too many before that stays a violation.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Name, Times};
use crate::process::ProcessId;
use crate::trace::{Happening, Mishap, Noted};
use crate::verdict::watch::{Check, TagsUnderWay, Watch};
use crate::verdict::{End, Judgement, Violation, Witness};

/// How many messages a run costs, and where that is not said.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Cost {
    /// How many messages of each kind are sent.
    pub messages: BTreeMap<String, Times>,
    /// Kinds of indications, requests and timers: after one of these nothing is predicted.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unless: BTreeSet<String>,
    /// Whether nothing is predicted once a message overtakes another on its channel.
    #[serde(default)]
    pub in_order: bool,
}

/// The monitor of [`Pattern::AsPredicted`](super::Pattern::AsPredicted).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct AsPredicted {
    claim: Arc<Claim>,
    /// How many of each kind were sent; of a kind that may be sent any number of times more, not counted
    /// beyond the least.
    sent: Vec<u64>,
    disturbed: Option<Disturbance>,
}

/// What does not change during a run.
#[derive(Debug, Eq, PartialEq)]
struct Claim {
    messages: Vec<(Name, Times)>,
    unless: Vec<Name>,
    in_order: bool,
}

/// The monitors of one search all claim the same.
impl Hash for Claim {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// Why the prediction no longer applies. What it was makes no difference to what follows.
#[derive(Clone, Debug)]
struct Disturbance(String);

impl Eq for Disturbance {}

impl PartialEq for Disturbance {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Hash for Disturbance {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl AsPredicted {
    pub(super) fn new(cost: &Cost) -> Self {
        let name = |kind: &String| Name::from(kind.as_str());
        let messages: Vec<_> =
            cost.messages.iter().map(|(kind, times)| (name(kind), *times)).collect();
        let unless = cost.unless.iter().map(name).collect();
        let sent = vec![0; messages.len()];
        let claim = Claim { messages, unless, in_order: cost.in_order };
        Self { claim: Arc::new(claim), sent, disturbed: None }
    }

    fn disturb(&mut self, why: impl FnOnce() -> String) {
        if self.disturbed.is_none() {
            self.disturbed = Some(Disturbance(why()));
            self.sent.fill(0);
        }
    }

    /// Something of this kind happened to a process.
    fn note(&mut self, process: ProcessId, noted: &dyn Noted) {
        if !self.claim.unless.is_empty() && self.claim.unless.iter().any(|kind| kind.is(noted)) {
            self.disturb(|| format!("{process}: {}", noted.kind()));
        }
    }

    /// The counts that are less than predicted, each in words.
    fn short(&self) -> Vec<String> {
        let counts = self.claim.messages.iter().zip(&self.sent);
        counts
            .filter(|((_, times), sent)| **sent < times.min())
            .map(|((kind, times), sent)| format!("{sent} {}, predicted {times}", &**kind))
            .collect()
    }

    /// The counts that are more than predicted, each in words.
    fn too_many(&self) -> Vec<String> {
        let counts = self.claim.messages.iter().zip(&self.sent);
        counts
            .filter(|((_, times), sent)| times.max().is_some_and(|max| **sent > max))
            .map(|((kind, times), sent)| format!("{sent} {} or more, predicted {times}", &**kind))
            .collect()
    }

    /// All counts, in words.
    fn all(&self) -> Vec<String> {
        let counts = self.claim.messages.iter().zip(&self.sent);
        counts
            .map(|((kind, times), sent)| match times {
                Times::AtLeast(least) => format!("at least {least} {}", &**kind),
                _ => format!("{sent} {}", &**kind),
            })
            .collect()
    }
}

impl Watch<dyn Noted + '_> for AsPredicted {
    fn on_send(
        &mut self,
        from: Witness,
        to: ProcessId,
        message: &dyn Noted,
    ) -> Result<u64, Violation> {
        if self.disturbed.is_some() {
            return Ok(0);
        }
        let place = self.claim.messages.iter().position(|(kind, _)| kind.is(message));
        let Some(place) = place else { return Ok(0) };
        let (kind, times) = &self.claim.messages[place];
        let sent = &mut self.sent[place];
        // Something may yet happen after which nothing is predicted, or have happened elsewhere: in which order
        // the two are observed must make no difference, so that is judged at the end.
        if !self.claim.unless.is_empty() && times.max() == Some(*sent) {
            *sent += 1;
            return Ok(0);
        }
        if *sent < times.max().unwrap_or(times.min()) {
            *sent += 1;
        } else if times.max().is_some() && self.claim.unless.is_empty() {
            let (process, kind) = (from.process, &**kind);
            let too_many = u128::from(*sent) + 1;
            return Violation::check(
                format!("{process} sends {to} one too many: {too_many} {kind}, predicted {times}"),
                [from],
            );
        }
        Ok(0)
    }

    fn on_drop(&mut self, from: Witness, to: ProcessId, message: &dyn Noted, _: u64) -> Check {
        self.disturb(|| format!("{} from {} to {to} was lost", message.kind(), from.process));
        Ok(())
    }

    fn on_mishap(&mut self, mishap: Mishap) {
        match mishap {
            Mishap::Doubled => self.disturb(|| "a message arrived twice".to_owned()),
            Mishap::Overtaken if self.claim.in_order => {
                self.disturb(|| "a message overtook another".to_owned());
            }
            Mishap::Overtaken => {}
        }
    }

    fn on_indication(&mut self, at: Witness, indication: &(dyn Noted + '_)) -> Check {
        self.note(at.process, indication);
        Ok(())
    }

    fn on_other(&mut self, at: Witness, happening: Happening<'_>) -> Check {
        match happening {
            Happening::Crash => self.disturb(|| format!("{} died", at.process)),
            Happening::Request(noted) | Happening::Timeout(noted) => self.note(at.process, noted),
            _ => {}
        }
        Ok(())
    }

    fn at_end(&self, end: &End) -> Judgement {
        if let Some(Disturbance(why)) = &self.disturbed {
            return Judgement::Holds(format!("nothing is predicted of such a run ({why})"));
        }
        let too_many = self.too_many();
        if !too_many.is_empty() {
            return Judgement::violated(too_many.join("; "));
        }
        let short = self.short();
        match short.is_empty() {
            true => Judgement::Holds(self.all().join(", ")),
            false => Judgement::not_yet(end, short.join("; ")),
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        self.sent.iter().any(|&sent| sent > 0)
    }

    /// Nothing of it is old: the run may still come to cost too much.
    fn forget_history(&mut self, _: &mut TagsUnderWay<'_>) {}
}

#[cfg(test)]
mod tests;
