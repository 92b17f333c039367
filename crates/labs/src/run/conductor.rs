//! The launcher of a run, as a process: it conducts the participants, and takes no part itself.
//!
//! The stages of a run are those of [`super::participant`], seen from the other end: each stage
//! begins when every participant has done the one before, and each has a deadline. What happens in
//! them stands in files of their own: participants join (`joining`), run (`running`), and hand over
//! what they wrote down (`collecting`). Across all stages it is noticed which are gone
//! (`watching`), and the plan of faults does what it says (`faults`). Here they are held together:
//! deadlines pass, and everything is stopped.
//!
//! **Nothing is left behind.** Whatever goes wrong, the conductor tells every participant to stop
//! and waits for their connections to end. Then its [runner](super::runner) kills what is still
//! there.
//!
//! **Every run ends.** Each stage has a deadline, and each deadline leads to a later stage; only
//! [`Stage::Staying`] waits for a person.
//!
//! The conductor does no I/O. What it wants done it says by [`Order`]s, what came of it it hears as
//! [`News`]. It is told the time before each event ([`Conductor::set_time`]), and that is for texts
//! and for the plan of faults alone: all waiting is done by timers, and silence is counted in
//! questions that were not answered. So the simulator and the checker run it (`tests`).

mod collecting;
mod faults;
mod joining;
mod member;
mod running;
mod watching;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::faults::Strikes;
pub(super) use self::member::{Handing, Loss, Member, Phase, Struck};
use super::participant::WATCH_INTERVAL;
use super::plan::Plan;
use super::wire::{Line, ToLauncher, ToParticipant};
use crate::faults::{Action, Fault, Timed, Toll};
use crate::lab::Launch;
use crate::overlay::Overlay;
use crate::process::{Context, Kind, Process, ProcessId};

/// How long launching may take. Each step of it has a deadline of its own; this is for what is
/// forgotten by all of them, and longer than all of them together on a slow machine.
const LAUNCH_MAX: Duration = Duration::from_secs(180);

/// How long participants get to end after they were told to.
const STOP_MAX: Duration = Duration::from_secs(2);

/// What the conductor must know of the plan of a run.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct Rules {
    pub(super) overlay: Overlay,
    /// How the participants are started.
    pub(super) mode: Launch,
    /// How long the run may take, launching apart.
    pub(super) timeout: Duration,
    /// The participants stay when they have finished, until a person ends them.
    pub(super) stays: bool,
    /// Events are shown while the run goes on.
    pub(super) follows: bool,
    /// The others go on when a participant dies or falls silent.
    pub(super) survives: bool,
    /// What is done to processes at a time.
    pub(super) timed: Vec<Timed>,
    /// The rules of the plan of faults that stop a process.
    pub(super) stops: BTreeSet<(ProcessId, usize)>,
}

impl Rules {
    pub(super) fn of(plan: &Plan) -> Self {
        let rules = plan.faults.rules().iter().enumerate();
        Self {
            overlay: plan.overlay,
            mode: plan.room.mode,
            timeout: plan.timeout,
            stays: plan.stay,
            follows: plan.follows(),
            survives: plan.survives_crashes,
            timed: plan.faults.timed(),
            stops: rules
                .filter_map(|(number, rule)| match rule.fault {
                    Fault::Process(Action::Stop, process) => Some((process, number)),
                    _ => None,
                })
                .collect(),
        }
    }
}

/// How far a run is.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
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
    /// Participants that may stand still are continued once.
    Collecting {
        is_nudged: bool,
    },
    Stopping,
}

/// What ended a run that nobody's loss ended.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) enum Cut {
    TimeOut,
    /// A time-out while all that had not finished answered: perhaps they need more time.
    Late,
    Interrupted,
}

/// What its runner tells the conductor.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
pub(super) enum News {
    Started {
        rank: u32,
        pid: u32,
    },
    /// If `Loss::Unreached`, nothing of them can be on their machines.
    NotStarted {
        ranks: Vec<u32>,
        how: Loss,
        why: String,
    },
    /// What came of a signal.
    Struck(Strike, Result<(), String>),
    /// A part of a journal could not be written.
    Unwritten {
        process: ProcessId,
        why: String,
    },
    /// Somebody wants the run to end.
    Interrupted,
}

