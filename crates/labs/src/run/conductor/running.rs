//! From the moment at which all are connected to that at which everyone has done what it had to do.
//!
//! Time is counted from that first moment, at all participants. That everyone is done does not mean
//! that everyone said so: a participant that has died and is not started again is not waited for,
//! nor is one that was stopped for good where the others go on without it.

use super::{Conductor, Member, Order, Phase, Stage, Timer};
use crate::process::{Context, ProcessId};
use crate::run::wire::ToParticipant;

impl Conductor {
    pub(super) fn on_ready(&mut self, ctx: &mut Context<Self>, process: ProcessId) {
        self.members[process.index()].phase = Phase::Ready;
        let all_ready = self.members.iter().all(|member| member.phase >= Phase::Ready);
        if self.stage != Stage::Connecting || !all_ready {
            return;
        }
        self.say(ctx, "all connected, running".to_owned());
        self.stage = Stage::Running;
        self.clock.began_at = Some(self.clock.now);
        ctx.start_timer(Timer::Deadline, self.rules.timeout);
        ctx.indicate(Order::Begin);
        self.tell_all(ctx, &ToParticipant::Go);
        if self.rules.follows {
            self.tell_all(ctx, &ToParticipant::Follow);
        }
        self.strike(ctx);
    }

    pub(super) fn on_finished(&mut self, ctx: &mut Context<Self>, process: ProcessId) {
        self.members[process.index()].phase = Phase::Finished;
        self.check_finished(ctx);
    }

    /// Everyone that is still there has done all it had to do.
    pub(super) fn check_finished(&mut self, ctx: &mut Context<Self>) {
        let is_done = |(process, member): (ProcessId, &Member)| {
            member.phase == Phase::Finished
                || member.has_died() && !self.strikes.restarts(process)
                || self.rules.survives && self.is_stopped_for_good(process)
        };
        if self.stage != Stage::Running || !self.ranked().all(is_done) {
            return;
        }
        self.elapsed = self.clock.elapsed();
        if self.rules.stays {
            self.stage = Stage::Staying;
            ctx.stop_timer(Timer::Deadline);
            ctx.indicate(Order::Stay);
        } else {
            self.collect(ctx);
        }
    }

    /// Whether the plan stopped a process and does not continue it; and nobody else has.
    fn is_stopped_for_good(&self, process: ProcessId) -> bool {
        let member = &self.members[process.index()];
        let mut stops = self.rules.stops.iter().filter(|(whom, _)| *whom == process);
        let by_message = stops.any(|(_, rule)| member.struck.toll.of(*rule) > 0);
        member.is_deaf() && self.strikes.is_stopped_for_good(process, by_message)
    }
}
