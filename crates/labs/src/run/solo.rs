//! One process of an algorithm as a program of its own, without a launcher.
//!
//! A [`Role`] is what a person starts by hand: a server that listens for as long as it lives, a
//! client that connects to it. The process inside is the same as in a run, and so are the frames;
//! what is missing is the launcher, and with it the journal and the verdict. Of the barrier at the
//! start this is left: the process starts when it has been connected with all to which it was told
//! to connect.
//!
//! **Connections come and go.** A message to a member that is not connected is lost, as on a wire
//! that was cut. A role connects again by itself, first at once and then after longer and longer
//! pauses. An algorithm that is run so must bear that.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use log::{debug, info, warn};
use netkit::codec::CodecError;
use netkit::{Admission, CloseReason, ConnectionId, Membership, Net, Peer, Service, TimerId};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::algorithm::{Algorithm, Books, Deed};
use super::hosted::{Bonds, Host, Texts};
use super::journal::Journal;
use super::key::Key;
use super::runner::Timers;
use super::runner::ways::Ways;
use super::wire::{MessageHeader, PeerFrame};
use crate::lab::Application;
use crate::process::{Choices, Env, Process, ProcessId};
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
    /// Its rank in the group.
    pub me: ProcessId,
    /// Where it listens, if it does; port 0 lets the system choose.
    pub listen: Option<SocketAddr>,
    /// The members to which it connects, and stays connected.
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
    net.hold_back();
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
    let bonds = Bonds {
        application: role.application,
        contact: |_| None,
        is_finished: role.is_over,
        lost: role.lost,
        requests: Vec::new(),
        stop: role.stop,
    };
    let host = Host::new(role.process, bonds, Texts::KindOnly);
    // How many take part is not known beforehand.
    let env = Env { me: role.me, processes: u32::MAX, now: None };
    let books = Books::new(Stamper::new(role.me, 0, false), Journal::Nowhere);
    let algorithm = Algorithm::new(Box::new(host), env, Choices::Random(role.seed), books);
    let calls = role.connect.into_iter();
    let mut player = Player {
        me: role.me,
        algorithm,
        ways: Ways::new(membership),
        calls: calls.map(|(peer, address)| (peer, Call { address, pause: PAUSE })).collect(),
        connected: BTreeSet::new(),
        timers: Timers::new(),
        failure: None,
    };
    ready(listening);
    let peers: Vec<_> = player.calls.keys().copied().collect();
    for peer in peers {
        player.call(&mut net, peer);
    }
    player.start_if_connected(&mut net);
    net.run(&mut player)?;
    player.failure.map_or(Ok(()), |why| Err(anyhow::anyhow!(why)))
}

/// What a timer is for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Use {
    Algorithm(u32),
    Call(ProcessId),
}

/// Another member, to which this one connects.
struct Call {
    address: SocketAddr,
    /// How long to wait before the next try.
    pause: Duration,
}

/// Plays a role: the runner of its algorithm.
struct Player {
    me: ProcessId,
    algorithm: Algorithm,
    ways: Ways,
    calls: BTreeMap<ProcessId, Call>,
    /// Those to which there is a way.
    connected: BTreeSet<ProcessId>,
    timers: Timers<Use>,
    failure: Option<String>,
}

impl Player {
    /// The algorithm starts when everybody was connected once.
    fn start_if_connected(&mut self, net: &mut Net) {
        if self.algorithm.is_waiting() && self.calls.keys().all(|p| self.connected.contains(p)) {
            self.algorithm.start();
            self.go_on(net);
        }
    }

    fn call(&mut self, net: &mut Net, peer: ProcessId) {
        let Some(call) = self.calls.get(&peer) else { return };
        if let Err(error) = self.ways.connect(net, peer, call.address) {
            self.call_later(net, peer, &error.to_string());
        }
    }

    fn call_later(&mut self, net: &mut Net, peer: ProcessId, why: &str) {
        let Some(Call { address, pause }) = self.calls.get_mut(&peer) else { return };
        info!("no connection to {peer} at {address}: {why}; again in {pause:?}");
        self.timers.start(net, Use::Call(peer), *pause);
        *pause = (*pause * 2).min(PAUSE_MAX);
    }

