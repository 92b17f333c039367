//! The command in the foreground: the runner of a [`Conductor`], from the start of a run to its
//! verdicts.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::Instant;

use anyhow::Context as _;
use log::{debug, warn};
use netkit::launch::{LaunchEvent, Stage as LaunchStage};
use netkit::logs::RunFolder;
use netkit::membership::{Membership, Secret};
use netkit::{Admission, CloseReason, ConnectionId, Net, Peer, Service, TimerId};

use super::keeper::{DISMISSAL_MAX, Keepers};
use super::witness::Testimony;
use super::{Timers, now};
use crate::misstep::Misstep;
use crate::process::{Choices, Effect, EffectOf, Env, Event, EventOf, ProcessId, step};
use crate::run::FOLDER;
use crate::run::conductor::{Conductor, Loss, News, Order, Rules, Timer};
use crate::run::config::{Again, Config};
use crate::run::note::RunNote;
use crate::run::plan::{Audience, Finished, Plan, host_label};
use crate::run::routes::listen_address;
use crate::run::shell::hands::Hands;
use crate::run::shell::launching::{Report, launch, launch_again, participant_config};
use crate::run::signals::SIGNALS;
use crate::run::wire::{KEEPER, LAUNCHER, Line, ToLauncher, ToParticipant, WITNESS};
use crate::trace::{TraceEvent, format};

/// Runs a plan to its end, showing each event of the run to `watch` at the end, and what goes on to
/// `audience` meanwhile.
///
/// # Errors
///
/// If it could not be started at all, or its journals could not be judged. Whatever was started has
/// ended.
pub fn run(
    plan: Plan,
    mut watch: impl FnMut(&TraceEvent),
    audience: &mut dyn Audience,
) -> anyhow::Result<Finished> {
    // What follows is compiled once and not for each lab.
    conduct(plan, &mut watch, audience)
}

fn conduct(
    plan: Plan,
    watch: &mut dyn FnMut(&TraceEvent),
    audience: &mut dyn Audience,
) -> anyhow::Result<Finished> {
    let plan = Arc::new(plan);
    let folder = RunFolder::create(FOLDER, &plan.run)?;
    RunNote::of(&plan).write(&folder)?;
    let mut net =
        Net::new(netkit::Limits { max_frame: plan.room.max_frame, ..Default::default() })?;
    net.watch_signals(&SIGNALS)?;
    let secret = Secret::random()?;
    let membership = Membership { run: plan.run.to_string(), secret: secret.clone(), me: LAUNCHER };
    let (_, listening) = net.listen(listen_address(&plan), Admission::Members(membership))?;
    let placement = plan.room.hosts.place(plan.processes());
    let (to_launcher, launches) = mpsc::channel();
    let waker = net.waker();
    let report: Report = Arc::new(move |event| {
        // The run may have ended already; then nobody is interested.
        let _ = to_launcher.send(event);
        let _ = waker.wake();
    });
    let config = participant_config(&plan, &placement, secret, listening.port());
    let mut launcher = Launcher {
        conductor: Conductor::new(Rules::of(&plan), &placement),
        events: VecDeque::from([Event::Init]),
        lines: BTreeMap::new(),
        keepers: Keepers::default(),
        missteps: BTreeMap::new(),
        timers: Timers::new(),
        journals: Journals { folder, parts: BTreeMap::new() },
        hands: Hands::new(Arc::clone(&plan), net.waker()),
        launches,
        report: Arc::clone(&report),
        audience,
        since: now(),
        config,
        plan: Arc::clone(&plan),
    };
    launch(&plan, placement, &launcher.config, report).context("nothing was started")?;
    launcher.go_on(&mut net);
    net.run(&mut launcher)?;
    let remains = launcher.clean_up();
    launcher.dismiss_keepers(&mut net)?;
    // Nothing is left any more; judging a long trace takes its time, and Ctrl-C shall end that.
    if !plan.has_page() {
        net.unwatch_signals(&SIGNALS)?;
    }
    launcher.conclude(remains, watch)
}

