//! What passes between a participant and the launcher: joining, orders, and noticing that it is gone.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread;
use std::time::Instant;

use log::{debug, error, info, warn};
use netkit::launch::{LaunchEvent, LaunchOptions, Program};
use netkit::{Admission, ConnectionId, Net, Peer};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{
    Driver, FOLLOW_INTERVAL, GRACE, IndicationOf, LOG_PARTS_AT_END, Phase, RequestOf, SILENCE_MAX,
    TimerUse, WATCH_INTERVAL, now,
};
use crate::lab::{Lab, Place};
use crate::process::Process;
use crate::run::config::{Config, Relay};
use crate::run::journal::Entry;
use crate::run::participant_job;
use crate::run::wire::{PeerFrameRef, ToLauncher, ToParticipant};

impl<L, P> Driver<L, P>
where
    L: Lab,
    P: Process<
            Request = RequestOf<L>,
            Indication = IndicationOf<L>,
            Message: Serialize + DeserializeOwned,
        >,
{
    pub(super) fn join(&mut self, net: &mut Net, peer: &Peer) {
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
        match (self.options.deployment().application)(&self.options, &place) {
            Ok(application) => self.application = Some(application),
            Err(error) => return self.fail(net, error.to_string()),
        }
        match self.build.take().map(|build| build(&place)).transpose() {
            Ok(process) => self.process = process,
            Err(why) => return self.fail(net, why),
        }
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
        self.launch_below();
    }

    /// Starts the participants below this one, in a thread: SSH takes its time, and the launcher wants
    /// answers meanwhile.
    pub(super) fn launch_below(&mut self) {
        let Some(relay) = self.config.relay.clone() else { return };
        let below = relay.below(self.config.rank);
        if below.is_empty() {
            return;
        }
        let (config, launched, waker) =
            (self.config.clone(), self.launched.clone(), self.waker.clone());
        let report = move |rank: u32, result: Result<u32, String>| {
            // Nobody receives any more if the run has ended meanwhile.
            let _ = launched.send((rank, result));
            let _ = waker.wake();
        };
        thread::spawn(move || match std::env::current_exe() {
            Ok(program) => launch_all(&config, &relay, &below, program, &report),
            Err(error) => below.iter().for_each(|&rank| report(rank, Err(error.to_string()))),
        });
    }

    pub(super) fn on_control(&mut self, net: &mut Net, body: &[u8]) {
        self.last_word = now();
        match netkit::codec::decode(body) {
            Ok(ToParticipant::Release { opens, accepts }) => self.release(net, opens, accepts),
            Ok(ToParticipant::Go) => self.start(net),
            Ok(ToParticipant::Follow) => {
                self.followed = Some(0);
                self.follow(net);
            }
            Ok(ToParticipant::Ping) => self.tell(net, &ToLauncher::Pong),
            Ok(ToParticipant::Collect { offset }) => self.hand_over(net, offset),
            Ok(ToParticipant::Stop) => {
                info!("stopped by the launcher");
                net.stop();
            }
            Ok(ToParticipant::Resume { at_us, follow }) => self.resume(net, at_us, follow),
            Ok(ToParticipant::Moved(contact)) => self.meet_again(net, &contact),
            Err(error) => self.fail(net, format!("the launcher sent a malformed frame: {error}")),
        }
    }

    pub(super) fn hand_over(&mut self, net: &mut Net, offset: u64) {
        if self.phase != Phase::HandingOver {
            if self.phase == Phase::Running {
                self.record(net, &Entry::Stop);
            }
            self.phase = Phase::HandingOver;
            self.tell_toll(net);
            self.show_rest_of_log(net);
        }
        match self.journal.part(offset) {
            Ok((bytes, is_last, truncated)) => {
                self.tell(net, &ToLauncher::Journal { offset, bytes, is_last, truncated });
            }
            Err(error) => self.fail(net, format!("cannot read the journal: {error}")),
        }
    }

    /// Hands over what has happened since the last time.
    pub(super) fn follow(&mut self, net: &mut Net) {
        let Some(offset) = self.followed.filter(|_| self.phase <= Phase::Running) else { return };
        self.show_log(net);
        match self.journal.part(offset) {
            Ok((bytes, ..)) if bytes.is_empty() => {}
            Ok((bytes, _, truncated)) => {
                self.followed = Some(offset + bytes.len() as u64);
                let part = ToLauncher::Journal { offset, bytes, is_last: false, truncated };
                self.tell(net, &part);
            }
            Err(error) => return self.fail(net, format!("cannot read the journal: {error}")),
        }
        let timer = net.start_timer(FOLLOW_INTERVAL);
        self.timers.insert(timer, TimerUse::Follow);
    }

    /// Hands over what was logged since the last time, if somebody shows it.
    fn show_log(&mut self, net: &mut Net) {
        let lines = self.log_tail.more();
        if !lines.is_empty() {
            self.tell(net, &ToLauncher::Log(lines));
        }
    }

    /// Hands over what is left of the log, or says that there is more.
    fn show_rest_of_log(&mut self, net: &mut Net) {
        (0..LOG_PARTS_AT_END).for_each(|_| self.show_log(net));
        if !self.log_tail.more().is_empty() {
            let more = "the page has no more of this log: `labs logs` has\n";
            self.tell(net, &ToLauncher::Log(more.to_owned()));
        }
    }

    pub(super) fn tell(&mut self, net: &mut Net, word: &ToLauncher) {
        let control = self.control;
        self.send_frame(net, control, word);
    }

    pub(super) fn send_frame<T: Serialize>(
        &mut self,
        net: &mut Net,
        connection: ConnectionId,
        value: &T,
    ) {
        if let Err(error) = net.send_value(connection, value) {
            debug!("a frame was not sent: {error}");
        }
    }

    /// This participant cannot go on. The launcher ends the run.
    pub(super) fn fail(&mut self, net: &mut Net, why: String) {
        error!("{why}");
        self.show_rest_of_log(net);
        if self.phase == Phase::Running {
            self.tell_toll(net);
        }
        self.phase = Phase::HandingOver;
        self.tell(net, &ToLauncher::Failed { why: why.clone() });
        match self.ready.take() {
            Some(ready) => ready.fail(&why),
            None => self.failure = Some(why),
        }
    }

    /// The launcher is gone. Others of this run on this machine may be stopped and cannot notice: after
    /// a while they are killed.
    pub(super) fn orphaned(&mut self, net: &mut Net, why: &str) {
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

    pub(super) fn watch(&mut self, net: &mut Net) {
        let timer = net.start_timer(WATCH_INTERVAL);
        self.timers.insert(timer, TimerUse::Watch);
        self.notice_own_stop();
        let silent = |last: Instant| last.elapsed() > SILENCE_MAX;
        // Before the launcher has answered once, netkit's own deadlines apply.
        if self.ready.is_none() && silent(self.last_word) {
            net.close(self.control);
            return self.orphaned(net, "it is silent");
        }
        if self.phase == Phase::Running {
            self.tell_toll(net);
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

    /// Who was stopped himself heard nothing, and that is nobody's silence.
    fn notice_own_stop(&mut self) {
        let late = self.last_tick.elapsed();
        self.last_tick = now();
        if late > SILENCE_MAX {
            warn!("this process stood still for {:.1} s", late.as_secs_f64());
            self.last_word = now();
            self.neighbours.values_mut().for_each(|neighbour| neighbour.last_word = now());
        }
    }

    pub(super) fn at_us(&self) -> u64 {
        self.started_at.elapsed().as_micros().try_into().unwrap_or(u64::MAX)
    }
}

/// Starts the participants of these ranks, and reports on each.
fn launch_all(
    config: &Config,
    relay: &Relay,
    ranks: &[u32],
    program: PathBuf,
    report: &(impl Fn(u32, Result<u32, String>) + Sync),
) {
    let launch = LaunchOptions { program: program.clone(), ..relay.launch.clone() };
    let placement: Vec<_> = ranks.iter().map(|&rank| relay.placement[rank as usize]).collect();
    let rank_of = |place: u32| ranks[place as usize];
    let job = |place: u32, _| {
        let config = Config { rank: rank_of(place), ..config.clone() };
        participant_job(&config, Program::Here(program.clone()))
    };
    netkit::launch::launch_all(&relay.hosts, &placement, &launch, &job, &|event| match event {
        LaunchEvent::Started { rank, pid, .. } => report(rank_of(rank), Ok(pid)),
        LaunchEvent::Failed { ranks, error, .. } => {
            ranks.iter().for_each(|&rank| report(rank_of(rank), Err(error.to_string())));
        }
        LaunchEvent::Progress { .. } => {}
    });
}
