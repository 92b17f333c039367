//! `simulate`.

mod network;
pub(super) mod seeds;
pub(super) mod trial;

use std::cell::Cell;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use self::network::NetworkArguments;
pub(super) use self::network::regions;
use self::trial::{Cut, ROUND, Trial, Tried};
use super::progress::Progress;
use super::unreturned::Unreturned;
use super::{
    Common, Typed, arguments_after_verb, check_mistake, check_trace, finish, identity, many,
    without_options,
};
use crate::faults::Plan;
use crate::lab::{Runs, Series, Study, Summary, Verb};
use crate::misstep::watchdog::{Watchdog, Whereabouts};
use crate::planned::{Planned, Simulated};
use crate::record::Recorder;
use crate::report::{Brought, PlaceOf, Report, Struck};
use crate::run::UntilSignal;
use crate::text::counted;
use crate::trace::{Header, Identity};
use crate::verdict::{End, Judge};

#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    network: NetworkArguments,
    /// Make a run with each of these seeds, and report on all together: `1..1000`, both included
    #[arg(long, value_name = "A..B", value_parser = seeds::range, conflicts_with = "seed")]
    seeds: Option<RangeInclusive<u64>>,
    /// How many of the runs of --seeds are made at the same time [default: one for each core]
    #[arg(long, value_name = "J", value_parser = many::jobs, requires = "seeds")]
    jobs: Option<usize>,
}

impl Arguments {
    /// What the options mean.
    pub(super) fn plan(&self, lab: Typed<'_>) -> anyhow::Result<Box<dyn Planned>> {
        self.common.plan(lab, Verb::Simulate)
    }

    /// What goes wrong, if that can be.
    pub(super) fn faults(&self, lab: &dyn Planned) -> anyhow::Result<Plan> {
        let last = lab.processes() - 1;
        for (process, _) in &self.network.crash {
            anyhow::ensure!(
                *process <= last,
                "--crash {process}: processes are numbered 0 to {last}"
            );
        }
        for slow in &self.network.slow {
            slow.channels
                .validate(lab.processes())
                .map_err(|why| anyhow::anyhow!("--slow: {why}"))?;
        }
        let faults = self.common.faults(lab)?;
        check_mistake(lab, Verb::Simulate, &faults)?;
        Ok(faults)
    }
}

/// Where the trace goes if not into a file, of a run that is not ended by the clock.
pub(super) struct TraceTo {
    pub(super) to: Box<dyn Write>,
    /// The arguments that its header names.
    pub(super) arguments: Vec<String>,
    /// Whether nobody wants to know more.
    pub(super) has_enough: Rc<Cell<bool>>,
    /// Where its handlers say what they do.
    pub(super) whereabouts: Whereabouts,
}

pub(super) fn simulate(arguments: &Arguments, lab: Typed<'_>) -> anyhow::Result<u8> {
    finish(&simulated(arguments, lab, None)?, arguments.common.json)
}

/// Simulates, and returns the report.
pub(super) fn simulated(
    arguments: &Arguments,
    lab: Typed<'_>,
    to: Option<TraceTo>,
) -> anyhow::Result<Report> {
    if arguments.seeds.is_some() {
        anyhow::ensure!(to.is_none(), "many runs leave no trace: it is of one");
        return seeds::simulated(arguments, lab);
    }
    let brought = lab.brought;
    let lab = &*arguments.plan(lab)?;
    let common = &arguments.common;
    let faults = arguments.faults(lab)?;
    if let Some(runs) = lab.study() {
        check_study(arguments, lab, &faults)?;
        anyhow::ensure!(to.is_none(), "many runs leave no trace: it is of one");
        return many_runs(arguments, lab, runs);
    }
    if to.is_none() {
        check_trace(common, lab.deployed().files.into_iter())?;
    }
    one_run(arguments, lab, &faults, to, brought)
}

/// Refuses options beside many runs that would not be heeded.
fn check_study(
    Arguments { common, network, .. }: &Arguments,
    lab: &dyn Planned,
    faults: &Plan,
) -> anyhow::Result<()> {
    let of_one_run = [
        ("--faults", !faults.is_empty()),
        ("--processes", common.processes.is_some()),
        ("--trace", common.trace.is_some()),
        ("--broken", lab.written()?.1.is_some()),
        ("--crash", !network.crash.is_empty()),
        ("--timeout", common.timeout.is_some()),
    ];
    if let Some((option, _)) = of_one_run.iter().find(|(_, given)| *given) {
        anyhow::bail!("{option} is for one run, and many were asked for: leave it out");
    }
    let varied = [
        ("--latency", "--latency", network.latency.is_some()),
        ("--latency", "--network", network.network.is_some()),
        ("--loss", "--loss", network.loss.is_some()),
    ];
    let by_itself = lab.about().varied;
    let ignored = varied.iter().find(|(varied, _, given)| *given && by_itself.contains(varied));
    match ignored {
        Some((_, option, _)) => {
            anyhow::bail!("{option} is what these runs vary themselves: leave it out")
        }
        None => Ok(()),
    }
}

