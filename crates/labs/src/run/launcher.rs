//! The launcher: starts the participants of a run, conducts it, and cleans up after it.
//!
//! It is a service on netkit's event loop. Launching over SSH blocks and so happens in threads, which
//! report to the loop. The stages of a run are those of [`super::participant`], seen from the other end:
//! each stage begins when every participant has done the one before, and each has a deadline.
//!
//! **Nothing is left behind.** Whatever goes wrong, the launcher tells every participant to stop, waits
//! for their connections to end, and then kills what is still there: here by itself, elsewhere over
//! SSH. A participant that it cannot reach ends by itself, for it hears nothing from the launcher.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use log::{debug, info, warn};
use netkit::hosts::{Host, Hosts};
use netkit::launch::{LaunchEvent, LaunchOptions, Program};
use netkit::logs::RunFolder;
use netkit::membership::{Membership, Secret};
use netkit::run_id::RunId;
use netkit::ssh::Remote;
use netkit::{Admission, CloseReason, ConnectionId, Net, Peer, Service, Signal, TimerId};

use super::collect::{self, Collected, Judged};
use super::config::{Chain, Config};
use super::participant::{SILENCE_MAX, WATCH_INTERVAL, trace_name};
use super::wire::{LAUNCHER, ToLauncher, ToParticipant};
use super::{FOLDER, REAP, participant_job};
use crate::overlay::{Contact, Overlay};
use crate::process::ProcessId;
use crate::trace::event::{CLOCKS_MAX_PROCESSES, FORMAT};
use crate::trace::{Header, TraceEvent};
use crate::verdict::{End, Spec};

/// How long launching may take. Each step of it has a deadline of its own; this is for what is
/// forgotten by all of them, and longer than all of them together on a slow machine.
const LAUNCH_MAX: Duration = Duration::from_secs(180);

/// How long the participants that are left get to say what they noticed, after one has died.
const NOTICE_PAUSE: Duration = Duration::from_millis(400);

/// How long a journal may make no progress before the run is judged without it.
const COLLECT_MAX: Duration = Duration::from_secs(5);

/// How long participants get to end after they were told to.
const STOP_MAX: Duration = Duration::from_secs(2);

/// How long one machine may take when what is left on it is cleaned up or fetched.
const CLEAN_UP_MAX: Duration = Duration::from_secs(4);

/// The largest trace that is fetched from a machine whose participant died, in bytes.
const FETCH_MAX: u64 = 1 << 30;

/// Who starts whom.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub enum Launch {
    /// The launcher starts all participants.
    #[default]
    Star,
    /// The launcher starts the first, and each starts the next from its own machine.
    Chain,
}

/// Everything that a run needs to know.
pub struct Plan {
    /// Which lab.
    pub lab: &'static str,
    /// The name of the run.
    pub run: RunId,
    /// How many participants.
    pub processes: u32,
    /// What random choices are drawn from.
    pub seed: u64,
    /// The machines.
    pub hosts: Hosts,
    /// How to reach them.
    pub launch: LaunchOptions,
    /// Who starts whom.
    pub mode: Launch,
    /// The address at which participants find the launcher, if it is not to be found out.
    pub advertise: Option<IpAddr>,
    /// How the participants are connected.
    pub overlay: Overlay,
    /// What is demanded of the run.
    pub properties: Vec<Spec>,
    /// The lab's options as JSON.
    pub options: serde_json::Value,
    /// The mistake to make, as JSON.
    pub broken: Option<serde_json::Value>,
    /// The command line after the verb.
    pub arguments: Vec<String>,
    /// Where to write the trace, if anywhere.
    pub trace: Option<PathBuf>,
    /// How long the run may take, launching apart.
    pub timeout: Duration,
    /// Whether to leave the participants there when they have finished, until a signal comes.
    pub stay: bool,
    /// The largest body of a frame, in bytes.
    pub max_frame: usize,
    /// Whether participants watch their neighbours.
    pub watch: bool,
}

/// What is known of one participant.
#[derive(Clone, Debug)]
pub struct Participant {
    /// Its machine as the host file names it.
    pub host: String,
    /// Its process id there; 0 if it never joined.
    pub pid: u32,
    /// Its log file there.
    pub log: String,
}

