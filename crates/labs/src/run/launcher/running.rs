//! From the moment at which all are connected to that at which everyone has done what it had to do.
//!
//! Time is counted from that first moment, at all participants. That everyone is done does not mean that
//! everyone said so: who has died and is not started again, and who was stopped for good where the others go
//! on without it, is not waited for.

use std::time::Duration;

use netkit::Net;

use super::{Conductor, Loss, Member, Stage, now};
use crate::faults::Action;
use crate::process::ProcessId;
use crate::run::participant::WATCH_INTERVAL;
use crate::run::wire::ToParticipant;

impl Conductor<'_> {
    pub(super) fn on_ready(&mut self, net: &mut Net, process: ProcessId) {
        self.members[process.index()].is_ready = true;
        if self.starting_again.remove(&process) {
            return self.resume(net, process);
        }
        if self.stage == Stage::Connecting && self.members.iter().all(|member| member.is_ready) {
            self.say("all connected, running".to_owned());
            self.stage = Stage::Running;
            self.started_at = Some(now());
            self.set_deadline(net, self.plan.timeout);
            self.audience.on_start(&self.participants());
            self.tell_all(net, &ToParticipant::Go);
            if self.plan.follow {
                self.tell_all(net, &ToParticipant::Follow);
            }
            self.strikes.begin(self.plan, |rank| self.members[rank].host);
            self.strike(net);
        }
    }

    pub(super) fn on_finished(&mut self, net: &mut Net, process: ProcessId) {
        self.members[process.index()].is_finished = true;
        self.check_finished(net);
    }

    /// Everyone who is still there has done all it had to do.
    pub(super) fn check_finished(&mut self, net: &mut Net) {
        let is_done = |(process, member): (ProcessId, &Member)| {
            member.is_finished
                || member.loss == Some(Loss::Died) && !self.strikes.restarts(process)
                || self.plan.survives_crashes && self.is_stopped_for_good(process)
        };
        let mut members = (0..).map(ProcessId).zip(&self.members);
        if self.stage == Stage::Running && members.all(is_done) {
            self.elapsed = self.started_at.map_or(Duration::ZERO, |at| at.elapsed());
            if self.plan.stay {
                self.stage = Stage::Staying;
                self.clear_deadline(net);
                // Whoever asked for this must learn how to end it, in a pipe too.
                crate::said::say(&format!(
                    "finished; the processes stay until you press Ctrl-C, or `labs stop {}`",
                    self.plan.run
                ));
            } else {
                self.collect(net);
            }
        }
    }

    /// Whether the plan stopped a process and does not continue it; and nobody else has.
    fn is_stopped_for_good(&self, process: ProcessId) -> bool {
        let member = &self.members[process.index()];
        let by_message = self.plan.faults.struck(Action::Stop, process, &member.toll);
        member.last_word.elapsed() > WATCH_INTERVAL * 2
            && self.strikes.is_stopped_for_good(process, by_message)
    }
}
