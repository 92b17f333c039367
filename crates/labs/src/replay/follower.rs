//! One process of a replayed run, and what it owes: what it did here and the trace has yet to tell.

use std::collections::VecDeque;

use super::{Luck, Parting};
use crate::misstep::panics::Panicked;
use crate::misstep::rehearsal::{Outcome, compare, rehearse};
use crate::misstep::watchdog::Whereabouts;
use crate::misstep::{Misstep, Occasion, Wrong, panics, sends_to_nobody};
use crate::process::{
    Choices, Effect, EffectOf, Env, EventOf, Kind, Process, ProcessId, step_into,
};
use crate::trace::note::{TimerName, debug_text};
use crate::trace::{MessageNote, Note, Noted, TraceEvent, What};
use crate::verdict::End;

/// How many combinations of choices are tried for one step. The checker itself visits them all, each with
/// what follows, so there are few.
const CHOICES_MAX: usize = 4_096;

/// One process, as far as it is followed.
pub(super) struct Follower<P: Process> {
    pub(super) process: P,
    /// The timers that run.
    timers: Vec<P::Timer>,
    /// Messages and indications that the trace must tell next, in this order.
    owed: VecDeque<EffectOf<P>>,
    /// From which of its events on it is not followed, and why.
    pub(super) lost: Option<(u64, String)>,
    /// What its handler did that none may do.
    pub(super) misstep: Option<Misstep>,
    /// Whether each step happens to a copy first, to see whether it does the same twice.
    pub(super) rehearses: bool,
    /// Where it says which step it makes.
    pub(super) whereabouts: Whereabouts,
    /// It died before it had done all that its last step asked for.
    pub(super) died_within_step: bool,
}

impl<P: Process> Follower<P> {
    pub(super) fn new(process: P) -> Self {
        Self {
            process,
            timers: Vec::new(),
            owed: VecDeque::new(),
            lost: None,
            misstep: None,
            rehearses: false,
            whereabouts: Whereabouts::default(),
            died_within_step: false,
        }
    }

    pub(super) fn lose(&mut self, n: u64, why: String) {
        self.lost = Some((n, why));
        self.owed.clear();
    }

    /// What it had begun is not done any more.
    pub(super) fn die(&mut self) {
        self.died_within_step = !self.owed.is_empty();
        self.owed.clear();
        self.timers.clear();
        self.misstep = None;
    }

    /// What its handler did that none may do, among so many processes.
    pub(super) fn taken_misstep(&self, processes: usize) -> Option<Misstep> {
        let to_nobody = |effect: &EffectOf<P>| match effect {
            Effect::Send { to, .. } if to.index() >= processes => {
                Some(sends_to_nobody(*to, processes))
            }
            _ => None,
        };
        self.misstep.clone().or_else(|| self.owed.front().and_then(to_nobody))
    }

    /// Whether what it does is another thing each time.
    pub(super) fn wavers(&self) -> bool {
        self.misstep.as_ref().is_some_and(|misstep| misstep.wrong == Wrong::Wavers)
    }

    /// A running timer that reads so; it runs no more.
    pub(super) fn take_timer(&mut self, note: &Note) -> Option<P::Timer> {
        let is_it = |timer: &P::Timer| TimerName(timer).text() == note.text;
        let place = self.timers.iter().position(is_it)?;
        Some(self.timers.swap_remove(place))
    }

    /// Makes one step. It fails if nobody can know what it chose then.
    pub(super) fn step(
        &mut self,
        env: Env,
        luck: &mut Luck,
        event: EventOf<P>,
        ahead: &[TraceEvent],
    ) -> Result<(), String> {
        let when = Occasion::<P::Timer>::of::<P>(&event).named();
        let rehearsed = self.rehearses.then(|| self.rehearse(env, luck, &event)).flatten();
        self.whereabouts.enter(env.me, when.clone());
        let stepped = self.make(env, luck, event, ahead);
        self.whereabouts.leave();
        match stepped? {
            Ok(effects) => {
                let first = rehearsed.as_ref();
                let differs = |first| compare(&when, first, &self.process, &effects);
                self.misstep = first.and_then(differs);
                effects.into_iter().for_each(|effect| self.carry_out(effect));
            }
            Err(panicked) => self.misstep = Some(panicked.misstep(&when)),
        }
        Ok(())
    }

    /// Lets the step happen to a copy.
    fn rehearse(&self, env: Env, luck: &mut Luck, event: &EventOf<P>) -> Option<Outcome<P>> {
        let choices = luck.stream(env.me).map(|(stream, _)| stream.clone()).unwrap_or_default();
        rehearse(&self.process, env, &choices, event.clone())
    }

    /// What the step comes to.
    fn make(
        &mut self,
        env: Env,
        luck: &mut Luck,
        event: EventOf<P>,
        ahead: &[TraceEvent],
    ) -> Result<Stepped<P>, String> {
        Ok(match luck.stream(env.me) {
            Some((stream, is_spoilt)) => {
                let before = random_state(stream);
                let stepped = attempt(&mut self.process, env, stream, event);
                if is_spoilt && random_state(stream) != before {
                    return Err("what it chose depends on steps that could not be made".to_owned());
                }
                stepped
            }
            None => self.try_choices(env, &event, &told(env.me, ahead)),
        })
    }

