//! A participant of a run, as a process: what it says to the launcher and does with its neighbours.
//!
//! Its life, as the launcher conducts it:
//!
//! 1. *Join*: connect to the launcher and say hello. With `--launch chain`, start the next one.
//! 2. *Connect*: the launcher releases everyone with the addresses that the overlay grants; connect
//!    to them, wait for those that connect here, and say ready.
//! 3. *Run*: on the launcher's word the algorithm starts. A participant that is started again where
//!    one died runs at once, and connects meanwhile.
//! 4. *Hand over*: the algorithm is stopped, and the launcher collects the journal.
//! 5. *End*, on the launcher's word.
//!
//! Whenever the connection to the launcher ends, or the launcher is silent for too long, the
//! participant ends too: nothing is left behind by a launcher that was killed.
//!
//! Like every [`Process`] this one does no I/O and reads no clock. Connections are opened, journals
//! read and algorithms stepped by its runner ([`super::runner`]), which is told so by [`Act`]s.
//! Silence is counted in questions that were not answered. So the simulator and the checker run it
//! (`tests`).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::wire::{Hello, Line, Resumption, ToLauncher, ToParticipant};
use crate::overlay::Contact;
use crate::process::{Context, Kind, Process, ProcessId};

/// How often neighbours and the launcher are asked whether they are there.
pub(super) const WATCH_INTERVAL: Duration = Duration::from_millis(500);

/// How long someone may be silent before being taken for gone: [`QUESTIONS_MAX`] questions.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(3);

/// How many questions in a row may stay unanswered. A machine that compiles on all its cores has
/// been seen to leave one open.
pub(super) const QUESTIONS_MAX: u32 = 6;

/// How long after the end of the launcher the others of this run on this machine get to end by
/// themselves, before they are killed: some may be stopped and cannot.
pub(super) const GRACE: Duration = Duration::from_secs(1);

/// How many times a connection to a neighbour is tried, and the pause before the first repetition;
/// each further pause is longer by as much.
const CONNECT_TRIES: u32 = 10;
const CONNECT_PAUSE: Duration = Duration::from_millis(50);

/// How far a participant is.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) enum Phase {
    /// Connecting to the launcher.
    Joining,
    /// Waiting for the launcher's release.
    Joined,
    /// Opening the overlay's connections.
    Connecting,
    /// Waiting for the start.
    Ready,
    Running,
    /// The algorithm is stopped, or the participant cannot go on.
    HandingOver,
    /// The launcher is gone.
    Orphaned,
}

/// What its runner tells a participant.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
pub(super) enum News {
    /// It listens, and its process is made: the answer to [`Act::Join`].
    Joined(Hello),
    /// It cannot go on.
    Failed(String),
    /// A signal came that ends it.
    Signalled(i32),
    /// The algorithm told a contact to connect to.
    Met(Contact),
    /// The algorithm has done all it has to do.
    Finished,
    /// A participant below this one was started, or could not be.
    Launched { rank: u32, result: Result<u32, String> },
}

/// What the runner of a participant has to do.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
pub(super) enum Act {
    /// Listen for neighbours and make the process.
    Join,
    Connect {
        to: ProcessId,
        address: SocketAddr,
    },
    /// Close the connection to a neighbour, which is somewhere else now.
    Disconnect(ProcessId),
    Start,
    /// Go on where the one of this rank that died left off.
    Resume {
        at_us: u64,
        follow: Option<u64>,
    },
    /// Hand over the journal as it grows, from this byte on.
    Follow(u64),
    /// Stop the algorithm, and say what there is to say beside the journal.
    Close,
    /// Hand over the part of the journal from this byte on.
    HandOver(u64),
    /// Tell the algorithm that a neighbour is gone.
    Lost(ProcessId),
    /// Say why it cannot go on.
    Fail(String),
    /// Say that the launcher is gone, and why that is thought.
    Orphan(String),
    /// End what is left of this run on this machine, then this process.
    Reap,
    End,
}

#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) enum Timer {
    Watch,
    Retry(ProcessId),
    Grace,
}

/// What a participant knows of another one.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Neighbour {
    /// Where it listens, if this participant connects to it.
    address: Option<SocketAddr>,
    way: Way,
    /// How many times a connection to it was tried.
    tries: u32,
    /// How many questions it has left open.
    unanswered: u32,
}

/// The way to a neighbour.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
enum Way {
    /// None yet, or none at the moment.
    #[default]
    None,
    Opening,
    Open,
    /// It is gone, or does not answer.
    Lost,
}

/// One participant.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct Participant {
    launcher: ProcessId,
    /// Whether it asks its neighbours if they are there.
    watches: bool,
    phase: Phase,
    neighbours: BTreeMap<ProcessId, Neighbour>,
    /// How many neighbours have connected here, and how many must before the start.
    accepted: u32,
    accepts: u32,
    /// How many times in a row it looked for a word of the launcher in vain.
    unanswered: u32,
}

