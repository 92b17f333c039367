//! Signals to participants: what the plan of faults does to processes at a time, and waking those
//! that stand still when the run ends.
//!
//! On this machine the launcher sends them itself. To each other machine it keeps one SSH session
//! for them, in a thread of its own, opened when the run starts: a signal takes a round trip, and
//! not a login.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use anyhow::Context as _;
use log::info;
use netkit::hosts::Host;
use netkit::launch::LaunchOptions;
use netkit::run_id::RunId;
use netkit::ssh::Remote;
use netkit::threads;
use netkit::{Signal, Waker};

use crate::faults::Action;
use crate::run::SIGNAL;
use crate::run::conductor::Strike;
use crate::run::plan::Plan;

/// How long one signal may take to a machine.
const SIGNAL_MAX: Duration = Duration::from_secs(5);

/// The ways to the machines of a run.
pub(in crate::run) struct Hands {
    plan: Arc<Plan>,
    /// By machine, an index into the list of hosts.
    hands: BTreeMap<usize, mpsc::Sender<Strike>>,
    /// Where hands say what came of their orders.
    answer: mpsc::Sender<Answer>,
    answers: mpsc::Receiver<Answer>,
    waker: Waker,
}

/// What came of a signal.
pub(in crate::run) type Answer = (Strike, Result<(), String>);

impl Hands {
    /// The event loop is woken when there are answers.
    pub(in crate::run) fn new(plan: Arc<Plan>, waker: Waker) -> Self {
        let (answer, answers) = mpsc::channel();
        Self { plan, hands: BTreeMap::new(), answer, answers, waker }
    }

    /// What came of signals since the last call.
    pub(in crate::run) fn answers(&self) -> Vec<Answer> {
        self.answers.try_iter().collect()
    }

    /// Sends a signal to a process of the run, on a machine. What comes of it is among the answers.
    pub(in crate::run) fn strike(&mut self, host: usize, strike: Strike) {
        let Strike { process, pid, action, .. } = strike;
        let Some(signal) = signal_of(action) else { return };
        info!("{signal} to {process}, process {pid}");
        let result = if self.plan.room.hosts.get(host).is_some_and(Host::is_local) {
            match netkit::reap::signal(&self.plan.run, pid, signal) {
                true => Ok(()),
                false => Err(format!("process {pid} is not there")),
            }
        } else {
            match self.reach(host).map(|hand| hand.map(|hand| hand.send(strike))) {
                Ok(Some(Ok(()))) => return, // The hand will say.
                Ok(_) => Err("its machine cannot be reached".to_owned()),
                Err(error) => Err(error.to_string()),
            }
        };
        // This end of the channel lives as long as the other.
        let _ = self.answer.send((strike, result.map_err(|why| unreached(strike, &why))));
    }

    /// The thread that sends signals to another machine; none for this one.
    ///
    /// # Errors
    ///
    /// If there can be no more threads.
    pub(in crate::run) fn reach(
        &mut self,
        index: usize,
    ) -> io::Result<Option<&mpsc::Sender<Strike>>> {
        let host = self.plan.room.hosts.get(index).filter(|host| !host.is_local());
        let Some(host) = host.cloned() else { return Ok(None) };
        if !self.hands.contains_key(&index) {
            let hand = self.hand(host)?;
            self.hands.insert(index, hand);
        }
        Ok(self.hands.get(&index))
    }

    /// Starts the thread that sends signals to a machine.
    fn hand(&self, host: Host) -> io::Result<mpsc::Sender<Strike>> {
        let (sender, strikes) = mpsc::channel();
        let launch = LaunchOptions { ask: false, ..self.plan.room.launch.clone() };
        let mut hand = Hand { host, launch, run: self.plan.run.clone(), remote: None };
        let (answer, waker) = (self.answer.clone(), self.waker.clone());
        threads::spawn("signals", move || {
            // A login takes its time: before the first order is the time for it. If it fails
            // now, that is said when there is an order.
            let _ = hand.connect();
            for strike in strikes {
                let result = hand.send(strike);
                let result = result.map_err(|error| unreached(strike, &format!("{error:#}")));
                // Nobody hears it if the run has ended meanwhile.
                let _ = answer.send((strike, result));
                let _ = waker.wake();
            }
        })?;
        Ok(sender)
    }
}

fn unreached(Strike { process, action, .. }: Strike, why: &str) -> String {
    let signal = signal_of(action).map_or("", Signal::as_str);
    format!("{signal} did not reach {process}: {why}")
}

/// Sends signals to the processes of one other machine.
struct Hand {
    host: Host,
    launch: LaunchOptions,
    run: RunId,
    /// The session, and the program there.
    remote: Option<(Remote, String)>,
}

impl Hand {
    /// Opens the session, if there is none.
    fn connect(&mut self) -> anyhow::Result<&mut (Remote, String)> {
        if self.remote.is_none() {
            let mut remote = Remote::connect(&self.host, &self.launch)?;
            let program = match self.launch.push {
                true => remote.push(&self.launch.program)?,
                false => self.launch.program.display().to_string(),
            };
            self.remote = Some((remote, program));
        }
        self.remote.as_mut().context("there is no session")
    }

    /// Sends one signal, by a new session if the one there is breaks.
    fn send(&mut self, strike: Strike) -> anyhow::Result<()> {
        let had_session = self.remote.is_some();
        match self.try_send(strike) {
            Err(_) if had_session && self.remote.is_none() => self.try_send(strike),
            result => result,
        }
    }

    fn try_send(&mut self, Strike { pid, action, .. }: Strike) -> anyhow::Result<()> {
        let signal = signal_of(action).context("no signal does that")?;
        let run = self.run.clone();
        let (remote, program) = self.connect()?;
        let (pid, run) = (pid.to_string(), run.as_str());
        let command = [program, SIGNAL, "--run", run, "--pid", &pid, "--signal", signal.as_str()];
        match remote.run(&command, &[], SIGNAL_MAX) {
            Ok(output) if output.status == Some(0) => Ok(()),
            Ok(output) => anyhow::bail!("{}", String::from_utf8_lossy(&output.stderr).trim()),
            Err(error) => {
                self.remote = None;
                Err(error.into())
            }
        }
    }
}

/// The signal that does it, if a signal can.
pub(in crate::run) fn signal_of(action: Action) -> Option<Signal> {
    match action {
        Action::Stop => Some(Signal::SIGSTOP),
        Action::Continue => Some(Signal::SIGCONT),
        Action::Kill => Some(Signal::SIGKILL),
        Action::Restart => None,
    }
}
