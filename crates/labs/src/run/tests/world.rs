//! A launcher and its participants as one system of processes: what netkit and the runners are to
//! them is imitated here, so that the simulator, the checker and scripts can run them.
//!
//! Participants are `p0`, `p1`, ...; the launcher has the rank behind them. A connection is asked
//! for, accepted or refused, and ended by messages on the way that its words take, as TCP does it:
//! what was said before the end arrives. A process that dies ([`Ask::Die`]) ends its connections,
//! for its system does; one that crashes in the simulator says nothing any more, as a machine whose
//! cable is cut.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::faults::Action;
use crate::overlay::Overlay;
use serde::{Deserialize, Serialize};

use crate::lab::Launch;
use crate::process::{Context, Effect, Kind, Process, ProcessId};
use crate::run::conductor::{self, Conductor, Handing, Loss, Order, Rules, Stage};
use crate::run::participant::{self, Act, Participant};
use crate::run::wire::{Hello, Line, Part, ToLauncher, ToParticipant};

/// How long the algorithm of a participant takes.
const WORK: Duration = Duration::from_millis(20);

/// Without a clock, a participant tries twice more to connect: further tries are more of the same.
const RETRIES: Duration = Duration::from_millis(100);

/// How long a call may stay unanswered: netkit gives up then.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// What both sides of a run do wrong.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) enum Mistake {
    /// The launcher takes everyone for ready when one is.
    Impatient,
    /// The launcher does not notice that a connection has ended.
    Unnoticing,
    /// The launcher asks for a journal that it has.
    Greedy,
    /// Participants do not notice that the launcher is gone.
    Faithful,
    /// The launcher forgets that a participant was lost.
    Forgetful,
    /// A participant that starts again waits for its neighbours, and some are dead.
    Waiting,
}

/// Which parts of the world there are.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct Terms {
    pub(super) participants: u32,
    pub(super) mistake: Option<Mistake>,
    /// Deadlines that are longer than this never pass. The checker, which has no clock, would try
    /// that they do at every moment.
    pub(super) longest: Duration,
    /// Whether it is asked all the time who is there.
    pub(super) watches: bool,
    pub(super) has_clock: bool,
}

/// What the world does to a process.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
pub(super) enum Ask {
    /// It is killed.
    Die,
    /// The launcher hears that a participant was started.
    Started(u32),
    /// Or that it could not be.
    NotStarted(u32),
    /// A person presses Ctrl-C at the launcher.
    Interrupt,
}

#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
pub(super) enum Said {
    #[strum(transparent)]
    Launcher(Order),
    #[strum(transparent)]
    Participant(Act),
    /// The process is no more.
    Ended,
}

/// What passes between two processes of a run.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
pub(super) enum Packet {
    Connect,
    Accept,
    Refuse,
    #[strum(transparent)]
    Line(Line),
    End,
    /// Not of the network: the machine of the receiver is told to kill it, or to start it again.
    Kill,
    Start,
}

#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) enum Timer {
    Launcher(conductor::Timer),
    Participant(participant::Timer),
    Work,
    /// Nobody has answered a call.
    Unanswered(ProcessId),
}

impl fmt::Debug for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Die => f.write_str("Die"),
            Self::Started(rank) => write!(f, "Started{rank}"),
            Self::NotStarted(rank) => write!(f, "NotStarted{rank}"),
            Self::Interrupt => f.write_str("Interrupt"),
        }
    }
}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Launcher(order) => write!(f, "{order:?}"),
            Self::Participant(Act::Connect { to, .. }) => write!(f, "Connect({to})"),
            Self::Participant(act) => write!(f, "{act:?}"),
            Self::Ended => f.write_str("Ended"),
        }
    }
}

impl fmt::Debug for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(Line::Up(ToLauncher::Hello(_))) => f.write_str("Hello"),
            Self::Line(Line::Up(ToLauncher::Journal(part))) => {
                write!(f, "Journal {{ offset: {}, is_last: {} }}", part.offset, part.is_last)
            }
            Self::Line(Line::Up(word)) => write!(f, "{word:?}"),
            Self::Line(Line::Down(word)) => write!(f, "{word:?}"),
            Self::Line(line) => write!(f, "{line:?}"),
            other => f.write_str(Kind::kind(other)),
        }
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Launcher(timer) => write!(f, "{timer:?}"),
            Self::Participant(timer) => write!(f, "{timer:?}"),
            Self::Work => f.write_str("Work"),
            Self::Unanswered(process) => write!(f, "Unanswered({process})"),
        }
    }
}

