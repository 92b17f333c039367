//! `simulate`.

use std::cell::Cell;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use super::made::Made;
use super::progress::Progress;
use super::{Common, arguments_after_verb, check_trace, finish};
use crate::faults::{Assumption, Plan};
use crate::lab::{Findings, Lab, Place, Study, Summary, Verb};
use crate::process::{Process, ProcessId};
use crate::report::{PlaceOf, Report, Struck};
use crate::simulate::{Chance, Ended, Limits, Mishaps, Network, Simulation};
use crate::trace::event::{CLOCKS_MAX_PROCESSES, FORMAT};
use crate::trace::{Header, Recorder};
use crate::verdict::{End, Judge};

/// After how many events it is looked at the clock and told how far the run is.
const ROUND: u64 = 1 << 16;

/// How many messages may be under way. Each takes some hundred bytes, and a million processes have a few
/// million.
const UNDER_WAY_MAX: usize = 10_000_000;

#[derive(Args, Debug)]
pub(super) struct Arguments<L: Lab> {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    network: NetworkArguments,
    /// Put a mistake into the algorithm, and see which property notices
    #[arg(long, value_name = "MISTAKE")]
    broken: Option<L::Broken>,
    #[command(flatten)]
    options: L::Options,
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

impl<L: Lab> Arguments<L> {
    /// What it takes to make the processes.
    pub(super) fn made(&self) -> anyhow::Result<Made<L>> {
        let Self { common, broken, options, .. } = self;
        Made::new(Verb::Simulate, common, common.seed(), broken.clone(), options.clone())
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

pub(super) fn simulate<L: Lab>(arguments: Arguments<L>) -> anyhow::Result<u8> {
    let json = arguments.common.json;
    finish(&simulated(arguments, None)?, json)
}

/// Simulates, and returns the report.
pub(super) fn simulated<L: Lab>(
    arguments: Arguments<L>,
    to: Option<TraceTo>,
) -> anyhow::Result<Report> {
    let Made { processes, broken, options } = arguments.made()?;
    let Arguments { common, network, .. } = arguments;
    let seed = common.seed();
    for (process, _) in &network.crash {
        anyhow::ensure!(
            *process < processes,
            "--crash {process}: processes are numbered 0 to {}",
            processes - 1
        );
    }
    let faults = common.faults(processes)?;
    let started = Progress::new();
    if let Some(runs) = L::study(&options) {
        let of_one_run = [
            ("--faults", !faults.is_empty()),
            ("--processes", common.processes.is_some()),
            ("--trace", common.trace.is_some()),
            ("--broken", broken.is_some()),
            ("--crash", !network.crash.is_empty()),
            ("--timeout", common.timeout.is_some()),
        ];
        if let Some((option, _)) = of_one_run.iter().find(|(_, given)| *given) {
            anyhow::bail!("{option} is for one run, and many were asked for: leave it out");
        }
        let varied = [("--latency", network.latency.is_some()), ("--loss", network.loss.is_some())];
        let ignored = varied.iter().find(|(option, given)| *given && L::VARIED.contains(option));
        if let Some((option, _)) = ignored {
            anyhow::bail!("{option} is what these runs vary themselves: leave it out");
        }
        anyhow::ensure!(to.is_none(), "many runs leave no trace: it is of one");
        let study = runs(seed, &network.to_network())?;
        return Ok(study_report::<L>(study, seed, started.elapsed()));
    }
    if to.is_none() {
        check_trace(&common, L::files(&options).into_iter())?;
    }
    let build = |rank| L::process(&options, &Place::simulated(rank, processes));
    match broken {
        None => {
            let all = (0..processes).map(build).collect();
            simulate_processes::<L, _>(&common, network, &faults, &options, all, to)
        }
        Some(how) => {
            let all = (0..processes).map(|rank| L::broken(build(rank), &how)).collect();
            simulate_processes::<L, _>(&common, network, &faults, &options, all, to)
        }
    }
}

fn simulate_processes<L, P>(
    common: &Common,
    network: NetworkArguments,
    faults: &Plan,
    options: &L::Options,
    all: Vec<P>,
    to: Option<TraceTo>,
) -> anyhow::Result<Report>
where
    L: Lab,
    P: Process<
            Request = <L::Process as Process>::Request,
            Indication = <L::Process as Process>::Indication,
            Message = <L::Process as Process>::Message,
        >,
{
    let processes = u32::try_from(all.len())?;
    let seed = common.seed();
    let is_traced = to.is_some() || common.trace.is_some();
    let has_enough = to.as_ref().map(|to| to.has_enough.clone());
    let recorder = recorder::<L>(common, options, processes, seed, to)?;
    let mut simulation = Simulation::new(seed, network.to_network(), all, recorder)?;
    if is_traced {
        // Measuring a message costs as much as encoding it, and only the trace shows it.
        simulation = simulation.sizes(crate::run::message_size);
    }
    for process in (0..processes).map(ProcessId) {
        for request in L::requests(options, process, processes) {
            simulation.request_at(Duration::ZERO, process, request);
        }
    }
    for &(process, at) in &network.crash {
        simulation.crash_at(at, ProcessId(process));
    }
    simulation = simulation.with_faults(faults, seed)?;

    let mut findings = L::findings(options, processes);
    let mut progress = Progress::new();
    let timeout = common.timeout();
    let mut problems = Vec::new();
    let ended = loop {
        let events = simulation.events().saturating_add(ROUND);
        let limits = Limits { events, ..Limits::default() };
        let ended = simulation.run_with(limits, |simulation, process, indication| {
            let at_us = simulation.now().as_micros().try_into().unwrap_or(u64::MAX);
            findings.on_indication(process, &indication, at_us);
        });
        if !matches!(ended, Ended::EventLimit(_)) {
            break ended.end();
        }
        if simulation.scheduled() > UNDER_WAY_MAX {
            let under_way = simulation.scheduled();
            problems
                .push(format!("{under_way} messages are under way: with --duplication they grow"));
            break End::CutShort("too many messages under way".to_owned());
        }
        if has_enough.as_ref().is_some_and(|enough| enough.get()) {
            break End::CutShort("nobody wants to know more".to_owned());
        }
        if progress.elapsed() > timeout && has_enough.is_none() {
            let seconds = timeout.as_secs_f64();
            problems.push(format!("time-out after {seconds} s; --timeout gives it longer"));
            break End::CutShort(format!("time-out after {seconds} s"));
        }
        progress.say(&format!("{} events", simulation.events()));
    };
    let elapsed = progress.elapsed();
    let virtual_time = simulation.now();
    let toll = simulation.toll();
    drop(progress);
    let crashes = simulation.observer().crashes();
    for &(process, at_us) in crashes {
        findings.on_crash(process, at_us);
    }
    let by_network = network.broken(L::ASSUMES, simulation.mishaps(), crashes);
    let judge = simulation.into_observer().finish().with_context(|| match &common.trace {
        Some(path) => format!("the trace could not be written to {}", path.display()),
        None => "the run could not be recorded".to_owned(),
    })?;

    let summary =
        Summary { messages: judge.messages().clone(), elapsed: virtual_time, is_virtual: true };
    Ok(Report {
        lab: L::NAME.to_owned(),
        verb: Verb::Simulate.name().to_owned(),
        run: run_name(seed),
        processes,
        seed,
        elapsed_s: elapsed.as_secs_f64(),
        virtual_s: Some(virtual_time.as_secs_f64()),
        states: None,
        hosts: Vec::new(),
        messages: Report::count(judge.messages(), &L::predicted(options, processes)),
        properties: judge.verdicts(&ended),
        result: findings.json(&summary),
        trace: common.trace.as_ref().map(|path| path.display().to_string()),
        logs: Vec::new(),
        assumptions_broken: [by_network, faults.broken(L::ASSUMES, &toll)].concat(),
        faults: Struck::all(faults, &toll),
        problems,
        killed: Vec::new(),
        counterexample: Vec::new(),
        places: PlaceOf::simulated(processes, &findings),
        began: true,
        lines: findings.lines(&summary),
    })
}

/// The report on many runs.
fn study_report<L: Lab>(study: Study, seed: u64, elapsed: Duration) -> Report {
    Report {
        lab: L::NAME.to_owned(),
        verb: Verb::Simulate.name().to_owned(),
        run: run_name(seed),
        processes: study.processes,
        seed,
        elapsed_s: elapsed.as_secs_f64(),
        virtual_s: None,
        states: None,
        hosts: Vec::new(),
        messages: std::collections::BTreeMap::new(),
        properties: study.verdicts,
        result: study.result,
        trace: None,
        logs: Vec::new(),
        assumptions_broken: Vec::new(),
        faults: Vec::new(),
        problems: Vec::new(),
        killed: Vec::new(),
        counterexample: Vec::new(),
        places: Vec::new(),
        began: true,
        lines: study.lines,
    }
}

fn run_name(seed: u64) -> String {
    format!("simulated-{seed}")
}

fn recorder<L: Lab>(
    common: &Common,
    options: &L::Options,
    processes: u32,
    seed: u64,
    to: Option<TraceTo>,
) -> anyhow::Result<Recorder> {
    let properties = L::properties(options, processes);
    let judge = Judge::new(&properties, processes);
    let (to, arguments) = match (to, &common.trace) {
        (Some(TraceTo { to, arguments, .. }), _) => (to, arguments),
        (None, None) => return Ok(Recorder::new(processes, judge)),
        (None, Some(path)) => {
            let file = File::create(path)
                .with_context(|| format!("cannot write the trace to {}", path.display()))?;
            // The file's own name is no part of the run: two runs of one seed give equal files.
            let to: Box<dyn Write> = Box::new(BufWriter::new(file));
            (to, without_trace(arguments_after_verb()))
        }
    };
    let header = Header {
        trace: FORMAT,
        lab: L::NAME.to_owned(),
        verb: Verb::Simulate.name().to_owned(),
        run: run_name(seed),
        processes,
        seed,
        arguments,
        clocks: processes <= CLOCKS_MAX_PROCESSES,
        properties,
    };
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
    ) -> Vec<String> {
        let unordered = match (self.unordered, self.reordering != Chance::NEVER) {
            (true, true) => "--unordered --reordering",
            (false, true) => "--reordering",
            _ => "--unordered",
        };
        let has_crashed = |&(process, at): &(u32, Duration)| {
            crashes.iter().any(|&(who, at_us)| {
                who == ProcessId(process) && u128::from(at_us) == at.as_micros()
            })
        };
        [
            (Assumption::Fifo, mishaps.overtaking > 0, unordered),
            (Assumption::Reliable, mishaps.lost > 0, "--loss"),
            (Assumption::NoDuplicates, mishaps.doubled > 0, "--duplication"),
            (Assumption::NoCrash, self.crash.iter().any(has_crashed), "--crash"),
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
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        network: NetworkArguments,
    }

    const ALL: [Assumption; 4] =
        [Assumption::Fifo, Assumption::Reliable, Assumption::NoDuplicates, Assumption::NoCrash];

    fn broken(line: &str, mishaps: Mishaps, crashes: &[(ProcessId, u64)]) -> Vec<String> {
        let line = Line::parse_from(std::iter::once("simulate").chain(line.split_whitespace()));
        line.network.broken(&ALL, mishaps, crashes)
    }

    #[test]
    fn what_did_not_go_wrong_breaks_nothing() {
        let line = "--loss 1% --duplication 1% --reordering 1% --crash 1@20";
        assert_eq!(broken(line, Mishaps::default(), &[]), [""; 0]);
        // It died before, for another reason.
        assert_eq!(broken(line, Mishaps::default(), &[(ProcessId(1), 19_000)]), [""; 0]);
    }

    #[test]
    fn what_went_wrong_is_named_by_its_option() {
        let mishaps = Mishaps { lost: 1, doubled: 1, overtaking: 1 };
        let said = broken("--unordered --crash 1@20", mishaps, &[(ProcessId(1), 20_000)]);
        let expected = [
            "FIFO (--unordered)",
            "reliable channels (--loss)",
            "no duplicates (--duplication)",
            "no crash (--crash)",
        ];
        assert_eq!(said, expected);
        assert_eq!(broken("--reordering 1%", mishaps, &[])[0], "FIFO (--reordering)");
        let both = broken("--reordering 1% --unordered", mishaps, &[]);
        assert_eq!(both[0], "FIFO (--unordered --reordering)");
    }
}
