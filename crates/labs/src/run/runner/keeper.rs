//! The keeper: what ends the processes of a run on one machine that cannot end by themselves when their
//! launcher is gone.
//!
//! A participant ends when it no longer hears the launcher. One that is stopped (SIGSTOP) hears nothing, and
//! knows nothing. So there is one process more on each machine of a run, which takes no part in it: the first
//! participant of the machine starts it, and goes on when it is there. It has a connection to the launcher,
//! and waits. When that connection ends, or the launcher is silent for as long as participants allow, the
//! participants get a moment to end by themselves; then it kills what is left, for SIGKILL also ends what is
//! stopped, and ends. At the end of a run the launcher tells it that all is over.
//!
//! Beside that, it removes the logs of [old runs](old_runs) from its machine.
//!
//! It costs no time while a run goes on: it sleeps, but for the launcher's questions. Only where the keeper
//! itself is stopped or killed, too, something may stay.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context as _;
use log::warn;
use netkit::daemon::Ready;
use netkit::launch::{Job, Program, start_here};
use netkit::membership::Membership;
use netkit::reap::{KEEPER, reap};
use netkit::{CloseReason, ConnectionId, Net, Outgoing, Peer, Service, Signal, TimerId};

use crate::run::config::Config;
use crate::run::note::RunNote;
use crate::run::old_runs;
use crate::run::participant::{GRACE, QUESTIONS_MAX, WATCH_INTERVAL};
use crate::run::wire::{self, LAUNCHER, ToParticipant};

/// How long the launcher waits for its keepers to end, which takes them a millisecond.
pub(super) const DISMISSAL_MAX: Duration = Duration::from_secs(1);

/// Starts the keeper of this machine, and returns when it has a connection to the launcher. A run goes on
/// without one: on a machine that allows a person few processes, say.
pub(in crate::run) fn start(config: &Config) {
    let started = || -> anyhow::Result<u32> {
        let job = Job {
            program: Program::Here(std::env::current_exe()?),
            arguments: [KEEPER, "--run", config.run.as_str()].map(str::to_owned).to_vec(),
            environment: Vec::new(),
            stdin: config.to_bytes(),
        };
        Ok(start_here(&job)?)
    };
    if let Err(error) = started() {
        warn!("this machine has no keeper, so what is stopped may outlive the launcher: {error:#}");
    }
}

/// The keeper's program: becomes a daemon, and keeps until the run ends.
///
/// # Errors
///
/// If it cannot; the participant that started it is told why.
pub(in crate::run) fn keep(config: &Config) -> anyhow::Result<()> {
    let ready = netkit::daemon::detach()?;
    match call_launcher(config) {
        Err(error) => ready.fail(&format!("{error:#}")),
        Ok(mut net) => {
            let timer = net.start_timer(WATCH_INTERVAL);
            let ready = Some(ready);
            net.run(&mut Keeper { config, ready, unanswered: 0, timer, is_alone: false })?;
            reap(&config.run, Signal::SIGKILL);
            // The launcher waits until the connection ends, and then nothing may be left: the system closes it
            // as the last thing of this process, where dropping `net` would close it before.
            std::process::exit(0)
        }
    }
}

fn call_launcher(config: &Config) -> anyhow::Result<Net> {
    let mut net = Net::new(netkit::Limits::default())?;
    let (run, secret) = (config.run.to_string(), config.secret.clone());
    let membership = Membership { run, secret, me: wire::KEEPER };
    let launcher = config.launcher_address().context("nobody said where the launcher is")?;
    net.connect(launcher, Outgoing::Member { membership, to: LAUNCHER })?;
    Ok(net)
}

/// Waits for the end of the launcher.
struct Keeper<'a> {
    config: &'a Config,
    /// Tells the participant that started it that it is there.
    ready: Option<Ready>,
    /// How many times in a row it looked for a word of the launcher in vain.
    unanswered: u32,
    /// When it looks next; or if the launcher is gone, when it ends what is left.
    timer: TimerId,
    is_alone: bool,
}

impl Keeper<'_> {
    /// Where the launcher is, it does so itself.
    fn remove_old_runs(&self) {
        if !self.config.keep && RunNote::of_run(&self.config.run).is_none() {
            old_runs::remove();
        }
    }

    /// The launcher is gone.
    fn be_alone(&mut self, net: &mut Net) {
        if !std::mem::replace(&mut self.is_alone, true) {
            net.stop_timer(self.timer);
            self.timer = net.start_timer(GRACE);
        }
    }
}

impl Service for Keeper<'_> {
    fn on_open(&mut self, _: &mut Net, _: ConnectionId, _: &Peer) {
        self.unanswered = 0;
        if let Some(ready) = self.ready.take() {
            ready.ok();
            self.remove_old_runs();
        }
    }

    fn on_frame(&mut self, net: &mut Net, _: ConnectionId, body: &[u8]) {
        self.unanswered = 0;
        if let Ok(ToParticipant::Stop) = netkit::codec::decode(body) {
            net.stop();
        }
    }

    fn on_close(&mut self, net: &mut Net, _: ConnectionId, reason: CloseReason) {
        match self.ready.take() {
            Some(ready) => ready.fail(&format!("cannot join the launcher: {reason}")),
            None => self.be_alone(net),
        }
    }

    fn on_timer(&mut self, net: &mut Net, _: TimerId) {
        if self.is_alone {
            return net.stop();
        }
        self.timer = net.start_timer(WATCH_INTERVAL);
        self.unanswered += 1;
        if self.ready.is_none() && self.unanswered > QUESTIONS_MAX {
            // The connection stays: a launcher that was only busy with cleaning up may still dismiss us.
            self.be_alone(net);
        }
    }
}

/// The keepers of a run, as its launcher sees them.
#[derive(Debug, Default)]
pub(super) struct Keepers(BTreeSet<ConnectionId>);

impl Keepers {
    pub(super) fn add(&mut self, connection: ConnectionId) {
        self.0.insert(connection);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A connection has ended. Returns whether it was one with a keeper.
    pub(super) fn remove(&mut self, connection: ConnectionId) -> bool {
        self.0.remove(&connection)
    }

    /// Tells them all something. One whose connection has just ended is no keeper any more.
    pub(super) fn tell(&self, net: &mut Net, word: &ToParticipant) {
        self.0.iter().for_each(|&keeper| drop(net.send_value(keeper, word)));
    }
}
