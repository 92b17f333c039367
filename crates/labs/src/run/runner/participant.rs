//! A daemon that takes part in a run: the runner of a [`Participant`] and of its algorithm.
//!
//! All that happens goes one way, in [`Attendant::go_on`]: what the participant is told comes
//! first, then what the algorithm wants done, then its messages to itself, then the requests of its
//! application.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;
use log::{debug, error, info, warn};
use netkit::codec::CodecError;
use netkit::daemon::Ready;
use netkit::membership::Membership;
use netkit::{Admission, CloseReason, ConnectionId, Net, Outgoing, Peer, Service, Signal, TimerId};

use super::ways::Ways;
use super::{Timers, now, witness};
use crate::faults::Fate;
use crate::lab::Place;
use crate::misstep::watchdog::Watchdog;
use crate::process::{Choices, Effect, Env, Event, EventOf, ProcessId, step};
use crate::replay::recall::Past;
use crate::run::algorithm::{Algorithm, Books, Deed, Misfortune};
use crate::run::config::{Again, Config};
use crate::run::hosted::{Build, Former, Hosted};
use crate::run::journal::Journal;
use crate::run::log_tail::LogTail;
use crate::run::participant::{Act, News, Participant, SILENCE_MAX, Timer};
use crate::run::shell::launching::Below;
use crate::run::wire::{Hello, LAUNCHER, Line, MessageHeader, PeerFrame};
use crate::trace::{Stamper, Whereabouts, event::CLOCKS_MAX_PROCESSES};

/// How many messages may wait for a connection that is not open yet.
const WAITING_MAX: usize = 10_000;

/// The signals that a participant does not leave to the system.
const SIGNALS: [i32; 3] = [Signal::SIGINT as i32, Signal::SIGTERM as i32, Signal::SIGTSTP as i32];

/// The launcher, for which a participant is one of many.
const TO_LAUNCHER: ProcessId = ProcessId(LAUNCHER);

/// What a participant is made of.
pub(in crate::run) struct Start {
    pub(in crate::run) host: String,
    pub(in crate::run) log_path: String,
    /// The process, once its place is known, and where its journal goes.
    pub(in crate::run) process: Option<(Build, Journal)>,
    /// Tells the launch what has become of this daemon.
    pub(in crate::run) ready: Option<Ready>,
}

/// Takes part in a run until it ends.
///
/// # Errors
///
/// If the participant could not go on.
pub(in crate::run) fn participate(config: Config, mut start: Start) -> anyhow::Result<()> {
    crate::misstep::panics::log_others();
    let membership =
        Membership { run: config.run.to_string(), secret: config.secret.clone(), me: config.rank };
    let begun = begin(&config, &membership);
    let (mut net, control) = begun.map_err(|error| told(&mut start.ready, error))?;
    let log_tail = match config.duties.show_log {
        true => LogTail::open(Path::new(&start.log_path)),
        false => LogTail::default(),
    };
    let mut attendant = Attendant {
        participant: Participant::new(TO_LAUNCHER, config.duties.watch),
        events: VecDeque::from([Event::Init]),
        start,
        algorithm: None,
        control,
        ways: Ways::new(membership),
        timers: Timers::new(),
        followed: Followed { offset: None, log_tail },
        last_tick: now(),
        below: Below::new(net.waker()),
        watchdog: None,
        failure: None,
        config,
    };
    attendant.go_on(&mut net);
    let ran = net.run(&mut attendant);
    ran.map_err(|error| told(&mut attendant.start.ready, error.into()))?;
    attendant.failure.map_or(Ok(()), |failure| Err(anyhow::anyhow!(failure)))
}

/// Makes the event loop, and connects to the launcher.
fn begin(config: &Config, membership: &Membership) -> anyhow::Result<(Net, ConnectionId)> {
    let mut net = Net::new(netkit::Limits { max_frame: config.max_frame, ..Default::default() })?;
    net.watch_signals(&SIGNALS)?;
    net.hold_back();
    let launcher = config.launcher_address().context("nobody said where the launcher is")?;
    let to = Outgoing::Member { membership: membership.clone(), to: LAUNCHER };
    let control = net.connect(launcher, to).with_context(|| {
        format!("cannot connect to the launcher at {launcher}; is there a network? see --advertise")
    })?;
    Ok((net, control))
}

/// Tells the program that started this one why it cannot take part, and ends it, if that one still
/// waits; else the error is the caller's.
fn told(ready: &mut Option<Ready>, error: anyhow::Error) -> anyhow::Error {
    if let Some(ready) = ready.take() {
        log::error!("{error:#}");
        ready.fail(&format!("{error:#}"));
    }
    error
}

