//! Judging a run without end from its trace, which says from where on its events repeat for ever.
//!
//! A trace does not hold states, so two things are looked at. The cycle must *close*: the same messages are under
//! way at its end as at its beginning, and nobody starts or dies on the way. And what the property waits
//! for must not happen within it: something is owed to one process all the way round, or the monitor says the same
//! before every step.
//!
//! Left out are the states and the timers of the processes, which only the lab's program knows: `labs
//! replay` compares the states at both ends.

use std::collections::BTreeMap;

use super::{End, Judge, Judgement, Monitors, NOBODY_IN_PARTICULAR, Verdict};
use crate::process::ProcessId;
use crate::text::counted;
use crate::trace::{CycleFrom, MessageId, TraceEvent, What};

/// The longest cycle that is judged, in events: a shortest one has some dozens, and each is compared with the first.
const CYCLE_MAX: u64 = 10_000;

/// The most messages under way in a run with a cycle: some hundred bytes each. `check` has some dozens.
const UNDER_WAY_MAX: usize = 100_000;

/// Goes along with the judge of a trace that says where it goes round.
#[derive(Clone, Debug)]
pub struct CycleJudge {
    cycle: CycleFrom,
    /// What was sent and did not arrive yet.
    under_way: BTreeMap<MessageId, Message>,
    steps: u64,
    begun: Option<Begun>,
    has_ended: bool,
}

/// A message under way: its receiver, kind and text.
type Message = (ProcessId, String, String);

/// The beginning of the cycle, and what was seen since.
#[derive(Clone, Debug)]
struct Begun {
    /// The messages under way, with their senders.
    messages: Vec<(ProcessId, Message)>,
    monitor: Monitors,
    /// Whether the monitor was the same before every step.
    is_same: bool,
    /// To whom something is owed all the time.
    owed: u64,
    steps_before: u64,
    events: u64,
}

/// Why the header of a trace is wrong about its cycle.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CycleError {
    /// The property is not one of those that the header demands.
    #[error("`cycle_from` names {0:?}, which is no property of this trace")]
    NoSuchProperty(String),
    /// No event of the run stands there.
    #[error("`cycle_from` names line {0}, where no event of the run stands")]
    NoSuchLine(u64),
    /// It is too long.
    #[error("the cycle has more than {CYCLE_MAX} events: `check` writes no such trace")]
    TooLong,
    /// There are too many messages.
    #[error("more than {UNDER_WAY_MAX} messages are under way: `check` writes no such trace")]
    TooMany,
    /// What happens once cannot repeat.
    #[error("`{0}` stands within the cycle, and cannot repeat for ever")]
    Once(String),
    /// The messages under way are others.
    #[error(
        "the cycle does not close: other messages are under way at its end than at its beginning"
    )]
    Open,
    /// The property is not put off.
    #[error(
        "what {0:?} waits for happens within the cycle, or nothing was owed: it is not put off for ever"
    )]
    Served(String),
}

impl CycleJudge {
    /// A judge of this cycle, before the first event.
    pub fn new(cycle: CycleFrom) -> Self {
        Self { cycle, under_way: BTreeMap::new(), steps: 0, begun: None, has_ended: false }
    }

    /// The event in this line comes next; `judge` has not seen it yet.
    ///
    /// # Errors
    ///
    /// If it cannot stand there.
    pub fn observe(
        &mut self,
        line: u64,
        event: &TraceEvent,
        judge: &Judge,
    ) -> Result<(), CycleError> {
        self.has_ended |= matches!(event.what, What::Stop(_));
        if self.has_ended {
            return Ok(());
        }
        if line == self.cycle.line {
            self.begin(judge)?;
        }
        self.go_on(event, judge)?;
        self.steps += u64::from(begins_step(event));
        match &event.what {
            What::Send { peer, message } => {
                let told = (*peer, message.kind.clone(), message.text.clone());
                self.under_way.insert(message.id, told);
            }
            What::Receive { message, .. } | What::Drop { message, .. } => {
                self.under_way.remove(&message.id);
            }
            _ => {}
        }
        match self.under_way.len() > UNDER_WAY_MAX {
            true => Err(CycleError::TooMany),
            false => Ok(()),
        }
    }