/// What the runner of the conductor has to do.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
pub(super) enum Order {
    /// Say how far the run is.
    Progress(String),
    /// The algorithm starts.
    Begin,
    /// Say that the participants stay.
    Stay,
    /// Show lines of a log.
    Show(ProcessId, String),
    /// Append to a journal.
    Write {
        process: ProcessId,
        bytes: Vec<u8>,
        is_last: bool,
    },
    Strike(Strike),
    /// Start a participant again where it died. These rules of the plan strike it no more.
    StartAgain {
        process: ProcessId,
        spent: Vec<usize>,
    },
    End,
}

/// A signal to a process, by a rule of the plan that struck if the signal arrives.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
pub(super) struct Strike {
    pub(super) process: ProcessId,
    pub(super) pid: u32,
    pub(super) action: Action,
    pub(super) rule: Option<usize>,
}

#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) enum Timer {
    /// The present stage is over at the latest.
    Deadline,
    /// Time to ask whether everyone is there.
    Tick,
    /// Time for what the plan of faults does next.
    Strike,
}

/// The times of a run, all counted from one moment before it.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct Clock {
    now: Duration,
    /// When the algorithm started.
    began_at: Option<Duration>,
    last_tick: Duration,
}

impl Clock {
    /// How long the algorithm has been running.
    fn elapsed(&self) -> Duration {
        self.began_at.map_or(Duration::ZERO, |at| self.now.saturating_sub(at))
    }
}

/// Participants as a person reads them: `p1, p3`.
fn names(ranks: impl IntoIterator<Item = u32>) -> String {
    let names: Vec<_> = ranks.into_iter().map(|rank| ProcessId(rank).to_string()).collect();
    names.join(", ")
}

/// A participant that died and was started again.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct Restart {
    pub(super) process: ProcessId,
    pub(super) pid: u32,
    pub(super) died_at: Duration,
    pub(super) again_at: Duration,
}

/// Conducts a run.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct Conductor {
    rules: Arc<Rules>,
    pub(super) members: Vec<Member>,
    stage: Stage,
    clock: Clock,
    /// From the start of the algorithm to its end.
    pub(super) elapsed: Duration,
    /// How many participants were neither started nor failed to start.
    launches_left: u32,
    strikes: Strikes,
    pub(super) problems: Vec<String>,
    /// Who was not started, by the reason, and which of the problems says so.
    unstarted: BTreeMap<String, (usize, BTreeSet<u32>)>,
    pub(super) restarts: Vec<Restart>,
    pub(super) cut: Option<Cut>,
    last_progress: String,
}

impl Conductor {
    /// `placement` says on which machine each participant is.
    pub(super) fn new(rules: Rules, placement: &[usize]) -> Self {
        Self {
            strikes: Strikes::new(rules.timed.clone()),
            rules: Arc::new(rules),
            members: placement.iter().map(|&host| Member::new(host)).collect(),
            stage: Stage::Launching,
            clock: Clock::default(),
            elapsed: Duration::ZERO,
            launches_left: placement.len() as u32,
            problems: Vec::new(),
            unstarted: BTreeMap::new(),
            restarts: Vec::new(),
            cut: None,
            last_progress: String::new(),
        }
    }

    /// What time it is, before an event.
    pub(super) fn set_time(&mut self, now: Duration) {
        self.clock.now = now;
    }

    #[cfg(test)]
    pub(super) fn stage(&self) -> Stage {
        self.stage
    }

    /// Whether the algorithm has started.
    pub(super) fn began(&self) -> bool {
        self.clock.began_at.is_some()
    }

    /// How many times the rules of the plan struck.
    pub(super) fn toll(&self) -> Toll {
        let mut toll = self.strikes.toll.clone();
        self.members.iter().for_each(|member| toll.merge(&member.struck.toll));
        toll
    }

    /// Whether a participant of this rank may connect: it has not been here yet.
    pub(super) fn expects(&self, rank: u32) -> bool {
        let member = self.members.get(rank as usize);
        member.is_some_and(|member| !member.is_connected && member.phase < Phase::Joined)
    }