/// The runner of a conductor.
pub(in crate::run) struct Launcher<'a> {
    pub(in crate::run) plan: Arc<Plan>,
    pub(in crate::run) conductor: Conductor,
    /// What the conductor is still to be told.
    events: VecDeque<EventOf<Conductor>>,
    lines: BTreeMap<ProcessId, ConnectionId>,
    keepers: Keepers,
    /// The participants whose handlers do not return.
    pub(in crate::run) missteps: BTreeMap<ProcessId, Misstep>,
    timers: Timers<Timer>,
    pub(in crate::run) journals: Journals,
    hands: Hands,
    launches: mpsc::Receiver<LaunchEvent>,
    /// Where it is told how starting a participant again goes.
    report: Report,
    audience: &'a mut dyn Audience,
    since: Instant,
    /// What all participants must know.
    config: Config,
}

impl Launcher<'_> {
    /// Tells the conductor all that it is still to be told.
    fn go_on(&mut self, net: &mut Net) {
        while let Some(event) = self.events.pop_front() {
            for effect in self.step(event) {
                match effect {
                    Effect::Send { to, message: Line::Down(word) } => {
                        let Some(&connection) = self.lines.get(&to) else { continue };
                        if let Err(error) = net.send_value(connection, &word) {
                            debug!("{to} was not told {word:?}: {error}");
                        }
                    }
                    Effect::Send { .. } => {}
                    Effect::StartTimer { timer, after } => self.timers.start(net, timer, after),
                    Effect::StopTimer { timer } => self.timers.stop(net, &timer),
                    Effect::Indicate(Order::End) => net.stop(),
                    Effect::Indicate(order) => self.carry_out(order),
                }
            }
        }
    }

    fn step(&mut self, event: EventOf<Conductor>) -> Vec<EffectOf<Conductor>> {
        self.conductor.set_time(self.since.elapsed());
        let env = Env { me: ProcessId(LAUNCHER), processes: self.plan.processes(), now: None };
        step(&mut self.conductor, env, &mut Choices::default(), event)
    }

    fn carry_out(&mut self, order: Order) {
        match order {
            Order::Progress(message) => self.audience.progress(&message),
            Order::Begin => {
                self.audience.on_start(&self.participants());
                let timed = self.plan.faults.timed().into_iter();
                let struck: BTreeSet<_> = timed.map(|timed| self.host_of(timed.process)).collect();
                for host in struck {
                    // If there is no thread for it, that is said when there is an order.
                    let _ = self.hands.reach(host);
                }
            }
            // A person that asked for this must learn how to end it, in a pipe too.
            Order::Stay => crate::said::say(&format!(
                "finished; the processes stay until you press Ctrl-C, or `labs stop {}`",
                self.plan.run
            )),
            Order::Show(process, lines) => self.audience.on_log(process, &lines),
            Order::Write { process, bytes, is_last } => self.write(process, &bytes, is_last),
            Order::Strike(strike) => {
                self.hands.strike(self.host_of(strike.process), strike);
                self.hear_answers();
            }
            Order::StartAgain { process, spent } => {
                let first = self.conductor.members[process.index()].whereabouts();
                let again = Some(Again { spent, first });
                let config = Config { again, rank: process.0, ..self.config.clone() };
                let report = Arc::clone(&self.report);
                launch_again(&self.plan, config, self.host_of(process), report);
            }
            Order::End => {}
        }
    }

    /// The run is over: ends the keepers, and waits until they have ended.
    fn dismiss_keepers(&mut self, net: &mut Net) -> std::io::Result<()> {
        self.keepers.tell(net, &ToParticipant::Stop);
        let deadline = now() + DISMISSAL_MAX;
        while !self.keepers.is_empty() {
            let left = deadline.saturating_duration_since(now());
            if left.is_zero() {
                break;
            }
            net.turn(self, Some(left))?;
        }
        Ok(())
    }

    /// The place of its machine in the list.
    fn host_of(&self, process: ProcessId) -> usize {
        self.conductor.members[process.index()].host
    }

    /// A machine of the list, as reports name it.
    pub(in crate::run) fn host(&self, index: usize) -> String {
        self.plan.room.hosts.get(index).map_or_else(String::new, host_label)
    }

    /// Appends to a journal, and shows what is in it.
    fn write(&mut self, process: ProcessId, bytes: &[u8], is_last: bool) {
        if let Err(error) = self.journals.write(process, bytes, is_last) {
            let why = format!("{error:#}");
            return self.hear(News::Unwritten { process, why });
        }
        if self.plan.follows() {
            for event in self.journals.events(process, bytes) {
                self.audience.on_event(&event);
            }
            self.audience.refresh();
        }
    }

    /// The participant at the other end.
    fn end(&self, net: &Net, connection: ConnectionId) -> Option<ProcessId> {
        let process = ProcessId(net.peer(connection)?.rank?);
        self.lines.get(&process).is_some_and(|line| *line == connection).then_some(process)
    }

    /// A handler of a participant does not return.
    fn hear_witness(&mut self, net: &mut Net, connection: ConnectionId, body: &[u8]) {
        let testimony = netkit::codec::decode::<Testimony>(body);
        net.close(connection);
        let Ok(testimony) = testimony else { return };
        let process = testimony.process;
        if process.0 >= self.plan.processes() {
            return;
        }
        let misstep = testimony.misstep();
        let why = misstep.sentence(process);
        self.missteps.entry(process).or_insert(misstep);
        self.on_line(process, Line::Up(ToLauncher::Failed { why }));
    }

    fn hear(&mut self, news: News) {
        self.events.push_back(Event::Request(news));
    }

    fn on_line(&mut self, from: ProcessId, line: Line) {
        self.events.push_back(Event::Message { from, message: line });
    }

    fn hear_answers(&mut self) {
        for (strike, result) in self.hands.answers() {
            self.hear(News::Struck(strike, result));
        }
    }

    /// After the run: hears what came of the last signals.
    pub(in crate::run) fn hear_strikes(&mut self) {
        for (strike, result) in self.hands.answers() {
            self.step(Event::Request(News::Struck(strike, result)));
        }
    }

    fn on_launch(&mut self, event: LaunchEvent) {
        match event {
            LaunchEvent::Started { rank, pid, .. } => self.hear(News::Started { rank, pid }),
            LaunchEvent::Failed { ranks, error, .. } => {
                let how = match error.stage >= LaunchStage::Start {
                    true => Loss::NotStarted,
                    false => Loss::Unreached,
                };
                self.hear(News::NotStarted { ranks, how, why: error.to_string() });
            }
            LaunchEvent::Progress { host, stage } => debug!("{}: {stage}", self.host(host)),
        }
    }
}

