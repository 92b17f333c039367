//! Signals to participants: what the plan of faults does to processes at a time, and waking those that
//! stand still when the run ends.
//!
//! On this machine the launcher sends them itself. To each other machine it keeps one SSH session for
//! them, in a thread of its own, opened when the run starts: a signal takes a round trip, and not a login.

use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use log::{info, warn};
use netkit::hosts::Host;
use netkit::launch::LaunchOptions;
use netkit::run_id::RunId;
use netkit::ssh::Remote;
use netkit::{Signal, TimerId};

use super::SIGNAL;
use super::plan::Plan;
use crate::faults::{Action, Timed, Toll};
use crate::process::ProcessId;

/// How long one signal may take to a machine.
const SIGNAL_MAX: Duration = Duration::from_secs(5);

/// What is still to happen to processes, and the ways to their machines.
#[derive(Default)]
pub(super) struct Strikes {
    pub(super) to_come: VecDeque<Timed>,
    pub(super) timer: Option<TimerId>,
    /// How many times each rule struck, as far as it is known.
    pub(super) toll: Toll,
    /// Who was sent SIGKILL, and is not yet noticed to be dead, but is to start again: by which rule of the
    /// plan.
    pub(super) to_restart: BTreeMap<ProcessId, usize>,
    /// By machine, an index into the list of hosts.
    hands: BTreeMap<usize, mpsc::Sender<Order>>,
}

struct Order {
    pid: u32,
    signal: Signal,
}

impl Strikes {
    /// All that the plan does to processes at a time. `host_of` says on which machine each process is.
    pub(super) fn new(plan: &Plan, host_of: impl Fn(usize) -> usize) -> Self {
        let to_come: VecDeque<_> = plan.faults.timed().into();
        let mut this = Self::default();
        for timed in &to_come {
            this.reach(plan, host_of(timed.process.index()));
        }
        Self { to_come, ..this }
    }

    /// Whether a process will start again.
    pub(super) fn restarts(&self, process: ProcessId) -> bool {
        let is_restart =
            |timed: &Timed| timed.process == process && timed.action == Action::Restart;
        self.to_restart.contains_key(&process) || self.to_come.iter().any(is_restart)
    }

    /// Sends a signal to the process `pid` of the run, on a machine.
    pub(super) fn send(&mut self, plan: &Plan, host: usize, pid: u32, signal: Signal) {
        info!("{signal} to process {pid}");
        if plan.hosts.get(host).is_some_and(Host::is_local) {
            if !netkit::reap::signal(&plan.run, pid, signal) {
                warn!("process {pid} is not there any more: no {signal}");
            }
        } else if let Some(hand) = self.reach(plan, host) {
            // Nobody receives if the machine cannot be reached: that was said.
            let _ = hand.send(Order { pid, signal });
        }
    }

    /// The thread that sends signals to another machine.
    fn reach(&mut self, plan: &Plan, index: usize) -> Option<&mpsc::Sender<Order>> {
        let host = plan.hosts.get(index).filter(|host| !host.is_local())?.clone();
        Some(self.hands.entry(index).or_insert_with(|| {
            let (sender, orders) = mpsc::channel();
            let (launch, run) = (plan.launch.clone(), plan.run.clone());
            thread::spawn(move || {
                if let Err(error) = carry_out(&host, launch, &run, &orders) {
                    warn!("no signals reach {host}: {error:#}");
                }
            });
            sender
        }))
    }
}

/// Sends signals to the processes of one other machine until no more are wanted.
fn carry_out(
    host: &Host,
    launch: LaunchOptions,
    run: &RunId,
    orders: &mpsc::Receiver<Order>,
) -> anyhow::Result<()> {
    let options = LaunchOptions { ask: false, ..launch };
    let mut remote = Remote::connect(host, &options)?;
    let program = match options.push {
        true => remote.push(&options.program)?,
        false => options.program.display().to_string(),
    };
    for Order { pid, signal } in orders {
        let (pid, run) = (pid.to_string(), run.as_str());
        let command = [&program, SIGNAL, "--run", run, "--pid", &pid, "--signal", signal.as_str()];
        let output = remote.run(&command, &[], SIGNAL_MAX)?;
        if output.status != Some(0) {
            warn!("{host}: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
    }
    Ok(())
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