/// A run that has ended, and been judged.
pub struct Finished {
    /// The participants, by rank.
    pub participants: Vec<Participant>,
    /// From the start of the algorithm to its end.
    pub elapsed: Duration,
    /// Why it did not come to its end, if it did not.
    pub problems: Vec<String>,
    /// The judge, with its counts.
    pub judge: crate::verdict::Judge,
    /// The verdicts.
    pub verdicts: Vec<crate::verdict::Verdict>,
    /// What was killed at the end because it could not end by itself.
    pub killed: Vec<String>,
}

/// Runs a plan to its end, showing each event of the run to `watch` at the end, and what goes on to
/// `progress` meanwhile.
///
/// # Errors
///
/// If it could not be started at all, or its journals could not be judged. Whatever was started has
/// ended.
pub fn run(
    plan: Plan,
    watch: impl FnMut(&TraceEvent),
    progress: &mut dyn FnMut(&str),
) -> anyhow::Result<Finished> {
    let folder = RunFolder::create(FOLDER, &plan.run)?;
    let mut net = Net::new(netkit::Limits { max_frame: plan.max_frame, ..Default::default() })?;
    net.watch_signals(&[Signal::SIGINT as i32, Signal::SIGTERM as i32])?;
    let secret = Secret::random()?;
    let membership = Membership { run: plan.run.to_string(), secret: secret.clone(), me: LAUNCHER };
    let (_, listening) = net.listen(listen_address(&plan), Admission::Members(membership))?;
    let placement = plan.hosts.place(plan.processes);
    let members = placement.iter().map(|&host| Member::new(host)).collect();
    let (to_conductor, from_launch) = mpsc::channel();
    let mut conductor = Conductor {
        members,
        connections: BTreeMap::new(),
        stage: Stage::Launching,
        launches_left: plan.processes,
        from_launch,
        problems: Vec::new(),
        started_at: None,
        elapsed: Duration::ZERO,
        deadline: Some(net.start_timer(LAUNCH_MAX)),
        tick: net.start_timer(WATCH_INTERVAL),
        interrupted: false,
        timed_out: false,
        folder: &folder,
        progress,
        last_message: String::new(),
        plan: &plan,
    };
    let waker = net.waker();
    let report = move |event| {
        // The conductor may have ended already; then nobody is interested.
        let _ = to_conductor.send(event);
        let _ = waker.wake();
    };
    start_launching(&plan, placement, secret, listening.port(), report);
    net.run(&mut conductor)?;
    conductor.conclude(watch)
}

/// Starts the threads that launch.
fn start_launching(
    plan: &Plan,
    placement: Vec<usize>,
    secret: Secret,
    port: u16,
    report: impl Fn(LaunchEvent) + Send + Sync + 'static,
) {
    let routes = launcher_addresses(plan, &placement, port);
    let config = Config {
        run: plan.run.clone(),
        secret,
        rank: 0,
        processes: plan.processes,
        launcher: routes,
        seed: plan.seed,
        trace: plan.trace.is_some(),
        watch: plan.watch,
        max_frame: plan.max_frame,
        broken: plan.broken.clone(),
        options: plan.options.clone(),
        chain: None,
    };
    let (hosts, launch, mode, advertise) =
        (plan.hosts.clone(), plan.launch.clone(), plan.mode, plan.advertise);
    let program = Program::Here(launch.program.clone());
    thread::spawn(move || match mode {
        Launch::Star => {
            let job = |rank: u32, seen: IpAddr| {
                let mut config = Config { rank, ..config.clone() };
                let route = &mut config.launcher[rank as usize];
                // Where SSH came from is where the launcher is, unless somebody knows better.
                if advertise.is_none() && !seen.is_loopback() {
                    route.set_ip(seen);
                }
                participant_job(&config, program.clone())
            };
            netkit::launch::launch_all(&hosts, &placement, &launch, &job, &report);
        }
        Launch::Chain => {
            let first = placement[0];
            let chain = Chain { hosts: hosts.clone(), placement, launch: launch.clone() };
            let config = Config { chain: Some(chain), ..config };
            let host = hosts.get(first).expect("the placement names machines of the list");
            let job = participant_job(&config, program);
            report(match netkit::launch::launch_one(host, &launch, |_| job) {
                Ok(pid) => LaunchEvent::Started { rank: 0, host: first, pid },
                Err(error) => LaunchEvent::Failed { ranks: vec![0], host: first, error },
            });
        }
    });
}

