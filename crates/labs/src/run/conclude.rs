//! After a run: its journals are judged, and what came of it is said.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::collect::{self, Collected, Ended, Judged};
use super::conductor::{Cut, Handing, Loss, Member, Phase, Restart, Struck};
use super::journal::Form;
use super::plan::Finished;
use super::runner::conductor::Launcher;
use super::shell::cleaning::Remains;
use super::wire::Hello;
use crate::faults::Action;
use crate::lab::Participant;
use crate::process::ProcessId;
use crate::trace::{Header, Setup, TraceEvent, What, Whereabouts};
use crate::verdict::End;
use crate::verdict::{Judgement, NEVER_BEGAN, Witness};

impl Launcher<'_> {
    /// Judges the run, once it is cleaned up.
    pub(super) fn conclude(
        mut self,
        remains: Remains,
        watch: &mut dyn FnMut(&TraceEvent),
    ) -> anyhow::Result<Finished> {
        let Remains { killed, fetched, unreachable } = remains;
        self.hear_strikes();
        let journals = self.collected(&fetched);
        let (deaths, mut problems) = self.gone();
        problems.append(&mut self.conductor.problems);
        let plan = Arc::clone(&self.plan);
        let began = self.conductor.began();
        let end = match self.cut_short_by(&problems) {
            None => End::Complete,
            Some(why) => End::CutShort(why),
        };
        let header = self.header();
        let mut last_us = 0;
        let watch = &mut |event: &TraceEvent| {
            if !matches!(event.what, What::Crash(_) | What::Stop(_)) {
                last_us = last_us.max(event.at_us);
            }
            watch(event);
        };
        let mut judged = if began {
            let setup = self.setup();
            let trace = plan.trace.as_deref().map(|path| (path, &setup));
            let form = if plan.journals_on_disk() { Form::Lines } else { Form::Records };
            // A process that starts again may hear again what it had heard.
            let may_double = !plan.faults.is_empty();
            let run = Ended { header: &header, end: &end, form, may_double };
            collect::judge(&run, &journals, trace, watch)?
        } else {
            not_started(&header, &end)
        };
        self.note_missteps(&mut judged);
        if self.conductor.cut == Some(Cut::Late)
            && let Some(problem) =
                problems.iter_mut().find(|problem| problem.starts_with("time-out"))
        {
            let quiet = self.conductor.elapsed.saturating_sub(Duration::from_micros(last_us));
            *problem += &advice(self.conductor.elapsed, quiet);
        }
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
        self.journals.remove();
        let deaths = [deaths, judged.lost, unreachable].concat();
        Ok(Finished {
            participants: self.participants(),
            elapsed: self.conductor.elapsed,
            problems,
            judge: judged.judge,
            verdicts: judged.verdicts,
            began,
            has_gaps,
            killed,
            deaths,
            toll: self.conductor.toll(),
        })
    }

    /// What a witness told stands in the journal only where that is on disk.
    fn note_missteps(&self, judged: &mut Judged) {
        let Some((&process, misstep)) = self.missteps.first_key_value() else { return };
        if judged.judge.misstep().is_none() {
            judged.judge.note_misstep(Witness { process, n: 0 }, misstep);
            let why = format!("\"{}\" is violated", misstep.wrong.property());
            judged.verdicts = judged.judge.verdicts_on_part(&why);
        }
    }

    /// The journals of all, from here or fetched from where they died.
    fn collected(&self, fetched: &BTreeMap<ProcessId, PathBuf>) -> Vec<Collected> {
        self.conductor
            .ranked()
            .map(|(process, member)| {
                let collected = matches!(member.handing, Handing::Collected { .. });
                let heard = self.journals.path(process);
                let whole = heard.clone().filter(|_| collected);
                let whole = whole.or_else(|| fetched.get(&process).cloned());
                let lost = whole.is_none() && self.was_survived(member);
                Collected {
                    misstep: self.missteps.get(&process).cloned(),
                    journal: whole.or(heard.filter(|_| lost)),
                    lost,
                    truncated: member.handing == Handing::Collected { truncated: true },
                    died: (lost || member.is_dead()).then(|| {
                        let at = member.died_at.unwrap_or_default().as_micros();
                        at.try_into().unwrap_or(u64::MAX)
                    }),
                }
            })
            .collect()
    }

    fn header(&self) -> Header {
        let header = self.plan.header.clone();
        Header { clocks: header.clocks && self.plan.trace.is_some(), ..header }
    }

    /// What is known of all, by rank.
    pub(super) fn participants(&self) -> Vec<Participant> {
        let members = self.conductor.members.iter();
        members.map(|member| member.participant(self.host(member.host))).collect()
    }

    /// How the processes were made.
    fn setup(&self) -> Setup {
        Setup {
            options: self.plan.made_of.options.clone(),
            broken: self.plan.made_of.broken.clone(),
            places: self.conductor.members.iter().map(Member::whereabouts).collect(),
            survives_crashes: self.plan.survives_crashes,
        }
    }

    /// What cut the run short, in a word or two: the report says it at length.
    fn cut_short_by(&self, problems: &[String]) -> Option<String> {
        let is_fatal = |member: &Member| member.loss.is_some() && !self.was_survived(member);
        match (self.conductor.ranked().find(|(_, member)| is_fatal(member)), self.conductor.cut) {
            (Some((process, member)), _) if member.has_died() => Some(format!("{process} died")),
            (Some((process, _)), _) => Some(format!("{process} is gone")),
            (None, Some(Cut::Interrupted)) => Some("interrupted".to_owned()),
            (None, Some(Cut::TimeOut | Cut::Late)) => Some("time-out".to_owned()),
            (None, None) => problems.first().cloned(),
        }
    }

    /// Whether a rule of the plan killed it, at a time or by a message.
    fn was_killed_by_plan(
        &self,
        process: ProcessId,
        Struck { is_doomed, toll, .. }: &Struck,
    ) -> bool {
        *is_doomed || self.plan.faults.struck(Action::Kill, process, toll)
    }

    /// Whether the others went on without it, as they may.
    pub(super) fn was_survived(&self, member: &Member) -> bool {
        self.plan.survives_crashes
            && member.loss() >= Some(Loss::Silent)
            && member.died_at.is_some()
    }

    /// One line for each participant that is gone, with who noticed: first those that the others
    /// went on without, then those that ended the run.
    fn gone(&self) -> (Vec<String>, Vec<String>) {
        let restarts = self.conductor.restarts.iter().map(|restart| self.restart(restart));
        let (mut survived, mut fatal) = (restarts.collect::<Vec<_>>(), Vec::new());
        for (process, member) in self.conductor.ranked() {
            let Some((_, why)) = &member.loss else { continue };
            if member.phase == Phase::Launching {
                continue; // It was never there.
            }
            let noticed: Vec<_> =
                member.lost_by.iter().map(|(by, how)| format!("{by} ({how})")).collect();
            let noticed = match noticed.is_empty() {
                true => String::new(),
                false => format!("; noticed by {}", noticed.join(", ")),
            };
            let by_plan = match self.was_killed_by_plan(process, &member.struck) {
                true => ", as the plan of faults says",
                false => "",
            };
            let (host, pid) = (self.host(member.host), member.pid());
            let who = format!("{process} on {host}, process {pid}");
            match member.died_at.filter(|_| self.was_survived(member)) {
                Some(at) => {
                    let at = at.as_secs_f64();
                    survived.push(match member.has_died() {
                        true => format!("{who}, died after {at:.3} s{by_plan}"),
                        false => {
                            format!("{who}, fell silent after {at:.1} s, and is taken for dead")
                        }
                    });
                }
                None => fatal.push(format!("{who}: {why}{by_plan}{noticed}")),
            }
        }
        (survived, fatal)
    }

    fn restart(&self, restart: &Restart) -> String {
        let Restart { process, pid, died_at, again_at } = restart;
        let host = self.host(self.conductor.members[process.index()].host);
        format!(
            "{process} on {host}, process {pid}, died after {:.3} s and was started again after \
             {:.3} s, as the plan of faults says",
            died_at.as_secs_f64(),
            again_at.as_secs_f64()
        )
    }
}

