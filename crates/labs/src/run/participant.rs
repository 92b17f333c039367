//! One process of a real run: a daemon that carries out what its algorithm asks for.
//!
//! Its life, as the launcher conducts it:
//!
//! 1. *Join*: connect to the launcher and say hello. With `--launch chain`, start the next one.
//! 2. *Connect*: the launcher releases everyone with the addresses that the overlay grants; connect to
//!    them, wait for those who connect here, and say ready.
//! 3. *Run*: on the launcher's word the algorithm starts. Each event is one step; what it asks for is
//!    written to the journal first and carried out then.
//! 4. *Hand over*: the algorithm is stopped, and the launcher collects the journal.
//! 5. *End*, on the launcher's word.
//!
//! Whenever the connection to the launcher ends, or the launcher is silent for too long, the
//! participant ends too: nothing is left behind by a launcher that was killed.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use log::{debug, error, info, warn};
use netkit::daemon::Ready;
use netkit::launch::{Job, Program};
use netkit::membership::Membership;
use netkit::{Admission, CloseReason, ConnectionId, Net, Outgoing, Peer, Service, TimerId, Waker};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::config::Config;
use super::journal::{Entry, Journal};
use super::wire::{
    LAUNCHER, MessageHeader, PeerFrame, PeerFrameRef, ToLauncher, ToParticipant, kind_field,
};
use crate::lab::{Application, Lab, Place};
use crate::process::{Choices, Effect, Env, Event, Kind, Process, ProcessId, step_into};
use crate::trace::Stamper;
use crate::trace::note::TimerName;

/// How often neighbours and the launcher are asked whether they are there.
pub(super) const WATCH_INTERVAL: Duration = Duration::from_millis(500);

/// How long someone may be silent before being taken for gone. Six questions unanswered: a machine
/// that compiles on all its cores has been seen to leave one open.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(3);

/// How long after the end of the launcher the others of this run on this machine get to end by
/// themselves, before they are killed: some may be stopped and cannot.
const GRACE: Duration = Duration::from_secs(1);

/// How many messages may arrive before the start: each neighbour that starts earlier may send a few.
const EARLY_MAX: usize = 10_000;

/// How many messages may wait for a connection that is not open yet.
const WAITING_MAX: usize = 10_000;

/// How many times a connection to a neighbour is tried, and the pause before the first repetition;
/// each further pause is longer by as much.
const CONNECT_TRIES: u32 = 10;
const CONNECT_PAUSE: Duration = Duration::from_millis(50);

type IndicationOf<L> = <<L as Lab>::Process as Process>::Indication;
type RequestOf<L> = <<L as Lab>::Process as Process>::Request;