impl Participant {
    /// One that has not joined yet.
    pub(super) fn new(launcher: ProcessId, watches: bool) -> Self {
        Self {
            launcher,
            watches,
            phase: Phase::Joining,
            neighbours: BTreeMap::new(),
            accepted: 0,
            accepts: 0,
            unanswered: 0,
        }
    }

    /// Whether a neighbour is gone, so that nothing reaches it any more.
    pub(super) fn has_lost(&self, process: ProcessId) -> bool {
        self.neighbours.get(&process).is_some_and(|neighbour| neighbour.way == Way::Lost)
    }

    /// Somebody said something.
    pub(super) fn hear(&mut self, from: ProcessId) {
        if from == self.launcher {
            self.unanswered = 0;
        } else if let Some(neighbour) = self.neighbours.get_mut(&from) {
            neighbour.unanswered = 0;
        }
    }

    /// This process itself stood still and could hear nobody: that is nobody's silence.
    pub(super) fn hear_all(&mut self) {
        self.unanswered = 0;
        self.neighbours.values_mut().for_each(|neighbour| neighbour.unanswered = 0);
    }

    fn tell(&self, ctx: &mut Context<Self>, word: ToLauncher) {
        ctx.send(self.launcher, Line::Up(word));
    }

    fn obey(&mut self, ctx: &mut Context<Self>, word: ToParticipant) {
        match word {
            ToParticipant::Release { opens, accepts } => {
                self.phase = Phase::Connecting;
                self.accepts = accepts;
                opens.iter().for_each(|contact| self.meet(ctx, contact));
                self.check_ready(ctx);
            }
            ToParticipant::Go => {
                self.phase = Phase::Running;
                ctx.indicate(Act::Start);
            }
            ToParticipant::Follow => ctx.indicate(Act::Follow(0)),
            ToParticipant::Ping => self.tell(ctx, ToLauncher::Pong),
            ToParticipant::Collect { offset } => {
                if self.phase < Phase::HandingOver {
                    self.phase = Phase::HandingOver;
                    ctx.indicate(Act::Close);
                }
                ctx.indicate(Act::HandOver(offset));
            }
            ToParticipant::Stop => {
                log::info!("stopped by the launcher");
                ctx.indicate(Act::End);
            }
            ToParticipant::Resume(resumption) => self.resume(ctx, resumption),
            ToParticipant::Gone(process) => self.give_up(process),
            ToParticipant::Moved(contact) => {
                // What was sent to it meanwhile is lost.
                self.neighbours.remove(&contact.process);
                ctx.indicate(Act::Disconnect(contact.process));
                self.meet(ctx, &contact);
            }
        }
    }

    /// Starts again while the others go on. It waits for none of its neighbours: some may be dead or
    /// stand still, and what it sends to the others waits on the way until they are connected.
    fn resume(&mut self, ctx: &mut Context<Self>, resumption: Resumption) {
        let Resumption { at_us, follow, opens, gone } = resumption;
        self.phase = Phase::Running;
        ctx.indicate(Act::Resume { at_us, follow });
        gone.into_iter().for_each(|process| self.give_up(process));
        opens.iter().for_each(|contact| self.meet(ctx, contact));
    }

    /// A process has died. If there was no connection with it, none will end: what is sent to it from
    /// now on is lost, and does not wait.
    fn give_up(&mut self, process: ProcessId) {
        let neighbour = self.neighbours.entry(process).or_default();
        if neighbour.way == Way::None {
            neighbour.way = Way::Lost;
        }
    }

    /// Connects to a process whose address is now known.
    fn meet(&mut self, ctx: &mut Context<Self>, contact: &Contact) {
        let Contact { process, address: text } = contact;
        let Ok(address) = text.parse() else {
            return self.fail(ctx, format!("{process} has the address {text:?}, which is none"));
        };
        let neighbour = self.neighbours.entry(*process).or_default();
        neighbour.address = Some(address);
        self.open(ctx, *process);
    }

    /// Tries to connect, unless there is a connection or one is on its way.
    fn open(&mut self, ctx: &mut Context<Self>, to: ProcessId) {
        let Some(neighbour) = self.neighbours.get_mut(&to) else { return };
        let Some(address) = neighbour.address else { return };
        if matches!(neighbour.way, Way::None | Way::Lost) {
            neighbour.way = Way::Opening;
            neighbour.tries += 1;
            ctx.indicate(Act::Connect { to, address });
        }
    }

    fn on_neighbour_open(&mut self, ctx: &mut Context<Self>, process: ProcessId) {
        let neighbour = self.neighbours.entry(process).or_default();
        neighbour.way = Way::Open;
        neighbour.unanswered = 0;
        self.check_ready(ctx);
    }

    /// It is ready without neighbours that are gone: the launcher knows of those, and where the others
    /// may not go on without them, it starts nobody.
    fn check_ready(&mut self, ctx: &mut Context<Self>) {
        let is_settled = |neighbour: &Neighbour| matches!(neighbour.way, Way::Open | Way::Lost);
        let all_settled = self.neighbours.values().all(is_settled);
        if self.phase == Phase::Connecting && self.accepted >= self.accepts && all_settled {
            self.phase = Phase::Ready;
            self.tell(ctx, ToLauncher::Ready);
        }
    }