impl Member {
    /// What reports say of it: `host` is its machine as the host file names it.
    pub(super) fn participant(&self, host: String) -> Participant {
        let log = self.known().map(|hello| hello.log.clone()).unwrap_or_default();
        Participant { host, pid: self.pid(), log }
    }

    /// Where its process was made, when it came first.
    pub(super) fn whereabouts(&self) -> Whereabouts {
        match self.first.as_ref().or(self.known()) {
            None => Whereabouts::default(),
            Some(Hello { host, pid, address, .. }) => {
                Whereabouts { host: host.clone(), pid: *pid, address: address.clone() }
            }
        }
    }
}

/// What to do about a run that took too long, and in which nothing happened for the last while, its `quiet`.
fn advice(elapsed: Duration, quiet: Duration) -> String {
    if quiet > elapsed / 2 {
        let seconds = quiet.as_secs_f64();
        return format!(
            "; nothing happened in the last {seconds:.1} s, so more time will hardly help: --trace shows \
             what each did last"
        );
    }
    "; --timeout gives them longer".to_owned()
}

/// Verdicts on a run that never began.
fn not_started(header: &Header, end: &End) -> Judged {
    let judge = crate::verdict::Judge::new(&header.properties, header.processes);
    let mut verdicts = judge.verdicts(end);
    for verdict in &mut verdicts {
        verdict.judgement = Judgement::Unknown(NEVER_BEGAN.to_owned());
    }
    Judged { judge, verdicts, gaps: Vec::new(), lost: Vec::new(), trace_problem: None }
}