/// What a timer is for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Use {
    Participant(Timer),
    Algorithm(u32),
    /// A frame to this process was kept back long enough.
    Release(ProcessId),
    Follow,
}

/// What the launcher has seen of this participant, if it follows the run.
pub(super) struct Followed {
    /// Up to which byte it has the journal.
    pub(super) offset: Option<u64>,
    pub(super) log_tail: LogTail,
}

/// The runner of a participant.
pub(super) struct Attendant {
    pub(super) config: Config,
    participant: Participant,
    /// What the participant is still to be told.
    events: VecDeque<EventOf<Participant>>,
    /// What it was made of, as far as that is not used up.
    start: Start,
    /// Its process, once it has joined.
    pub(super) algorithm: Option<Algorithm>,
    /// The connection to the launcher.
    pub(super) control: ConnectionId,
    ways: Ways,
    pub(super) timers: Timers<Use>,
    pub(super) followed: Followed,
    /// When it last looked at who is silent.
    last_tick: Instant,
    below: Below,
    /// Looks after the steps of its process.
    watchdog: Option<Watchdog>,
    failure: Option<String>,
}

impl Attendant {
    /// Does what is left to do, until nothing is.
    fn go_on(&mut self, net: &mut Net) {
        loop {
            if let Some(event) = self.events.pop_front() {
                self.step(net, event);
                continue;
            }
            let Some(algorithm) = &mut self.algorithm else { return };
            if let Some(deed) = algorithm.deed() {
                self.carry_out(net, deed);
            } else if let Some((header, body)) = algorithm.next_message() {
                // It was looked at when it came, or is one of its own.
                let from = header.from;
                if let Err(error) = self.receive(net, header, &body) {
                    warn!("{from} sent a message that is none: {error}");
                }
            } else if !algorithm.next_request() {
                return;
            }
        }
    }

    pub(super) fn hear(&mut self, news: News) {
        self.events.push_back(Event::Request(news));
    }

    fn on_line(&mut self, from: ProcessId, line: Line) {
        self.events.push_back(Event::Message { from, message: line });
    }

    fn me(&self) -> ProcessId {
        ProcessId(self.config.rank)
    }

    /// One event of the participant.
    fn step(&mut self, net: &mut Net, event: EventOf<Participant>) {
        let env = Env { me: self.me(), processes: self.config.processes, now: None };
        let mut choices = Choices::default();
        for effect in step(&mut self.participant, env, &mut choices, event) {
            match effect {
                Effect::Send { message: Line::Up(word), .. } => self.tell(net, &word),
                Effect::Send { to, .. } => self.ping(net, to),
                Effect::StartTimer { timer, after } => {
                    self.timers.start(net, Use::Participant(timer), after);
                }
                Effect::StopTimer { timer } => self.timers.stop(net, &Use::Participant(timer)),
                Effect::Indicate(act) => self.act(net, act),
            }
        }
    }

    fn act(&mut self, net: &mut Net, act: Act) {
        match act {
            Act::Join => match self.join(net) {
                Ok(hello) => self.joined(net, hello),
                Err(why) => self.hear(News::Failed(why)),
            },
            Act::Connect { to, address } => {
                if let Err(error) = self.ways.connect(net, to, address) {
                    let why = format!("cannot connect to {to} at {address}: {error}");
                    self.hear(News::Failed(why));
                }
            }
            Act::Disconnect(process) => self.ways.disconnect(net, process),
            Act::Start => self.algorithm.iter_mut().for_each(Algorithm::start),
            Act::Resume { at_us, follow } => {
                self.algorithm.iter_mut().for_each(|algorithm| algorithm.resume(at_us));
                self.followed.offset = follow;
                self.follow(net);
            }
            Act::Follow(offset) => {
                self.followed.offset = Some(offset);
                self.follow(net);
            }
            Act::Close => {
                self.algorithm.iter_mut().for_each(Algorithm::stop);
                self.tell_toll(net);
                self.show_rest_of_log(net);
            }
            Act::HandOver(offset) => self.hand_over(net, offset),
            Act::Lost(process) => {
                self.algorithm.iter_mut().for_each(|algorithm| algorithm.lose(process));
            }
            Act::Fail(why) => self.fail(net, why),
            Act::Orphan(why) => self.orphaned(net, &why),
            Act::Reap => {
                let killed = netkit::reap::reap(&self.config.run, Signal::SIGKILL);
                if !killed.is_empty() {
                    warn!("killed what could not end by itself: {killed:?}");
                }
                net.stop();
            }
            Act::End => net.stop(),
        }
    }