/// The launcher, or a participant.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) enum Role {
    Launcher(Box<Conductor>),
    Participant(Participant),
}

/// A process of a run, and the system that it runs on.
#[expect(clippy::struct_excessive_bools, reason = "what has happened to it, each by itself")]
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct Node {
    terms: Terms,
    me: ProcessId,
    pub(super) role: Role,
    pub(super) is_alive: bool,
    /// A participant listens when it has joined.
    listens: bool,
    /// The other ends of its connections, and whether they are open.
    ends: BTreeMap<ProcessId, bool>,
    /// It has said that it is ready; its algorithm has run.
    pub(super) was_ready: bool,
    pub(super) has_run: bool,
    /// It was started again, and its algorithm has run since.
    pub(super) has_run_again: bool,
    /// A journal that was here was asked for.
    pub(super) has_asked_twice: bool,
}

/// A run with these rules.
pub(super) fn rules(strikes: &str) -> Rules {
    let faults: crate::faults::Plan = strikes.parse().unwrap();
    Rules {
        overlay: Overlay::Complete,
        mode: Launch::Star,
        timeout: Duration::from_secs(60),
        stays: false,
        follows: false,
        survives: !strikes.is_empty(),
        timed: faults.timed(),
        stops: Default::default(),
    }
}

/// All processes of a run.
pub(super) fn nodes(terms: Terms, rules: Rules) -> Vec<Node> {
    let placement: Vec<_> = (0..terms.participants as usize).collect();
    let launcher = ProcessId(terms.participants);
    let node = |me, role| Node {
        terms,
        me,
        role,
        is_alive: true,
        listens: me == launcher,
        ends: BTreeMap::new(),
        was_ready: false,
        has_run: false,
        has_run_again: false,
        has_asked_twice: false,
    };
    let participant =
        |rank| node(ProcessId(rank), Role::Participant(Participant::new(launcher, terms.watches)));
    let mut nodes: Vec<_> = (0..terms.participants).map(participant).collect();
    nodes.push(node(launcher, Role::Launcher(Box::new(Conductor::new(rules, &placement)))));
    nodes
}

impl Node {
    /// The launcher, if it is that.
    pub(super) fn launcher(&self) -> Option<&Conductor> {
        match &self.role {
            Role::Launcher(conductor) => Some(conductor),
            Role::Participant(_) => None,
        }
    }

    fn launcher_rank(&self) -> ProcessId {
        ProcessId(self.terms.participants)
    }

    /// The process ends, or is ended; its system ends its connections.
    fn end(&mut self, ctx: &mut Context<Self>) {
        if !std::mem::replace(&mut self.is_alive, false) {
            return;
        }
        for (end, _) in std::mem::take(&mut self.ends) {
            ctx.send(end, Packet::End);
        }
        self.listens = false;
        let timers = match self.role {
            Role::Launcher(_) => {
                use conductor::Timer::{Deadline, Strike, Tick};
                [Deadline, Strike, Tick].map(Timer::Launcher).to_vec()
            }
            Role::Participant(_) => {
                use participant::Timer::{Grace, Retry, Watch};
                let retries = (0..self.terms.participants).map(|rank| Retry(ProcessId(rank)));
                let own = retries.chain([Grace, Watch]).map(Timer::Participant);
                own.chain([Timer::Work]).collect()
            }
        };
        timers.into_iter().for_each(|timer| ctx.stop_timer(timer));
        ctx.indicate(Said::Ended);
    }

    fn has(&self, mistake: Mistake) -> bool {
        self.terms.mistake == Some(mistake)
    }

