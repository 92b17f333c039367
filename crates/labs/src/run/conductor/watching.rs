//! Which participants are gone, and how that is noticed.
//!
//! A connection that ends means a process that died. A participant that says nothing, though it is
//! asked twice a second, is silent; neighbours that cannot reach each other say so. Where the
//! others may not go on without it, the run ends: after a moment, in which those that are left say
//! what they noticed.

use std::time::Duration;

use log::{info, warn};

use super::{Conductor, Loss, Phase, Stage, Timer};
use crate::process::{Context, ProcessId};
use crate::run::participant::{QUESTIONS_MAX, SILENCE_MAX, WATCH_INTERVAL};
use crate::run::wire::ToParticipant;

/// How long the participants that are left get to say what they noticed, after one has died.
const NOTICE_PAUSE: Duration = Duration::from_millis(400);

impl Conductor {
    /// A participant is gone, or as good as gone. The run ends, unless the others may go on.
    pub(super) fn lose(
        &mut self,
        ctx: &mut Context<Self>,
        process: ProcessId,
        why: String,
        loss: Loss,
    ) {
        let began = self.began();
        let member = &mut self.members[process.index()];
        if member.loss() >= Some(loss) {
            return;
        }
        warn!("{process} is gone: {why}");
        // That it died explains what was noticed before.
        member.loss = Some((loss, why));
        if loss == Loss::Died {
            member.died_at = began.then(|| self.clock.elapsed());
            if self.stage == Stage::Running && self.rules.survives {
                self.tell_all(ctx, &ToParticipant::Gone(process));
                if let Some(rule) = self.strikes.to_restart.remove(&process) {
                    self.start_again(ctx, process, rule);
                }
                return self.check_finished(ctx);
            }
        }
        match self.stage {
            Stage::Launching | Stage::Connecting | Stage::Running | Stage::Staying => {
                self.elapsed = self.clock.elapsed();
                self.stage = Stage::Noticing;
                ctx.start_timer(Timer::Deadline, NOTICE_PAUSE);
            }
            Stage::Collecting { .. } => self.check_collected(ctx),
            Stage::Noticing | Stage::Stopping => {}
        }
    }

    pub(super) fn on_peer_lost(
        &mut self,
        ctx: &mut Context<Self>,
        by: ProcessId,
        peer: ProcessId,
        why: String,
    ) {
        let Some(member) = self.members.get_mut(peer.index()) else { return };
        info!("{by} lost {peer}: {why}");
        member.lost_by.push((by, why));
        if self.rules.survives || member.loss.is_some() || self.stage > Stage::Running {
            return;
        }
        // If it died, its connection to the launcher ends in a moment. If it does not, perhaps only
        // the two cannot reach each other: the algorithm cannot go on all the same.
        let (why, loss) = match member.is_deaf() {
            true => ("it does not answer", Loss::Silent),
            false => ("it answers the launcher, but its neighbours lost it", Loss::Talks),
        };
        self.lose(ctx, peer, why.to_owned(), loss);
    }

    pub(super) fn watch(&mut self, ctx: &mut Context<Self>) {
        ctx.start_timer(Timer::Tick, WATCH_INTERVAL);
        self.notice_own_stop();
        self.tell_all(ctx, &ToParticipant::Ping);
        self.members.iter_mut().for_each(|member| member.unanswered += 1);
        if self.stage >= Stage::Noticing {
            return;
        }
        let silent: Vec<_> = self
            .ranked()
            .filter(|(_, member)| member.is_connected && member.loss.is_none())
            .filter(|(_, member)| member.unanswered > QUESTIONS_MAX)
            .filter(|(process, _)| !self.may_be_silent(*process))
            .map(|(process, _)| process)
            .collect();
        for process in silent {
            let why = format!("it does not answer for {:.1} s", SILENCE_MAX.as_secs_f64());
            self.lose(ctx, process, why, Loss::Silent);
        }
        if self.stage == Stage::Running {
            let is_finished = |member: &&super::Member| member.phase == Phase::Finished;
            let finished = self.members.iter().filter(is_finished).count();
            let (seconds, all) = (self.clock.elapsed().as_secs(), self.members.len());
            self.say(ctx, format!("running for {seconds} s, {finished} of {all} finished"));
            if self.rules.survives {
                // Some may stand still for good by now.
                self.check_finished(ctx);
            }
        }
    }

    /// Whether it is expected that a participant stands still.
    pub(super) fn may_be_silent(&self, process: ProcessId) -> bool {
        let is_stopped_by_plan = || self.rules.stops.iter().any(|(whom, _)| *whom == process);
        self.began() && (self.rules.survives || is_stopped_by_plan())
    }

    /// If this program itself was stopped (Ctrl-Z, a closed lid), the participants heard nothing
    /// for so long and have ended, as they must: that is nobody's fault but ours.
    fn notice_own_stop(&mut self) {
        let late = self.clock.now.saturating_sub(self.clock.last_tick);
        self.clock.last_tick = self.clock.now;
        if late > SILENCE_MAX && self.stage < Stage::Noticing {
            self.problems.push(format!(
                "the launcher itself was stopped for {:.0} s (Ctrl-Z, suspend?): processes that hear \
                 nothing from it for {:.0} s end",
                late.as_secs_f64(),
                SILENCE_MAX.as_secs_f64()
            ));
            self.members.iter_mut().for_each(|member| member.unanswered = 0);
        }
    }
}