impl Service for Launcher<'_> {
    fn on_open(&mut self, net: &mut Net, connection: ConnectionId, peer: &Peer) {
        let rank = peer.rank.unwrap_or(LAUNCHER);
        if rank == KEEPER {
            return self.keepers.add(connection);
        }
        if rank == WITNESS {
            return;
        }
        if !self.conductor.expects(rank) {
            warn!("{} says it is p{rank}, which is here or does not exist", peer.address);
            return net.close(connection);
        }
        self.lines.insert(ProcessId(rank), connection);
        self.on_line(ProcessId(rank), Line::Opened);
        self.go_on(net);
    }

    fn on_frame(&mut self, net: &mut Net, connection: ConnectionId, body: &[u8]) {
        if net.peer(connection).and_then(|peer| peer.rank) == Some(WITNESS) {
            self.hear_witness(net, connection, body);
            return self.go_on(net);
        }
        let Some(process) = self.end(net, connection) else { return };
        let word = netkit::codec::decode(body).unwrap_or_else(|error| ToLauncher::Failed {
            why: format!("it sent a malformed frame: {error}"),
        });
        self.on_line(process, Line::Up(word));
        self.go_on(net);
    }

    fn on_close(&mut self, net: &mut Net, connection: ConnectionId, reason: CloseReason) {
        if self.keepers.remove(connection) {
            return;
        }
        let mut lines = self.lines.iter().filter(|(_, line)| **line == connection);
        let Some(process) = lines.next().map(|(process, _)| *process) else { return };
        self.lines.remove(&process);
        self.on_line(process, Line::Closed(reason.to_string()));
        self.go_on(net);
    }

    fn on_timer(&mut self, net: &mut Net, timer: TimerId) {
        if let Some(timer) = self.timers.ring(timer) {
            if timer == Timer::Tick {
                self.keepers.tell(net, &ToParticipant::Ping);
            }
            self.events.push_back(Event::Timeout(timer));
            self.go_on(net);
        }
    }

    fn on_signal(&mut self, net: &mut Net, _: i32) {
        self.hear(News::Interrupted);
        self.go_on(net);
    }

    fn on_wake(&mut self, net: &mut Net) {
        while let Ok(event) = self.launches.try_recv() {
            self.on_launch(event);
        }
        self.hear_answers();
        self.go_on(net);
    }
}

