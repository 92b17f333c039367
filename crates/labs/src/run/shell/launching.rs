//! How participants are started: by the launcher, or by each other in a chain or a tree.
//!
//! Starting over SSH blocks, and so happens in threads. In a star the launcher starts all; in a
//! chain or a tree it starts the first, which is told which ones to start.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, mpsc};

use netkit::Waker;
use netkit::launch::{Job, LaunchError, LaunchEvent, LaunchOptions, Program, Stage};
use netkit::membership::Secret;
use netkit::threads;

use crate::lab::Launch;
use crate::run::config::{Config, Duties, Relay};
use crate::run::plan::Plan;
use crate::run::routes::launcher_addresses;
use crate::run::{PARTICIPANT, log_level};

/// Tells the conductor how launching goes, from any thread.
pub(in crate::run) type Report = Arc<dyn Fn(LaunchEvent) + Send + Sync>;

/// What all participants must know, p0 as far as they differ.
pub(in crate::run) fn participant_config(
    plan: &Plan,
    placement: &[usize],
    secret: Secret,
    port: u16,
) -> Config {
    Config {
        run: plan.run.clone(),
        secret,
        rank: 0,
        processes: plan.processes(),
        launcher: launcher_addresses(plan, placement, port),
        seed: plan.header.identity.seed,
        duties: Duties {
            trace: plan.journals_on_disk(),
            show_log: plan.has_page(),
            watch: plan.watches(),
        },
        max_frame: plan.room.max_frame,
        made_of: plan.made_of.clone(),
        relay: None,
        keepers: first_on_each(placement),
        keep: plan.keep,
        faults: plan.faults.to_string(),
        again: None,
    }
}

/// The first participant on each machine.
fn first_on_each(placement: &[usize]) -> BTreeSet<u32> {
    let mut known = BTreeSet::new();
    let ranked = (0..).zip(placement);
    ranked.filter(|(_, machine)| known.insert(**machine)).map(|(rank, _)| rank).collect()
}

/// What starts the participant of `config`.
fn participant_job(config: &Config, program: Program) -> Job {
    Job {
        program,
        // The run stands on the command line so that `ps` and cleaning up find it.
        arguments: [PARTICIPANT, "--run", config.run.as_str(), "--rank", &config.rank.to_string()]
            .map(str::to_owned)
            .to_vec(),
        environment: vec![("RUST_LOG".to_owned(), log_level())],
        stdin: config.to_bytes(),
    }
}

/// What starts the participant `rank`, on a machine that sees this one at the address `seen`.
fn job(plan: &Plan, config: &Config, rank: u32, seen: IpAddr) -> Job {
    let mut config = Config { rank, ..config.clone() };
    // Where SSH came from is where the launcher is, unless somebody knows better.
    if let Some(route) = config.launcher.get_mut(rank as usize)
        && plan.room.advertise.is_none()
        && !seen.is_loopback()
    {
        route.set_ip(seen);
    }
    participant_job(&config, program(plan))
}

fn program(plan: &Plan) -> Program {
    Program::Here(plan.room.launch.program.clone())
}

/// Starts the thread that launches all.
///
/// # Errors
///
/// If there can be no more threads; nothing was started then.
pub(in crate::run) fn launch(
    plan: &Arc<Plan>,
    placement: Vec<usize>,
    config: &Config,
    report: Report,
) -> io::Result<()> {
    let (plan, config) = (Arc::clone(plan), config.clone());
    threads::spawn("launch", move || {
        if plan.room.mode == Launch::Star {
            let job = |rank, seen| job(&plan, &config, rank, seen);
            return netkit::launch::launch_all(
                &plan.room.hosts,
                &placement,
                &plan.room.launch,
                &job,
                &*report,
            );
        }
        let first = placement[0];
        let tree = (plan.room.mode == Launch::Tree).then_some(plan.overlay);
        let (hosts, launch) = (plan.room.hosts.clone(), plan.room.launch.clone());
        let config = Config { relay: Some(Relay { hosts, placement, launch, tree }), ..config };
        let job = participant_job(&config, program(&plan));
        report(launch_one(&plan, 0, first, |_| job));
    })?;
    Ok(())
}

