//! What the plan of faults does to processes: signals at their times, which
//! [`strikes`](crate::run::strikes) sends, and starting the dead again.
//!
//! Who starts again does so on the machine where it died, with the journal of the dead, and is told when the
//! algorithm started. Its neighbours are told where it is now. Nobody waits for it: some of them may be dead.

use std::sync::Arc;
use std::time::Duration;

use log::debug;
use netkit::Net;

use super::{Conductor, Loss, Member, Stage};
use crate::faults::{Action, Timed};
use crate::process::ProcessId;
use crate::run::config::Config;
use crate::run::launching::launch_again;
use crate::run::strikes::{Answer, Order, signal_of};
use crate::run::wire::ToParticipant;

impl Conductor<'_> {
    /// Does to processes what the plan says, as far as its time has come.
    pub(super) fn strike(&mut self, net: &mut Net) {
        let Some(started_at) = self.started_at.filter(|_| self.stage == Stage::Running) else {
            return;
        };
        while let Some(&Timed { at, process, action, rule, is_end }) = self.strikes.to_come.front()
        {
            let left = at.saturating_sub(started_at.elapsed());
            if left > Duration::ZERO {
                self.strikes.timer = Some(net.start_timer(left));
                return;
            }
            self.strikes.to_come.pop_front();
            let member = &mut self.members[process.index()];
            match signal_of(action) {
                Some(signal) => {
                    member.is_doomed |= action == Action::Kill;
                    let (host, pid) = (member.host, member.pid());
                    let rule = (!is_end).then_some(rule);
                    self.strikes.note(process, action);
                    self.strikes.send(self.plan, host, Order { process, pid, signal, rule });
                }
                None if member.loss == Some(Loss::Died) => self.start_again(process, rule),
                // It was killed a moment ago, and that is not noticed yet.
                None if member.is_doomed => drop(self.strikes.to_restart.insert(process, rule)),
                None => debug!("{process} is not dead, and does not start again"),
            }
        }
        self.hear_strikes();
    }

    /// Counts the strikes that have struck, and says of the others why not.
    pub(in crate::run) fn hear_strikes(&mut self) {
        for Answer { order: Order { process, signal, rule, .. }, result } in self.strikes.answers()
        {
            match (result, rule) {
                (Ok(()), Some(rule)) => self.strikes.toll.add(rule, 1),
                (Ok(()), None) => {}
                // Who has died meanwhile needs no signal any more.
                (Err(why), _) if self.members[process.index()].loss == Some(Loss::Died) => {
                    debug!("{signal} did not reach {process}: {why}");
                }
                (Err(why), _) => {
                    self.members[process.index()].is_doomed = false;
                    self.problems.push(format!("{signal} did not reach {process}: {why}"));
                }
            }
        }
    }

    /// Starts a participant again where one has died, on the same machine, with the journal of the dead.
    pub(super) fn start_again(&mut self, process: ProcessId, rule: usize) {
        self.strikes.toll.add(rule, 1);
        let member = &mut self.members[process.index()];
        let died_at = member.died_at.unwrap_or_default().as_secs_f64();
        let now_at = self.started_at.map_or(Duration::ZERO, |at| at.elapsed()).as_secs_f64();
        let (host, pid) = (member.host, member.pid());
        let old = std::mem::replace(member, Member::new(host));
        member.journal = old.journal;
        member.journal_file = old.journal_file;
        member.journal_length = old.journal_length;
        member.half_line = old.half_line;
        member.former = old.hello.or(old.former);
        member.died_at = old.died_at;
        member.spent = [old.spent, old.toll.rules()].concat();
        let spent = member.spent.clone();
        self.strikes.toll.merge(&old.toll);
        self.starting_again.insert(process);
        let label = self.host(host);
        self.restarts.push(format!(
            "{process} on {label}, process {pid}, died after {died_at:.3} s and was started again after \
             {now_at:.3} s, as the plan of faults says"
        ));
        let config = Config { again: true, spent, ..self.config.clone() };
        let config = Config { rank: process.0, ..config };
        launch_again(self.plan, config, host, Arc::clone(&self.report));
    }

    /// Whoever could not be started again is dead for good.
    pub(super) fn check_started_again(&mut self, net: &mut Net) {
        let failed = |process: &ProcessId| self.members[process.index()].gone.is_some();
        let failed: Vec<_> = self.starting_again.iter().copied().filter(failed).collect();
        for process in failed {
            self.starting_again.remove(&process);
            self.lose(net, process, "it could not be started again".to_owned(), Loss::Died);
        }
    }

    /// Tells a participant that starts again whom to connect to, and those who connect to it, where it is.
    pub(super) fn readmit(&mut self, net: &mut Net, process: ProcessId) {
        let links = |rank| self.plan.overlay.links(rank, self.plan.processes).opens;
        let opens = links(process).into_iter().map(|other| self.contact(other)).collect();
        let everyone = (0..self.plan.processes).map(ProcessId);
        let neighbours: Vec<_> =
            everyone.filter(|&other| links(other).contains(&process)).collect();
        // It does not wait for those who connect to it: some may be dead.
        self.tell(net, process, &ToParticipant::Release { opens, accepts: 0 });
        let moved = ToParticipant::Moved(self.contact(process));
        neighbours.into_iter().for_each(|other| self.tell(net, other, &moved));
    }

    pub(super) fn resume(&mut self, net: &mut Net, process: ProcessId) {
        let at = self.started_at.map_or(Duration::ZERO, |at| at.elapsed()).as_micros();
        let at_us = at.try_into().unwrap_or(u64::MAX);
        let follow = self.plan.follow.then(|| self.members[process.index()].journal_length);
        self.tell(net, process, &ToParticipant::Resume { at_us, follow });
    }
}
