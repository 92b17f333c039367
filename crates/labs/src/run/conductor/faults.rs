//! What the plan of faults does to processes: signals at their times, and starting the dead again.
//!
//! A participant starts again on the machine where it died, with the journal of the dead, and is
//! told when the algorithm started. Its neighbours are told where it is now. It waits for none of
//! them, for some may be dead or stand still; and it is told which are dead, so that what it sends to
//! them is lost, as the model has it, and does not wait.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use log::debug;

use super::{Conductor, Loss, Member, Order, Phase, Restart, Stage, Strike, Timer};
use crate::faults::{Action, Timed, Toll};
use crate::process::{Context, ProcessId};
use crate::run::wire::{Resumption, ToParticipant};

/// What is still to happen to processes, and what has.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct Strikes {
    to_come: VecDeque<Timed>,
    /// How many times each rule struck at a time.
    pub(super) toll: Toll,
    /// Those that were sent SIGKILL, are not yet noticed to be dead, and are to start again: by
    /// which rule of the plan.
    pub(super) to_restart: BTreeMap<ProcessId, usize>,
    /// What was last done to each process at a time.
    last: BTreeMap<ProcessId, Action>,
}

impl Strikes {
    pub(super) fn new(to_come: Vec<Timed>) -> Self {
        let (toll, to_restart, last) = (Toll::default(), BTreeMap::new(), BTreeMap::new());
        Self { to_come: to_come.into(), toll, to_restart, last }
    }

    /// Whether a process will start again.
    pub(super) fn restarts(&self, process: ProcessId) -> bool {
        let is_restart =
            |timed: &Timed| timed.process == process && timed.action == Action::Restart;
        self.to_restart.contains_key(&process) || self.to_come.iter().any(is_restart)
    }

    /// Whether a process was stopped, by a message if `by_message`, and will not be continued by
    /// plan.
    pub(super) fn is_stopped_for_good(&self, process: ProcessId, by_message: bool) -> bool {
        let stopped = match self.last.get(&process) {
            Some(action) => *action == Action::Stop,
            None => by_message,
        };
        stopped && self.to_come.iter().all(|timed| timed.process != process)
    }
}

impl Conductor {
    /// The time has come for the next that the plan does.
    pub(super) fn on_strike_due(&mut self, ctx: &mut Context<Self>) {
        if self.stage == Stage::Running
            && let Some(timed) = self.strikes.to_come.pop_front()
        {
            self.strike_now(ctx, timed);
            self.strike(ctx);
        }
    }

    /// Does to processes what the plan says, as far as its time has come.
    pub(super) fn strike(&mut self, ctx: &mut Context<Self>) {
        while let Some(&timed) = self.strikes.to_come.front() {
            let left = timed.at.saturating_sub(self.clock.elapsed());
            if left > Duration::ZERO {
                return ctx.start_timer(Timer::Strike, left);
            }
            self.strikes.to_come.pop_front();
            self.strike_now(ctx, timed);
        }
    }

    fn strike_now(&mut self, ctx: &mut Context<Self>, timed: Timed) {
        let Timed { process, action, rule, is_end, .. } = timed;
        let member = &mut self.members[process.index()];
        if action != Action::Restart {
            member.struck.is_doomed |= action == Action::Kill;
            let (pid, rule) = (member.pid(), (!is_end).then_some(rule));
            self.strikes.last.insert(process, action);
            ctx.indicate(Order::Strike(Strike { process, pid, action, rule }));
        } else if member.has_died() {
            self.start_again(ctx, process, rule);
        } else if member.struck.is_doomed {
            // It was killed a moment ago, and that is not noticed yet.
            self.strikes.to_restart.insert(process, rule);
        } else {
            debug!("{process} is not dead, and does not start again");
        }
    }

    /// Counts a strike that has struck, or says why it has not.
    pub(super) fn on_struck(&mut self, strike: Strike, result: Result<(), String>) {
        let Strike { process, rule, .. } = strike;
        match (result, rule) {
            (Ok(()), Some(rule)) => self.strikes.toll.add(rule, 1),
            (Ok(()), None) => {}
            // One that has died meanwhile needs no signal any more.
            (Err(why), _) if self.members[process.index()].has_died() => debug!("{why}"),
            (Err(why), _) => {
                self.members[process.index()].struck.is_doomed = false;
                self.problems.push(why);
            }
        }
    }

    /// Starts a participant again where one has died, on the same machine, with the journal of the
    /// dead.
    pub(super) fn start_again(&mut self, ctx: &mut Context<Self>, process: ProcessId, rule: usize) {
        self.strikes.toll.add(rule, 1);
        let again_at = self.clock.elapsed();
        let member = &mut self.members[process.index()];
        let new = Member::new(member.host);
        let old = std::mem::replace(member, new);
        let (pid, died_at) = (old.pid(), old.died_at.unwrap_or_default());
        self.restarts.push(Restart { process, pid, died_at, again_at });
        member.journal = old.journal;
        member.first = old.first.or_else(|| old.hello.clone());
        member.former = old.hello.or(old.former);
        member.died_at = old.died_at;
        member.struck.spent = [old.struck.spent, old.struck.toll.rules()].concat();
        self.strikes.toll.merge(&old.struck.toll);
        ctx.indicate(Order::StartAgain { process, spent: member.struck.spent.clone() });
    }

    /// A participant that could not be started again is dead for good.
    pub(super) fn check_started_again(&mut self, ctx: &mut Context<Self>, ranks: &[u32]) {
        for &rank in ranks {
            if self.members.get(rank as usize).is_some_and(|member| member.former.is_some()) {
                let why = "it could not be started again".to_owned();
                self.lose(ctx, ProcessId(rank), why, Loss::Died);
            }
        }
    }

    /// Tells a participant that starts again when the others started and whom to connect to, and
    /// those that connect to it, where it is.
    pub(super) fn readmit(&mut self, ctx: &mut Context<Self>, process: ProcessId) {
        self.members[process.index()].phase = Phase::Ready;
        let links = |process| self.rules.overlay.links(process, self.members.len() as u32).opens;
        let is_gone = |other: &ProcessId| self.members[other.index()].is_dead();
        let opens = links(process).into_iter().filter(|other| !is_gone(other));
        let resumption = Resumption {
            at_us: self.clock.elapsed().as_micros().try_into().unwrap_or(u64::MAX),
            follow: self.rules.follows.then(|| self.members[process.index()].journal),
            opens: opens.map(|other| self.contact(other)).collect(),
            gone: self.ranked().map(|(other, _)| other).filter(is_gone).collect(),
        };
        self.tell(ctx, process, ToParticipant::Resume(resumption));
        let moved = ToParticipant::Moved(self.contact(process));
        let neighbours = self.ranked().filter(|(other, _)| links(*other).contains(&process));
        neighbours.for_each(|(other, _)| self.tell(ctx, other, moved.clone()));
    }
}
