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

mod faults;
mod log_tail;
mod neighbours;
mod orders;
mod steps;

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use log::warn;
use netkit::daemon::Ready;
use netkit::membership::Membership;
use netkit::{CloseReason, ConnectionId, Net, Outgoing, Peer, Service, TimerId, Waker};
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::faults::Link;
use self::log_tail::LogTail;
use super::config::Config;
use super::journal::{Entry, Journal};
use super::wire::{LAUNCHER, MessageHeader, ToLauncher};
use crate::faults::{Injector, Toll, Triggers};
use crate::lab::{Application, Lab, Place};
use crate::process::{Choices, EffectOf, Env, Event, Process, ProcessId};
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

/// How often the launcher is told what happened, if it follows the run: fast enough for the eye.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(100);

/// How many messages may arrive before the start: each neighbour that starts earlier may send a few.
const EARLY_MAX: usize = 10_000;

/// How many messages may wait for a connection that is not open yet.
const WAITING_MAX: usize = 10_000;

/// How many times a connection to a neighbour is tried, and the pause before the first repetition;
/// each further pause is longer by as much.
const CONNECT_TRIES: u32 = 10;
const CONNECT_PAUSE: Duration = Duration::from_millis(50);

/// How many parts of the log are handed over at the end of the run: a megabyte. More is in the file.
const LOG_PARTS_AT_END: u32 = 16;

type IndicationOf<L> = <<L as Lab>::Process as Process>::Indication;
type RequestOf<L> = <<L as Lab>::Process as Process>::Request;

/// Runs one participant until the end of the run.
pub(super) fn participate<L, P>(
    config: Config,
    options: L,
    host: String,
    log_path: String,
    journal: Journal,
    ready: Ready,
    build: impl FnOnce(&Place) -> Result<P, String> + 'static,
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
    let caught = [netkit::Signal::SIGINT, netkit::Signal::SIGTERM, netkit::Signal::SIGTSTP];
    net.watch_signals(&caught.map(|signal| signal as i32))?;
    let membership =
        Membership { run: config.run.to_string(), secret: config.secret.clone(), me: config.rank };
    let launcher = config.launcher_address().context("nobody said where the launcher is")?;
    let to = Outgoing::Member { membership: membership.clone(), to: LAUNCHER };
    let control = net.connect(launcher, to)?;
    let watch = net.start_timer(WATCH_INTERVAL);
    let (launched, launches) = mpsc::channel();
    let plan: crate::faults::Plan = config.faults.parse().context("the plan of faults")?;
    let me = ProcessId(config.rank);
    let log_tail = match config.shows_log {
        true => LogTail::open(Path::new(&log_path)),
        false => LogTail::default(),
    };
    let mut driver = Driver::<L, P> {
        env: Env { me, processes: config.processes, now: None },
        stamper: Stamper::new(
            me,
            config.processes,
            config.trace && config.processes <= crate::trace::event::CLOCKS_MAX_PROCESSES,
        ),
        choices: crate::run::choices(config.seed, me),
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
        injector: (!plan.is_empty()).then(|| Injector::new(&plan, config.seed)),
        // What struck the one that died does not strike the one that starts where it died.
        triggers: plan.triggers(me, &config.spent),
        toll: Toll::default(),
        told_toll: Toll::default(),
        links: BTreeMap::new(),
        last_tick: now(),
        followed: None,
        log_tail,
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
    /// A frame to this process was kept back long enough.
    Release(ProcessId),
    Follow,
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
type Build<P> = Box<dyn FnOnce(&Place) -> Result<P, String>>;

struct Driver<L: Lab, P: Process> {
    config: Config,
    options: L,
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
    effects: Vec<EffectOf<P>>,
    scratch: Vec<u8>,

    addresses: BTreeMap<ProcessId, SocketAddr>,
    neighbours: BTreeMap<ProcessId, Neighbour>,
    connections: BTreeMap<ConnectionId, ProcessId>,
    accepts_left: u32,
    /// Messages that arrived before the start, with their sizes in bytes.
    early: VecDeque<(MessageHeader, P::Message, u32)>,
    /// Messages to itself.
    to_self: VecDeque<(MessageHeader, P::Message, u32)>,
    /// What the application asks for, not yet handed over.
    asked: VecDeque<P::Request>,
    timers: BTreeMap<TimerId, TimerUse<P::Timer>>,
    running: BTreeMap<P::Timer, TimerId>,

    /// What goes wrong with messages from here.
    injector: Option<Injector>,
    /// What goes wrong with this process when messages reach it.
    triggers: Triggers,
    /// How many times what goes wrong with this process did.
    toll: Toll,
    /// What the launcher was told of that, and of what goes wrong with messages.
    told_toll: Toll,
    /// Frames that the plan keeps back.
    links: BTreeMap<ProcessId, Link>,
    /// When this process last looked at who is silent.
    last_tick: Instant,
    /// How much of the journal the launcher has, if it follows it.
    followed: Option<u64>,
    log_tail: LogTail,

    launched: mpsc::Sender<(u32, Result<u32, String>)>,
    launches: mpsc::Receiver<(u32, Result<u32, String>)>,
    waker: Waker,
    failure: Option<String>,
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
            Some(TimerUse::Retry(process)) => self.try_again(net, process),
            Some(TimerUse::Release(process)) => self.release_kept(net, process),
            Some(TimerUse::Follow) => self.follow(net),
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
        if signal == netkit::Signal::SIGTSTP as i32 {
            return stand_still();
        }
        if self.phase >= Phase::HandingOver {
            return net.stop();
        }
        // The launcher ends the run; until then this process hands over what it knows.
        self.fail(net, format!("it was ended by signal {signal}"));
    }

    fn on_wake(&mut self, net: &mut Net) {
        while let Ok((rank, result)) = self.launches.try_recv() {
            self.tell(net, &ToLauncher::Launched { rank, result });
        }
    }
}

/// The clock of this machine: watching who is silent is a matter of real time.
#[expect(clippy::disallowed_methods, reason = "this is the driver, where time comes from")]
fn now() -> Instant {
    Instant::now()
}

/// Opens the file of a traced journal, in `folder`. Who starts again goes on with the one that is there.
pub(super) fn trace_file(
    folder: &netkit::logs::RunFolder,
    config: &Config,
) -> anyhow::Result<File> {
    let name = trace_name(config.rank);
    if !config.again {
        drop(folder.file(&name)?);
    }
    let path = folder.path().join(name);
    Ok(std::fs::OpenOptions::new().read(true).append(true).open(path)?)
}

/// The name of a traced journal in the folder of its run.
pub(super) fn trace_name(rank: u32) -> String {
    format!("trace-{rank}.jsonl")
}

/// Does what SIGTSTP asks for. The system itself ignores it in a daemon, whose process group has nobody who
/// could continue it from a terminal; whoever sends it to one by hand means it.
fn stand_still() {
    if let Err(error) = netkit::reap::raise(netkit::Signal::SIGSTOP) {
        log::warn!("SIGTSTP came, and the system does not let this process stop: {error}");
    }
}
