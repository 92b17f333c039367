//! How participants come to take part: each is started, says hello, and is released to connect to its neighbours
//! once all are there.

use log::{debug, info};
use netkit::Net;
use netkit::launch::{LaunchEvent, Stage as LaunchStage};

use super::{Conductor, Hello, Stage};
use crate::lab::Launch;
use crate::overlay::Contact;
use crate::process::ProcessId;
use crate::run::launching::names;
use crate::run::wire::ToParticipant;

impl Conductor<'_> {
    pub(super) fn on_launch(&mut self, net: &mut Net, event: LaunchEvent) {
        match event {
            LaunchEvent::Started { rank, pid, .. } => self.on_started(rank, Ok(pid)),
            LaunchEvent::Failed { ranks, error, .. } => {
                let whom = names(ranks.iter().copied());
                self.problems.push(format!("{whom} not started: {error}"));
                for rank in ranks {
                    if let Some(member) = self.members.get_mut(rank as usize) {
                        member.was_tried = error.stage >= LaunchStage::Start;
                    }
                    self.on_started(rank, Err(()));
                }
            }
            LaunchEvent::Progress { host, stage } => {
                debug!("{}: {stage}", self.host(host));
            }
        }
        self.check_launched(net);
        self.check_started_again(net);
    }

    pub(super) fn on_started(&mut self, rank: u32, result: Result<u32, ()>) {
        self.launches_left = self.launches_left.saturating_sub(1);
        let Some(member) = self.members.get_mut(rank as usize) else { return };
        match result {
            Ok(pid) => member.started = Some(pid),
            Err(()) => member.gone = Some("could not be started".to_owned()),
        }
    }

    /// All attempts are made, and some failed: there will be no run.
    pub(super) fn check_launched(&mut self, net: &mut Net) {
        let failed = self.members.iter().any(|member| member.gone.is_some());
        // In a chain or a tree, those behind the failed one are never tried.
        let tried = self.launches_left == 0 || self.plan.mode != Launch::Star;
        if self.stage == Stage::Launching && failed && tried {
            self.stop(net);
        }
    }

    pub(super) fn on_hello(&mut self, net: &mut Net, process: ProcessId, hello: Hello) {
        info!("{process} joined from {} as process {}", hello.host, hello.pid);
        let member = &mut self.members[process.index()];
        member.hello = Some(hello);
        member.died_at = None;
        if self.starting_again.contains(&process) {
            return self.readmit(net, process);
        }
        let joined = self.members.iter().filter(|member| member.hello.is_some()).count();
        self.say(format!("{joined} of {} processes joined", self.members.len()));
        if joined == self.members.len() && self.stage == Stage::Launching {
            self.release(net);
        }
    }

    fn release(&mut self, net: &mut Net) {
        self.stage = Stage::Connecting;
        self.set_deadline(net, self.plan.timeout);
        let contact = |process| self.contact(process);
        let releases: Vec<_> = (0..self.plan.processes)
            .map(|rank| {
                let links = self.plan.overlay.links(ProcessId(rank), self.plan.processes);
                let opens = links.opens.into_iter().map(contact).collect();
                ToParticipant::Release { opens, accepts: links.accepts }
            })
            .collect();
        for (rank, release) in (0..).zip(releases) {
            self.tell(net, ProcessId(rank), &release);
        }
    }

    pub(super) fn contact(&self, process: ProcessId) -> Contact {
        let hello = self.members[process.index()].hello.as_ref();
        let address = hello.map(|hello| hello.address.clone()).unwrap_or_default();
        Contact { process, address }
    }
}
