//! Who is gone, and how that is noticed.
//!
//! A connection that ends means a process that died. A participant that says nothing, though it is asked twice a
//! second, is silent; neighbours that cannot reach each other say so. Where the others may not go on without it,
//! the run ends: after a moment, in which those that are left say what they noticed.

use std::time::Duration;

use log::{info, warn};
use netkit::Net;

use super::{Conductor, Loss, Stage, now};
use crate::process::ProcessId;
use crate::run::participant::{SILENCE_MAX, WATCH_INTERVAL};
use crate::run::wire::ToParticipant;

/// How long the participants that are left get to say what they noticed, after one has died.
const NOTICE_PAUSE: Duration = Duration::from_millis(400);

impl Conductor<'_> {
    /// A participant is gone, or as good as gone. The run ends.
    pub(super) fn lose(&mut self, net: &mut Net, process: ProcessId, why: String, loss: Loss) {
        let member = &mut self.members[process.index()];
        if member.loss >= Some(loss) {
            return;
        }
        warn!("{process} is gone: {why}");
        // That it died explains what was noticed before.
        member.gone = Some(why);
        member.loss = Some(loss);
        if loss == Loss::Died {
            member.died_at = self.started_at.map(|at| at.elapsed());
            if self.stage == Stage::Running && self.plan.survives_crashes {
                if let Some(rule) = self.strikes.to_restart.remove(&process) {
                    self.start_again(process, rule);
                }
                return self.check_finished(net);
            }
        }
        match self.stage {
            Stage::Launching | Stage::Connecting | Stage::Running | Stage::Staying => {
                self.elapsed = self.started_at.map_or(Duration::ZERO, |at| at.elapsed());
                self.stage = Stage::Noticing;
                self.set_deadline(net, NOTICE_PAUSE);
            }
            Stage::Collecting => self.check_collected(net),
            Stage::Noticing | Stage::Stopping => {}
        }
    }

    pub(super) fn on_peer_lost(
        &mut self,
        net: &mut Net,
        by: ProcessId,
        peer: ProcessId,
        why: String,
    ) {
        let Some(member) = self.members.get_mut(peer.index()) else { return };
        info!("{by} lost {peer}: {why}");
        member.lost_by.push((by, why));
        if self.plan.survives_crashes {
            return;
        }
        let member = &self.members[peer.index()];
        if member.gone.is_none() && self.stage <= Stage::Running {
            // If it died, its connection to the launcher ends in a moment. If it does not, perhaps only
            // the two cannot reach each other: the algorithm cannot go on all the same.
            let is_deaf = member.last_word.elapsed() > WATCH_INTERVAL * 2;
            let (why, loss) = match is_deaf {
                true => ("it does not answer", Loss::Silent),
                false => ("it answers the launcher, but its neighbours lost it", Loss::Talks),
            };
            self.lose(net, peer, why.to_owned(), loss);
        }
    }

    pub(super) fn watch(&mut self, net: &mut Net) {
        self.tick = net.start_timer(WATCH_INTERVAL);
        self.notice_own_stop();
        self.tell_all(net, &ToParticipant::Ping);
        if self.stage >= Stage::Noticing {
            return;
        }
        let silent: Vec<_> = (0..)
            .map(ProcessId)
            .zip(&self.members)
            .filter(|(_, m)| m.connection.is_some() && m.gone.is_none())
            .filter(|(_, member)| member.last_word.elapsed() > SILENCE_MAX)
            .filter(|(process, _)| !self.may_be_silent(*process))
            .map(|(process, _)| process)
            .collect();
        for process in silent {
            let why = format!("it does not answer for {:.1} s", SILENCE_MAX.as_secs_f64());
            self.lose(net, process, why, Loss::Silent);
        }
        if let (Stage::Running, Some(at)) = (self.stage, self.started_at) {
            let finished = self.members.iter().filter(|member| member.is_finished).count();
            let (seconds, all) = (at.elapsed().as_secs(), self.members.len());
            self.say(format!("running for {seconds} s, {finished} of {all} finished"));
            if self.plan.survives_crashes {
                // Some may stand still for good by now.
                self.check_finished(net);
            }
        }
    }

    /// Whether it is expected that a participant stands still.
    pub(super) fn may_be_silent(&self, process: ProcessId) -> bool {
        self.started_at.is_some() && (self.plan.survives_crashes || self.plan.faults.stops(process))
    }

    /// If this program itself was stopped (Ctrl-Z, a closed lid), the participants heard nothing for so
    /// long and have ended, as they must: that is nobody's fault but ours.
    fn notice_own_stop(&mut self) {
        let late = self.last_tick.elapsed();
        self.last_tick = now();
        if late > SILENCE_MAX && self.stage < Stage::Noticing {
            self.problems.push(format!(
                "the launcher itself was stopped for {:.0} s (Ctrl-Z, suspend?): processes that hear \
                 nothing from it for {:.0} s end",
                late.as_secs_f64(),
                SILENCE_MAX.as_secs_f64()
            ));
            self.members.iter_mut().for_each(|member| member.last_word = now());
        }
    }
}