    /// Listens for neighbours, and makes the process.
    fn join(&mut self, net: &mut Net) -> Result<Hello, String> {
        let (Some(peer), Some((build, journal))) =
            (net.peer(self.control), self.start.process.take())
        else {
            return Err("the launcher is gone already".to_owned());
        };
        // Where the launcher is reached from, the other participants can reach back to.
        let here = peer.local.ip();
        let peer_address = peer.address;
        let admission = Admission::Members(self.ways.membership().clone());
        let listening = net.listen(SocketAddr::new(here, 0), admission);
        let (_, address) =
            listening.map_err(|error| format!("cannot listen on {here}: {error}"))?;
        let (me, processes) = (self.me(), self.config.processes);
        info!("joined the run {} as {me}, listening on {address}", self.config.run);
        let (host, pid, address) =
            (self.start.host.clone(), std::process::id(), address.to_string());
        let place = Place { me, processes, host, pid, address };
        let algorithm = self.algorithm(self.process(build, &place, &journal)?, journal)?;
        let steps = algorithm.whereabouts();
        let watchdog = witness::look_after(steps, peer_address, self.ways.membership());
        let nobody = |error| format!("no thread looks after the handlers: {error}");
        self.watchdog = Some(watchdog.map_err(nobody)?);
        self.algorithm = Some(algorithm);
        let Place { host, address, .. } = place;
        Ok(Hello { host, pid, address, log: self.start.log_path.clone() })
    }

    /// Makes the process: where one of its rank died, from what that one wrote down.
    fn process(
        &self,
        build: Build,
        place: &Place,
        journal: &Journal,
    ) -> Result<Box<dyn Hosted>, String> {
        let Some(Again { first, .. }) = &self.config.again else { return build(place, None) };
        let (me, &Config { processes, seed, .. }) = (self.me(), &self.config);
        let events = journal.events(me);
        let mut events = events.map_err(|error| format!("cannot read the journal: {error}"))?;
        let Whereabouts { host, pid, address } = first.clone();
        let former = Former {
            place: Place { me, processes, host, pid, address },
            past: Past { me, processes, seed, events: &mut events },
        };
        build(place, Some(former))
    }

    fn algorithm(&self, hosted: Box<dyn Hosted>, journal: Journal) -> Result<Algorithm, String> {
        let (me, &Config { processes, seed, .. }) = (self.me(), &self.config);
        let plan = self.config.faults.parse::<crate::faults::Plan>();
        let plan = plan.map_err(|error| format!("the plan of faults: {error}"))?;
        let clocks = self.config.duties.trace && processes <= CLOCKS_MAX_PROCESSES;
        let books = Books::new(Stamper::new(me, processes, clocks), journal);
        let env = Env { me, processes, now: None };
        let mut algorithm = Algorithm::new(hosted, env, Choices::of(me, seed), books);
        // What struck the one that died does not strike the one that starts where it died.
        let spent = self.config.again.as_ref().map_or(&[][..], |again| &again.spent);
        let triggers = plan.triggers(me, spent);
        algorithm.misfortune = Misfortune::new(&plan, seed, triggers);
        Ok(algorithm)
    }

    fn joined(&mut self, net: &mut Net, hello: Hello) {
        self.step(net, Event::Request(News::Joined(hello)));
        if let Some(ready) = self.start.ready.take() {
            ready.ok();
        }
        self.below.launch(&self.config);
    }

    /// What the algorithm wants done.
    fn carry_out(&mut self, net: &mut Net, deed: Deed) {
        match deed {
            Deed::Send { to, frame, fate } => self.send(net, to, frame, fate),
            Deed::StartTimer { timer, after } => {
                self.timers.start(net, Use::Algorithm(timer), after);
            }
            Deed::StopTimer { timer } => self.timers.stop(net, &Use::Algorithm(timer)),
            Deed::Meet(contact) => self.hear(News::Met(contact)),
            Deed::Finished => self.hear(News::Finished),
            Deed::Fail(why) => self.hear(News::Failed(why)),
        }
    }

    /// Sends a frame as the plan of faults lets it.
    fn send(&mut self, net: &mut Net, to: ProcessId, frame: Vec<u8>, fate: Fate) {
        let at = self.ways.elapsed();
        let injector = self.algorithm.as_mut().and_then(|a| a.misfortune.injector.as_mut());
        let Some(injector) = injector else { return self.transmit(net, to, frame) };
        let link = self.ways.link(to);
        if link.len() >= WAITING_MAX {
            let why = format!("the plan keeps back {WAITING_MAX} messages to {to}");
            return self.hear(News::Failed(why));
        }
        if let Some(rule) = link.keep(frame, fate, at) {
            injector.overtaken(rule);
        }
        self.release(net, to);
    }