    /// Something happened on the connection with another process.
    fn on_line(&mut self, ctx: &mut Context<Self>, from: ProcessId, line: Line) {
        match &mut self.role {
            Role::Launcher(_) => {
                if self.has(Mistake::Unnoticing) && matches!(line, Line::Closed(_)) {
                    return;
                }
                let all = match line {
                    Line::Up(ToLauncher::Ready) if self.has(Mistake::Impatient) => {
                        (0..self.terms.participants).map(ProcessId).collect()
                    }
                    _ => vec![from],
                };
                for process in all {
                    let line = line.clone();
                    self.conduct(ctx, |conductor, inner| {
                        conductor.on_message(inner, process, line);
                    });
                }
                if let (Role::Launcher(conductor), true) =
                    (&mut self.role, self.terms.mistake == Some(Mistake::Forgetful))
                {
                    conductor.members.iter_mut().for_each(|member| member.loss = None);
                }
            }
            Role::Participant(_) => {
                let launcher = self.launcher_rank();
                let is_missed = match &line {
                    Line::Closed(_) => from == launcher && self.has(Mistake::Faithful),
                    Line::Down(ToParticipant::Resume(resumption)) => {
                        !resumption.gone.is_empty() && self.has(Mistake::Waiting)
                    }
                    _ => false,
                };
                if !is_missed {
                    self.attend(ctx, |participant, inner| {
                        participant.on_message(inner, from, line);
                    });
                }
            }
        }
    }

    /// One event of the launcher.
    fn conduct(
        &mut self,
        ctx: &mut Context<Self>,
        event: impl FnOnce(&mut Conductor, &mut Context<Conductor>),
    ) {
        if !self.is_alive {
            return;
        }
        let now = if self.terms.has_clock { ctx.now() } else { Duration::ZERO };
        let Role::Launcher(conductor) = &mut self.role else { return };
        conductor.set_time(now);
        for effect in ctx.inside(|inner| event(conductor, inner)) {
            match effect {
                Effect::Send { to, message } => self.say(ctx, to, message),
                Effect::StartTimer { timer, after } => {
                    // One that runs already is started anew, and one that never rings is not
                    // started.
                    ctx.stop_timer(Timer::Launcher(timer));
                    let rings = match timer {
                        conductor::Timer::Tick => self.terms.watches,
                        conductor::Timer::Deadline => after <= self.terms.longest,
                        conductor::Timer::Strike => true,
                    };
                    if rings {
                        ctx.start_timer(Timer::Launcher(timer), after);
                    }
                }
                Effect::StopTimer { timer } => ctx.stop_timer(Timer::Launcher(timer)),
                Effect::Indicate(order) => self.obey(ctx, order),
            }
        }
    }

    /// Sends a word, and notices what the launcher must not say.
    fn say(&mut self, ctx: &mut Context<Self>, to: ProcessId, line: Line) {
        if let (Some(conductor), Line::Down(ToParticipant::Collect { .. })) =
            (self.launcher(), &line)
        {
            let handing = conductor.members[to.index()].handing;
            self.has_asked_twice |= matches!(handing, Handing::Collected { .. });
        }
        self.was_ready |= matches!(line, Line::Up(ToLauncher::Ready));
        if self.ends.get(&to) == Some(&true) {
            ctx.send(to, Packet::Line(line));
        }
    }

    fn obey(&mut self, ctx: &mut Context<Self>, order: Order) {
        ctx.indicate(Said::Launcher(order.clone()));
        match order {
            Order::End => self.end(ctx),
            Order::Strike(strike) => {
                if strike.action == Action::Kill {
                    ctx.send(strike.process, Packet::Kill);
                }
                let news = conductor::News::Struck(strike, Ok(()));
                self.conduct(ctx, |conductor, inner| conductor.on_request(inner, news));
            }
            Order::StartAgain { process, .. } => ctx.send(process, Packet::Start),
            Order::Write { process, is_last: true, .. } if self.has(Mistake::Greedy) => {
                let again = Line::Down(ToParticipant::Collect { offset: 0 });
                self.say(ctx, process, again);
            }
            _ => {}
        }
    }

