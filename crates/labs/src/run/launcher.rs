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
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use log::{debug, info, warn};
use netkit::launch::{Job, LaunchEvent, Program, Stage as LaunchStage};
use netkit::logs::RunFolder;
use netkit::membership::{Membership, Secret};
use netkit::{Admission, CloseReason, ConnectionId, Net, Peer, Service, Signal, TimerId};

use super::config::{Config, Relay};
use super::note::RunNote;
use super::participant::{SILENCE_MAX, WATCH_INTERVAL, trace_name};
use super::plan::{Audience, Finished, Launch, Plan, host_label};
use super::routes::{launcher_addresses, listen_address};
use super::strikes::{Answer, Order, Strikes, signal_of};
use super::wire::{LAUNCHER, ToLauncher, ToParticipant};
use super::{FOLDER, participant_job};
use crate::faults::{Action, Timed, Toll};
use crate::overlay::Contact;
use crate::process::ProcessId;
use crate::trace::{TraceEvent, format};

/// How long launching may take. Each step of it has a deadline of its own; this is for what is
/// forgotten by all of them, and longer than all of them together on a slow machine.
const LAUNCH_MAX: Duration = Duration::from_secs(180);

/// How long the participants that are left get to say what they noticed, after one has died.
const NOTICE_PAUSE: Duration = Duration::from_millis(400);

/// How long a journal may make no progress before the run is judged without it.
const COLLECT_MAX: Duration = Duration::from_secs(5);

/// The same after Ctrl-C, and before those are continued who may stand still.
const COLLECT_INTERRUPTED_MAX: Duration = Duration::from_secs(1);

/// How long participants get to end after they were told to.
const STOP_MAX: Duration = Duration::from_secs(2);

/// What interrupts a run: Ctrl-C, a plain `kill`, a terminal that is closed.
pub(super) const SIGNALS: [i32; 3] =
    [Signal::SIGINT as i32, Signal::SIGTERM as i32, Signal::SIGHUP as i32];

/// Runs a plan to its end, showing each event of the run to `watch` at the end, and what goes on to
/// `audience` meanwhile.
///
/// # Errors
///
/// If it could not be started at all, or its journals could not be judged. Whatever was started has
/// ended.
pub fn run(
    plan: Plan,
    watch: impl FnMut(&TraceEvent),
    audience: &mut dyn Audience,
) -> anyhow::Result<Finished> {
    let folder = RunFolder::create(FOLDER, &plan.run)?;
    RunNote::of(&plan).write(&folder)?;
    let mut net = Net::new(netkit::Limits { max_frame: plan.max_frame, ..Default::default() })?;
    net.watch_signals(&SIGNALS)?;
    let secret = Secret::random()?;
    let membership = Membership { run: plan.run.to_string(), secret: secret.clone(), me: LAUNCHER };
    let (_, listening) = net.listen(listen_address(&plan), Admission::Members(membership))?;
    let placement = plan.hosts.place(plan.processes);
    let members = placement.iter().map(|&host| Member::new(host)).collect();
    let (to_conductor, from_launch) = mpsc::channel();
    let waker = net.waker();
    let report: Report = Arc::new(move |event| {
        // The conductor may have ended already; then nobody is interested.
        let _ = to_conductor.send(event);
        let _ = waker.wake();
    });
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
        last_tick: now(),
        interrupted: false,
        is_nudged: false,
        timed_out: false,
        folder: &folder,
        audience,
        strikes: Strikes::new(net.waker()),
        config: participant_config(&plan, &placement, secret, listening.port()),
        report: Arc::clone(&report),
        starting_again: BTreeSet::new(),
        restarts: Vec::new(),
        last_message: String::new(),
        plan: &plan,
    };
    start_launching(&plan, placement, &conductor.config, report);
    net.run(&mut conductor)?;
    let remains = conductor.clean_up();
    // Nothing is left any more; judging a long trace takes its time, and Ctrl-C shall end that.
    if !plan.catches_signals {
        net.unwatch_signals(&SIGNALS)?;
    }
    conductor.conclude(remains, watch)
}

/// Tells the conductor how launching goes, from any thread.
type Report = Arc<dyn Fn(LaunchEvent) + Send + Sync>;