    fn begin(&mut self, judge: &Judge) -> Result<(), CycleError> {
        let name = &self.cycle.property;
        let no_property = || CycleError::NoSuchProperty(name.clone());
        let monitor = judge.alone(name).ok_or_else(no_property)?;
        self.begun = Some(Begun {
            messages: self.messages(),
            owed: monitor.owe(),
            monitor,
            is_same: true,
            steps_before: self.steps,
            events: 0,
        });
        Ok(())
    }

    /// Looks at what is owed before an event of the cycle.
    fn go_on(&mut self, event: &TraceEvent, judge: &Judge) -> Result<(), CycleError> {
        let Some(begun) = &mut self.begun else { return Ok(()) };
        if matches!(event.what, What::Init | What::Crash(_) | What::Recover) {
            return Err(CycleError::Once(event.to_string()));
        }
        begun.events += 1;
        if begun.events > CYCLE_MAX {
            return Err(CycleError::TooLong);
        }
        begun.look(&self.cycle.property, judge, begins_step(event));
        Ok(())
    }

    /// Puts what came of the cycle among the verdicts on the run, all of which `judge` has seen.
    ///
    /// # Errors
    ///
    /// If the cycle is none, or puts nothing off.
    pub fn conclude(mut self, judge: &Judge, verdicts: &mut [Verdict]) -> Result<(), CycleError> {
        let messages = self.messages();
        let CycleFrom { line, property } = self.cycle;
        let mut begun = self.begun.take().ok_or(CycleError::NoSuchLine(line))?;
        if begun.messages != messages {
            return Err(CycleError::Open);
        }
        begun.look(&property, judge, true);
        let Some(verdict) = verdicts.iter_mut().find(|verdict| verdict.name == property) else {
            return Err(CycleError::NoSuchProperty(property));
        };
        // Without the program of the lab nobody knows what a property of its own waits for.
        let waits = begun.monitor.verdicts(&End::Complete).remove(0);
        if verdict.is_violated() || matches!(waits.judgement, Judgement::Unknown(_)) {
            return Ok(());
        }
        let after = counted(begun.steps_before, "step");
        let round = counted(self.steps - begun.steps_before, "step");
        verdict.judgement = match begun.owed {
            0 => return Err(CycleError::Served(property)),
            NOBODY_IN_PARTICULAR if !begun.is_same => Judgement::Unknown(
                "something is owed all the way round, and the trace does not show that it is the same"
                    .to_owned(),
            ),
            _ => Judgement::violated(format!(
                "{}, for ever: after {after} the last {round} repeat",
                waits.detail()
            )),
        };
        verdict.tested |= verdict.is_violated();
        Ok(())
    }

    /// The messages under way, in an order that does not depend on when they were sent.
    fn messages(&self) -> Vec<(ProcessId, Message)> {
        let sender = |(id, message): (&MessageId, &Message)| (id.process, message.clone());
        let mut messages: Vec<_> = self.under_way.iter().map(sender).collect();
        messages.sort();
        messages
    }
}

impl Begun {
    fn look(&mut self, property: &str, judge: &Judge, is_between_steps: bool) {
        let Some(now) = judge.alone(property) else { return };
        self.owed &= now.owe();
        self.is_same &= !is_between_steps || now == self.monitor;
    }
}

/// Whether a step of the run begins with this event; the others follow from one.
fn begins_step(event: &TraceEvent) -> bool {
    matches!(
        event.what,
        What::Request(_)
            | What::Receive { .. }
            | What::Drop { .. }
            | What::Timeout(_)
            | What::Crash(_)
            | What::Recover
    )
}