/// Starts a thread that launches one participant on a machine of the list, again.
pub(in crate::run) fn launch_again(plan: &Arc<Plan>, config: Config, host: usize, report: Report) {
    let plan = Arc::clone(plan);
    let rank = config.rank;
    let failed = Arc::clone(&report);
    let launching = threads::spawn("launch", move || {
        report(launch_one(&plan, rank, host, |seen| job(&plan, &config, rank, seen)));
    });
    if let Err(error) = launching {
        failed(LaunchEvent::Failed { ranks: vec![rank], host, error: not_even_tried(&error) });
    }
}

/// What to say of a participant that there was no thread to start.
fn not_even_tried(error: &io::Error) -> LaunchError {
    LaunchError {
        host: "localhost".to_owned(),
        stage: Stage::Start,
        what: error.to_string(),
        hint: String::new(),
    }
}

fn launch_one(plan: &Plan, rank: u32, host: usize, job: impl FnOnce(IpAddr) -> Job) -> LaunchEvent {
    let machine = plan.room.hosts.get(host).expect("the placement names machines of the list");
    match netkit::launch::launch_one(machine, &plan.room.launch, job) {
        Ok(pid) => LaunchEvent::Started { rank, host, pid },
        Err(error) => LaunchEvent::Failed { ranks: vec![rank], host, error },
    }
}

/// Those that a participant starts.
pub(in crate::run) struct Below {
    report: mpsc::Sender<(u32, Result<u32, String>)>,
    reports: mpsc::Receiver<(u32, Result<u32, String>)>,
    waker: Waker,
}

impl Below {
    /// Nobody yet. When it is known what has become of somebody, `waker` is used.
    pub(in crate::run) fn new(waker: Waker) -> Self {
        let (report, reports) = mpsc::channel();
        Self { report, reports, waker }
    }

    /// What has become of those that were started, by their ranks: the number of each process, or
    /// why there is none.
    pub(in crate::run) fn results(&self) -> Vec<(u32, Result<u32, String>)> {
        self.reports.try_iter().collect()
    }

    /// Starts the participants below this one, in a thread.
    pub(in crate::run) fn launch(&self, config: &Config) {
        let Some(relay) = config.relay.clone() else { return };
        let below = relay.below(config.rank);
        if below.is_empty() {
            return;
        }
        let (config, report, waker) = (config.clone(), self.report.clone(), self.waker.clone());
        let report = move |rank: u32, result: Result<u32, String>| {
            // Nobody receives any more if the run has ended meanwhile.
            let _ = report.send((rank, result));
            let _ = waker.wake();
        };
        let (ranks, failed) = (below.clone(), report.clone());
        let launching = threads::spawn("launch", move || {
            launch_below(&config, &relay, &below, &report);
        });
        if let Err(error) = launching {
            ranks.iter().for_each(|&rank| failed(rank, Err(error.to_string())));
        }
    }
}

/// Starts the participants of these ranks, and reports on each.
fn launch_below(
    config: &Config,
    relay: &Relay,
    ranks: &[u32],
    report: &(impl Fn(u32, Result<u32, String>) + Sync),
) {
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return ranks.iter().for_each(|&rank| report(rank, Err(error.to_string()))),
    };
    let launch = LaunchOptions { program: program.clone(), ..relay.launch.clone() };
    let placement: Vec<_> = ranks.iter().map(|&rank| relay.placement[rank as usize]).collect();
    let rank_of = |place: u32| ranks[place as usize];
    let job = |place: u32, _| {
        let config = Config { rank: rank_of(place), ..config.clone() };
        participant_job(&config, Program::Here(program.clone()))
    };
    netkit::launch::launch_all(&relay.hosts, &placement, &launch, &job, &|event| match event {
        LaunchEvent::Started { rank, pid, .. } => report(rank_of(rank), Ok(pid)),
        LaunchEvent::Failed { ranks, error, .. } => {
            ranks.iter().for_each(|&rank| report(rank_of(rank), Err(error.to_string())));
        }
        LaunchEvent::Progress { .. } => {}
    });
}