    /// Sends what was kept back long enough.
    fn release(&mut self, net: &mut Net, to: ProcessId) {
        let at = self.ways.elapsed();
        let me = self.me();
        let due = self.ways.link(to).release(at);
        let injector = self.algorithm.as_mut().and_then(|a| a.misfortune.injector.as_mut());
        if let (true, Some(injector)) = (due.is_alone, injector) {
            injector.alone(me, to);
        }
        for frame in due.frames {
            self.transmit(net, to, frame);
        }
        match self.ways.link(to).next() {
            Some(next) => self.timers.start(net, Use::Release(to), next.saturating_sub(at)),
            None => self.timers.stop(net, &Use::Release(to)),
        }
    }

    /// Sends a frame, now or as soon as there is a connection.
    fn transmit(&mut self, net: &mut Net, to: ProcessId, frame: Vec<u8>) {
        let Some(frame) = self.ways.send(net, to, frame) else { return };
        if self.participant.has_lost(to) {
            debug!("a message to {to}, which is gone, is lost");
        } else if self.ways.keep(to, frame) > WAITING_MAX {
            let why = format!("{WAITING_MAX} messages wait for a connection to {to}");
            self.hear(News::Failed(why));
        }
    }

    fn ping(&mut self, net: &mut Net, to: ProcessId) {
        if let Ok(ping) = PeerFrame::Ping.write() {
            // A neighbour whose connection has just ended is lost in a moment.
            let _ = self.ways.send(net, to, ping);
        }
    }

    fn on_peer_frame(&mut self, net: &mut Net, connection: ConnectionId, body: &[u8]) {
        let Some(from) = self.ways.end(connection) else { return };
        self.participant.hear(from);
        let me = self.me();
        let received = PeerFrame::read(body).and_then(|frame| match frame {
            PeerFrame::Ping => {
                let pong = PeerFrame::Pong.write()?;
                net.send(connection, &pong).unwrap_or_else(|error| debug!("no pong: {error}"));
                Ok(())
            }
            PeerFrame::Pong => Ok(()),
            PeerFrame::Message(header, _) if (header.from, header.to) != (from, me) => {
                warn!("{from} sent a message from {} to {}: dropped", header.from, header.to);
                Ok(())
            }
            PeerFrame::Message(header, message) => self.receive(net, header, message),
        });
        if let Err(error) = received {
            warn!("{from} sent a frame that is no message ({error}): connection closed");
            self.on_end(net, connection, "it sent a malformed frame".to_owned());
        }
    }

    /// Hands a message to the algorithm, now or at the start.
    fn receive(
        &mut self,
        net: &mut Net,
        header: MessageHeader,
        body: &[u8],
    ) -> Result<(), CodecError> {
        let Some(algorithm) = &mut self.algorithm else { return Ok(()) };
        if !algorithm.is_running() {
            return algorithm.keep(header, body);
        }
        let arrival = algorithm.arrive(header, body)?;
        if let Some(signal) = arrival.signal {
            self.be_struck(net, signal);
        }
        if let Some(algorithm) = &mut self.algorithm {
            algorithm.receive(arrival);
        }
        Ok(())
    }

    /// The plan of faults sends this process a signal. If that is its end, this does not return.
    fn be_struck(&mut self, net: &mut Net, signal: Signal) {
        warn!("{signal} by plan");
        // A process that dies tells nothing later, and one that stands still may die.
        self.tell_toll(net);
        net.flush(self.control);
        if let Err(error) = netkit::reap::raise(signal) {
            warn!("the plan could not be carried out: {error}");
        }
    }

    /// A connection with a neighbour has ended.
    fn on_end(&mut self, net: &mut Net, connection: ConnectionId, why: String) {
        if let Some(process) = self.ways.close(net, connection) {
            self.on_line(process, Line::Closed(why));
        }
    }

    /// This participant cannot go on.
    fn fail(&mut self, net: &mut Net, why: String) {
        error!("{why}");
        self.show_rest_of_log(net);
        if self.is_running() {
            self.tell_toll(net);
        }
        self.algorithm.iter_mut().for_each(Algorithm::halt);
        match self.start.ready.take() {
            Some(ready) => ready.fail(&why),
            None => self.failure = Some(why),
        }
    }