    /// All participants with their ranks.
    pub(super) fn ranked(&self) -> impl Iterator<Item = (ProcessId, &Member)> {
        (0..).map(ProcessId).zip(&self.members)
    }

    fn stop(&mut self, ctx: &mut Context<Self>) {
        if self.stage == Stage::Stopping {
            return;
        }
        self.stage = Stage::Stopping;
        ctx.start_timer(Timer::Deadline, STOP_MAX);
        self.tell_all(ctx, &ToParticipant::Stop);
        self.check_stopped(ctx);
    }

    fn check_stopped(&mut self, ctx: &mut Context<Self>) {
        // A participant that is gone will not take leave.
        let is_waited_for = |member: &Member| member.is_connected && member.answers();
        if self.stage == Stage::Stopping && !self.members.iter().any(is_waited_for) {
            ctx.indicate(Order::End);
        }
    }

    fn on_deadline(&mut self, ctx: &mut Context<Self>) {
        let timeout = self.rules.timeout.as_secs_f64();
        if self.stage <= Stage::Running {
            self.cut = self.cut.max(Some(Cut::TimeOut));
        }
        match self.stage {
            Stage::Launching => {
                let whom = self.unless(|member| member.phase >= Phase::Joined);
                let seconds = LAUNCH_MAX.as_secs();
                self.problems.push(format!("{whom} did not join within {seconds} s"));
                self.stop(ctx);
            }
            Stage::Connecting => {
                let whom = self.unless(|member| member.phase >= Phase::Ready);
                self.problems.push(format!(
                    "time-out: {whom} could not connect to their neighbours within {timeout} s; \
                     can the machines reach each other on any port?"
                ));
                self.collect(ctx);
            }
            Stage::Running => {
                self.elapsed = self.clock.elapsed();
                self.say_who_is_late(timeout);
                self.collect(ctx);
            }
            // Of a run that never began there is nothing to collect.
            Stage::Noticing if !self.began() => self.stop(ctx),
            Stage::Noticing => self.collect(ctx),
            Stage::Collecting { is_nudged } => {
                if !is_nudged && self.nudge(ctx) {
                    return;
                }
                self.give_up_silent();
                if self.members.iter().any(|member| !member.owes_nothing()) {
                    let whom = self.unless(Member::owes_nothing);
                    self.problems.push(format!("{whom} did not hand over their journals"));
                }
                self.stop(ctx);
            }
            Stage::Staying => {}
            Stage::Stopping => ctx.indicate(Order::End),
        }
    }

    /// The time is over, and some have not finished.
    fn say_who_is_late(&mut self, timeout: f64) {
        let is_done = |member: &Member| member.phase == Phase::Finished || member.has_died();
        let whom = self.unless(is_done);
        let silent = self.unless(|member| is_done(member) || !member.is_deaf());
        let mut problem = format!("time-out: {whom} had not finished after {timeout} s");
        if silent.is_empty() {
            self.cut = self.cut.max(Some(Cut::Late));
        } else {
            problem += &format!("; no answer of {silent}: stopped, or cut off");
        }
        self.problems.push(problem);
    }

    fn interrupt(&mut self, ctx: &mut Context<Self>) {
        if self.stage == Stage::Staying {
            return self.collect(ctx);
        }
        if self.cut == Some(Cut::Interrupted) {
            return ctx.indicate(Order::End);
        }
        self.cut = Some(Cut::Interrupted);
        self.problems.push("interrupted: everything was stopped".to_owned());
        if self.stage == Stage::Running {
            self.elapsed = self.clock.elapsed();
            self.collect(ctx);
        } else {
            self.stop(ctx);
        }
    }

    /// The names of those of which this cannot be said.
    fn unless(&self, is_done: impl Fn(&Member) -> bool) -> String {
        let others = self.ranked().filter(|(_, member)| !is_done(member));
        names(others.map(|(process, _)| process.0))
    }

    fn say(&mut self, ctx: &mut Context<Self>, message: String) {
        if message != self.last_progress {
            ctx.indicate(Order::Progress(message.clone()));
            self.last_progress = message;
        }
    }

