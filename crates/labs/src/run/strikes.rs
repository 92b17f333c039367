//! Signals to participants: what the plan of faults does to processes at a time, and waking those that
//! stand still when the run ends.
//!
//! On this machine the launcher sends them itself. To each other machine it keeps one SSH session for
//! them, in a thread of its own, opened when the run starts: a signal takes a round trip, and not a login.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use log::info;
use netkit::hosts::Host;
use netkit::launch::LaunchOptions;
use netkit::run_id::RunId;
use netkit::ssh::Remote;
use netkit::{Signal, TimerId, Waker};

use super::SIGNAL;
use super::plan::Plan;
use crate::faults::{Action, Timed, Toll};
use crate::process::ProcessId;

/// How long one signal may take to a machine.
const SIGNAL_MAX: Duration = Duration::from_secs(5);

/// What is still to happen to processes, and the ways to their machines.
pub(super) struct Strikes {
    pub(super) to_come: VecDeque<Timed>,
    pub(super) timer: Option<TimerId>,
    /// How many times each rule struck at a time.
    pub(super) toll: Toll,
    /// Who was sent SIGKILL, and is not yet noticed to be dead, but is to start again: by which rule of the
    /// plan.
    pub(super) to_restart: BTreeMap<ProcessId, usize>,
    /// What was last done to each process at a time.
    last: BTreeMap<ProcessId, Action>,
    /// By machine, an index into the list of hosts.
    hands: BTreeMap<usize, mpsc::Sender<Order>>,
    /// Where hands say what came of their orders.
    answer: mpsc::Sender<Answer>,
    answers: mpsc::Receiver<Answer>,
    waker: Waker,
}

/// A signal to a process.
#[derive(Clone, Copy)]
pub(super) struct Order {
    pub(super) process: ProcessId,
    pub(super) pid: u32,
    pub(super) signal: Signal,
    /// The rule of the plan that struck if the signal arrives.
    pub(super) rule: Option<usize>,
}

/// What came of an order.
pub(super) struct Answer {
    pub(super) order: Order,
    pub(super) result: Result<(), String>,
}

impl Strikes {
    /// Nothing yet. Whoever has to hear of answers is woken.
    pub(super) fn new(waker: Waker) -> Self {
        let (answer, answers) = mpsc::channel();
        Self {
            to_come: VecDeque::new(),
            timer: None,
            toll: Toll::default(),
            to_restart: BTreeMap::new(),
            last: BTreeMap::new(),
            hands: BTreeMap::new(),
            answer,
            answers,
            waker,
        }
    }

    /// All that the plan does to processes at a time is to come. `host_of` says on which machine each
    /// process is.
    pub(super) fn begin(&mut self, plan: &Plan, host_of: impl Fn(usize) -> usize) {
        self.to_come = plan.faults.timed().into();
        let hosts: BTreeSet<_> =
            self.to_come.iter().map(|timed| host_of(timed.process.index())).collect();
        for host in hosts {
            self.reach(plan, host);
        }
    }

    /// Whether a process will start again.
    pub(super) fn restarts(&self, process: ProcessId) -> bool {
        let is_restart =
            |timed: &Timed| timed.process == process && timed.action == Action::Restart;
        self.to_restart.contains_key(&process) || self.to_come.iter().any(is_restart)
    }

    /// Whether a process was stopped, by a message if `by_message`, and will not be continued by plan.
    pub(super) fn is_stopped_for_good(&self, process: ProcessId, by_message: bool) -> bool {
        let stopped = match self.last.get(&process) {
            Some(action) => *action == Action::Stop,
            None => by_message,
        };
        stopped && self.to_come.iter().all(|timed| timed.process != process)
    }

    /// Something is done to a process at a time.
    pub(super) fn note(&mut self, process: ProcessId, action: Action) {
        self.last.insert(process, action);
    }

    /// What came of orders since the last call.
    pub(super) fn answers(&self) -> Vec<Answer> {
        self.answers.try_iter().collect()
    }

    /// Sends a signal to a process of the run, on a machine. What comes of it is among the answers.
    pub(super) fn send(&mut self, plan: &Plan, host: usize, order: Order) {
        let Order { process, pid, signal, .. } = order;
        info!("{signal} to {process}, process {pid}");
        let result = if plan.hosts.get(host).is_some_and(Host::is_local) {
            match netkit::reap::signal(&plan.run, pid, signal) {
                true => Ok(()),
                false => Err(format!("process {pid} is not there")),
            }
        } else {
            match self.reach(plan, host).map(|hand| hand.send(order)) {
                Some(Ok(())) => return, // The hand will say.
                _ => Err("its machine cannot be reached".to_owned()),
            }
        };
        // This end of the channel lives as long as the other.
        let _ = self.answer.send(Answer { order, result });
    }

    /// The thread that sends signals to another machine.
    fn reach(&mut self, plan: &Plan, index: usize) -> Option<&mpsc::Sender<Order>> {
        let host = plan.hosts.get(index).filter(|host| !host.is_local())?.clone();
        Some(self.hands.entry(index).or_insert_with(|| {
            let (sender, orders) = mpsc::channel();
            let launch = LaunchOptions { ask: false, ..plan.launch.clone() };
            let mut hand = Hand { host, launch, run: plan.run.clone(), remote: None };
            let (answer, waker) = (self.answer.clone(), self.waker.clone());
            thread::spawn(move || {
                // A login takes its time: before the first order is the time for it. If it fails now, that is
                // said when there is an order.
                let _ = hand.connect();
                for order in orders {
                    let result = hand.send(order).map_err(|error| format!("{error:#}"));
                    // Nobody hears it if the run has ended meanwhile.
                    let _ = answer.send(Answer { order, result });
                    let _ = waker.wake();
                }
            });
            sender
        }))
    }
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
    fn send(&mut self, order: Order) -> anyhow::Result<()> {
        let had_session = self.remote.is_some();
        match self.try_send(order) {
            Err(_) if had_session && self.remote.is_none() => self.try_send(order),
            result => result,
        }
    }

    fn try_send(&mut self, Order { pid, signal, .. }: Order) -> anyhow::Result<()> {
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
pub(super) fn signal_of(action: Action) -> Option<Signal> {
    match action {
        Action::Stop => Some(Signal::SIGSTOP),
        Action::Continue => Some(Signal::SIGCONT),
        Action::Kill => Some(Signal::SIGKILL),
        Action::Restart => None,
    }
}