    fn orphaned(&mut self, net: &mut Net, why: &str) {
        net.close(self.control);
        self.algorithm.iter_mut().for_each(Algorithm::halt);
        if let Some(ready) = self.start.ready.take() {
            let address = self.config.launcher_address();
            let address = address.map_or_else(String::new, |address| address.to_string());
            ready.fail(&format!(
                "cannot join the launcher at {address}: {why}; can this machine reach that address \
                 (--advertise sets it), or does a firewall drop it?"
            ));
        }
        warn!("the launcher is gone ({why}): this process ends");
    }

    pub(super) fn is_running(&self) -> bool {
        self.algorithm.as_ref().is_some_and(Algorithm::is_running)
    }

    /// A process that stood still heard nothing, and that is nobody's silence.
    fn notice_own_stop(&mut self) {
        let late = self.last_tick.elapsed();
        self.last_tick = now();
        if late > SILENCE_MAX {
            warn!("this process stood still for {:.1} s", late.as_secs_f64());
            self.participant.hear_all();
        }
    }
}

impl Service for Attendant {
    fn on_open(&mut self, net: &mut Net, connection: ConnectionId, peer: &Peer) {
        if connection == self.control {
            self.on_line(TO_LAUNCHER, Line::Opened);
            return self.go_on(net);
        }
        let Some(rank) = peer.rank.filter(|&rank| rank < self.config.processes) else {
            warn!("{} proved to be {:?}, which is no participant: closed", peer.address, peer.rank);
            return net.close(connection);
        };
        debug!("connected with p{rank} at {}", peer.address);
        if self.ways.open(net, connection, peer) {
            self.on_line(ProcessId(rank), Line::Opened);
        }
        if peer.incoming {
            self.on_line(ProcessId(rank), Line::Accepted);
        }
        self.go_on(net);
    }

    fn on_frame(&mut self, net: &mut Net, connection: ConnectionId, body: &[u8]) {
        if connection != self.control {
            self.on_peer_frame(net, connection, body);
        } else {
            match netkit::codec::decode(body) {
                Ok(word) => self.on_line(TO_LAUNCHER, Line::Down(word)),
                Err(error) => {
                    let why = format!("the launcher sent a malformed frame: {error}");
                    self.hear(News::Failed(why));
                }
            }
        }
        self.go_on(net);
    }

    fn on_close(&mut self, net: &mut Net, connection: ConnectionId, reason: CloseReason) {
        if connection == self.control {
            self.on_line(TO_LAUNCHER, Line::Closed(reason.to_string()));
        } else {
            self.on_end(net, connection, reason.to_string());
        }
        self.go_on(net);
    }

    fn on_timer(&mut self, net: &mut Net, timer: TimerId) {
        match self.timers.ring(timer) {
            Some(Use::Algorithm(timer)) => {
                self.algorithm.iter_mut().for_each(|algorithm| algorithm.on_timeout(timer));
            }
            Some(Use::Participant(timer)) => {
                if timer == Timer::Watch {
                    self.notice_own_stop();
                    if self.is_running() {
                        self.tell_toll(net);
                    }
                }
                self.events.push_back(Event::Timeout(timer));
            }
            Some(Use::Release(process)) => self.release(net, process),
            Some(Use::Follow) => self.follow(net),
            None => {}
        }
        self.go_on(net);
    }

    fn on_signal(&mut self, net: &mut Net, signal: i32) {
        if signal == Signal::SIGTSTP as i32 {
            return stand_still();
        }
        self.hear(News::Signalled(signal));
        self.go_on(net);
    }

    fn on_turn_end(&mut self, net: &mut Net) -> io::Result<()> {
        let committed = self.algorithm.as_mut().map_or(Ok(()), Algorithm::commit);
        // Of the first failure the launcher is told, and neighbours get nothing more.
        if let Err(why) = committed
            && self.failure.is_none()
        {
            self.ways.disconnect_all(net);
            self.hear(News::Failed(why));
            self.go_on(net);
        }
        Ok(())
    }

    fn on_wake(&mut self, net: &mut Net) {
        for (rank, result) in self.below.results() {
            self.hear(News::Launched { rank, result });
        }
        self.go_on(net);
    }
}

/// Does what SIGTSTP asks for. The system itself ignores it in a daemon, whose process group has
/// nobody that could continue it from a terminal; a person that sends it to one by hand means it.
fn stand_still() {
    if let Err(error) = netkit::reap::raise(Signal::SIGSTOP) {
        warn!("SIGTSTP came, and the system does not let this process stop: {error}");
    }
}
