//! How participants come to take part: each is started, says hello, and is released to connect to
//! its neighbours once all are there.

use log::info;

use super::{Conductor, Loss, Phase, Stage, Timer};
use crate::lab::Launch;
use crate::overlay::Contact;
use crate::process::{Context, ProcessId};
use crate::run::wire::{Hello, ToParticipant};

impl Conductor {
    pub(super) fn on_started(&mut self, rank: u32, pid: u32) {
        self.launches_left = self.launches_left.saturating_sub(1);
        if let Some(member) = self.members.get_mut(rank as usize)
            && member.phase == Phase::Launching
        {
            member.phase = Phase::Launched(pid);
        }
    }

    pub(super) fn on_not_started(&mut self, rank: u32, how: Loss) {
        self.launches_left = self.launches_left.saturating_sub(1);
        if let Some(member) = self.members.get_mut(rank as usize)
            && member.loss() <= Some(how)
        {
            member.loss = Some((how, "could not be started".to_owned()));
        }
    }

    /// All attempts are made, and some failed: there will be no run.
    pub(super) fn check_launched(&mut self, ctx: &mut Context<Self>) {
        let failed = self.members.iter().any(|member| member.loss.is_some());
        // In a chain or a tree, those behind the failed one are never tried.
        let tried = self.launches_left == 0 || self.rules.mode != Launch::Star;
        if self.stage == Stage::Launching && failed && tried {
            self.stop(ctx);
        }
    }

    pub(super) fn on_hello(&mut self, ctx: &mut Context<Self>, process: ProcessId, hello: Hello) {
        info!("{process} joined from {} as process {}", hello.host, hello.pid);
        let member = &mut self.members[process.index()];
        member.hello = Some(hello);
        member.phase = Phase::Joined;
        member.died_at = None;
        if member.is_starting_again() {
            return self.readmit(ctx, process);
        }
        let joined = self.members.iter().filter(|member| member.phase >= Phase::Joined).count();
        self.say(ctx, format!("{joined} of {} processes joined", self.members.len()));
        if joined == self.members.len() && self.stage == Stage::Launching {
            self.release(ctx);
        }
    }

    fn release(&mut self, ctx: &mut Context<Self>) {
        self.stage = Stage::Connecting;
        ctx.start_timer(Timer::Deadline, self.rules.timeout);
        for (process, _) in self.ranked() {
            let links = self.rules.overlay.links(process, self.members.len() as u32);
            let opens = links.opens.into_iter().map(|other| self.contact(other)).collect();
            self.tell(ctx, process, ToParticipant::Release { opens, accepts: links.accepts });
        }
    }

    pub(super) fn contact(&self, process: ProcessId) -> Contact {
        let hello = self.members[process.index()].hello.as_ref();
        let address = hello.map(|hello| hello.address.clone()).unwrap_or_default();
        Contact { process, address }
    }
}