    /// Notes why processes were not started. What keeps many from it for one reason is said once.
    fn note_unstarted(&mut self, ranks: &[u32], why: String) {
        let next = self.problems.len();
        let (at, all) = self.unstarted.entry(why.clone()).or_insert((next, BTreeSet::new()));
        all.extend(ranks);
        let problem = format!("{} not started: {why}", names(all.iter().copied()));
        match self.problems.get_mut(*at) {
            Some(said) => *said = problem,
            None => self.problems.push(problem),
        }
    }

    fn tell_all(&self, ctx: &mut Context<Self>, word: &ToParticipant) {
        self.ranked().for_each(|(process, _)| self.tell(ctx, process, word.clone()));
    }

    fn tell(&self, ctx: &mut Context<Self>, process: ProcessId, word: ToParticipant) {
        if self.members[process.index()].is_connected {
            ctx.send(process, Line::Down(word));
        }
    }

    fn on_word(&mut self, ctx: &mut Context<Self>, process: ProcessId, word: ToLauncher) {
        match word {
            ToLauncher::Hello(hello) => self.on_hello(ctx, process, hello),
            ToLauncher::Launched { rank, result } => {
                match result {
                    Ok(pid) => self.on_started(rank, pid),
                    Err(why) => {
                        let next = ProcessId(rank);
                        self.problems.push(format!("{next} not started by {process}: {why}"));
                        self.on_not_started(rank, Loss::NotStarted);
                    }
                }
                self.check_launched(ctx);
            }
            ToLauncher::Ready => self.on_ready(ctx, process),
            ToLauncher::Finished => self.on_finished(ctx, process),
            ToLauncher::PeerLost { peer, why } => self.on_peer_lost(ctx, process, peer, why),
            ToLauncher::Failed { why } => self.lose(ctx, process, why, Loss::Talks),
            ToLauncher::Pong => {}
            ToLauncher::Toll(toll) => self.members[process.index()].struck.toll = toll,
            ToLauncher::Log(lines) => ctx.indicate(Order::Show(process, lines)),
            ToLauncher::Journal(part) => self.on_journal(ctx, process, part),
        }
    }
}

impl Process for Conductor {
    type Request = News;
    type Indication = Order;
    type Message = Line;
    type Timer = Timer;

    fn on_init(&mut self, ctx: &mut Context<Self>) {
        ctx.start_timer(Timer::Deadline, LAUNCH_MAX);
        ctx.start_timer(Timer::Tick, WATCH_INTERVAL);
    }

    fn on_request(&mut self, ctx: &mut Context<Self>, news: News) {
        match news {
            News::Started { rank, pid } => {
                self.on_started(rank, pid);
                self.check_launched(ctx);
            }
            News::NotStarted { ranks, how, why } => {
                self.note_unstarted(&ranks, why);
                ranks.iter().for_each(|&rank| self.on_not_started(rank, how));
                self.check_launched(ctx);
                self.check_started_again(ctx, &ranks);
            }
            News::Struck(strike, result) => self.on_struck(strike, result),
            News::Unwritten { process, why } => {
                self.problems.push(format!("the journal of {process} cannot be written: {why}"));
                self.stop(ctx);
            }
            News::Interrupted => self.interrupt(ctx),
        }
    }

    fn on_message(&mut self, ctx: &mut Context<Self>, from: ProcessId, line: Line) {
        let Some(member) = self.members.get_mut(from.index()) else { return };
        member.unanswered = 0;
        match line {
            Line::Opened => {
                member.is_connected = true;
                if self.stage == Stage::Stopping {
                    self.tell(ctx, from, ToParticipant::Stop);
                }
            }
            Line::Up(word) => self.on_word(ctx, from, word),
            Line::Closed(why) => {
                member.is_connected = false;
                if self.stage == Stage::Stopping {
                    self.check_stopped(ctx);
                } else {
                    self.lose(ctx, from, format!("it died ({why})"), Loss::Died);
                }
            }
            Line::Accepted | Line::Down(_) | Line::Ping => {}
        }
    }

    fn on_timeout(&mut self, ctx: &mut Context<Self>, timer: Timer) {
        match timer {
            Timer::Tick => self.watch(ctx),
            Timer::Deadline => self.on_deadline(ctx),
            Timer::Strike => self.on_strike_due(ctx),
        }
    }
}