    /// One event of a participant.
    fn attend(
        &mut self,
        ctx: &mut Context<Self>,
        event: impl FnOnce(&mut Participant, &mut Context<Participant>),
    ) {
        let Role::Participant(participant) = &mut self.role else { return };
        if !self.is_alive {
            return;
        }
        for effect in ctx.inside(|inner| event(participant, inner)) {
            match effect {
                Effect::Send { to, message } => self.say(ctx, to, message),
                Effect::StartTimer { timer, after } => {
                    let rings = match timer {
                        participant::Timer::Watch => self.terms.watches,
                        participant::Timer::Retry(_) => self.terms.has_clock || after <= RETRIES,
                        participant::Timer::Grace => true,
                    };
                    if rings {
                        ctx.start_timer(Timer::Participant(timer), after);
                    }
                }
                Effect::StopTimer { timer } => ctx.stop_timer(Timer::Participant(timer)),
                Effect::Indicate(act) => self.act(ctx, act),
            }
        }
    }

    fn act(&mut self, ctx: &mut Context<Self>, act: Act) {
        ctx.indicate(Said::Participant(act.clone()));
        let launcher = self.launcher_rank();
        match act {
            Act::Join => {
                self.listens = true;
                let (pid, address) = (self.me.0, format!("127.0.0.1:{}", self.me.0 + 1));
                let hello = Hello { pid, address, ..Hello::default() };
                let news = participant::News::Joined(hello);
                self.attend(ctx, |participant, inner| participant.on_request(inner, news));
            }
            Act::Connect { to, .. } => self.connect(ctx, to),
            Act::Disconnect(process) => {
                if self.ends.remove(&process).is_some() {
                    ctx.send(process, Packet::End);
                }
            }
            Act::Start | Act::Resume { .. } => {
                self.has_run_again |= self.has_run;
                self.has_run = true;
                ctx.start_timer(Timer::Work, WORK);
            }
            Act::Close => ctx.stop_timer(Timer::Work),
            Act::HandOver(offset) => {
                let part = Part { offset, bytes: Vec::new(), is_last: true, truncated: false };
                self.say(ctx, launcher, Line::Up(ToLauncher::Journal(part)));
            }
            Act::Reap | Act::End => self.end(ctx),
            Act::Follow(_) | Act::Lost(_) | Act::Fail(_) | Act::Orphan(_) => {}
        }
    }

    fn connect(&mut self, ctx: &mut Context<Self>, to: ProcessId) {
        if self.ends.insert(to, false).is_none() {
            ctx.send(to, Packet::Connect);
            if self.terms.watches {
                ctx.start_timer(Timer::Unanswered(to), CONNECT_MAX);
            }
        }
    }

    /// A connection is gone, or could not be made.
    fn on_end(&mut self, ctx: &mut Context<Self>, from: ProcessId) {
        if self.ends.remove(&from).is_some() {
            self.on_line(ctx, from, Line::Closed("it ended".to_owned()));
        }
    }

    fn on_connect(&mut self, ctx: &mut Context<Self>, from: ProcessId) {
        let is_expected = self.launcher().is_none_or(|conductor| conductor.expects(from.0));
        if !self.is_alive || !self.listens || !is_expected {
            return ctx.send(from, Packet::Refuse);
        }
        self.ends.insert(from, true);
        ctx.send(from, Packet::Accept);
        self.on_line(ctx, from, Line::Opened);
        self.on_line(ctx, from, Line::Accepted);
    }

    /// A participant begins by connecting to the launcher.
    fn start(&mut self, ctx: &mut Context<Self>) {
        self.attend(ctx, Participant::on_init);
        let launcher = self.launcher_rank();
        self.connect(ctx, launcher);
    }
}

impl Process for Node {
    type Request = Ask;
    type Indication = Said;
    type Message = Packet;
    type Timer = Timer;

    fn on_init(&mut self, ctx: &mut Context<Self>) {
        match self.role {
            Role::Launcher(_) => self.conduct(ctx, Conductor::on_init),
            Role::Participant(_) => self.start(ctx),
        }
    }