    fn on_neighbour_gone(&mut self, ctx: &mut Context<Self>, process: ProcessId, why: String) {
        let Some(neighbour) = self.neighbours.get_mut(&process) else { return };
        let may_come = self.phase < Phase::HandingOver && neighbour.tries < CONNECT_TRIES;
        if neighbour.way == Way::Opening && may_come {
            neighbour.way = Way::None;
            ctx.start_timer(Timer::Retry(process), CONNECT_PAUSE * neighbour.tries);
        } else {
            self.lose(ctx, process, why);
        }
    }

    fn lose(&mut self, ctx: &mut Context<Self>, process: ProcessId, why: String) {
        let Some(neighbour) = self.neighbours.get_mut(&process) else { return };
        let known = std::mem::replace(&mut neighbour.way, Way::Lost) == Way::Lost;
        if known || self.phase >= Phase::HandingOver {
            return;
        }
        log::warn!("lost {process}: {why}");
        self.tell(ctx, ToLauncher::PeerLost { peer: process, why });
        if self.phase == Phase::Running {
            ctx.indicate(Act::Lost(process));
        }
        self.check_ready(ctx);
    }

    /// This participant cannot go on. The launcher ends the run.
    fn fail(&mut self, ctx: &mut Context<Self>, why: String) {
        self.phase = self.phase.max(Phase::HandingOver);
        ctx.indicate(Act::Fail(why.clone()));
        self.tell(ctx, ToLauncher::Failed { why });
    }

    /// The launcher is gone. Others of this run on this machine may be stopped and cannot notice:
    /// after a while they are killed.
    fn orphan(&mut self, ctx: &mut Context<Self>, why: String) {
        if self.phase == Phase::Orphaned {
            return;
        }
        self.phase = Phase::Orphaned;
        ctx.indicate(Act::Orphan(why));
        ctx.start_timer(Timer::Grace, GRACE);
    }

    fn watch(&mut self, ctx: &mut Context<Self>) {
        ctx.start_timer(Timer::Watch, WATCH_INTERVAL);
        // Before the launcher has answered once, netkit's own deadlines apply.
        if self.phase >= Phase::Joined {
            self.unanswered += 1;
            if self.unanswered > QUESTIONS_MAX {
                return self.orphan(ctx, "it is silent".to_owned());
            }
        }
        if !self.watches || self.phase != Phase::Running {
            return;
        }
        let mut silent = Vec::new();
        for (&process, neighbour) in &mut self.neighbours {
            if neighbour.way != Way::Open {
                continue;
            }
            neighbour.unanswered += 1;
            match neighbour.unanswered > QUESTIONS_MAX {
                true => silent.push(process),
                false => ctx.send(process, Line::Ping),
            }
        }
        for process in silent {
            self.lose(ctx, process, format!("no answer for {:.1} s", SILENCE_MAX.as_secs_f64()));
        }
    }
}

impl Process for Participant {
    type Request = News;
    type Indication = Act;
    type Message = Line;
    type Timer = Timer;

    fn on_init(&mut self, ctx: &mut Context<Self>) {
        ctx.start_timer(Timer::Watch, WATCH_INTERVAL);
    }

    fn on_request(&mut self, ctx: &mut Context<Self>, news: News) {
        match news {
            News::Joined(hello) => {
                self.phase = Phase::Joined;
                self.tell(ctx, ToLauncher::Hello(hello));
            }
            News::Failed(why) => self.fail(ctx, why),
            News::Signalled(_) if self.phase >= Phase::HandingOver => ctx.indicate(Act::End),
            // The launcher ends the run; until then this process hands over what it knows.
            News::Signalled(signal) => {
                self.fail(ctx, format!("it was ended by signal {signal}"));
            }
            News::Met(contact) => self.meet(ctx, &contact),
            News::Finished => self.tell(ctx, ToLauncher::Finished),
            News::Launched { rank, result } => {
                self.tell(ctx, ToLauncher::Launched { rank, result });
            }
        }
    }

    fn on_message(&mut self, ctx: &mut Context<Self>, from: ProcessId, line: Line) {
        self.hear(from);
        match line {
            Line::Opened if from == self.launcher => ctx.indicate(Act::Join),
            Line::Closed(why) if from == self.launcher => self.orphan(ctx, why),
            Line::Down(word) if from == self.launcher => self.obey(ctx, word),
            Line::Opened => self.on_neighbour_open(ctx, from),
            Line::Accepted => {
                self.accepted += 1;
                self.check_ready(ctx);
            }
            Line::Closed(why) => self.on_neighbour_gone(ctx, from, why),
            Line::Up(_) | Line::Down(_) | Line::Ping => {}
        }
    }

    fn on_timeout(&mut self, ctx: &mut Context<Self>, timer: Timer) {
        match timer {
            Timer::Watch => self.watch(ctx),
            Timer::Retry(process) => self.open(ctx, process),
            Timer::Grace => ctx.indicate(Act::Reap),
        }
    }
}