/// Runs one participant until the end of the run.
pub(super) fn participate<L, P>(
    config: Config,
    options: L::Options,
    host: String,
    log_path: String,
    journal: Journal,
    ready: Ready,
    build: impl FnOnce(&Place) -> P + 'static,
) -> anyhow::Result<()>
where
    L: Lab,
    P: Process<
            Request = RequestOf<L>,
            Indication = IndicationOf<L>,
            Message: Serialize + DeserializeOwned,
        >,
{
    let mut net = Net::new(netkit::Limits { max_frame: config.max_frame, ..Default::default() })?;
    net.watch_signals(&[netkit::Signal::SIGTERM as i32, netkit::Signal::SIGINT as i32])?;
    let membership =
        Membership { run: config.run.to_string(), secret: config.secret.clone(), me: config.rank };
    let launcher = config.launcher_address().context("nobody said where the launcher is")?;
    let to = Outgoing::Member { membership: membership.clone(), to: LAUNCHER };
    let control = net.connect(launcher, to)?;
    let watch = net.start_timer(WATCH_INTERVAL);
    let (launched, launches) = mpsc::channel();
    let me = ProcessId(config.rank);
    let mut driver = Driver::<L, P> {
        env: Env { me, processes: config.processes, now: None },
        stamper: Stamper::new(
            me,
            config.processes,
            config.trace && config.processes <= crate::trace::event::CLOCKS_MAX_PROCESSES,
        ),
        choices: Choices::Random(config.seed ^ (u64::from(config.rank) << 32)),
        membership,
        options,
        host,
        log_path,
        journal,
        ready: Some(ready),
        build: Some(Box::new(build)),
        control,
        last_word: now(),
        phase: Phase::Joining,
        process: None,
        application: None,
        effects: Vec::new(),
        scratch: Vec::new(),
        started_at: now(),
        addresses: BTreeMap::new(),
        neighbours: BTreeMap::new(),
        connections: BTreeMap::new(),
        accepts_left: 0,
        early: VecDeque::new(),
        to_self: VecDeque::new(),
        asked: VecDeque::new(),
        timers: BTreeMap::from([(watch, TimerUse::Watch)]),
        running: BTreeMap::new(),
        launched,
        launches,
        waker: net.waker(),
        config,
        failure: None,
    };
    net.run(&mut driver)?;
    match driver.failure {
        Some(failure) => Err(anyhow::anyhow!(failure)),
        None => Ok(()),
    }
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Phase {
    /// Connecting to the launcher, or waiting for its release.
    Joining,
    /// Opening the overlay's connections.
    Connecting,
    /// Waiting for the start.
    Ready,
    Running,
    /// The algorithm is stopped.
    HandingOver,
    /// The launcher is gone.
    Orphaned,
}

enum TimerUse<T> {
    Process(T),
    Watch,
    Retry(ProcessId),
    Grace,
}

/// What is known of another process that this one sends to or hears from.
struct Neighbour {
    /// The connection that messages to it are sent on; always the same one, or they could overtake
    /// each other.
    connection: Option<ConnectionId>,
    is_open: bool,
    tries: u32,
    /// Frames that wait until the connection is open.
    waiting: Vec<Vec<u8>>,
    last_word: Instant,
    is_lost: bool,
}

impl Neighbour {
    fn new() -> Self {
        Self {
            connection: None,
            is_open: false,
            tries: 0,
            waiting: Vec::new(),
            last_word: now(),
            is_lost: false,
        }
    }
}

/// Makes the process, once its place is known.
type Build<P> = Box<dyn FnOnce(&Place) -> P>;

struct Driver<L: Lab, P: Process> {
    config: Config,
    options: L::Options,
    membership: Membership,
    host: String,
    log_path: String,
    ready: Option<Ready>,
    build: Option<Build<P>>,
    phase: Phase,

    control: ConnectionId,
    /// When the launcher was last heard.
    last_word: Instant,

    process: Option<P>,
    application: Option<Box<dyn Application<P::Indication, P::Request>>>,
    env: Env,
    choices: Choices,
    stamper: Stamper,
    journal: Journal,
    started_at: Instant,
    effects: Vec<Effect<P>>,
    scratch: Vec<u8>,

    addresses: BTreeMap<ProcessId, SocketAddr>,
    neighbours: BTreeMap<ProcessId, Neighbour>,
    connections: BTreeMap<ConnectionId, ProcessId>,
    accepts_left: u32,
    /// Messages that arrived before the start.
    early: VecDeque<(MessageHeader, P::Message)>,
    /// Messages to itself.
    to_self: VecDeque<(MessageHeader, P::Message)>,
    /// What the application asks for, not yet handed over.
    asked: VecDeque<P::Request>,
    timers: BTreeMap<TimerId, TimerUse<P::Timer>>,
    running: BTreeMap<P::Timer, TimerId>,

    launched: mpsc::Sender<(u32, Result<u32, String>)>,
    launches: mpsc::Receiver<(u32, Result<u32, String>)>,
    waker: Waker,
    failure: Option<String>,
}

impl<L, P> Driver<L, P>
where
    L: Lab,
    P: Process<
            Request = RequestOf<L>,
            Indication = IndicationOf<L>,
            Message: Serialize + DeserializeOwned,
        >,
{
    // Joining.

    fn join(&mut self, net: &mut Net, peer: &Peer) {
        let admission = Admission::Members(self.membership.clone());
        // Where the launcher is reached from, the other participants can reach back to.
        let address = match net.listen(SocketAddr::new(peer.local.ip(), 0), admission) {
            Ok((_, address)) => address,
            Err(error) => {
                let why = format!("cannot listen on {}: {error}", peer.local.ip());
                return self.fail(net, why);
            }
        };
        info!(
            "joined the run {} as p{}, listening on {address}",
            self.config.run, self.config.rank
        );
        let place = Place {
            me: self.env.me,
            processes: self.env.processes,
            host: self.host.clone(),
            pid: std::process::id(),
            address: address.to_string(),
        };
        match L::application(&self.options, &place) {
            Ok(application) => self.application = Some(application),
            Err(error) => return self.fail(net, error.to_string()),
        }
        self.process = self.build.take().map(|build| build(&place));
        let hello = ToLauncher::Hello {
            host: self.host.clone(),
            pid: place.pid,
            address: place.address,
            log: self.log_path.clone(),
        };
        self.tell(net, &hello);
        if let Some(ready) = self.ready.take() {
            ready.ok();
        }
        self.launch_next();
    }

    /// Starts the next participant, in a thread: SSH takes its time, and the launcher wants answers
    /// meanwhile.
    fn launch_next(&mut self) {
        let rank = self.config.rank + 1;
        let Some(chain) = self.config.chain.clone().filter(|_| rank < self.config.processes) else {
            return;
        };
        let job = next_job(&self.config, rank);
        let (launched, waker) = (self.launched.clone(), self.waker.clone());
        thread::spawn(move || {
            let result = job.and_then(|job| {
                let host = chain
                    .placement
                    .get(rank as usize)
                    .and_then(|&host| chain.hosts.get(host))
                    .context("no machine is planned for it")?;
                let mut launch = chain.launch;
                launch.program = std::env::current_exe()?;
                Ok(netkit::launch::launch_one(host, &launch, |_| job)?)
            });
            // Nobody receives any more if the run has ended meanwhile.
            let _ = launched.send((rank, result.map_err(|error| format!("{error:#}"))));
            let _ = waker.wake();
        });
    }

    // Connecting.

    fn release(&mut self, net: &mut Net, opens: Vec<crate::overlay::Contact>, accepts: u32) {
        self.phase = Phase::Connecting;
        // Some may have connected already: the release does not reach everyone at once.
        let early = self.connections.keys().filter(|&&c| net.peer(c).is_some_and(|p| p.incoming));
        self.accepts_left =
            accepts.saturating_sub(u32::try_from(early.count()).unwrap_or(u32::MAX));
        for contact in opens {
            self.meet(net, &contact);
        }
        self.check_ready(net);
    }

    /// Connects to a process whose address is now known.
    fn meet(&mut self, net: &mut Net, contact: &crate::overlay::Contact) {
        let Ok(address) = contact.address.parse() else {
            let why =
                format!("{} has the address {:?}, which is none", contact.process, contact.address);
            return self.fail(net, why);
        };
        self.addresses.insert(contact.process, address);
        let neighbour = self.neighbours.entry(contact.process).or_insert_with(Neighbour::new);
        if neighbour.connection.is_none() {
            self.open(net, contact.process);
        }
    }

    fn open(&mut self, net: &mut Net, to: ProcessId) {
        let Some(&address) = self.addresses.get(&to) else { return };
        let outgoing = Outgoing::Member { membership: self.membership.clone(), to: to.0 };
        let neighbour = self.neighbours.entry(to).or_insert_with(Neighbour::new);
        neighbour.tries += 1;
        match net.connect(address, outgoing) {
            Ok(connection) => {
                neighbour.connection = Some(connection);
                self.connections.insert(connection, to);
            }
            Err(error) => self.fail(net, format!("cannot connect to {to} at {address}: {error}")),
        }
    }

    fn on_neighbour_open(&mut self, net: &mut Net, connection: ConnectionId, peer: &Peer) {
        let Some(rank) = peer.rank.filter(|&rank| rank < self.config.processes) else {
            warn!("{} proved to be {:?}, which is no participant: closed", peer.address, peer.rank);
            return net.close(connection);
        };
        let process = ProcessId(rank);
        debug!("connected with {process} at {}", peer.address);
        self.connections.insert(connection, process);
        let neighbour = self.neighbours.entry(process).or_insert_with(Neighbour::new);
        let mine = *neighbour.connection.get_or_insert(connection);
        neighbour.last_word = now();
        if mine == connection {
            neighbour.is_open = true;
            for frame in std::mem::take(&mut neighbour.waiting) {
                if let Err(error) = net.send(connection, &frame) {
                    warn!("a message to {process} was not sent: {error}");
                }
            }
        }
        if peer.incoming && self.phase == Phase::Connecting {
            self.accepts_left = self.accepts_left.saturating_sub(1);
        }
        self.check_ready(net);
    }

    fn check_ready(&mut self, net: &mut Net) {
        let all_open = self.neighbours.values().all(|neighbour| neighbour.is_open);
        if self.phase == Phase::Connecting && self.accepts_left == 0 && all_open {
            self.phase = Phase::Ready;
            self.tell(net, &ToLauncher::Ready);
        }
    }

    // Running.

    fn start(&mut self, net: &mut Net) {
        info!("the algorithm starts");
        self.phase = Phase::Running;
        self.started_at = now();
        self.happen(net, Event::Init, &Entry::Init);
        self.asked.extend(L::requests(&self.options, self.env.me, self.env.processes));
        while let Some((header, message)) = self.early.pop_front() {
            self.receive(net, header, message, 0);
        }
        self.settle(net);
    }

    fn receive(&mut self, net: &mut Net, header: MessageHeader, message: P::Message, bytes: u32) {
        let MessageHeader { from, n, lamport, .. } = header;
        self.stamper.receive(lamport, header.clock.as_ref());
        let entry = Entry::Receive { from, n, message: &message, bytes };
        if let Err(error) = self.journal.append(&self.stamper, self.at_us(), &entry) {
            return self.fail(net, format!("cannot write the journal: {error}"));
        }
        self.step(net, Event::Message { from, message });
    }

    /// An event that is not a receipt.
    fn happen(&mut self, net: &mut Net, event: Event<P>, entry: &Entry<'_>) {
        if self.record(net, entry) {
            self.step(net, event);
        }
    }

    /// Stamps and writes an event. Returns whether the run can go on.
    fn record(&mut self, net: &mut Net, entry: &Entry<'_>) -> bool {
        self.stamper.tick();
        match self.journal.append(&self.stamper, self.at_us(), entry) {
            Ok(()) => true,
            Err(error) => {
                self.fail(net, format!("cannot write the journal: {error}"));
                false
            }
        }
    }

    fn step(&mut self, net: &mut Net, event: Event<P>) {
        let Some(process) = &mut self.process else { return };
        netkit::logs::set_lamport(if self.config.trace { self.stamper.lamport() } else { 0 });
        self.env.now = Some(self.started_at.elapsed());
        let effects = std::mem::take(&mut self.effects);
        let mut effects = step_into(process, self.env, &mut self.choices, event, effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Send { to, message } => self.send(net, to, message),
                Effect::StartTimer { timer, after } => {
                    self.stop_timer(net, &timer);
                    let id = net.start_timer(after);
                    self.running.insert(timer.clone(), id);
                    self.timers.insert(id, TimerUse::Process(timer));
                }
                Effect::StopTimer { timer } => self.stop_timer(net, &timer),
                Effect::Indicate(indication) => self.indicate(net, &indication),
            }
        }
        self.effects = effects;
    }

    fn send(&mut self, net: &mut Net, to: ProcessId, message: P::Message) {
        self.stamper.tick();
        let header = MessageHeader {
            from: self.env.me,
            to,
            n: self.stamper.n(),
            lamport: self.stamper.lamport(),
            kind: kind_field(Kind::kind(&message)),
            clock: self.stamper.clock().cloned(),
        };
        self.scratch.clear();
        let frame = PeerFrameRef::Message(&header, &message);
        if let Err(error) = netkit::codec::encode(&frame, &mut self.scratch) {
            return self.fail(net, format!("cannot encode {message:?}: {error}"));
        }
        let bytes = (self.scratch.len() - header.length()) as u32;
        let entry = Entry::Send { to, message: &message, bytes };
        if let Err(error) = self.journal.append(&self.stamper, self.at_us(), &entry) {
            return self.fail(net, format!("cannot write the journal: {error}"));
        }
        if to == self.env.me {
            return self.to_self.push_back((header, message));
        }
        self.transmit(net, to);
    }

    /// Sends what is in `scratch`, now or as soon as there is a connection.
    fn transmit(&mut self, net: &mut Net, to: ProcessId) {
        let neighbour = self.neighbours.entry(to).or_insert_with(Neighbour::new);
        match neighbour.connection {
            Some(connection) if neighbour.is_open => {
                if let Err(error) = net.send(connection, &self.scratch) {
                    warn!("a message to {to} was not sent: {error}");
                }
            }
            _ if neighbour.is_lost => debug!("a message to {to}, which is gone, is lost"),
            _ if neighbour.waiting.len() >= WAITING_MAX => {
                let why = format!("{WAITING_MAX} messages wait for a connection to {to}");
                self.fail(net, why);
            }
            _ => neighbour.waiting.push(self.scratch.clone()),
        }
    }

    fn indicate(&mut self, net: &mut Net, indication: &P::Indication) {
        if !self.record(net, &Entry::Indication(indication)) {
            return;
        }
        debug!("{} ! {indication:?}", self.env.me);
        if let Some(application) = &mut self.application {
            match application.on_indication(indication) {
                Ok(requests) => self.asked.extend(requests),
                Err(error) => return self.fail(net, format!("at {indication:?}: {error}")),
            }
        }
        if let Some(contact) = L::contact(indication) {
            let contact = contact.clone();
            self.meet(net, &contact);
        }
        if L::is_finished(indication) {
            info!("finished");
            self.tell(net, &ToLauncher::Finished);
        }
    }

    fn stop_timer(&mut self, net: &mut Net, timer: &P::Timer) {
        if let Some(id) = self.running.remove(timer) {
            self.timers.remove(&id);
            net.stop_timer(id);
        }
    }

    /// What the last step left to this process itself: messages to itself, requests of its application.
    fn settle(&mut self, net: &mut Net) {
        loop {
            if let Some((header, message)) = self.to_self.pop_front() {
                self.receive(net, header, message, 0);
            } else if let Some(request) = self.asked.pop_front() {
                let entry = request.clone();
                self.happen(net, Event::Request(request), &Entry::Request(&entry));
            } else {
                return;
            }
        }
    }

    fn on_peer_frame(&mut self, net: &mut Net, connection: ConnectionId, body: &[u8]) {
        let Some(&from) = self.connections.get(&connection) else { return };
        if let Some(neighbour) = self.neighbours.get_mut(&from) {
            neighbour.last_word = now();
        }
        let frame = match netkit::codec::decode::<PeerFrame<P::Message>>(body) {
            Ok(frame) => frame,
            Err(error) => {
                warn!("{from} sent a frame that is no message ({error}): connection closed");
                return self.on_neighbour_gone(net, connection, "it sent a malformed frame");
            }
        };
        match frame {
            PeerFrame::Ping => self.send_frame(net, connection, &PeerFrameRef::<()>::Pong),
            PeerFrame::Pong => {}
            PeerFrame::Message(header, _) if (header.from, header.to) != (from, self.env.me) => {
                warn!("{from} sent a message from {} to {}: dropped", header.from, header.to);
            }
            PeerFrame::Message(header, message) => match self.phase {
                Phase::Running => {
                    let bytes = body.len().saturating_sub(header.length()) as u32;
                    self.receive(net, header, message, bytes);
                    self.settle(net);
                }
                Phase::HandingOver | Phase::Orphaned => {}
                _ if self.early.len() < EARLY_MAX => self.early.push_back((header, message)),
                _ => self.fail(net, format!("{EARLY_MAX} messages arrived before the start")),
            },
        }
    }

    fn on_neighbour_gone(&mut self, net: &mut Net, connection: ConnectionId, why: &str) {
        net.close(connection);
        let Some(process) = self.connections.remove(&connection) else { return };
        let Some(neighbour) = self.neighbours.get_mut(&process) else { return };
        if neighbour.connection != Some(connection) {
            return;
        }
        let was_open = neighbour.is_open;
        neighbour.connection = None;
        neighbour.is_open = false;
        if !was_open && neighbour.tries < CONNECT_TRIES {
            let timer = net.start_timer(CONNECT_PAUSE * neighbour.tries);
            self.timers.insert(timer, TimerUse::Retry(process));
        } else {
            self.lose(net, process, why.to_owned());
        }
    }

    fn lose(&mut self, net: &mut Net, process: ProcessId, why: String) {
        let Some(neighbour) = self.neighbours.get_mut(&process) else { return };
        if std::mem::replace(&mut neighbour.is_lost, true) || self.phase >= Phase::HandingOver {
            return;
        }
        warn!("lost {process}: {why}");
        self.tell(net, &ToLauncher::PeerLost { peer: process, why });
    }

    // The launcher.

    fn on_control(&mut self, net: &mut Net, body: &[u8]) {
        self.last_word = now();
        match netkit::codec::decode(body) {
            Ok(ToParticipant::Release { opens, accepts }) => self.release(net, opens, accepts),
            Ok(ToParticipant::Go) => self.start(net),
            Ok(ToParticipant::Ping) => self.tell(net, &ToLauncher::Pong),
            Ok(ToParticipant::Collect { offset }) => self.hand_over(net, offset),
            Ok(ToParticipant::Stop) => {
                info!("stopped by the launcher");
                net.stop();
            }
            Err(error) => self.fail(net, format!("the launcher sent a malformed frame: {error}")),
        }
    }

    fn hand_over(&mut self, net: &mut Net, offset: u64) {
        if self.phase != Phase::HandingOver {
            if self.phase == Phase::Running {
                self.record(net, &Entry::Stop);
            }
            self.phase = Phase::HandingOver;
        }
        match self.journal.part(offset) {
            Ok((bytes, is_last, truncated)) => {
                self.tell(net, &ToLauncher::Journal { bytes, is_last, truncated });
            }
            Err(error) => self.fail(net, format!("cannot read the journal: {error}")),
        }
    }

    fn tell(&mut self, net: &mut Net, word: &ToLauncher) {
        let control = self.control;
        self.send_frame(net, control, word);
    }

    fn send_frame<T: Serialize>(&mut self, net: &mut Net, connection: ConnectionId, value: &T) {
        if let Err(error) = net.send_value(connection, value) {
            debug!("a frame was not sent: {error}");
        }
    }

    /// This participant cannot go on. The launcher ends the run.
    fn fail(&mut self, net: &mut Net, why: String) {
        error!("{why}");
        self.phase = Phase::HandingOver;
        self.tell(net, &ToLauncher::Failed { why: why.clone() });
        match self.ready.take() {
            Some(ready) => ready.fail(&why),
            None => self.failure = Some(why),
        }
    }

    /// The launcher is gone. Others of this run on this machine may be stopped and cannot notice: after
    /// a while they are killed.
    fn orphaned(&mut self, net: &mut Net, why: &str) {
        if self.phase == Phase::Orphaned {
            return;
        }
        if let Some(ready) = self.ready.take() {
            let address =
                self.config.launcher_address().map_or_else(String::new, |a| a.to_string());
            ready.fail(&format!(
                "cannot join the launcher at {address}: {why}; can this machine reach that address \
                 (--advertise sets it), or does a firewall drop it?"
            ));
        }
        warn!("the launcher is gone ({why}): this process ends");
        self.phase = Phase::Orphaned;
        let timer = net.start_timer(GRACE);
        self.timers.insert(timer, TimerUse::Grace);
    }

    fn watch(&mut self, net: &mut Net) {
        let timer = net.start_timer(WATCH_INTERVAL);
        self.timers.insert(timer, TimerUse::Watch);
        let silent = |last: Instant| last.elapsed() > SILENCE_MAX;
        if self.phase != Phase::Joining && silent(self.last_word) {
            net.close(self.control);
            return self.orphaned(net, "it is silent");
        }
        if !self.config.watch || self.phase != Phase::Running {
            return;
        }
        let neighbours: Vec<_> = self
            .neighbours
            .iter()
            .filter(|(_, neighbour)| neighbour.is_open)
            .map(|(&process, neighbour)| (process, neighbour.connection, neighbour.last_word))
            .collect();
        for (process, connection, last_word) in neighbours {
            if silent(last_word) {
                self.lose(
                    net,
                    process,
                    format!("no answer for {:.1} s", SILENCE_MAX.as_secs_f64()),
                );
            } else if let Some(connection) = connection {
                self.send_frame(net, connection, &PeerFrameRef::<()>::Ping);
            }
        }
    }

    fn at_us(&self) -> u64 {
        self.started_at.elapsed().as_micros().try_into().unwrap_or(u64::MAX)
    }
}

