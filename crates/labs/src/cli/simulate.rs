//! `simulate`.

use std::cell::Cell;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use super::progress::{Progress, now};
use super::{Common, Typed, arguments_after_verb, check_mistake, check_trace, finish, identity};
use crate::faults::{Assumption, Plan, with_delay};
use crate::lab::{Findings, Runs, Series, Study, Summary, Verb};
use crate::misstep::Misstep;
use crate::misstep::watchdog::{STEP_MAX, Watchdog, Whereabouts};
use crate::planned::{Planned, Simulated};
use crate::process::ProcessId;
use crate::record::Recorder;
use crate::report::{PlaceOf, Report, Struck};
use crate::run::UntilSignal;
use crate::simulate::{Chance, Ended, Limits, Mishaps, Network};
use crate::trace::{Header, Identity, Noted};
use crate::verdict::{End, Judge, Witness};

/// How many events pass between two looks at the clock.
const ROUND: u64 = 1 << 16;

/// How many messages may be under way. Each takes some hundred bytes, and a million processes have a few
/// million.
const UNDER_WAY_MAX: usize = 10_000_000;

#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    network: NetworkArguments,
}

#[derive(Args, Debug)]
struct NetworkArguments {
    /// How long a message is under way, in milliseconds: `2`, or a range `1..5` [default: 1..5]
    #[arg(long, value_name = "MS", value_parser = latency)]
    latency: Option<Latency>,
    /// How many of all messages are lost: `10%` [default: 0%]
    #[arg(long, value_name = "PERCENT")]
    loss: Option<Chance>,
    /// How many of all messages arrive twice: `10%`
    #[arg(long, value_name = "PERCENT", default_value = "0%")]
    duplication: Chance,
    /// How many of all messages are held back and overtaken: `10%` (implies --unordered)
    #[arg(long, value_name = "PERCENT", default_value = "0%")]
    reordering: Chance,
    /// Let messages overtake each other on their channel
    #[arg(long)]
    unordered: bool,
    /// Let a process crash: `3` at once, `3@250` after 250 ms of virtual time; may be repeated
    #[arg(long, value_name = "PROCESS[@MS]", value_parser = crash)]
    crash: Vec<(u32, Duration)>,
}

#[derive(Clone, Debug)]
struct Latency(RangeInclusive<Duration>);

impl Arguments {
    /// What the options mean.
    pub(super) fn plan(&self, lab: Typed<'_>) -> anyhow::Result<Box<dyn Planned>> {
        self.common.plan(lab, Verb::Simulate)
    }
}

/// Where the trace goes if not into a file, of a run that is not ended by the clock.
pub(super) struct TraceTo {
    pub(super) to: Box<dyn Write>,
    /// The arguments that its header names.
    pub(super) arguments: Vec<String>,
    /// Whether nobody wants to know more.
    pub(super) has_enough: Rc<Cell<bool>>,
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
    let lab = &*arguments.plan(lab)?;
    let Arguments { common, network } = arguments;
    for (process, _) in &network.crash {
        let last = lab.processes() - 1;
        anyhow::ensure!(*process <= last, "--crash {process}: processes are numbered 0 to {last}");
    }
    let faults = common.faults(lab)?;
    check_mistake(lab, Verb::Simulate, &faults)?;
    if let Some(runs) = lab.study() {
        check_study(arguments, lab, &faults)?;
        anyhow::ensure!(to.is_none(), "many runs leave no trace: it is of one");
        return many_runs(arguments, lab, runs);
    }
    if to.is_none() {
        check_trace(common, lab.deployed().files.into_iter())?;
    }
    one_run(arguments, lab, &faults, to)
}

/// Refuses options beside many runs that would not be heeded.
fn check_study(
    Arguments { common, network }: &Arguments,
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
    let varied = [("--latency", network.latency.is_some()), ("--loss", network.loss.is_some())];
    let by_itself = lab.about().varied;
    let ignored = varied.iter().find(|(option, given)| *given && by_itself.contains(option));
    match ignored {
        Some((option, _)) => {
            anyhow::bail!("{option} is what these runs vary themselves: leave it out")
        }
        None => Ok(()),
    }
}