    /// Makes a step with the first choices that lead to what the trace tells next; if there are none, with
    /// the first of all, and the trace will be found to differ.
    fn try_choices(&mut self, env: Env, event: &EventOf<P>, told: &[&TraceEvent]) -> Stepped<P> {
        let mut choices = Choices::default();
        let mut first = None;
        for _ in 0..CHOICES_MAX {
            let mut process = self.process.clone();
            let stepped = attempt(&mut process, env, &mut choices, event.clone());
            let fits = match &stepped {
                Ok(effects) => does::<P>(env.me, effects, told),
                Err(_) => told.is_empty(),
            };
            if fits {
                self.process = process;
                return stepped;
            }
            first.get_or_insert((process, stepped));
            if !choices.advance() {
                break;
            }
        }
        let (process, stepped) = first.expect("at least one combination was tried");
        self.process = process;
        stepped
    }

    fn carry_out(&mut self, effect: EffectOf<P>) {
        match effect {
            Effect::Send { .. } | Effect::Indicate(_) => self.owed.push_back(effect),
            Effect::StartTimer { timer, .. } if !self.timers.contains(&timer) => {
                self.timers.push(timer);
            }
            Effect::StartTimer { .. } => {}
            Effect::StopTimer { timer } => self.timers.retain(|running| *running != timer),
        }
    }

    /// The trace tells a message that was sent: the one that is owed, if they are the same.
    pub(super) fn expect_send(
        &mut self,
        event: &TraceEvent,
        peer: ProcessId,
        note: &MessageNote,
    ) -> Result<P::Message, Parting> {
        match self.owed.pop_front() {
            Some(Effect::Send { to, message })
                if to == peer
                    && Kind::kind(&message) == note.kind
                    && debug_text(&message) == note.text =>
            {
                Ok(message)
            }
            other => Err(self.parting(event, other.as_ref())),
        }
    }

    /// The trace tells an indication: that which is owed, if they are the same.
    pub(super) fn expect_indication(&mut self, event: &TraceEvent, note: &Note) -> Option<Parting> {
        match self.owed.pop_front() {
            Some(Effect::Indicate(indication)) if is_same(&indication, note) => None,
            other => Some(self.parting(event, other.as_ref())),
        }
    }

    /// The trace tells the next step: nothing may be owed.
    pub(super) fn expect_rest(&mut self, event: &TraceEvent) -> Option<Parting> {
        match (self.owed.pop_front(), &self.misstep) {
            (None, None) => None,
            (owed, _) => Some(self.parting(event, owed.as_ref())),
        }
    }

    /// The trace tells that the run is over. One that was cut short may have stopped a process within a
    /// step.
    pub(super) fn expect_end(&mut self, event: &TraceEvent, end: Option<&Note>) -> Option<Parting> {
        let is_cut_short = end.and_then(End::from_note).is_some_and(|end| end != End::Complete);
        if is_cut_short && self.misstep.is_none() {
            return None;
        }
        self.expect_rest(event)
    }

    fn parting(&self, event: &TraceEvent, done: Option<&EffectOf<P>>) -> Parting {
        let (process, told) = (event.process, event.to_string());
        match (done, &self.misstep) {
            (_, Some(misstep)) => Parting::Misstep { told, done: misstep.sentence(process) },
            (None, None) => Parting::Nothing { process, told },
            (Some(Effect::Send { to, message }), None) => {
                let done = format!("{process} ↗ {to} {}", debug_text(message));
                Parting::Other { process, done: unlike(done, &told, Kind::kind(message)), told }
            }
            (Some(Effect::Indicate(indication)), None) => {
                let done = format!("{process} ! {}", debug_text(indication));
                Parting::Other { process, done: unlike(done, &told, Kind::kind(indication)), told }
            }
            (Some(Effect::StartTimer { .. } | Effect::StopTimer { .. }), None) => {
                unreachable!("timers are never owed")
            }
        }
    }
}

/// What was done, with its kind where only that is another.
fn unlike(done: String, told: &str, kind: &str) -> String {
    if done == told { format!("{done} (of kind {kind})") } else { done }
}

/// What a step wants done, or that its handler panicked.
type Stepped<P> = Result<Vec<EffectOf<P>>, Panicked>;

/// One step.
fn attempt<P: Process>(
    process: &mut P,
    env: Env,
    choices: &mut Choices,
    event: EventOf<P>,
) -> Stepped<P> {
    panics::catch(|| step_into(process, env, choices, event, Vec::new()))
}

/// Whether a value is the one that a trace tells of.
fn is_same(value: &impl Noted, note: &Note) -> bool {
    value.kind() == note.kind && value.text() == note.text
}

fn random_state(choices: &Choices) -> Option<u64> {
    match choices {
        Choices::Random(state) => Some(*state),
        Choices::Script { .. } => None,
    }
}

/// What the trace tells of a process until its next step.
fn told(process: ProcessId, ahead: &[TraceEvent]) -> Vec<&TraceEvent> {
    let mine = ahead.iter().filter(|event| event.process == process);
    let is_effect =
        |event: &&TraceEvent| matches!(event.what, What::Send { .. } | What::Indication(_));
    // Messages may be lost at any time.
    mine.filter(|event| !matches!(event.what, What::Drop { .. })).take_while(is_effect).collect()
}

/// Whether these effects are what the trace tells.
fn does<P: Process>(me: ProcessId, effects: &[EffectOf<P>], told: &[&TraceEvent]) -> bool {
    let visible = |effect: &EffectOf<P>| match effect {
        Effect::Send { to, message } => Some(format!("{me} ↗ {to} {}", debug_text(message))),
        Effect::Indicate(indication) => Some(format!("{me} ! {}", debug_text(indication))),
        Effect::StartTimer { .. } | Effect::StopTimer { .. } => None,
    };
    effects.iter().filter_map(visible).eq(told.iter().map(ToString::to_string))
}