fn one_run(
    arguments: &Arguments,
    lab: &dyn Planned,
    faults: &Plan,
    to: Option<TraceTo>,
    brought: &[Brought],
) -> anyhow::Result<Report> {
    let common = &arguments.common;
    let (processes, seed) = (lab.processes(), common.seed());
    let is_traced = to.is_some() || common.trace.is_some();
    let has_enough = to.as_ref().map(|to| to.has_enough.clone());
    // Of what is replayed somebody else looks after the handlers.
    let looked_after = to.as_ref().map(|to| to.whereabouts.clone());
    let recorder = recorder(common, lab, to, brought)?;
    let mut findings = lab.findings();
    let watchdog = looked_after.is_none().then(|| look_after(common, lab)).transpose()?;
    let whereabouts = watchdog.as_ref().map(|(whereabouts, _)| whereabouts);
    let whereabouts = looked_after.as_ref().or(whereabouts);
    let mut progress = Progress::new();
    // What is replayed has an end of its own.
    let until_signal = has_enough.is_none().then(UntilSignal::new).transpose()?;
    let mut timeout = Timeout { after: common.timeout(), has_enough, until_signal };
    let trial = Trial { arguments, lab, faults, seed, round: ROUND, whereabouts };
    // Measuring a message costs as much as encoding it, and only the trace shows it.
    let tried = trial.run(recorder, is_traced, &mut *findings, &mut |simulation| {
        timeout.cuts(simulation, &mut progress)
    });
    let tried = tried.with_context(|| match &common.trace {
        Some(path) => format!("the trace could not be written to {}", path.display()),
        None => "the run could not be recorded".to_owned(),
    })?;
    let elapsed = progress.elapsed();
    drop(progress);
    let Tried { judge, virtual_time, .. } = &tried;
    let summary =
        Summary { messages: judge.messages().clone(), elapsed: *virtual_time, is_virtual: true };
    Ok(Report {
        elapsed_s: elapsed.as_secs_f64(),
        virtual_s: Some(virtual_time.as_secs_f64()),
        messages: Report::count(judge.messages(), &lab.predicted()),
        properties: judge.verdicts(&tried.end),
        result: findings.json(&summary),
        trace: common.trace.as_ref().map(|path| path.display().to_string()),
        faults: Struck::all(faults, &tried.toll),
        assumptions_broken: tried.assumptions_broken,
        brought: brought.to_vec(),
        problems: tried.problem.into_iter().collect(),
        places: PlaceOf::simulated(processes, &*findings),
        lines: [arguments.network.place(processes), findings.lines(&summary)].concat(),
        ..Report::of(identity_of(lab, seed))
    })
}

/// Starts what reports a handler that does not return.
fn look_after(common: &Common, lab: &dyn Planned) -> anyhow::Result<(Whereabouts, Watchdog)> {
    let whereabouts = Whereabouts::default();
    let trace = common.trace.as_ref().map(|path| path.display().to_string());
    let report = Unreturned::new(common, lab, identity_of(lab, common.seed()), trace);
    let watchdog = report.watch(&whereabouts)?;
    Ok((whereabouts, watchdog))
}

/// When a simulation is ended that does not end by itself.
struct Timeout {
    after: Duration,
    /// Whether nobody wants to know more; then the clock does not end it.
    has_enough: Option<Rc<Cell<bool>>>,
    /// Whether a person wants it to end.
    until_signal: Option<UntilSignal>,
}

impl Timeout {
    /// Whether a simulation is cut short now.
    fn cuts(&mut self, simulation: &dyn Simulated, progress: &mut Progress) -> Option<Cut> {
        if self.until_signal.as_mut().is_some_and(UntilSignal::has_come) {
            let why = "interrupted".to_owned();
            return Some((End::CutShort(why.clone()), Some(why)));
        }
        match &self.has_enough {
            Some(enough) if enough.get() => {
                return Some((End::CutShort("nobody wants to know more".to_owned()), None));
            }
            None if progress.elapsed() > self.after => return Some(timed_out(self.after)),
            _ => progress.say(&counted(simulation.events(), "event")),
        }
        None
    }
}

/// How a run ends that takes longer than it may.
fn timed_out(after: Duration) -> Cut {
    let why = format!("time-out after {} s", after.as_secs_f64());
    let problem = format!("{why}; --timeout gives it longer");
    (End::CutShort(why), Some(problem))
}

/// Makes many runs, until a person wants no more, and returns the report on those that were made.
fn many_runs(
    Arguments { common, network, .. }: &Arguments,
    lab: &dyn Planned,
    runs: Runs,
) -> anyhow::Result<Report> {
    let (progress, seed, network) = (Progress::new(), common.seed(), network.to_network());
    let mut until_signal = UntilSignal::new()?;
    let mut is_over = || until_signal.has_come();
    let mut series = Series::new(seed, &network, &mut is_over);
    let Study { processes, lines, result, verdicts } = runs(&mut series)?;
    let cut = series.was_cut().then(|| "interrupted: this is of the runs until then".to_owned());
    Ok(Report {
        elapsed_s: progress.elapsed().as_secs_f64(),
        properties: verdicts,
        result,
        problems: cut.into_iter().collect(),
        lines,
        ..Report::of(Identity { processes, ..identity_of(lab, seed) })
    })
}

pub(super) fn identity_of(lab: &dyn Planned, seed: u64) -> Identity {
    identity(lab, Verb::Simulate, format!("simulated-{seed}"), seed)
}

fn recorder(
    common: &Common,
    lab: &dyn Planned,
    to: Option<TraceTo>,
    brought: &[Brought],
) -> anyhow::Result<Recorder> {
    let properties = lab.properties();
    let judge = Judge::new(&properties, lab.processes());
    let (to, arguments) = match (to, &common.trace) {
        (Some(TraceTo { to, arguments, .. }), _) => (to, arguments),
        (None, None) => return Ok(Recorder::new(lab.processes(), judge)),
        (None, Some(path)) => {
            let file = File::create(path)
                .with_context(|| format!("cannot write the trace to {}", path.display()))?;
            // The file's own name is no part of the run: two runs of one seed give equal files.
            let to: Box<dyn Write> = Box::new(BufWriter::new(file));
            (to, without_options(arguments_after_verb(brought), &["--trace"]))
        }
    };
    let identity = identity_of(lab, common.seed());
    let header = Header::new(identity, arguments, properties, lab.meaning());
    Ok(Recorder::writing(&header, judge, to)?)
}