fn one_run(
    Arguments { common, network }: &Arguments,
    lab: &dyn Planned,
    faults: &Plan,
    to: Option<TraceTo>,
) -> anyhow::Result<Report> {
    let (processes, seed) = (lab.processes(), common.seed());
    let is_traced = to.is_some() || common.trace.is_some();
    let has_enough = to.as_ref().map(|to| to.has_enough.clone());
    let recorder = recorder(common, lab, to)?;
    let mut simulation =
        lab.simulate(seed, network.to_network(), recorder)?.suffer(faults, &network.crash, seed)?;
    if is_traced {
        // Measuring a message costs as much as encoding it, and only the trace shows it.
        simulation = simulation.measure();
    }
    let mut findings = lab.findings();
    // What is replayed has been simulated before.
    let watchdog = (has_enough.is_none()).then(|| look_after(common, lab)).transpose()?;
    if let Some((whereabouts, _)) = &watchdog {
        simulation = simulation.watched(whereabouts.clone());
    }
    let mut progress = Progress::new();
    // What is replayed has an end of its own.
    let until_signal = has_enough.is_none().then(UntilSignal::new).transpose()?;
    let mut timeout = Timeout { after: common.timeout(), has_enough, until_signal };
    let (ended, problem) = timeout.run(&mut *simulation, &mut *findings, &mut progress);
    let elapsed = progress.elapsed();
    drop(progress);
    for &(process, at_us) in simulation.crashes() {
        findings.on_crash(process, at_us);
    }
    let (virtual_time, toll) = (simulation.now(), simulation.toll());
    let assumed = lab.about().assumes;
    let slowest = simulation.slowest();
    let by_network = network.broken(assumed, simulation.mishaps(), simulation.crashes(), processes);
    let broken = [by_network, faults.broken(assumed, &toll, processes)].concat();
    let judge = simulation.finish().with_context(|| match &common.trace {
        Some(path) => format!("the trace could not be written to {}", path.display()),
        None => "the run could not be recorded".to_owned(),
    })?;
    let summary =
        Summary { messages: judge.messages().clone(), elapsed: virtual_time, is_virtual: true };
    Ok(Report {
        elapsed_s: elapsed.as_secs_f64(),
        virtual_s: Some(virtual_time.as_secs_f64()),
        messages: Report::count(judge.messages(), &lab.predicted()),
        properties: judge.verdicts(&ended),
        result: findings.json(&summary),
        trace: common.trace.as_ref().map(|path| path.display().to_string()),
        assumptions_broken: with_delay(broken, assumed, lab.delay_max(), slowest),
        faults: Struck::all(faults, &toll),
        problems: problem.into_iter().collect(),
        places: PlaceOf::simulated(processes, &*findings),
        lines: findings.lines(&summary),
        ..Report::of(identity_of(lab, seed))
    })
}

/// Starts what reports a handler that does not return, and ends the program then: there is no way to end the
/// handler.
fn look_after(common: &Common, lab: &dyn Planned) -> anyhow::Result<(Whereabouts, Watchdog)> {
    let whereabouts = Whereabouts::default();
    let (properties, json) = (lab.properties(), common.json);
    let trace = common.trace.as_ref().map(|path| path.display().to_string());
    let (processes, identity) = (lab.processes(), identity_of(lab, common.seed()));
    let begun = now();
    let tell = move |process, misstep: Misstep| {
        let mut judge = Judge::new(&properties, processes);
        judge.note_misstep(Witness { process, n: 0 }, &misstep);
        let why = format!("\"{}\" is violated", misstep.wrong.property());
        let report = Report {
            elapsed_s: begun.elapsed().as_secs_f64(),
            properties: judge.verdicts_on_part(&why),
            problems: vec![format!("{}; the program ended itself", misstep.sentence(process))],
            trace,
            ..Report::of(identity)
        };
        let status = finish(&report, json).unwrap_or(super::COULD_NOT_RUN);
        std::process::exit(status.into());
    };
    let watchdog = Watchdog::start(whereabouts.clone(), STEP_MAX, tell);
    Ok((whereabouts, watchdog.context("no thread looks after the handlers")?))
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
    /// Runs a simulation to its end. Returns how it ended, and what the report must say of that.
    fn run(
        &mut self,
        simulation: &mut dyn Simulated,
        findings: &mut dyn Findings<dyn Noted>,
        progress: &mut Progress,
    ) -> (End, Option<String>) {
        let seconds = self.after.as_secs_f64();
        loop {
            let events = simulation.events().saturating_add(ROUND);
            let ended = simulation.run(Limits { events, ..Limits::default() }, findings);
            if !matches!(ended, Ended::EventLimit(_)) {
                return (ended.end(), None);
            }
            let under_way = simulation.scheduled();
            if under_way > UNDER_WAY_MAX {
                let why = "too many messages under way".to_owned();
                let problem =
                    format!("{under_way} messages are under way: with --duplication they grow");
                return (End::CutShort(why), Some(problem));
            }
            if self.until_signal.as_mut().is_some_and(UntilSignal::has_come) {
                let why = "interrupted".to_owned();
                return (End::CutShort(why.clone()), Some(why));
            }
            match &self.has_enough {
                Some(enough) if enough.get() => {
                    return (End::CutShort("nobody wants to know more".to_owned()), None);
                }
                None if progress.elapsed() > self.after => {
                    let why = format!("time-out after {seconds} s");
                    let problem = format!("{why}; --timeout gives it longer");
                    return (End::CutShort(why), Some(problem));
                }
                _ => progress.say(&format!("{} events", simulation.events())),
            }
        }
    }
}

