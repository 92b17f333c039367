//! The launcher: starts the participants of a run, conducts it, and cleans up after it.
//!
//! It is a service on netkit's event loop. The stages of a run are those of [`super::participant`], seen from
//! the other end: each stage begins when every participant has done the one before, and each has a deadline.
//! What happens in them stands in files of their own: participants join (`joining`), run (`running`), and hand
//! over what they wrote down (`collecting`). Across all stages it is noticed who is gone (`watching`), and
//! the plan of faults does what it says (`faults`). Here they are held together: events are handed on,
//! deadlines pass, and everything is stopped.
//!
//! **Nothing is left behind.** Whatever goes wrong, the launcher tells every participant to stop, waits
//! for their connections to end, and then kills what is still there: here by itself, elsewhere over
//! SSH. A participant that it cannot reach ends by itself, for it hears nothing from the launcher.

mod collecting;
mod faults;
mod joining;
mod member;
mod running;
mod watching;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use log::{debug, warn};
use netkit::launch::LaunchEvent;
use netkit::logs::RunFolder;
use netkit::membership::{Membership, Secret};
use netkit::{Admission, CloseReason, ConnectionId, Net, Peer, Service, Signal, TimerId};

use self::collecting::JournalPart;
pub(super) use self::member::{Hello, Loss, Member};
use super::FOLDER;
use super::config::Config;
use super::launching::{Report, launch, participant_config};
use super::note::RunNote;
use super::participant::WATCH_INTERVAL;
use super::plan::{Audience, Finished, Plan, host_label};
use super::routes::listen_address;
use super::strikes::Strikes;
use super::wire::{LAUNCHER, ToLauncher, ToParticipant};
use crate::process::ProcessId;
use crate::trace::TraceEvent;

/// How long launching may take. Each step of it has a deadline of its own; this is for what is
/// forgotten by all of them, and longer than all of them together on a slow machine.
const LAUNCH_MAX: Duration = Duration::from_secs(180);

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
    let plan = Arc::new(plan);
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
    launch(&plan, placement, &conductor.config, report);
    net.run(&mut conductor)?;
    let remains = conductor.clean_up();
    // Nothing is left any more; judging a long trace takes its time, and Ctrl-C shall end that.
    if !plan.catches_signals {
        net.unwatch_signals(&SIGNALS)?;
    }
    conductor.conclude(remains, watch)
}

/// How far a run is.
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

/// Conducts a run.
pub(super) struct Conductor<'a> {
    pub(super) plan: &'a Arc<Plan>,
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
            ToLauncher::Hello(hello) => self.on_hello(net, process, hello),
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
