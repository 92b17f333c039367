//! One process of an algorithm as a program of its own, without a launcher.
//!
//! A [`Role`] is what a person starts by hand: a server that listens for as long as it lives, a client that
//! connects to it. The process inside is the same as in a run, and so are the frames; what is missing is the
//! launcher, and with it the journal and the verdict. Of the barrier at the start this is left: the process starts
//! when all those are connected whom it was told to connect to.
//!
//! **Connections come and go.** Who is not connected hears nothing: a message to it is lost, as on a wire that was cut. A
//! role connects again by itself to those whom it was told to connect to, at first at once and then after longer
//! and longer pauses. An algorithm that is run so must bear that.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use log::{debug, info, warn};
use netkit::{
    Admission, CloseReason, ConnectionId, Membership, Net, Outgoing, Peer, Service, TimerId,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::key::Key;
use super::wire::{MessageHeader, PeerFrame, PeerFrameRef, kind_field};
use crate::lab::Application;
use crate::process::{
    Choices, Effect, EffectOf, Env, Event, EventOf, Kind, Process, ProcessId, step_into,
};
use crate::trace::Stamper;

/// The pause before a connection is tried again, the first time; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(50);

/// The longest pause. A server that was away for an hour has its clients back so soon.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// What ends a role: Ctrl-C, a plain `kill`, a terminal that is closed.
const SIGNALS: [i32; 3] =
    [netkit::Signal::SIGINT as i32, netkit::Signal::SIGTERM as i32, netkit::Signal::SIGHUP as i32];

/// What one stand-alone process is and does.
pub struct Role<P: Process> {
    /// The name of the group, at most 64 bytes: members of another group are refused.
    pub group: String,
    /// What all members know.
    pub key: Key,
    /// Who it is in the group.
    pub me: ProcessId,
    /// Where it listens, if it does; port 0 lets the system choose.
    pub listen: Option<SocketAddr>,
    /// To whom it connects, and stays connected.
    pub connect: Vec<(ProcessId, SocketAddr)>,
    /// What random choices are drawn from.
    pub seed: u64,
    /// The algorithm.
    pub process: P,
    /// What is done with its indications.
    pub application: Box<dyn Application<P::Indication, P::Request>>,
    /// Whether an indication says that the role is over.
    pub is_over: fn(&P::Indication) -> bool,
    /// What the process is asked when a connection ends.
    pub lost: fn(ProcessId) -> Option<P::Request>,
    /// What the process is asked when a signal comes. It gets the time to be done with it; a second
    /// signal ends it at once. Nothing: the first does.
    pub stop: Option<P::Request>,
}

/// Plays a role until it is over, or a signal ends it. `ready` is told where it listens.
///
/// # Errors
///
/// If it cannot listen, or its application fails.
pub fn play<P>(role: Role<P>, ready: impl FnOnce(Option<SocketAddr>)) -> anyhow::Result<()>
where
    P: Process<Message: Serialize + DeserializeOwned>,
{
    let mut net = Net::new(netkit::Limits::default())?;
    net.watch_signals(&SIGNALS)?;
    let membership = Membership { run: role.group, secret: role.key.secret(), me: role.me.0 };
    let listening = match role.listen {
        Some(address) => {
            let admission = Admission::Members(membership.clone());
            let (_, address) = net
                .listen(address, admission)
                .with_context(|| format!("cannot listen on {address}"))?;
            Some(address)
        }
        None => None,
    };
    let links = role.connect.into_iter().map(|(peer, address)| {
        (peer, Link { connection: None, address: Some(address), pause: PAUSE })
    });
    let mut player = Player {
        membership,
        // Who takes part is not known beforehand.
        env: Env { me: role.me, processes: u32::MAX, now: None },
        stamper: Stamper::new(role.me, 0, false),
        choices: Choices::Random(role.seed),
        process: role.process,
        application: role.application,
        is_over: role.is_over,
        lost: role.lost,
        stop: role.stop,
        started_at: now(),
        has_started: false,
        links: links.collect(),
        connections: BTreeMap::new(),
        asked: VecDeque::new(),
        timers: BTreeMap::new(),
        running: BTreeMap::new(),
        effects: Vec::new(),
        failure: None,
    };
    ready(listening);
    let peers: Vec<_> = player.links.keys().copied().collect();
    for peer in peers {
        player.connect(&mut net, peer);
    }
    player.start_if_connected(&mut net);
    net.run(&mut player)?;
    player.failure.map_or(Ok(()), Err)
}

/// What a timer is for.
enum Use<T> {
    Process(T),
    Connect(ProcessId),
}

/// The way to another member.
struct Link {
    /// Open, once it is in `connections`.
    connection: Option<ConnectionId>,
    /// Where to connect to; nothing if the other one connects here.
    address: Option<SocketAddr>,
    /// How long to wait before the next try.
    pause: Duration,
}

struct Player<P: Process> {
    membership: Membership,
    env: Env,
    stamper: Stamper,
    choices: Choices,
    process: P,
    application: Box<dyn Application<P::Indication, P::Request>>,
    is_over: fn(&P::Indication) -> bool,
    lost: fn(ProcessId) -> Option<P::Request>,
    stop: Option<P::Request>,
    started_at: Instant,
    /// All to whom it connects were connected once.
    has_started: bool,
    links: BTreeMap<ProcessId, Link>,
    /// Those that are open.
    connections: BTreeMap<ConnectionId, ProcessId>,
    /// What the process is asked, and has not got yet.
    asked: VecDeque<P::Request>,
    timers: BTreeMap<TimerId, Use<P::Timer>>,
    running: BTreeMap<P::Timer, TimerId>,
    effects: Vec<EffectOf<P>>,
    failure: Option<anyhow::Error>,
}

impl<P: Process<Message: Serialize + DeserializeOwned>> Player<P> {
    fn start_if_connected(&mut self, net: &mut Net) {
        let is_open =
            |link: &Link| link.connection.is_some_and(|c| self.connections.contains_key(&c));
        if !self.has_started && self.links.values().all(is_open) {
            self.has_started = true;
            self.step(net, Event::Init);
            self.settle(net);
        }
    }

    fn connect(&mut self, net: &mut Net, peer: ProcessId) {
        let Some(link) = self.links.get_mut(&peer) else { return };
        let Some(address) = link.address.filter(|_| link.connection.is_none()) else { return };
        let to = Outgoing::Member { membership: self.membership.clone(), to: peer.0 };
        match net.connect(address, to) {
            Ok(connection) => link.connection = Some(connection),
            Err(error) => self.connect_later(net, peer, &error.to_string()),
        }
    }

    fn connect_later(&mut self, net: &mut Net, peer: ProcessId, why: &str) {
        let Some(link) = self.links.get_mut(&peer) else { return };
        let Some(address) = link.address else { return };
        info!("no connection to {peer} at {address}: {why}; again in {:?}", link.pause);
        let timer = net.start_timer(link.pause);
        link.pause = (link.pause * 2).min(PAUSE_MAX);
        self.timers.insert(timer, Use::Connect(peer));
    }

    fn step(&mut self, net: &mut Net, event: EventOf<P>) {
        self.env.now = Some(self.started_at.elapsed());
        let effects = std::mem::take(&mut self.effects);
        let mut effects = step_into(&mut self.process, self.env, &mut self.choices, event, effects);
        for effect in effects.drain(..) {
            if self.failure.is_some() {
                break; // What was to be done before could not be.
            }
            match effect {
                Effect::Send { to, message } => self.send(net, to, &message),
                Effect::StartTimer { timer, after } => {
                    self.stop_timer(net, &timer);
                    let id = net.start_timer(after);
                    self.running.insert(timer.clone(), id);
                    self.timers.insert(id, Use::Process(timer));
                }
                Effect::StopTimer { timer } => self.stop_timer(net, &timer),
                Effect::Indicate(indication) => self.indicate(net, &indication),
            }
        }
        self.effects = effects;
    }

    fn send(&mut self, net: &mut Net, to: ProcessId, message: &P::Message) {
        self.stamper.tick();
        let link = self.links.get(&to).and_then(|link| link.connection);
        let Some(connection) = link.filter(|open| self.connections.contains_key(open)) else {
            return debug!("{message:?} to {to}, which is not connected, is lost");
        };
        let header = MessageHeader {
            from: self.env.me,
            to,
            n: self.stamper.n(),
            lamport: self.stamper.lamport(),
            kind: kind_field(Kind::kind(message)),
            clock: None,
        };
        if let Err(error) = net.send_value(connection, &PeerFrameRef::Message(&header, message)) {
            warn!("{message:?} to {to} is lost: {error}");
        }
    }

    fn indicate(&mut self, net: &mut Net, indication: &P::Indication) {
        debug!("{} ! {indication:?}", self.env.me);
        match self.application.on_indication(indication) {
            Ok(requests) => self.asked.extend(requests),
            Err(error) => {
                let what = format!("at {}", indication.kind());
                self.failure = Some(anyhow::Error::new(error).context(what));
                return net.stop();
            }
        }
        if (self.is_over)(indication) {
            net.stop();
        }
    }

    fn stop_timer(&mut self, net: &mut Net, timer: &P::Timer) {
        if let Some(id) = self.running.remove(timer) {
            self.timers.remove(&id);
            net.stop_timer(id);
        }
    }

    /// What the last step left to ask.
    fn settle(&mut self, net: &mut Net) {
        while let Some(request) = self.asked.pop_front() {
            self.step(net, Event::Request(request));
        }
    }
}

impl<P: Process<Message: Serialize + DeserializeOwned>> Service for Player<P> {
    fn on_open(&mut self, net: &mut Net, connection: ConnectionId, peer: &Peer) {
        // Only members come here, and they have proved their ranks.
        let Some(process) = peer.rank.map(ProcessId) else { return net.close(connection) };
        info!("connected with {process} at {}", peer.address);
        let link = self.links.entry(process).or_insert(Link {
            connection: None,
            address: None,
            pause: PAUSE,
        });
        link.pause = PAUSE;
        // One that connects again has lost the old connection, and may have noticed sooner.
        let old = link.connection.replace(connection).filter(|old| *old != connection);
        if let Some(old) = old {
            warn!("{process} is here already, and replaced by the one at {}", peer.address);
            self.connections.remove(&old);
            net.close(old);
        }
        self.connections.insert(connection, process);
        self.start_if_connected(net);
    }

    fn on_frame(&mut self, net: &mut Net, connection: ConnectionId, body: &[u8]) {
        let Some(&from) = self.connections.get(&connection) else { return };
        match netkit::codec::decode::<PeerFrame<P::Message>>(body) {
            Err(error) => {
                warn!("{from} sent a frame that is no message ({error}): connection closed");
                net.close(connection);
                self.on_close(net, connection, CloseReason::Ended);
            }
            Ok(PeerFrame::Message(header, message))
                if (header.from, header.to) == (from, self.env.me) =>
            {
                self.stamper.receive(header.lamport, None);
                self.step(net, Event::Message { from, message });
                self.settle(net);
            }
            Ok(PeerFrame::Message(header, _)) => {
                warn!("{from} sent a message from {} to {}: dropped", header.from, header.to);
            }
            Ok(PeerFrame::Ping | PeerFrame::Pong) => {}
        }
    }

    fn on_close(&mut self, net: &mut Net, connection: ConnectionId, reason: CloseReason) {
        let mine = |link: &Link| link.connection == Some(connection);
        let was_open = self.connections.remove(&connection).is_some();
        let Some((&peer, link)) = self.links.iter_mut().find(|(_, link)| mine(link)) else {
            return;
        };
        link.connection = None;
        if link.address.is_none() {
            info!("{peer} is gone: {reason}");
            self.links.remove(&peer);
        } else {
            self.connect_later(net, peer, &reason.to_string());
        }
        if was_open {
            self.asked.extend((self.lost)(peer));
            self.settle(net);
        }
    }

    fn on_timer(&mut self, net: &mut Net, timer: TimerId) {
        match self.timers.remove(&timer) {
            Some(Use::Process(name)) => {
                self.running.remove(&name);
                self.step(net, Event::Timeout(name));
                self.settle(net);
            }
            Some(Use::Connect(peer)) => self.connect(net, peer),
            None => {}
        }
    }

    fn on_signal(&mut self, net: &mut Net, signal: i32) {
        info!("signal {signal}");
        match self.stop.take().filter(|_| self.has_started) {
            Some(request) => {
                self.asked.push_back(request);
                self.settle(net);
            }
            None => net.stop(),
        }
    }
}

/// The clock of this machine.
#[expect(clippy::disallowed_methods, reason = "this is a driver, where time comes from")]
fn now() -> Instant {
    Instant::now()
}
