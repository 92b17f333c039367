//! What goes wrong by plan: see [`crate::faults`].
//!
//! What strikes a process at a time is scheduled like all else. What strikes a message is asked for when it is
//! sent; what strikes a process at a message, when that reaches it. A process that stands still loses nothing: what is
//! for it is put aside, and happens when it is continued. A message that is to be overtaken is held back until
//! the next on its channel is sent, or goes on alone when none comes for a while.

use std::collections::BTreeMap;

use super::{Scheduled, Simulation, SimulationError, microseconds};
use crate::faults::{Action, Injector, OVERTAKEN_MAX, Plan, PlanError, Timed, Toll, Triggers};
use crate::process::{Kind, Process, ProcessId};
use crate::trace::{Mishap, Observer};

/// What goes wrong by plan, and what waits for that.
#[derive(Debug)]
pub(super) struct Faults<P: Process, C> {
    pub(super) blows: Blows,
    /// Of each process that stands still, what waits for it.
    waiting: Vec<Option<Vec<Scheduled<P, C>>>>,
    /// The messages that wait to be overtaken: one on a channel, and few in all.
    held: Vec<Held<P, C>>,
    /// How many times messages were held back.
    holds: u64,
}

/// What goes wrong by plan, apart from what the processes are.
#[derive(Debug)]
pub(super) struct Blows {
    plan: Plan,
    pub(super) injector: Injector,
    pub(super) timed: Vec<Timed>,
    /// How many of these are still to come.
    pub(super) to_come: usize,
    /// What struck processes.
    toll: Toll,
    /// Of the processes that stop or die when messages reach them.
    triggers: BTreeMap<ProcessId, Triggers>,
}

/// A message that is held back until the next on its channel has overtaken it; if it was doubled too, twice.
#[derive(Debug)]
struct Held<P: Process, C> {
    channel: (ProcessId, ProcessId),
    hold: u64,
    rule: usize,
    messages: Vec<Scheduled<P, C>>,
}

impl<P: Process, O: Observer> Simulation<P, O> {
    /// Lets go wrong what the plan says; what it leaves to chance is drawn from `seed`.
    ///
    /// # Errors
    ///
    /// If the plan cannot be carried out.
    pub fn with_faults(mut self, plan: &Plan, seed: u64) -> Result<Self, SimulationError> {
        let n = self.processes.len() as u32;
        plan.validate(n)?;
        for process in plan.restarted() {
            if self.processes[process.index()].recovered().is_none() {
                return Err(PlanError::keeps_nothing(process).into());
            }
        }
        if plan.is_empty() {
            return Ok(self);
        }
        let blows = Blows::of(plan, seed);
        for (number, Timed { at, process, .. }) in (0..).zip(&blows.timed) {
            self.schedule_at(*at, *process, Scheduled::Strike { number });
        }
        let waiting = (0..n).map(|_| None).collect();
        self.faults = Some(Box::new(Faults { blows, waiting, held: Vec::new(), holds: 0 }));
        Ok(self)
    }

    /// How many times each rule of the plan of faults struck so far.
    pub fn toll(&self) -> Toll {
        self.faults.as_ref().map_or_else(Toll::default, |faults| faults.blows.toll())
    }

    /// How much of it waits for processes that stand still.
    pub(super) fn waiting(&self) -> usize {
        let Some(faults) = &self.faults else { return 0 };
        faults.waiting.iter().flatten().map(Vec::len).sum()
    }

    /// Does to a process what the plan of faults says, and counts it if that changed something.
    pub(super) fn strike(&mut self, number: u32) {
        let Some(faults) = &mut self.faults else { return };
        faults.blows.to_come -= 1;
        let Timed { process, action, rule, is_end, .. } = faults.blows.timed[number as usize];
        let struck = match action {
            Action::Stop => self.happen_stop(process),
            Action::Continue => self.happen_continue(process),
            Action::Kill => self.happen_crash(process),
            Action::Restart => self.happen_restart(process),
        };
        if let Some(faults) = &mut self.faults {
            faults.blows.toll.add(rule, u64::from(struck && !is_end));
        }
    }

    /// Puts aside what is for a process that stands still, and lets strike what waits for a message to
    /// reach its process.
    pub(super) fn unless_it_waits(
        &mut self,
        scheduled: Scheduled<P, O::Carried>,
    ) -> Option<Scheduled<P, O::Carried>> {
        let Some(faults) = &mut self.faults else { return Some(scheduled) };
        let process = match &scheduled {
            Scheduled::Message { to, .. } => *to,
            Scheduled::Timeout { process, .. } | Scheduled::Request { process, .. } => *process,
            _ => return Some(scheduled),
        };
        if self.crashed[process.index()] {
            return Some(scheduled);
        }
        let mut stands_still = faults.stands_still(process);
        if let (Scheduled::Message { message, .. }, false) = (&scheduled, stands_still) {
            match faults.blows.struck(process, message.kind()) {
                Some(Action::Kill) => drop(self.happen_crash(process)),
                Some(Action::Stop) => stands_still = self.happen_stop(process),
                Some(Action::Continue | Action::Restart) | None => {}
            }
        }
        if !stands_still {
            return Some(scheduled);
        }
        if let Scheduled::Timeout { timer, .. } = &scheduled {
            // Its place in the queue is given up: until it is back there, nobody can stop it.
            self.timers[process.index()].retain(|(running, _)| running != timer);
        }
        if let Some(faults) = &mut self.faults {
            faults.waiting[process.index()].get_or_insert_default().push(scheduled);
        }
        None
    }