impl<L, P> Service for Driver<L, P>
where
    L: Lab,
    P: Process<
            Request = RequestOf<L>,
            Indication = IndicationOf<L>,
            Message: Serialize + DeserializeOwned,
        >,
{
    fn on_open(&mut self, net: &mut Net, connection: ConnectionId, peer: &Peer) {
        if connection == self.control {
            self.last_word = now();
            self.join(net, peer);
        } else {
            self.on_neighbour_open(net, connection, peer);
        }
    }

    fn on_frame(&mut self, net: &mut Net, connection: ConnectionId, body: &[u8]) {
        if connection == self.control {
            self.on_control(net, body);
        } else {
            self.on_peer_frame(net, connection, body);
        }
    }

    fn on_close(&mut self, net: &mut Net, connection: ConnectionId, reason: CloseReason) {
        if connection == self.control {
            self.orphaned(net, &reason.to_string());
        } else {
            self.on_neighbour_gone(net, connection, &reason.to_string());
        }
    }

    fn on_timer(&mut self, net: &mut Net, timer: TimerId) {
        match self.timers.remove(&timer) {
            Some(TimerUse::Process(name)) => {
                self.running.remove(&name);
                if self.phase == Phase::Running {
                    let entry = TimerName(&name);
                    self.happen(net, Event::Timeout(name.clone()), &Entry::Timeout(&entry));
                    self.settle(net);
                }
            }
            Some(TimerUse::Watch) => self.watch(net),
            Some(TimerUse::Retry(process)) => self.open(net, process),
            Some(TimerUse::Grace) => {
                let killed = netkit::reap::reap(&self.config.run, netkit::Signal::SIGKILL);
                if !killed.is_empty() {
                    warn!("killed what could not end by itself: {killed:?}");
                }
                net.stop();
            }
            None => {}
        }
    }

    fn on_signal(&mut self, net: &mut Net, signal: i32) {
        info!("ended by signal {signal}");
        net.stop();
    }

    fn on_wake(&mut self, net: &mut Net) {
        while let Ok((rank, result)) = self.launches.try_recv() {
            self.tell(net, &ToLauncher::Launched { rank, result });
        }
    }
}

/// What starts the participant `rank` from the machine of its predecessor.
fn next_job(config: &Config, rank: u32) -> anyhow::Result<Job> {
    let config = Config { rank, ..config.clone() };
    Ok(super::participant_job(&config, Program::Here(std::env::current_exe()?)))
}

/// The clock of this machine: watching who is silent is a matter of real time.
#[expect(clippy::disallowed_methods, reason = "this is the driver, where time comes from")]
fn now() -> Instant {
    Instant::now()
}

/// Opens the file of a traced journal, in `folder`.
pub(super) fn trace_file(folder: &netkit::logs::RunFolder, rank: u32) -> anyhow::Result<File> {
    let name = trace_name(rank);
    drop(folder.file(&name)?);
    let path = folder.path().join(name);
    Ok(std::fs::OpenOptions::new().read(true).append(true).open(path)?)
}

/// The name of a traced journal in the folder of its run.
pub(super) fn trace_name(rank: u32) -> String {
    format!("trace-{rank}.jsonl")
}
