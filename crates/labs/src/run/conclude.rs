//! After a run: whatever is left of it is ended, its journals are judged, and what came of it is said.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::thread;

use log::warn;
use netkit::Signal;
use netkit::hosts::Host;

use super::collect::{self, Collected, Judged};
use super::launcher::{Conductor, Hello, Loss, Member};
use super::plan::{Finished, host_label};
use super::visit::visit;
use crate::faults::Action;
use crate::lab::Participant;
use crate::process::ProcessId;
use crate::trace::event::{CLOCKS_MAX_PROCESSES, FORMAT};
use crate::trace::{Header, Identity, Setup, TraceEvent, Whereabouts};
use crate::verdict::End;
use crate::verdict::{Judgement, NEVER_BEGAN};

/// How many machines are visited at once: several lines of the host file may name one server, and a usual
/// one drops connections beyond ten.
const VISITS_AT_ONCE: usize = 8;

/// What was left of a run on the machines.
pub(super) struct Remains {
    /// What could not end by itself.
    killed: Vec<String>,
    /// The traces of those who died.
    fetched: BTreeMap<ProcessId, PathBuf>,
}

impl Conductor<'_> {
    /// Judges the run, once it is cleaned up.
    pub(super) fn conclude(
        mut self,
        remains: Remains,
        watch: impl FnMut(&TraceEvent),
    ) -> anyhow::Result<Finished> {
        let Remains { killed, fetched } = remains;
        let journals: Vec<_> = (0..)
            .map(ProcessId)
            .zip(&self.members)
            .map(|(process, member)| Collected {
                journal: member
                    .journal
                    .as_ref()
                    .filter(|_| member.is_collected)
                    .cloned()
                    .or_else(|| fetched.get(&process).cloned()),
                truncated: member.truncated,
                died: member.is_dead().then(|| {
                    let at = member.died_at.unwrap_or_default().as_micros();
                    at.try_into().unwrap_or(u64::MAX)
                }),
            })
            .collect();
        self.hear_strikes();
        let mut toll = self.strikes.toll.clone();
        self.members.iter().for_each(|member| toll.merge(&member.toll));
        let (deaths, mut problems) = self.gone();
        problems.append(&mut self.problems);
        let plan = self.plan;
        let end = match self.cut_short_by(&problems) {
            None => End::Complete,
            Some(why) => End::CutShort(why),
        };
        let header = Header {
            trace: FORMAT,
            identity: Identity {
                lab: plan.lab.to_owned(),
                verb: "run".to_owned(),
                run: plan.run.to_string(),
                processes: plan.processes,
                seed: plan.seed,
            },
            arguments: plan.arguments.clone(),
            clocks: plan.trace.is_some() && plan.processes <= CLOCKS_MAX_PROCESSES,
            properties: plan.properties.clone(),
            meaning: plan.meaning.clone(),
        };
        let judged = match self.started_at {
            Some(_) => {
                let setup = self.setup();
                let trace = plan.trace.as_deref().map(|path| (path, &setup));
                let on_disk = plan.journals_on_disk();
                collect::judge(&header, &journals, &end, trace, on_disk, watch)?
            }
            None => not_started(&header, &end),
        };
        problems.extend(judged.trace_problem);
        let has_gaps = !judged.gaps.is_empty();
        if has_gaps {
            let gaps = judged.gaps.join("; ");
            problems.push(match plan.trace {
                Some(_) => gaps,
                None => format!("{gaps}: with --trace they are kept on disk, and can be judged"),
            });
        }
        // What was collected has been judged, and stands in the trace if there is one.
        for path in self.members.iter().filter_map(|member| member.journal.as_ref()) {
            if let Err(error) = std::fs::remove_file(path) {
                warn!("cannot remove {}: {error}", path.display());
            }
        }
        let participants = self.participants();
        Ok(Finished {
            participants,
            elapsed: self.elapsed,
            problems,
            judge: judged.judge,
            verdicts: judged.verdicts,
            began: self.started_at.is_some(),
            has_gaps,
            killed,
            deaths,
            toll,
        })
    }

    /// What is known of all, by rank.
    pub(super) fn participants(&self) -> Vec<Participant> {
        self.members.iter().map(|member| member.participant(self.host(member.host))).collect()
    }

    /// How the processes were made.
    fn setup(&self) -> Setup {
        Setup {
            options: self.plan.options.clone(),
            broken: self.plan.broken.clone(),
            places: self.members.iter().map(Member::whereabouts).collect(),
        }
    }

    /// What cut the run short, in a word or two: the report says it at length.
    fn cut_short_by(&self, problems: &[String]) -> Option<String> {
        let is_fatal = |member: &Member| member.gone.is_some() && !self.was_survived(member);
        let gone = (0..).map(ProcessId).zip(&self.members).find(|(_, m)| is_fatal(m));
        match gone {
            Some((process, member)) if member.loss == Some(Loss::Died) => {
                Some(format!("{process} died"))
            }
            Some((process, _)) => Some(format!("{process} is gone")),
            None if self.interrupted => Some("interrupted".to_owned()),
            None if self.timed_out => Some("time-out".to_owned()),
            None => problems.first().cloned(),
        }
    }

    /// Whether a rule of the plan killed it, at a time or by a message.
    fn was_killed_by_plan(&self, process: ProcessId) -> bool {
        let member = &self.members[process.index()];
        member.is_doomed || self.plan.faults.struck(Action::Kill, process, &member.toll)
    }

    /// Whether the others went on without it, as they may.
    fn was_survived(&self, member: &Member) -> bool {
        self.plan.survives_crashes && member.loss == Some(Loss::Died) && member.died_at.is_some()
    }

    /// One line for each participant that is gone, with who noticed: first those that the others went on
    /// without, then those that ended the run.
    fn gone(&self) -> (Vec<String>, Vec<String>) {
        let started = |member: &&Member| member.hello.is_some() || member.started.is_some();
        let (mut survived, mut fatal) = (self.restarts.clone(), Vec::new());
        let members = (0..).map(ProcessId).zip(&self.members);
        for (process, member) in members.filter(|(_, member)| started(member)) {
            let Some(why) = &member.gone else { continue };
            let noticed: Vec<_> =
                member.lost_by.iter().map(|(by, how)| format!("{by} ({how})")).collect();
            let noticed = match noticed.is_empty() {
                true => String::new(),
                false => format!("; noticed by {}", noticed.join(", ")),
            };
            let by_plan = match self.was_killed_by_plan(process) {
                true => ", as the plan of faults says",
                false => "",
            };
            let (host, pid) = (self.host(member.host), member.pid());
            let who = format!("{process} on {host}, process {pid}");
            match member.died_at.filter(|_| self.was_survived(member)) {
                Some(at) => {
                    survived.push(format!("{who}, died after {:.3} s{by_plan}", at.as_secs_f64()));
                }
                None => fatal.push(format!("{who}: {why}{by_plan}{noticed}")),
            }
        }
        (survived, fatal)
    }

    /// Ends what is left on all machines, and fetches the traces of those who died. Machines on which
    /// everyone took leave, or on which nothing was started, are not visited.
    pub(super) fn clean_up(&mut self) -> Remains {
        let mut killed = Vec::new();
        let mut fetched = BTreeMap::new();
        let unclean: BTreeSet<usize> = self
            .members
            .iter()
            .filter(|m| m.gone.is_some() || m.connection.is_some() || m.hello.is_none())
            .filter(|m| m.was_tried)
            .map(|member| member.host)
            .collect();
        let is_local = |index: usize| self.plan.hosts.get(index).is_some_and(Host::is_local);
        if self.members.iter().any(|member| is_local(member.host)) {
            let pids = netkit::reap::reap(&self.plan.run, Signal::SIGKILL);
            killed.extend(
                pids.iter()
                    .filter(|pid| self.was_lost(**pid))
                    .map(|pid| format!("process {pid} here")),
            );
        }
        let dead: Vec<_> = (0..)
            .map(ProcessId)
            .zip(&self.members)
            .filter(|(_, m)| !m.is_collected && m.known().is_some() && self.plan.journals_on_disk())
            .map(|(process, member)| (process, member.host, member.trace_path(process)))
            .collect();
        for (process, host, path) in &dead {
            if is_local(*host) && path.exists() {
                fetched.insert(*process, path.clone());
            }
        }
        let visits: Vec<_> = unclean
            .into_iter()
            .filter(|&index| !is_local(index))
            .filter_map(|index| {
                let host = self.plan.hosts.get(index)?.clone();
                let traces: Vec<_> = dead
                    .iter()
                    .filter(|(_, at, _)| *at == index)
                    .map(|(process, _, path)| (*process, path.clone()))
                    .collect();
                Some((host, traces))
            })
            .collect();
        let mut results = Vec::new();
        for some in visits.chunks(VISITS_AT_ONCE) {
            results.extend(thread::scope(|scope| {
                let threads: Vec<_> = some
                    .iter()
                    .map(|(host, traces)| {
                        let (plan, folder) = (self.plan, self.folder);
                        scope.spawn(move || (host_label(host), visit(host, traces, plan, folder)))
                    })
                    .collect();
                threads.into_iter().filter_map(|thread| thread.join().ok()).collect::<Vec<_>>()
            }));
        }
        for (host, result) in results {
            match result {
                Ok(visit) => {
                    killed.extend(visit.killed.iter().map(|pid| format!("process {pid} on {host}")));
                    fetched.extend(visit.fetched);
                }
                Err(error) => self.problems.push(format!(
                    "{host} could not be cleaned up ({error:#}): what runs there ends by itself within \
                     seconds, for it no longer hears the launcher"
                )),
            }
        }
        Remains { killed, fetched }
    }

    /// Whether this process of this machine had not taken leave when it was killed.
    fn was_lost(&self, pid: u32) -> bool {
        self.members.iter().any(|m| m.pid() == pid && (m.gone.is_some() || m.connection.is_some()))
    }
}

impl Member {
    /// What reports say of it: `host` is its machine as the host file names it.
    pub(super) fn participant(&self, host: String) -> Participant {
        let log = self.known().map(|hello| hello.log.clone()).unwrap_or_default();
        Participant { host, pid: self.pid(), log }
    }

    /// Where its process was made.
    pub(super) fn whereabouts(&self) -> Whereabouts {
        match self.known() {
            None => Whereabouts::default(),
            Some(Hello { host, pid, address, .. }) => {
                Whereabouts { host: host.clone(), pid: *pid, address: address.clone() }
            }
        }
    }
}

/// Verdicts on a run that never began.
fn not_started(header: &Header, end: &End) -> Judged {
    let judge = crate::verdict::Judge::new(&header.properties, header.processes);
    let mut verdicts = judge.verdicts(end);
    for verdict in &mut verdicts {
        verdict.judgement = Judgement::Unknown(NEVER_BEGAN.to_owned());
    }
    Judged { judge, verdicts, gaps: Vec::new(), trace_problem: None }
}