    /// Does what is left to do, until nothing is.
    fn go_on(&mut self, net: &mut Net) {
        loop {
            if let Some(deed) = self.algorithm.deed() {
                self.carry_out(net, deed);
            } else if let Some((header, body)) = self.algorithm.next_message() {
                let received = self.receive(header, &body);
                received.unwrap_or_else(|error| warn!("a message was none: {error}"));
            } else if !self.algorithm.next_request() {
                return;
            }
        }
    }

    fn carry_out(&mut self, net: &mut Net, deed: Deed) {
        match deed {
            Deed::Send { to, frame, .. } => {
                if self.ways.send(net, to, frame).is_some() {
                    debug!("a message to {to}, which is not connected, is lost");
                }
            }
            Deed::StartTimer { timer, after } => {
                self.timers.start(net, Use::Algorithm(timer), after);
            }
            Deed::StopTimer { timer } => self.timers.stop(net, &Use::Algorithm(timer)),
            Deed::Meet(_) => {}
            Deed::Finished => net.stop(),
            Deed::Fail(why) => {
                self.failure = Some(why);
                net.stop();
            }
        }
    }

    fn receive(&mut self, header: MessageHeader, body: &[u8]) -> Result<(), CodecError> {
        if self.algorithm.is_running() {
            let arrival = self.algorithm.arrive(header, body)?;
            self.algorithm.receive(arrival);
            return Ok(());
        }
        self.algorithm.keep(header, body)
    }

    /// There is no way to a member any more.
    fn lose(&mut self, net: &mut Net, peer: ProcessId, why: &str) {
        match self.calls.contains_key(&peer) {
            true => self.call_later(net, peer, why),
            false => info!("{peer} is gone: {why}"),
        }
        if self.connected.remove(&peer) {
            self.algorithm.lose(peer);
        }
    }
}

impl Service for Player {
    fn on_open(&mut self, net: &mut Net, connection: ConnectionId, peer: &Peer) {
        // Only members come here, and they have proved their ranks.
        let Some(process) = peer.rank.map(ProcessId) else { return net.close(connection) };
        info!("connected with {process} at {}", peer.address);
        // One that connects again has lost the old connection, and may have noticed sooner.
        if !self.ways.open(net, connection, peer) {
            warn!("{process} is here already, and replaced by the one at {}", peer.address);
            self.ways.disconnect(net, process);
            self.ways.open(net, connection, peer);
        }
        self.connected.insert(process);
        if let Some(call) = self.calls.get_mut(&process) {
            call.pause = PAUSE;
        }
        self.start_if_connected(net);
    }

    fn on_frame(&mut self, net: &mut Net, connection: ConnectionId, body: &[u8]) {
        let Some(from) = self.ways.end(connection) else { return };
        let me = self.me;
        let received = PeerFrame::read(body).and_then(|frame| match frame {
            PeerFrame::Message(header, _) if (header.from, header.to) != (from, me) => {
                warn!("{from} sent a message from {} to {}: dropped", header.from, header.to);
                Ok(())
            }
            PeerFrame::Message(header, message) => self.receive(header, message),
            PeerFrame::Ping | PeerFrame::Pong => Ok(()),
        });
        if let Err(error) = received {
            warn!("{from} sent a frame that is no message ({error}): connection closed");
            return self.on_close(net, connection, CloseReason::Ended);
        }
        self.go_on(net);
    }

    fn on_close(&mut self, net: &mut Net, connection: ConnectionId, reason: CloseReason) {
        if let Some(peer) = self.ways.close(net, connection) {
            self.lose(net, peer, &reason.to_string());
            self.go_on(net);
        }
    }

    fn on_timer(&mut self, net: &mut Net, timer: TimerId) {
        match self.timers.ring(timer) {
            Some(Use::Algorithm(timer)) => self.algorithm.on_timeout(timer),
            Some(Use::Call(peer)) => self.call(net, peer),
            None => {}
        }
        self.go_on(net);
    }

    fn on_turn_end(&mut self, _: &mut Net) -> io::Result<()> {
        self.algorithm.commit().map_err(io::Error::other)
    }

    fn on_signal(&mut self, net: &mut Net, signal: i32) {
        info!("signal {signal}");
        match self.algorithm.is_running() && self.algorithm.ask_to_stop() {
            true => self.go_on(net),
            false => net.stop(),
        }
    }
}