/// Makes many runs, until a person wants no more, and returns the report on those that were made.
fn many_runs(
    Arguments { common, network }: &Arguments,
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

fn identity_of(lab: &dyn Planned, seed: u64) -> Identity {
    identity(lab, Verb::Simulate, format!("simulated-{seed}"), seed)
}

fn recorder(common: &Common, lab: &dyn Planned, to: Option<TraceTo>) -> anyhow::Result<Recorder> {
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
            (to, without_trace(arguments_after_verb()))
        }
    };
    let identity = identity_of(lab, common.seed());
    let header = Header::new(identity, arguments, properties, lab.meaning());
    Ok(Recorder::writing(&header, judge, to)?)
}

fn without_trace(arguments: Vec<String>) -> Vec<String> {
    let mut kept = Vec::new();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--trace" => drop(arguments.next()),
            other if other.starts_with("--trace=") => {}
            _ => kept.push(argument),
        }
    }
    kept
}

impl NetworkArguments {
    fn to_network(&self) -> Network {
        let usual = Network::default();
        Network {
            latency: self.latency.clone().map_or(usual.latency, |latency| latency.0),
            loss: self.loss.unwrap_or(usual.loss),
            duplication: self.duplication,
            reordering: self.reordering,
            fifo: !self.unordered && self.reordering == Chance::NEVER,
        }
    }

    /// What of `assumed` was taken away, each with the options that did it. What could have gone wrong and
    /// did not takes nothing away.
    fn broken(
        &self,
        assumed: &[Assumption],
        mishaps: Mishaps,
        crashes: &[(ProcessId, u64)],
        processes: u32,
    ) -> Vec<String> {
        let unordered = match (self.unordered, self.reordering != Chance::NEVER) {
            (true, true) => "--unordered --reordering",
            (false, true) => "--reordering",
            _ => "--unordered",
        };
        let has_crashed = |&&(process, at): &&(u32, Duration)| {
            crashes.iter().any(|&(who, at_us)| {
                who == ProcessId(process) && u128::from(at_us) == at.as_micros()
            })
        };
        let dead = self.crash.iter().filter(has_crashed).count();
        [
            (Assumption::Fifo, mishaps.overtaking > 0, unordered),
            (Assumption::Reliable, mishaps.lost > 0, "--loss"),
            (Assumption::NoDuplicates, mishaps.doubled > 0, "--duplication"),
            (Assumption::NoCrash, Assumption::NoCrash.forbids(dead, processes), "--crash"),
            (
                Assumption::MajorityLives,
                Assumption::MajorityLives.forbids(dead, processes),
                "--crash",
            ),
        ]
        .iter()
        .filter(|(assumption, is_broken, _)| *is_broken && assumed.contains(assumption))
        .map(|(assumption, _, option)| format!("{assumption} ({option})"))
        .collect()
    }
}

fn latency(text: &str) -> Result<Latency, String> {
    let (from, to) = text.split_once("..").unwrap_or((text, text));
    Ok(Latency(milliseconds(from)?..=milliseconds(to.trim_start_matches('='))?))
}

/// No run lasts for a day of virtual time.
const CRASH_MAX: Duration = Duration::from_secs(86_400);

fn crash(text: &str) -> Result<(u32, Duration), String> {
    let (process, at) = text.split_once('@').unwrap_or((text, "0"));
    let process = process.strip_prefix('p').unwrap_or(process);
    let process =
        process.parse().map_err(|_| format!("{process:?} is not the number of a process"))?;
    let at = milliseconds(at)?;
    if at > CRASH_MAX {
        return Err(format!("{at:?} is after the end of every run: at most {CRASH_MAX:?}"));
    }
    Ok((process, at))
}

fn milliseconds(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a number of milliseconds");
    let milliseconds: f64 = text.parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(milliseconds / 1_000.0).map_err(|_| wrong())
}

#[cfg(test)]
mod tests;