/// What all participants must know, p0 as far as they differ.
fn participant_config(plan: &Plan, placement: &[usize], secret: Secret, port: u16) -> Config {
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
fn job(config: &Config, rank: u32, seen: IpAddr, is_advertised: bool, program: Program) -> Job {
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
fn start_launching(plan: &Plan, placement: Vec<usize>, config: &Config, report: Report) {
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

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Stage {
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
pub(super) struct Member {
    pub(super) host: usize,
    pub(super) connection: Option<ConnectionId>,
    /// Its name of its machine, its pid, address and log.
    pub(super) hello: Option<Hello>,
    /// The pid that starting it reported.
    pub(super) started: Option<u32>,
    pub(super) is_ready: bool,
    pub(super) is_finished: bool,
    /// Something of it may be on its machine: the launch got as far as starting it, or that is not
    /// known.
    pub(super) was_tried: bool,
    /// Why it takes no part any more.
    pub(super) gone: Option<String>,
    /// What is known of it from before it was started again, until it says so itself.
    pub(super) former: Option<Hello>,
    /// The plan sent it SIGKILL.
    pub(super) is_doomed: bool,
    /// How many times the rules of the plan struck there.
    pub(super) toll: Toll,
    /// The rules that struck it before it was started again.
    spent: Vec<usize>,
    /// When it died, counted from the start of the algorithm.
    pub(super) died_at: Option<Duration>,
    /// How it is gone.
    pub(super) loss: Option<Loss>,
    /// It was asked for its journal.
    pub(super) is_asked: bool,
    /// Seems to stand still, and is to be continued when the others have handed over their journals.
    sleeps: bool,
    /// Who lost it, and how.
    pub(super) lost_by: Vec<(ProcessId, String)>,
    pub(super) last_word: Instant,
    /// Where its journal is collected.
    pub(super) journal: Option<PathBuf>,
    journal_file: Option<File>,
    pub(super) journal_length: u64,
    /// The beginning of a line of the journal whose end is not here yet.
    half_line: Vec<u8>,
    pub(super) is_collected: bool,
    pub(super) truncated: bool,
}

/// A part of a journal.
struct JournalPart {
    offset: u64,
    bytes: Vec<u8>,
    is_last: bool,
    truncated: bool,
}

pub(super) struct Hello {
    pub(super) host: String,
    pub(super) pid: u32,
    pub(super) address: String,
    pub(super) log: String,
}

/// How a participant is gone; the later explains more.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Loss {
    /// It takes no part any more, but still answers.
    Talks,
    /// It does not answer.
    Silent,
    /// Its process has ended.
    Died,
}

impl Member {
    /// Its journal is here, or is not to be had.
    fn owes_nothing(&self) -> bool {
        self.is_collected || !self.is_asked || self.loss > Some(Loss::Talks)
    }

    fn new(host: usize) -> Self {
        Self {
            host,
            connection: None,
            hello: None,
            started: None,
            is_ready: false,
            is_finished: false,
            was_tried: true,
            gone: None,
            loss: None,
            is_asked: false,
            sleeps: false,
            lost_by: Vec::new(),
            last_word: now(),
            journal: None,
            journal_file: None,
            journal_length: 0,
            half_line: Vec::new(),
            died_at: None,
            former: None,
            is_doomed: false,
            toll: Toll::default(),
            spent: Vec::new(),
            is_collected: false,
            truncated: false,
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.hello.as_ref().map(|hello| hello.pid).or(self.started).unwrap_or(0)
    }
}

pub(super) struct Conductor<'a> {
    pub(super) plan: &'a Plan,
    pub(super) folder: &'a RunFolder,
    pub(super) members: Vec<Member>,
    pub(super) connections: BTreeMap<ConnectionId, ProcessId>,
    pub(super) stage: Stage,
    /// How many participants were neither started nor failed to start.
    pub(super) launches_left: u32,
    pub(super) from_launch: mpsc::Receiver<LaunchEvent>,
    pub(super) problems: Vec<String>,
    pub(super) started_at: Option<Instant>,
    pub(super) elapsed: Duration,
    /// When the present stage is over at the latest.
    pub(super) deadline: Option<TimerId>,
    /// Watching.
    pub(super) tick: TimerId,
    /// When the launcher last looked at who is silent.
    pub(super) last_tick: Instant,
    pub(super) interrupted: bool,
    /// Who may stand still was continued at the end.
    is_nudged: bool,
    pub(super) timed_out: bool,
    pub(super) audience: &'a mut dyn Audience,
    /// What the plan does to processes.
    pub(super) strikes: Strikes,
    pub(super) last_message: String,
    /// What all participants must know.
    config: Config,
    /// Where it is told how starting somebody again goes.
    report: Report,
    /// Who starts again, and does not take part yet.
    starting_again: BTreeSet<ProcessId>,
    /// Who died and was started again, a line each.
    pub(super) restarts: Vec<String>,
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
        // In a chain or a tree, those behind the failed one are never tried.
        let tried = self.launches_left == 0 || self.plan.mode != Launch::Star;
        if self.stage == Stage::Launching && failed && tried {
            self.stop(net);
        }
    }

    fn on_hello(&mut self, net: &mut Net, process: ProcessId, hello: Hello) {
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

    // Running.

    fn on_ready(&mut self, net: &mut Net, process: ProcessId) {
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

    /// Does to processes what the plan says, as far as its time has come.
    fn strike(&mut self, net: &mut Net) {
        let Some(started_at) = self.started_at.filter(|_| self.stage == Stage::Running) else {
            return;
        };
        while let Some(&Timed { at, process, action, rule, is_end }) = self.strikes.to_come.front()
        {
            let left = at.saturating_sub(started_at.elapsed());
            if left > Duration::ZERO {
                self.strikes.timer = Some(net.start_timer(left));
                return;
            }
            self.strikes.to_come.pop_front();
            let member = &mut self.members[process.index()];
            match signal_of(action) {
                Some(signal) => {
                    member.is_doomed |= action == Action::Kill;
                    let (host, pid) = (member.host, member.pid());
                    let rule = (!is_end).then_some(rule);
                    self.strikes.note(process, action);
                    self.strikes.send(self.plan, host, Order { process, pid, signal, rule });
                }
                None if member.loss == Some(Loss::Died) => self.start_again(process, rule),
                // It was killed a moment ago, and that is not noticed yet.
                None if member.is_doomed => drop(self.strikes.to_restart.insert(process, rule)),
                None => debug!("{process} is not dead, and does not start again"),
            }
        }
        self.hear_strikes();
    }

    /// Counts the strikes that have struck, and says of the others why not.
    pub(super) fn hear_strikes(&mut self) {
        for Answer { order: Order { process, signal, rule, .. }, result } in self.strikes.answers()
        {
            match (result, rule) {
                (Ok(()), Some(rule)) => self.strikes.toll.add(rule, 1),
                (Ok(()), None) => {}
                // Who has died meanwhile needs no signal any more.
                (Err(why), _) if self.members[process.index()].loss == Some(Loss::Died) => {
                    debug!("{signal} did not reach {process}: {why}");
                }
                (Err(why), _) => {
                    self.members[process.index()].is_doomed = false;
                    self.problems.push(format!("{signal} did not reach {process}: {why}"));
                }
            }
        }
    }

    // Starting again.

    /// Starts a participant again where one has died, on the same machine, with the journal of the dead.
    fn start_again(&mut self, process: ProcessId, rule: usize) {
        self.strikes.toll.add(rule, 1);
        let member = &mut self.members[process.index()];
        let died_at = member.died_at.unwrap_or_default().as_secs_f64();
        let now_at = self.started_at.map_or(Duration::ZERO, |at| at.elapsed()).as_secs_f64();
        let (host, pid) = (member.host, member.pid());
        let old = std::mem::replace(member, Member::new(host));
        member.journal = old.journal;
        member.journal_file = old.journal_file;
        member.journal_length = old.journal_length;
        member.former = old.hello.or(old.former);
        member.died_at = old.died_at;
        member.spent = [old.spent, old.toll.rules()].concat();
        let spent = member.spent.clone();
        self.strikes.toll.merge(&old.toll);
        self.starting_again.insert(process);
        let label = self.host(host);
        self.restarts.push(format!(
            "{process} on {label}, process {pid}, died after {died_at:.3} s and was started again after \
             {now_at:.3} s, as the plan of faults says"
        ));
        let config = Config { again: true, spent, ..self.config.clone() };
        let (launch, report) = (self.plan.launch.clone(), Arc::clone(&self.report));
        let is_advertised = self.plan.advertise.is_some();
        let Some(machine) = self.plan.hosts.get(host).cloned() else { return };
        let rank = process.0;
        thread::spawn(move || {
            let program = Program::Here(launch.program.clone());
            let job = |seen| job(&config, rank, seen, is_advertised, program);
            report(match netkit::launch::launch_one(&machine, &launch, job) {
                Ok(pid) => LaunchEvent::Started { rank, host, pid },
                Err(error) => LaunchEvent::Failed { ranks: vec![rank], host, error },
            });
        });
    }

    /// Whoever could not be started again is dead for good.
    fn check_started_again(&mut self, net: &mut Net) {
        let failed = |process: &ProcessId| self.members[process.index()].gone.is_some();
        let failed: Vec<_> = self.starting_again.iter().copied().filter(failed).collect();
        for process in failed {
            self.starting_again.remove(&process);
            self.lose(net, process, "it could not be started again".to_owned(), Loss::Died);
        }
    }

    /// Tells a participant that starts again whom to connect to, and those who connect to it, where it is.
    fn readmit(&mut self, net: &mut Net, process: ProcessId) {
        let links = |rank| self.plan.overlay.links(rank, self.plan.processes).opens;
        let opens = links(process).into_iter().map(|other| self.contact(other)).collect();
        let everyone = (0..self.plan.processes).map(ProcessId);
        let neighbours: Vec<_> =
            everyone.filter(|&other| links(other).contains(&process)).collect();
        // It does not wait for those who connect to it: some may be dead.
        self.tell(net, process, &ToParticipant::Release { opens, accepts: 0 });
        let moved = ToParticipant::Moved(self.contact(process));
        neighbours.into_iter().for_each(|other| self.tell(net, other, &moved));
    }

    fn resume(&mut self, net: &mut Net, process: ProcessId) {
        let at = self.started_at.map_or(Duration::ZERO, |at| at.elapsed()).as_micros();
        let at_us = at.try_into().unwrap_or(u64::MAX);
        let follow = self.plan.follow.then(|| self.members[process.index()].journal_length);
        self.tell(net, process, &ToParticipant::Resume { at_us, follow });
    }

    fn contact(&self, process: ProcessId) -> Contact {
        let hello = self.members[process.index()].hello.as_ref();
        let address = hello.map(|hello| hello.address.clone()).unwrap_or_default();
        Contact { process, address }
    }

    fn on_finished(&mut self, net: &mut Net, process: ProcessId) {
        self.members[process.index()].is_finished = true;
        self.check_finished(net);
    }

    /// Everyone who is still there has done all it had to do.
    fn check_finished(&mut self, net: &mut Net) {
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
                crate::report::say(&format!(
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

    /// A participant is gone, or as good as gone. The run ends.
    fn lose(&mut self, net: &mut Net, process: ProcessId, why: String, loss: Loss) {
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

    fn on_peer_lost(&mut self, net: &mut Net, by: ProcessId, peer: ProcessId, why: String) {
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

    fn watch(&mut self, net: &mut Net) {
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
    fn may_be_silent(&self, process: ProcessId) -> bool {
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

    // Handing over.

    fn collect(&mut self, net: &mut Net) {
        self.stage = Stage::Collecting;
        self.is_nudged = false;
        self.set_deadline(net, self.patience());
        for rank in 0..self.plan.processes {
            let process = ProcessId(rank);
            let may_be_silent = self.may_be_silent(process);
            let member = &mut self.members[process.index()];
            // Who failed, or was lost by its neighbours only, can still tell what it knows.
            let answers = member.loss.is_none_or(|loss| loss == Loss::Talks);
            member.is_asked = answers && member.connection.is_some();
            member.sleeps = may_be_silent && member.last_word.elapsed() > WATCH_INTERVAL * 2;
            if member.is_asked {
                let offset = self.members[process.index()].journal_length;
                self.tell(net, process, &ToParticipant::Collect { offset });
            }
        }
        self.check_collected(net);
    }

    /// Continues those who may stand still and of whom that is thought, so that they can tell what they
    /// know. Returns whether there was somebody.
    fn wake(&mut self, stands_still: impl Fn(&Member) -> bool) -> bool {
        let mut woken = false;
        for (rank, member) in (0..).zip(&self.members) {
            let may_stand_still = self.may_be_silent(ProcessId(rank)) && stands_still(member);
            if may_stand_still && member.connection.is_some() {
                let (host, process, pid) = (member.host, ProcessId(rank), member.pid());
                let order = Order { process, pid, signal: Signal::SIGCONT, rule: None };
                self.strikes.send(self.plan, host, order);
                woken = true;
            }
        }
        woken
    }

    /// Nobody has handed over anything for a while: perhaps they were stopped a moment before the end.
    fn nudge(&mut self, net: &mut Net) -> bool {
        let nudged = !std::mem::replace(&mut self.is_nudged, true)
            && self.wake(|member| !member.owes_nothing());
        if nudged {
            self.set_deadline(net, self.patience());
        }
        nudged
    }

    fn on_journal(&mut self, net: &mut Net, process: ProcessId, part: JournalPart) {
        let JournalPart { offset, bytes, is_last, truncated } = part;
        let is_wanted = matches!(self.stage, Stage::Running | Stage::Staying | Stage::Collecting);
        // What was under way when this part was asked for has brought it already.
        if !is_wanted || offset != self.members[process.index()].journal_length {
            return;
        }
        if let Err(error) = self.write_journal(process, &bytes) {
            self.problems.push(format!("the journal of {process} cannot be written: {error:#}"));
            return self.stop(net);
        }
        if self.plan.follow {
            self.show(process, &bytes);
        }
        let member = &mut self.members[process.index()];
        member.journal_length += bytes.len() as u64;
        member.is_collected = is_last;
        member.truncated = truncated;
        if self.stage != Stage::Collecting {
            return;
        }
        if is_last {
            // An open file each would be too many in a large run.
            member.journal_file = None;
        }
        let offset = member.journal_length;
        self.set_deadline(net, self.patience());
        if is_last {
            self.check_collected(net);
        } else {
            self.tell(net, process, &ToParticipant::Collect { offset });
        }
    }

    /// Tells the audience of the events in a part of a journal.
    fn show(&mut self, process: ProcessId, bytes: &[u8]) {
        let member = &mut self.members[process.index()];
        member.half_line.extend_from_slice(bytes);
        let Some(end) = member.half_line.iter().rposition(|&byte| byte == b'\n') else { return };
        let rest = member.half_line.split_off(end + 1);
        let lines = std::mem::replace(&mut member.half_line, rest);
        for event in lines.split_inclusive(|&byte| byte == b'\n').map(format::parse) {
            match event {
                Ok(event) => self.audience.on_event(&event),
                Err(error) => debug!("the journal of {process} is damaged: {error}"),
            }
        }
        self.audience.refresh();
    }

    fn write_journal(&mut self, process: ProcessId, bytes: &[u8]) -> anyhow::Result<()> {
        let member = &mut self.members[process.index()];
        let file = match &mut member.journal_file {
            Some(file) => file,
            none => {
                let name = format!("journal-{}", process.0);
                let file = self.folder.file(&name)?;
                member.journal = Some(self.folder.path().join(name));
                none.insert(file)
            }
        };
        Ok(file.write_all(bytes)?)
    }

    fn check_collected(&mut self, net: &mut Net) {
        if self.stage != Stage::Collecting {
            return;
        }
        if self.members.iter().all(Member::owes_nothing) {
            return self.stop(net);
        }
        // Who stands still is continued only now: the others have handed over what they saw of the run, and
        // that someone goes on for its end is no part of it.
        let asleep = |member: &Member| member.sleeps && !member.owes_nothing();
        if self.members.iter().all(|member| member.owes_nothing() || asleep(member)) {
            self.wake(asleep);
            self.members.iter_mut().for_each(|member| member.sleeps = false);
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
        let answers = |loss: Option<Loss>| loss.is_none_or(|loss| loss == Loss::Talks);
        let waits = self.connections.values().any(|p| answers(self.members[p.index()].loss));
        if self.stage == Stage::Stopping && !waits {
            net.stop();
        }
    }

    fn on_deadline(&mut self, net: &mut Net) {
        self.deadline = None;
        let timeout = self.plan.timeout.as_secs_f64();
        self.timed_out |= self.stage <= Stage::Running;
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
                let is_done =
                    |member: &Member| member.is_finished || member.loss == Some(Loss::Died);
                let whom = self.unless(is_done);
                self.problems.push(format!(
                    "time-out: {whom} had not finished after {timeout} s; --timeout gives them longer"
                ));
                self.collect(net);
            }
            // Of a run that never began there is nothing to collect.
            Stage::Noticing if self.started_at.is_none() => self.stop(net),
            Stage::Noticing => self.collect(net),
            Stage::Collecting => {
                if self.nudge(net) {
                    return;
                }
                let whom = self.unless(Member::owes_nothing);
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

    /// How long a journal may make no progress. Who pressed Ctrl-C does not want to wait, and who stands still
    /// will not move by itself.
    fn patience(&self) -> Duration {
        let may_stand_still = self.plan.survives_crashes || self.plan.faults.stops_any();
        match (self.interrupted, may_stand_still && !self.is_nudged) {
            (false, false) => COLLECT_MAX,
            _ => COLLECT_INTERRUPTED_MAX,
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

    pub(super) fn host(&self, index: usize) -> String {
        self.plan.hosts.get(index).map_or_else(String::new, host_label)
    }

    fn say(&mut self, message: String) {
        if message != self.last_message {
            self.audience.progress(&message);
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
}

impl Member {
    /// What is known of it, or was before it died.
    pub(super) fn known(&self) -> Option<&Hello> {
        self.hello.as_ref().or(self.former.as_ref())
    }

    /// It is dead, and not there again.
    pub(super) fn is_dead(&self) -> bool {
        self.loss == Some(Loss::Died) || self.hello.is_none() && self.former.is_some()
    }

    /// Where its trace is on its machine.
    pub(super) fn trace_path(&self, process: ProcessId) -> PathBuf {
        let log = self.known().map(|hello| hello.log.as_str()).unwrap_or_default();
        PathBuf::from(log).with_file_name(trace_name(process.0))
    }
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
                let why = format!("it sent a malformed frame: {error}");
                return self.lose(net, process, why, Loss::Talks);
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
            ToLauncher::Failed { why } => self.lose(net, process, why, Loss::Talks),
            ToLauncher::Pong => {}
            ToLauncher::Toll(toll) => self.members[process.index()].toll = toll,
            ToLauncher::Log(lines) => self.audience.on_log(process, &lines),
            ToLauncher::Journal { offset, bytes, is_last, truncated } => {
                let part = JournalPart { offset, bytes, is_last, truncated };
                self.on_journal(net, process, part);
            }
        }
    }

    fn on_close(&mut self, net: &mut Net, connection: ConnectionId, reason: CloseReason) {
        let Some(process) = self.connections.remove(&connection) else { return };
        self.members[process.index()].connection = None;
        if self.stage == Stage::Stopping {
            self.check_stopped(net);
        } else {
            self.lose(net, process, format!("it died ({reason})"), Loss::Died);
        }
    }

    fn on_timer(&mut self, net: &mut Net, timer: TimerId) {
        if timer == self.tick {
            self.watch(net);
        } else if Some(timer) == self.deadline {
            self.on_deadline(net);
        } else if Some(timer) == self.strikes.timer {
            self.strike(net);
        }
    }

    fn on_signal(&mut self, net: &mut Net, _: i32) {
        self.interrupt(net);
    }

    fn on_wake(&mut self, net: &mut Net) {
        while let Ok(event) = self.from_launch.try_recv() {
            self.on_launch(net, event);
        }
        self.hear_strikes();
    }
}

/// The clock of this machine: who is silent is a matter of real time.
#[expect(clippy::disallowed_methods, reason = "this is the launcher, where time comes from")]
fn now() -> Instant {
    Instant::now()
}