    /// Returns whether it went on until then.
    fn happen_stop(&mut self, process: ProcessId) -> bool {
        let is_down = self.crashed[process.index()];
        match &mut self.faults {
            Some(faults) if !is_down && !faults.stands_still(process) => {
                faults.waiting[process.index()] = Some(Vec::new());
                true
            }
            _ => false,
        }
    }

    /// What waited happens now, in its order, and before what arrives at the same moment: that was sent later.
    /// Returns whether it stood still until then.
    fn happen_continue(&mut self, process: ProcessId) -> bool {
        let waited = self.faults.as_mut().and_then(|faults| faults.go_on(process));
        let stood_still = waited.is_some();
        for scheduled in waited.into_iter().flatten().rev() {
            let timer = match &scheduled {
                Scheduled::Timeout { timer, .. } => Some(timer.clone()),
                _ => None,
            };
            let key = self.queue.insert_first(scheduled);
            if let Some(timer) = timer {
                self.timers[process.index()].push((timer, key));
            }
        }
        stood_still
    }

    /// Starts a process again from what its stable storage kept. Returns whether it was down until then.
    fn happen_restart(&mut self, process: ProcessId) -> bool {
        let kept = self.processes[process.index()].recovered();
        kept.is_some_and(|state| self.happen_recover(process, state))
    }

    /// Keeps messages back until the next on their channel has overtaken them.
    pub(super) fn hold(
        &mut self,
        from: ProcessId,
        to: ProcessId,
        rule: usize,
        messages: Vec<Scheduled<P, O::Carried>>,
    ) {
        let Some(faults) = &mut self.faults else { return };
        faults.holds += 1;
        let hold = faults.holds;
        let alone = faults.release((from, to), None);
        faults.held.push(Held { channel: (from, to), hold, rule, messages });
        let until = self.now.saturating_add(microseconds(OVERTAKEN_MAX));
        self.queue.insert(until, Scheduled::Alone { from, to, hold });
        // If the message between the two was lost, nothing has overtaken the first: it goes on alone.
        self.send_alone(from, to, alone);
    }

    /// A message was sent on this channel, and arrives then: what was held back on it does right behind.
    pub(super) fn release_overtaken(&mut self, from: ProcessId, to: ProcessId, arrival: u64) {
        let Some(faults) = &mut self.faults else { return };
        let Some(held) = faults.release((from, to), None) else { return };
        faults.blows.injector.overtaken(held.rule);
        self.observer.on_mishap(Mishap::Overtaken);
        for message in held.messages {
            self.queue.insert(arrival, message);
        }
    }

    /// No message came that overtakes what is held back: it goes on alone.
    pub(super) fn release_alone(&mut self, from: ProcessId, to: ProcessId, hold: u64) {
        let Some(faults) = &mut self.faults else { return };
        let alone = faults.release((from, to), Some(hold));
        if alone.is_some() {
            // Else it was overtaken.
            faults.blows.injector.alone(from, to);
        }
        self.send_alone(from, to, alone);
    }

    fn send_alone(&mut self, from: ProcessId, to: ProcessId, held: Option<Held<P, O::Carried>>) {
        for message in held.into_iter().flat_map(|held| held.messages) {
            let slowness = self.random.slowness(&self.network, from, to);
            let latency = self.random.latency(&self.network, from, to) + slowness;
            self.note_overtaking(from, to, latency);
            self.schedule_message(from, to, latency, message);
        }
    }
}

impl<P: Process, C> Faults<P, C> {
    fn stands_still(&self, process: ProcessId) -> bool {
        self.waiting[process.index()].is_some()
    }

    /// A process stands still no more. Returns what waited for it.
    pub(super) fn go_on(&mut self, process: ProcessId) -> Option<Vec<Scheduled<P, C>>> {
        self.waiting[process.index()].take()
    }

    /// What is held back on a channel is so no more; only this hold of it, if one is named.
    fn release(
        &mut self,
        channel: (ProcessId, ProcessId),
        hold: Option<u64>,
    ) -> Option<Held<P, C>> {
        let is_it = |held: &Held<P, C>| {
            held.channel == channel && hold.is_none_or(|hold| held.hold == hold)
        };
        let place = self.held.iter().position(is_it)?;
        Some(self.held.swap_remove(place))
    }
}

impl Blows {
    fn of(plan: &Plan, seed: u64) -> Self {
        let triggered = plan.triggered().into_iter();
        let timed = plan.timed();
        Self {
            plan: plan.clone(),
            injector: Injector::new(plan, seed),
            to_come: timed.len(),
            timed,
            toll: Toll::default(),
            triggers: triggered.map(|process| (process, plan.triggers(process, &[]))).collect(),
        }
    }

    fn toll(&self) -> Toll {
        let mut toll = self.toll.clone();
        toll.merge(self.injector.toll());
        toll
    }

    /// Whether a process is still to be started again.
    pub(super) fn restarts(&self) -> bool {
        let left = &self.timed[self.timed.len() - self.to_come..];
        left.iter().any(|timed| timed.action == Action::Restart)
    }

    /// A process counts anew, and no rule that struck it does so again.
    pub(super) fn start_again(&mut self, process: ProcessId) {
        let triggers = self.plan.triggers(process, &self.toll.rules());
        self.triggers.insert(process, triggers);
        self.injector.forget(process);
    }

    /// Counts a message that reaches a process. Returns what happens to the process at that.
    fn struck(&mut self, process: ProcessId, kind: &str) -> Option<Action> {
        let triggers = self.triggers.get_mut(&process)?;
        let (action, rule) = triggers.count(kind)?;
        self.toll.add(rule, 1);
        if action == Action::Stop {
            triggers.uncount(kind); // It reaches the process once more when that is continued.
        }
        Some(action)
    }
}
