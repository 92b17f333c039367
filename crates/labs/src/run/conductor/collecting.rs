//! Handing over: at the end each participant is asked for its journal, part by part.
//!
//! A participant that may stand still (SIGSTOP) is asked too, but continued only when the others
//! are done: that it goes on for the end of the run is no part of the run. While a run is followed,
//! parts come all the time, and the same functions take them.

use std::time::Duration;

use super::{Conductor, Cut, Handing, Loss, Member, Order, Stage, Strike, Timer};
use crate::faults::Action;
use crate::process::{Context, ProcessId};
use crate::run::participant::WATCH_INTERVAL;
use crate::run::wire::{Part, ToParticipant};

/// How long a journal may make no progress before the run is judged without it.
const COLLECT_MAX: Duration = Duration::from_secs(5);

/// The same after Ctrl-C, and before those are continued that may stand still.
const COLLECT_INTERRUPTED_MAX: Duration = Duration::from_secs(1);

impl Conductor {
    pub(super) fn collect(&mut self, ctx: &mut Context<Self>) {
        self.stage = Stage::Collecting { is_nudged: false };
        ctx.start_timer(Timer::Deadline, self.patience());
        for rank in 0..self.members.len() as u32 {
            let process = ProcessId(rank);
            let may_be_silent = self.may_be_silent(process);
            let member = &mut self.members[process.index()];
            if member.answers() && member.is_connected {
                member.handing = match may_be_silent && member.is_deaf() {
                    true => Handing::Asleep,
                    false => Handing::Asked,
                };
                let offset = member.journal;
                self.tell(ctx, process, ToParticipant::Collect { offset });
            }
        }
        self.check_collected(ctx);
    }

    /// Continues those that may stand still and of which that is thought, so that they can tell
    /// what they know. Returns whether there was one.
    fn wake(&self, ctx: &mut Context<Self>, stands_still: impl Fn(&Member) -> bool) -> bool {
        let mut woken = false;
        for (process, member) in self.ranked() {
            if self.may_be_silent(process) && stands_still(member) && member.is_connected {
                let (pid, action) = (member.pid(), Action::Continue);
                ctx.indicate(Order::Strike(Strike { process, pid, action, rule: None }));
                woken = true;
            }
        }
        woken
    }

    /// Nobody has handed over anything for a while: perhaps some were stopped a moment before the
    /// end.
    pub(super) fn nudge(&mut self, ctx: &mut Context<Self>) -> bool {
        self.stage = Stage::Collecting { is_nudged: true };
        let nudged = self.wake(ctx, |member| !member.owes_nothing());
        if nudged {
            ctx.start_timer(Timer::Deadline, self.patience());
        }
        nudged
    }

    /// Where the others go on without them, participants that have fallen silent are as good as dead.
    pub(super) fn give_up_silent(&mut self) {
        if !self.rules.survives || !self.began() {
            return;
        }
        let now = self.clock.elapsed();
        let silent = |member: &&mut Member| !member.owes_nothing() && member.is_deaf();
        for member in self.members.iter_mut().filter(silent) {
            let silence = WATCH_INTERVAL.saturating_mul(member.unanswered);
            member.died_at = Some(now.saturating_sub(silence));
            member.loss = Some((Loss::Silent, "it does not answer".to_owned()));
        }
    }

    pub(super) fn on_journal(&mut self, ctx: &mut Context<Self>, process: ProcessId, part: Part) {
        let Part { offset, bytes, is_last, truncated } = part;
        let collects = matches!(self.stage, Stage::Collecting { .. });
        let is_wanted = collects || matches!(self.stage, Stage::Running | Stage::Staying);
        let member = &mut self.members[process.index()];
        // What was under way when this part was asked for has brought it already.
        if !is_wanted || offset != member.journal {
            return;
        }
        member.journal += bytes.len() as u64;
        let offset = member.journal;
        ctx.indicate(Order::Write { process, bytes, is_last: collects && is_last });
        if !collects {
            return;
        }
        ctx.start_timer(Timer::Deadline, self.patience());
        if is_last {
            self.members[process.index()].handing = Handing::Collected { truncated };
            self.check_collected(ctx);
        } else {
            self.tell(ctx, process, ToParticipant::Collect { offset });
        }
    }

    pub(super) fn check_collected(&mut self, ctx: &mut Context<Self>) {
        if !matches!(self.stage, Stage::Collecting { .. }) {
            return;
        }
        if self.members.iter().all(Member::owes_nothing) {
            return self.stop(ctx);
        }
        // A participant that stands still is continued only now: the others have handed over what
        // they saw of the run, and that it goes on for the end is no part of it.
        let asleep = |member: &Member| member.handing == Handing::Asleep && member.answers();
        if self.members.iter().all(|member| member.owes_nothing() || asleep(member)) {
            self.wake(ctx, asleep);
            for member in &mut self.members {
                if member.handing == Handing::Asleep {
                    member.handing = Handing::Asked;
                }
            }
        }
    }

    /// How long a journal may make no progress. A person that pressed Ctrl-C does not want to wait,
    /// and a process that stands still will not move by itself.
    fn patience(&self) -> Duration {
        let may_stand_still = self.rules.survives || !self.rules.stops.is_empty();
        let is_nudged = matches!(self.stage, Stage::Collecting { is_nudged: true });
        match (self.cut == Some(Cut::Interrupted), may_stand_still && !is_nudged) {
            (false, false) => COLLECT_MAX,
            _ => COLLECT_INTERRUPTED_MAX,
        }
    }
}