    fn on_request(&mut self, ctx: &mut Context<Self>, ask: Ask) {
        let news = match ask {
            Ask::Die => return self.end(ctx),
            Ask::Started(rank) => conductor::News::Started { rank, pid: rank },
            Ask::NotStarted(rank) => {
                let (ranks, how, why) =
                    (vec![rank], Loss::NotStarted, "no such machine".to_owned());
                conductor::News::NotStarted { ranks, how, why }
            }
            Ask::Interrupt => conductor::News::Interrupted,
        };
        self.conduct(ctx, |conductor, inner| conductor.on_request(inner, news));
    }

    fn on_message(&mut self, ctx: &mut Context<Self>, from: ProcessId, packet: Packet) {
        match packet {
            Packet::Connect => self.on_connect(ctx, from),
            Packet::Kill => self.end(ctx),
            Packet::Start => {
                let launcher = self.launcher_rank();
                let participant = Participant::new(launcher, self.terms.watches);
                self.role = Role::Participant(participant);
                self.is_alive = true;
                self.has_run_again = false;
                self.start(ctx);
            }
            _ if !self.is_alive => {}
            Packet::Accept => {
                self.ends.insert(from, true);
                self.on_line(ctx, from, Line::Opened);
            }
            Packet::Line(line) if self.ends.contains_key(&from) => self.on_line(ctx, from, line),
            Packet::Refuse | Packet::End => self.on_end(ctx, from),
            Packet::Line(_) => {}
        }
    }

    fn on_timeout(&mut self, ctx: &mut Context<Self>, timer: Timer) {
        match timer {
            Timer::Launcher(timer) => {
                self.conduct(ctx, |conductor, inner| conductor.on_timeout(inner, timer));
            }
            Timer::Participant(timer) => {
                self.attend(ctx, |participant, inner| participant.on_timeout(inner, timer));
            }
            Timer::Work => {
                let news = participant::News::Finished;
                self.attend(ctx, |participant, inner| participant.on_request(inner, news));
            }
            Timer::Unanswered(process) => {
                if self.is_alive && self.ends.get(&process) == Some(&false) {
                    self.on_end(ctx, process);
                }
            }
        }
    }
}

/// What must never be seen in a run, whatever has happened so far.
pub(super) fn wrong_at_any_time(nodes: &[Node]) -> Option<String> {
    let participants = || nodes.iter().filter(|node| node.launcher().is_none());
    if participants().any(|node| node.has_run) && !participants().all(|node| node.was_ready) {
        return Some("one runs before everyone is ready".to_owned());
    }
    if nodes.iter().any(|node| node.has_asked_twice) {
        return Some("a journal that is here is asked for".to_owned());
    }
    None
}

/// What must not be seen when nothing is left to happen. Of the processes that are down nothing is
/// known.
pub(super) fn wrong_at_the_end(nodes: &[Node], is_down: impl Fn(usize) -> bool) -> Option<String> {
    for (rank, node) in nodes.iter().enumerate().filter(|(rank, _)| !is_down(*rank)) {
        if node.is_alive {
            return Some(match node.launcher() {
                Some(conductor) => format!("the launcher waits for ever, {:?}", conductor.stage()),
                None => format!("p{rank} is left behind"),
            });
        }
    }
    let conductor = nodes.iter().find_map(Node::launcher)?;
    if is_down(nodes.len() - 1) || conductor.stage() < Stage::Stopping {
        return None; // It was killed itself, and judges nothing.
    }
    let mut whole = true;
    for (process, member) in conductor.ranked() {
        let is_there_again = member.former.is_some() && member.loss.is_none();
        if is_there_again && member.hello.is_some() && !nodes[process.index()].has_run_again {
            return Some(format!("{process} is there again, and takes no part"));
        }
        let is_collected = matches!(member.handing, Handing::Collected { .. });
        whole &= member.phase == conductor::Phase::Finished && is_collected;
        let is_excused = member.loss.is_some() || !conductor.problems.is_empty();
        if conductor.began() && !is_collected && !is_excused {
            return Some(format!("the journal of {process} is missing, and nothing says why"));
        }
    }
    let is_said = !conductor.problems.is_empty()
        || conductor.members.iter().any(|member| member.loss.is_some());
    (!whole && !is_said).then(|| "the run did not come to its end, and nothing says why".to_owned())
}