/// The journals of all participants, as far as they are here.
pub(in crate::run) struct Journals {
    folder: RunFolder,
    parts: BTreeMap<ProcessId, Parts>,
}

struct Parts {
    path: PathBuf,
    /// Open while more is to come: an open file for each would be too many in a large run.
    file: Option<File>,
    /// The beginning of a line whose end is not here yet.
    half_line: Vec<u8>,
}

impl Journals {
    /// The folder of the run.
    pub(in crate::run) fn folder(&self) -> &RunFolder {
        &self.folder
    }

    /// Where the journal of a process is.
    pub(in crate::run) fn path(&self, process: ProcessId) -> Option<PathBuf> {
        self.parts.get(&process).map(|parts| parts.path.clone())
    }

    fn write(&mut self, process: ProcessId, bytes: &[u8], is_last: bool) -> anyhow::Result<()> {
        let parts = match self.parts.entry(process) {
            std::collections::btree_map::Entry::Occupied(parts) => parts.into_mut(),
            std::collections::btree_map::Entry::Vacant(vacant) => {
                let name = format!("journal-{}", process.0);
                let file = Some(self.folder.file(&name)?);
                let path = self.folder.path().join(name);
                vacant.insert(Parts { path, file, half_line: Vec::new() })
            }
        };
        if let Some(file) = &mut parts.file {
            file.write_all(bytes)?;
        }
        if is_last {
            parts.file = None;
        }
        Ok(())
    }

    /// The events in a part of a journal on disk.
    fn events(&mut self, process: ProcessId, bytes: &[u8]) -> Vec<TraceEvent> {
        let Some(parts) = self.parts.get_mut(&process) else { return Vec::new() };
        parts.half_line.extend_from_slice(bytes);
        let end = parts.half_line.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let rest = parts.half_line.split_off(end);
        let lines = std::mem::replace(&mut parts.half_line, rest);
        let events = lines.split_inclusive(|&byte| byte == b'\n').map(format::parse);
        let damaged = |error: &String| debug!("the journal of {process} is damaged: {error}");
        events.filter_map(|event| event.inspect_err(damaged).ok()).collect()
    }

    /// Deletes them.
    pub(in crate::run) fn remove(&self) {
        for parts in self.parts.values() {
            if let Err(error) = std::fs::remove_file(&parts.path) {
                warn!("cannot remove {}: {error}", parts.path.display());
            }
        }
    }
}