/// Where to listen: on loopback if all participants are here, else everywhere.
fn listen_address(plan: &Plan) -> SocketAddr {
    if plan.hosts.iter().all(Host::is_local) && plan.advertise.is_none() {
        return (Ipv4Addr::LOCALHOST, 0).into();
    }
    // The IPv6 wildcard takes IPv4 too, where the machine has IPv6.
    let everywhere = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
    match std::net::TcpListener::bind(everywhere) {
        Ok(_) => everywhere,
        Err(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
    }
}

/// Where each participant finds the launcher, as far as that can be known before anybody is reached:
/// the address of this machine on the way to it. A participant on this machine is given an address that
/// the others can reach, for they will reach it under the same.
fn launcher_addresses(plan: &Plan, placement: &[usize], port: u16) -> Vec<SocketAddr> {
    let routes: BTreeMap<usize, IpAddr> = placement
        .iter()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .filter_map(|&index| {
            let host = plan.hosts.get(index)?;
            let route = if host.is_local() { None } else { address_towards(&host.name) };
            route.map(|address| (index, address))
        })
        .collect();
    let outward = routes.values().next().copied();
    placement
        .iter()
        .map(|index| {
            let address = plan
                .advertise
                .or(routes.get(index).copied())
                .or(outward)
                .unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
            SocketAddr::new(address, port)
        })
        .collect()
}

/// The address that this machine would use to reach `host`. Connecting a UDP socket sends nothing.
fn address_towards(host: &str) -> Option<IpAddr> {
    let target = (host, 22).to_socket_addrs().ok()?.next()?;
    let any: IpAddr = match target {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(target).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Stage {
    /// Waiting for everyone to join.
    Launching,
    /// Everyone is released to connect to the others.
    Connecting,
    Running,
    /// Finished, and kept there.
    Staying,
    /// A participant is gone; the others may have noticed something.
    Noticing,
    Collecting,
    Stopping,
}

/// What the launcher knows of one participant.
struct Member {
    host: usize,
    connection: Option<ConnectionId>,
    /// Its name of its machine, its pid, address and log.
    hello: Option<Hello>,
    /// The pid that starting it reported.
    started: Option<u32>,
    is_ready: bool,
    is_finished: bool,
    /// Why it takes no part any more.
    gone: Option<String>,
    /// Its process has died, as against not answering.
    died: bool,
    /// Who lost it, and how.
    lost_by: Vec<(ProcessId, String)>,
    last_word: Instant,
    journal: Option<(PathBuf, File)>,
    journal_length: u64,
    is_collected: bool,
    truncated: bool,
}

struct Hello {
    host: String,
    pid: u32,
    address: String,
    log: String,
}

impl Member {
    fn new(host: usize) -> Self {
        Self {
            host,
            connection: None,
            hello: None,
            started: None,
            is_ready: false,
            is_finished: false,
            gone: None,
            died: false,
            lost_by: Vec::new(),
            last_word: now(),
            journal: None,
            journal_length: 0,
            is_collected: false,
            truncated: false,
        }
    }

    fn pid(&self) -> u32 {
        self.hello.as_ref().map(|hello| hello.pid).or(self.started).unwrap_or(0)
    }
}

struct Conductor<'a> {
    plan: &'a Plan,
    folder: &'a RunFolder,
    members: Vec<Member>,
    connections: BTreeMap<ConnectionId, ProcessId>,
    stage: Stage,
    /// How many participants were neither started nor failed to start.
    launches_left: u32,
    from_launch: mpsc::Receiver<LaunchEvent>,
    problems: Vec<String>,
    started_at: Option<Instant>,
    elapsed: Duration,
    /// When the present stage is over at the latest.
    deadline: Option<TimerId>,
    /// Watching.
    tick: TimerId,
    interrupted: bool,
    timed_out: bool,
    progress: &'a mut dyn FnMut(&str),
    last_message: String,
}

impl Conductor<'_> {
    // Launching.

    fn on_launch(&mut self, net: &mut Net, event: LaunchEvent) {
        match event {
            LaunchEvent::Started { rank, pid, .. } => self.on_started(rank, Ok(pid)),
            LaunchEvent::Failed { ranks, error, .. } => {
                let whom: Vec<_> = ranks.iter().map(|&rank| ProcessId(rank).to_string()).collect();
                self.problems.push(format!("{} not started: {error}", whom.join(", ")));
                for rank in ranks {
                    self.on_started(rank, Err(()));
                }
            }
            LaunchEvent::Progress { host, stage } => {
                debug!("{}: {stage}", self.host(host));
            }
        }
        self.check_launched(net);
    }

    fn on_started(&mut self, rank: u32, result: Result<u32, ()>) {
        self.launches_left = self.launches_left.saturating_sub(1);
        let Some(member) = self.members.get_mut(rank as usize) else { return };
        match result {
            Ok(pid) => member.started = Some(pid),
            Err(()) => member.gone = Some("could not be started".to_owned()),
        }
    }

    /// All attempts are made, and some failed: there will be no run.
    fn check_launched(&mut self, net: &mut Net) {
        let failed = self.members.iter().any(|member| member.gone.is_some());
        // In a chain, those behind the failed one are never tried.
        let tried = self.launches_left == 0 || self.plan.mode == Launch::Chain;
        if self.stage == Stage::Launching && failed && tried {
            self.stop(net);
        }
    }

    fn on_hello(&mut self, net: &mut Net, process: ProcessId, hello: Hello) {
        info!("{process} joined from {} as process {}", hello.host, hello.pid);
        self.members[process.index()].hello = Some(hello);
        let joined = self.members.iter().filter(|member| member.hello.is_some()).count();
        self.say(format!("{joined} of {} processes joined", self.members.len()));
        if joined == self.members.len() && self.stage == Stage::Launching {
            self.release(net);
        }
    }

    fn release(&mut self, net: &mut Net) {
        self.stage = Stage::Connecting;
        self.set_deadline(net, self.plan.timeout);
        let contact = |process: ProcessId| Contact {
            process,
            address: self.members[process.index()]
                .hello
                .as_ref()
                .map(|hello| hello.address.clone())
                .unwrap_or_default(),
        };
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

    // Running.

    fn on_ready(&mut self, net: &mut Net, process: ProcessId) {
        self.members[process.index()].is_ready = true;
        if self.stage == Stage::Connecting && self.members.iter().all(|member| member.is_ready) {
            self.say("all connected, running".to_owned());
            self.stage = Stage::Running;
            self.started_at = Some(now());
            self.set_deadline(net, self.plan.timeout);
            self.tell_all(net, &ToParticipant::Go);
        }
    }

    fn on_finished(&mut self, net: &mut Net, process: ProcessId) {
        self.members[process.index()].is_finished = true;
        if self.stage == Stage::Running && self.members.iter().all(|member| member.is_finished) {
            self.elapsed = self.started_at.map_or(Duration::ZERO, |at| at.elapsed());
            if self.plan.stay {
                self.stage = Stage::Staying;
                self.clear_deadline(net);
                self.say(format!(
                    "finished; the processes stay until you press Ctrl-C or end process {}",
                    std::process::id()
                ));
            } else {
                self.collect(net);
            }
        }
    }

    /// A participant is gone, or as good as gone. The run ends.
    fn lose(&mut self, net: &mut Net, process: ProcessId, why: String, died: bool) {
        let member = &mut self.members[process.index()];
        if member.gone.is_some() && (member.died || !died) {
            return;
        }
        warn!("{process} is gone: {why}");
        // That it died explains what was noticed before.
        member.gone = Some(why);
        member.died = died;
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

    fn on_peer_lost(&mut self, net: &mut Net, by: ProcessId, peer: ProcessId, why: String) {
        let Some(member) = self.members.get_mut(peer.index()) else { return };
        info!("{by} lost {peer}: {why}");
        member.lost_by.push((by, why));
        if member.gone.is_none() && self.stage <= Stage::Running {
            // If it died, its connection to the launcher ends in a moment. If it does not, perhaps only
            // the two cannot reach each other: the algorithm cannot go on all the same.
            let is_deaf = member.last_word.elapsed() > WATCH_INTERVAL * 2;
            let why = match is_deaf {
                true => "it does not answer",
                false => "it answers the launcher, but its neighbours lost it",
            };
            self.lose(net, peer, why.to_owned(), false);
        }
    }

    fn watch(&mut self, net: &mut Net) {
        self.tick = net.start_timer(WATCH_INTERVAL);
        self.tell_all(net, &ToParticipant::Ping);
        if self.stage >= Stage::Noticing {
            return;
        }
        let silent: Vec<_> = (0..)
            .map(ProcessId)
            .zip(&self.members)
            .filter(|(_, m)| m.connection.is_some() && m.gone.is_none())
            .filter(|(_, member)| member.last_word.elapsed() > SILENCE_MAX)
            .map(|(process, _)| process)
            .collect();
        for process in silent {
            let why = format!("it does not answer for {:.1} s", SILENCE_MAX.as_secs_f64());
            self.lose(net, process, why, false);
        }
        if let (Stage::Running, Some(at)) = (self.stage, self.started_at) {
            let finished = self.members.iter().filter(|member| member.is_finished).count();
            let (seconds, all) = (at.elapsed().as_secs(), self.members.len());
            self.say(format!("running for {seconds} s, {finished} of {all} finished"));
        }
    }

    // Handing over.

    fn collect(&mut self, net: &mut Net) {
        self.stage = Stage::Collecting;
        self.set_deadline(net, COLLECT_MAX);
        for rank in 0..self.plan.processes {
            let process = ProcessId(rank);
            if self.members[process.index()].gone.is_none() {
                self.tell(net, process, &ToParticipant::Collect { offset: 0 });
            }
        }
        self.check_collected(net);
    }

    fn on_journal(
        &mut self,
        net: &mut Net,
        process: ProcessId,
        bytes: &[u8],
        is_last: bool,
        truncated: bool,
    ) {
        if self.stage != Stage::Collecting {
            return;
        }
        if let Err(error) = self.write_journal(process, bytes) {
            self.problems.push(format!("the journal of {process} cannot be written: {error:#}"));
            return self.stop(net);
        }
        self.set_deadline(net, COLLECT_MAX);
        let member = &mut self.members[process.index()];
        member.journal_length += bytes.len() as u64;
        member.is_collected = is_last;
        member.truncated = truncated;
        let offset = member.journal_length;
        if is_last {
            self.check_collected(net);
        } else {
            self.tell(net, process, &ToParticipant::Collect { offset });
        }
    }

    fn write_journal(&mut self, process: ProcessId, bytes: &[u8]) -> anyhow::Result<()> {
        let member = &mut self.members[process.index()];
        if member.journal.is_none() {
            let name = format!("journal-{}", process.0);
            let file = self.folder.file(&name)?;
            member.journal = Some((self.folder.path().join(name), file));
        }
        let (_, file) = member.journal.as_mut().expect("made above");
        Ok(file.write_all(bytes)?)
    }

    fn check_collected(&mut self, net: &mut Net) {
        let all = self.members.iter().all(|m| m.is_collected || m.gone.is_some());
        if self.stage == Stage::Collecting && all {
            self.stop(net);
        }
    }

    fn stop(&mut self, net: &mut Net) {
        if self.stage == Stage::Stopping {
            return;
        }
        self.stage = Stage::Stopping;
        self.set_deadline(net, STOP_MAX);
        self.tell_all(net, &ToParticipant::Stop);
        self.check_stopped(net);
    }

    fn check_stopped(&mut self, net: &mut Net) {
        // Who is gone will not take leave.
        let waits = self.connections.values().any(|p| self.members[p.index()].gone.is_none());
        if self.stage == Stage::Stopping && !waits {
            net.stop();
        }
    }

    fn on_deadline(&mut self, net: &mut Net) {
        self.deadline = None;
        let timeout = self.plan.timeout.as_secs_f64();
        self.timed_out = self.stage <= Stage::Running;
        match self.stage {
            Stage::Launching => {
                let whom = self.unless(|member| member.hello.is_some());
                let seconds = LAUNCH_MAX.as_secs();
                self.problems.push(format!("{whom} did not join within {seconds} s"));
                self.stop(net);
            }
            Stage::Connecting => {
                let whom = self.unless(|member| member.is_ready);
                self.problems.push(format!(
                    "time-out: {whom} could not connect to their neighbours within {timeout} s; can \
                     the machines reach each other on any port?"
                ));
                self.collect(net);
            }
            Stage::Running => {
                self.elapsed = self.started_at.map_or(Duration::ZERO, |at| at.elapsed());
                let whom = self.unless(|member| member.is_finished);
                self.problems.push(format!(
                    "time-out: {whom} had not finished after {timeout} s; --timeout gives them longer"
                ));
                self.collect(net);
            }
            Stage::Noticing => self.collect(net),
            Stage::Collecting => {
                let whom = self.unless(|member| member.is_collected || member.gone.is_some());
                self.problems.push(format!("{whom} did not hand over their journals"));
                self.stop(net);
            }
            Stage::Staying => {}
            Stage::Stopping => net.stop(),
        }
    }

    fn interrupt(&mut self, net: &mut Net) {
        if self.stage == Stage::Staying {
            return self.collect(net);
        }
        if std::mem::replace(&mut self.interrupted, true) {
            return net.stop();
        }
        self.problems.push("interrupted: everything was stopped".to_owned());
        match self.stage {
            Stage::Running => {
                self.elapsed = self.started_at.map_or(Duration::ZERO, |at| at.elapsed());
                self.collect(net);
            }
            _ => self.stop(net),
        }
    }

    // Helpers.

    fn unless(&self, done: impl Fn(&Member) -> bool) -> String {
        let whom: Vec<_> = (0..)
            .map(ProcessId)
            .zip(&self.members)
            .filter(|(_, member)| !done(member))
            .map(|(process, _)| process.to_string())
            .collect();
        whom.join(", ")
    }

    fn host(&self, index: usize) -> String {
        self.plan.hosts.get(index).map_or_else(String::new, |host| host.to_string())
    }

    fn say(&mut self, message: String) {
        if message != self.last_message {
            (self.progress)(&message);
            self.last_message = message;
        }
    }

    fn tell_all(&mut self, net: &mut Net, word: &ToParticipant) {
        for rank in 0..self.plan.processes {
            self.tell(net, ProcessId(rank), word);
        }
    }

    fn tell(&mut self, net: &mut Net, process: ProcessId, word: &ToParticipant) {
        if let Some(connection) = self.members[process.index()].connection
            && let Err(error) = net.send_value(connection, word)
        {
            debug!("{process} was not told {word:?}: {error}");
        }
    }

    fn set_deadline(&mut self, net: &mut Net, after: Duration) {
        self.clear_deadline(net);
        self.deadline = Some(net.start_timer(after));
    }

    fn clear_deadline(&mut self, net: &mut Net) {
        if let Some(timer) = self.deadline.take() {
            net.stop_timer(timer);
        }
    }

    // After the run.

    fn conclude(mut self, watch: impl FnMut(&TraceEvent)) -> anyhow::Result<Finished> {
        let (killed, fetched) = self.clean_up();
        let journals: Vec<_> = (0..)
            .map(ProcessId)
            .zip(&self.members)
            .map(|(process, member)| Collected {
                journal: member
                    .journal
                    .as_ref()
                    .filter(|_| member.is_collected)
                    .map(|(path, _)| path.clone())
                    .or_else(|| fetched.get(&process).cloned()),
                truncated: member.truncated,
                died: member.died,
            })
            .collect();
        let mut problems = self.gone();
        problems.append(&mut self.problems);
        let plan = self.plan;
        let end = match self.cut_short_by(&problems) {
            None => End::Complete,
            Some(why) => End::CutShort(why),
        };
        let header = Header {
            trace: FORMAT,
            lab: plan.lab.to_owned(),
            verb: "run".to_owned(),
            run: plan.run.to_string(),
            processes: plan.processes,
            seed: plan.seed,
            arguments: plan.arguments.clone(),
            clocks: plan.trace.is_some() && plan.processes <= CLOCKS_MAX_PROCESSES,
            properties: plan.properties.clone(),
        };
        let judged = match self.started_at {
            Some(_) => collect::judge(&header, &journals, &end, plan.trace.as_deref(), watch)?,
            None => not_started(&header, &end),
        };
        if !judged.gaps.is_empty() {
            let gaps = judged.gaps.join("; ");
            problems.push(match plan.trace {
                Some(_) => gaps,
                None => format!("{gaps}: with --trace they are kept on disk, and can be judged"),
            });
        }
        let participants = self
            .members
            .iter()
            .map(|member| Participant {
                host: self.host(member.host),
                pid: member.pid(),
                log: member.hello.as_ref().map(|hello| hello.log.clone()).unwrap_or_default(),
            })
            .collect();
        Ok(Finished {
            participants,
            elapsed: self.elapsed,
            problems,
            judge: judged.judge,
            verdicts: judged.verdicts,
            killed,
        })
    }

    /// What cut the run short, in a word or two: the report says it at length.
    fn cut_short_by(&self, problems: &[String]) -> Option<String> {
        let gone = (0..).map(ProcessId).zip(&self.members).find(|(_, m)| m.gone.is_some());
        match gone {
            Some((process, member)) if member.died => Some(format!("{process} died")),
            Some((process, _)) => Some(format!("{process} is gone")),
            None if self.interrupted => Some("interrupted".to_owned()),
            None if self.timed_out => Some("time-out".to_owned()),
            None => problems.first().cloned(),
        }
    }

    /// One line for each participant that is gone, with who noticed.
    fn gone(&self) -> Vec<String> {
        let started = |member: &&Member| member.hello.is_some() || member.started.is_some();
        (0..)
            .map(ProcessId)
            .zip(&self.members)
            .filter(|(_, member)| started(member))
            .filter_map(|(process, member)| Some((process, member, member.gone.as_ref()?)))
            .map(|(process, member, why)| {
                let noticed: Vec<_> =
                    member.lost_by.iter().map(|(by, how)| format!("{by} ({how})")).collect();
                let noticed = match noticed.is_empty() {
                    true => String::new(),
                    false => format!("; noticed by {}", noticed.join(", ")),
                };
                let (host, pid) = (self.host(member.host), member.pid());
                format!("{process} on {host}, process {pid}: {why}{noticed}")
            })
            .collect()
    }

    /// Ends what is left on all machines, and fetches the traces of those who died. Machines on which
    /// everyone took leave are not visited again.
    fn clean_up(&mut self) -> (Vec<String>, BTreeMap<ProcessId, PathBuf>) {
        let mut killed = Vec::new();
        let mut fetched = BTreeMap::new();
        let unclean: BTreeSet<usize> = self
            .members
            .iter()
            .filter(|m| m.gone.is_some() || m.connection.is_some() || m.hello.is_none())
            .map(|member| member.host)
            .collect();
        let is_local = |index: usize| self.plan.hosts.get(index).is_some_and(Host::is_local);
        if self.members.iter().any(|member| is_local(member.host)) {
            let pids = netkit::reap::reap(&self.plan.run, Signal::SIGKILL);
            killed.extend(
                pids.iter()
                    .filter(|pid| self.was_lost(**pid))
                    .map(|pid| format!("process {pid} here")),
            );
        }
        let dead: Vec<_> = (0..)
            .map(ProcessId)
            .zip(&self.members)
            .filter(|(_, m)| !m.is_collected && m.hello.is_some() && self.plan.trace.is_some())
            .map(|(process, member)| (process, member.host, member.trace_path(process)))
            .collect();
        for (process, host, path) in &dead {
            if is_local(*host) && path.exists() {
                fetched.insert(*process, path.clone());
            }
        }
        let visits: Vec<_> = unclean
            .into_iter()
            .filter(|&index| !is_local(index))
            .filter_map(|index| {
                let host = self.plan.hosts.get(index)?.clone();
                let traces: Vec<_> = dead
                    .iter()
                    .filter(|(_, at, _)| *at == index)
                    .map(|(process, _, path)| (*process, path.clone()))
                    .collect();
                let (plan, folder) = (self.plan, self.folder);
                Some((host, traces, plan, folder))
            })
            .collect();
        let results = thread::scope(|scope| {
            let threads: Vec<_> = visits
                .into_iter()
                .map(|(host, traces, plan, folder)| {
                    scope.spawn(move || (host.to_string(), visit(&host, &traces, plan, folder)))
                })
                .collect();
            threads.into_iter().filter_map(|thread| thread.join().ok()).collect::<Vec<_>>()
        });
        for (host, result) in results {
            match result {
                Ok(visit) => {
                    killed.extend(visit.killed.iter().map(|pid| format!("process {pid} on {host}")));
                    fetched.extend(visit.fetched);
                }
                Err(error) => self.problems.push(format!(
                    "{host} could not be cleaned up ({error:#}): what runs there ends by itself within \
                     seconds, for it no longer hears the launcher"
                )),
            }
        }
        (killed, fetched)
    }

    /// Whether this process of this machine had not taken leave when it was killed.
    fn was_lost(&self, pid: u32) -> bool {
        self.members.iter().any(|m| m.pid() == pid && (m.gone.is_some() || m.connection.is_some()))
    }
}

impl Member {
    /// Where its trace is on its machine.
    fn trace_path(&self, process: ProcessId) -> PathBuf {
        let log = self.hello.as_ref().map(|hello| hello.log.as_str()).unwrap_or_default();
        PathBuf::from(log).with_file_name(trace_name(process.0))
    }
}

struct Visit {
    killed: Vec<String>,
    fetched: BTreeMap<ProcessId, PathBuf>,
}

/// Ends what is left on one machine, and fetches traces from it.
fn visit(
    host: &Host,
    traces: &[(ProcessId, PathBuf)],
    plan: &Plan,
    folder: &RunFolder,
) -> anyhow::Result<Visit> {
    let options = LaunchOptions {
        connect_timeout: CLEAN_UP_MAX,
        start_timeout: CLEAN_UP_MAX,
        ask: false,
        ..plan.launch.clone()
    };
    let mut remote = Remote::connect(host, &options)?;
    let program = match options.push {
        true => remote.push(&options.program)?,
        false => options.program.display().to_string(),
    };
    let output = remote.run(&[&program, REAP, "--run", plan.run.as_str()], &[], CLEAN_UP_MAX)?;
    let killed = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| line.strip_prefix("killed ").map(str::to_owned))
        .collect();
    let mut fetched = BTreeMap::new();
    for (process, path) in traces {
        let bytes = match remote.read_file(&path.to_string_lossy(), 0, FETCH_MAX) {
            Ok(bytes) => bytes,
            Err(error) => {
                warn!("the trace of {process} could not be fetched: {error}");
                continue;
            }
        };
        let name = format!("fetched-{}", process.0);
        folder.file(&name)?.write_all(&bytes).context("cannot write a fetched trace")?;
        fetched.insert(*process, folder.path().join(name));
    }
    Ok(Visit { killed, fetched })
}

/// Verdicts on a run that never began.
fn not_started(header: &Header, end: &End) -> Judged {
    let judge = crate::verdict::Judge::new(&header.properties, header.processes);
    let mut verdicts = judge.verdicts(end);
    for verdict in &mut verdicts {
        verdict.holds = None;
        verdict.detail = "the run never began".to_owned();
    }
    Judged { judge, verdicts, gaps: Vec::new() }
}

impl Service for Conductor<'_> {
    fn on_open(&mut self, net: &mut Net, connection: ConnectionId, peer: &Peer) {
        let rank = peer.rank.unwrap_or(LAUNCHER);
        match self.members.get_mut(rank as usize) {
            Some(member) if member.connection.is_none() && member.hello.is_none() => {
                member.connection = Some(connection);
                member.last_word = now();
                self.connections.insert(connection, ProcessId(rank));
                if self.stage == Stage::Stopping {
                    self.tell(net, ProcessId(rank), &ToParticipant::Stop);
                }
            }
            _ => {
                warn!("{} says it is p{rank}, which is here or does not exist", peer.address);
                net.close(connection);
            }
        }
    }

    fn on_frame(&mut self, net: &mut Net, connection: ConnectionId, body: &[u8]) {
        let Some(&process) = self.connections.get(&connection) else { return };
        self.members[process.index()].last_word = now();
        let word = match netkit::codec::decode(body) {
            Ok(word) => word,
            Err(error) => {
                return self.lose(
                    net,
                    process,
                    format!("it sent a malformed frame: {error}"),
                    false,
                );
            }
        };
        match word {
            ToLauncher::Hello { host, pid, address, log } => {
                self.on_hello(net, process, Hello { host, pid, address, log });
            }
            ToLauncher::Launched { rank, result } => {
                if let Err(error) = &result {
                    let next = ProcessId(rank);
                    self.problems.push(format!("{next} not started by {process}: {error}"));
                }
                self.on_started(rank, result.map_err(|_| ()));
                self.check_launched(net);
            }
            ToLauncher::Ready => self.on_ready(net, process),
            ToLauncher::Finished => self.on_finished(net, process),
            ToLauncher::PeerLost { peer, why } => self.on_peer_lost(net, process, peer, why),
            ToLauncher::Failed { why } => self.lose(net, process, why, false),
            ToLauncher::Pong => {}
            ToLauncher::Journal { bytes, is_last, truncated } => {
                self.on_journal(net, process, &bytes, is_last, truncated);
            }
        }
    }

    fn on_close(&mut self, net: &mut Net, connection: ConnectionId, reason: CloseReason) {
        let Some(process) = self.connections.remove(&connection) else { return };
        self.members[process.index()].connection = None;
        if self.stage == Stage::Stopping {
            self.check_stopped(net);
        } else {
            self.lose(net, process, format!("it died ({reason})"), true);
        }
    }

    fn on_timer(&mut self, net: &mut Net, timer: TimerId) {
        if timer == self.tick {
            self.watch(net);
        } else if Some(timer) == self.deadline {
            self.on_deadline(net);
        }
    }

    fn on_signal(&mut self, net: &mut Net, _: i32) {
        self.interrupt(net);
    }

    fn on_wake(&mut self, net: &mut Net) {
        while let Ok(event) = self.from_launch.try_recv() {
            self.on_launch(net, event);
        }
    }
}

/// The clock of this machine: who is silent is a matter of real time.
#[expect(clippy::disallowed_methods, reason = "this is the launcher, where time comes from")]
fn now() -> Instant {
    Instant::now()
}
