//! How participants come to take part: each is started, says hello, and is released to connect to its neighbours
//! once all are there.
//!
//! Starting over SSH blocks, and so happens in threads. In a star the launcher starts all; in a chain or a tree
//! it starts the first, which is told whom to start.

use std::net::IpAddr;
use std::thread;

use log::{debug, info};
use netkit::Net;
use netkit::launch::{Job, LaunchEvent, Program, Stage as LaunchStage};
use netkit::membership::Secret;

use super::{Conductor, Hello, Report, Stage};
use crate::lab::Launch;
use crate::overlay::Contact;
use crate::process::ProcessId;
use crate::run::config::{Config, Relay};
use crate::run::participant_job;
use crate::run::plan::Plan;
use crate::run::routes::launcher_addresses;
use crate::run::wire::ToParticipant;

/// What all participants must know, p0 as far as they differ.
pub(super) fn participant_config(
    plan: &Plan,
    placement: &[usize],
    secret: Secret,
    port: u16,
) -> Config {
    Config {
        run: plan.run.clone(),
        secret,
        rank: 0,
        processes: plan.processes,
        launcher: launcher_addresses(plan, placement, port),
        seed: plan.seed,
        trace: plan.journals_on_disk(),
        shows_log: plan.follow_logs,
        watch: plan.watches(),
        max_frame: plan.max_frame,
        broken: plan.broken.clone(),
        options: plan.options.clone(),
        relay: None,
        faults: plan.faults.to_string(),
        again: false,
        spent: Vec::new(),
    }
}

/// What starts the participant `rank`, on a machine that sees this one at the address `seen`.
pub(super) fn job(
    config: &Config,
    rank: u32,
    seen: IpAddr,
    is_advertised: bool,
    program: Program,
) -> Job {
    let mut config = Config { rank, ..config.clone() };
    // Where SSH came from is where the launcher is, unless somebody knows better.
    if let Some(route) = config.launcher.get_mut(rank as usize)
        && !is_advertised
        && !seen.is_loopback()
    {
        route.set_ip(seen);
    }
    participant_job(&config, program)
}

/// Starts the threads that launch.
pub(super) fn start_launching(plan: &Plan, placement: Vec<usize>, config: &Config, report: Report) {
    let config = config.clone();
    let (hosts, launch) = (plan.hosts.clone(), plan.launch.clone());
    let (mode, overlay, advertise) = (plan.mode, plan.overlay, plan.advertise);
    let program = Program::Here(launch.program.clone());
    thread::spawn(move || match mode {
        Launch::Star => {
            let is_advertised = advertise.is_some();
            let job = |rank, seen| job(&config, rank, seen, is_advertised, program.clone());
            netkit::launch::launch_all(&hosts, &placement, &launch, &job, &*report);
        }
        Launch::Chain | Launch::Tree => {
            let first = placement[0];
            let tree = (mode == Launch::Tree).then_some(overlay);
            let relay = Relay { hosts: hosts.clone(), placement, launch: launch.clone(), tree };
            let config = Config { relay: Some(relay), ..config };
            let host = hosts.get(first).expect("the placement names machines of the list");
            let job = participant_job(&config, program);
            report(match netkit::launch::launch_one(host, &launch, |_| job) {
                Ok(pid) => LaunchEvent::Started { rank: 0, host: first, pid },
                Err(error) => LaunchEvent::Failed { ranks: vec![0], host: first, error },
            });
        }
    });
}

impl Conductor<'_> {
    pub(super) fn on_launch(&mut self, net: &mut Net, event: LaunchEvent) {
        match event {
            LaunchEvent::Started { rank, pid, .. } => self.on_started(rank, Ok(pid)),
            LaunchEvent::Failed { ranks, error, .. } => {
                let whom: Vec<_> = ranks.iter().map(|&rank| ProcessId(rank).to_string()).collect();
                self.problems.push(format!("{} not started: {error}", whom.join(", ")));
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
