//! `check`.

use std::fs::File;
use std::io::BufWriter;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::Context as _;
use clap::Args;

use super::progress::Progress;
use super::unreturned::Unreturned;
use super::{
    Common, Typed, arguments_after_verb, check_mistake, check_trace, finish, identity, trace_file,
};
use crate::check::{Channels, Options, STATES_MAX, Watch};
use crate::faults::{Action, Assumption, Fault, Rule, When};
use crate::lab::Verb;
use crate::misstep::watchdog::{Watchdog, Whereabouts};
use crate::planned::{Checked, Planned, Shortest};
use crate::report::{Also, Brought, Report};
use crate::run::UntilSignal;
use crate::said::say;
use crate::simulate::Chance;
use crate::text::counted;
use crate::trace::{Header, Identity};
use crate::verdict::Verdict;

/// More threads than this have little to do: states are handed over one by one.
const THREADS_MAX: usize = 16;

#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    search: Search,
}

#[derive(Args, Debug)]
struct Search {
    /// Let messages overtake each other on their channel
    #[arg(long)]
    unordered: bool,
    /// How many messages may be lost in one run
    #[arg(long, value_name = "N", default_value_t = 0)]
    losses: u32,
    /// How many messages may arrive twice in one run
    #[arg(long, value_name = "N", default_value_t = 0)]
    duplicates: u32,
    /// How many processes may crash in one run
    #[arg(long, value_name = "N", default_value_t = 0)]
    crashes: u32,
    /// How many times the timers of one process may run out in one run [default: as often as the
    /// algorithm's options ask for]
    #[arg(long, value_name = "N")]
    timeouts: Option<u32>,
    /// Give up after so many states
    #[arg(long, value_name = "N", default_value_t = STATES_MAX)]
    max_states: usize,
    /// Try every order, also those that lead to the same
    #[arg(long)]
    no_reduction: bool,
    /// How many threads search [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: Option<u16>,
    /// Walk through the states by hand: serve Stateright's Explorer to a browser at this address
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "127.0.0.1:3000")]
    explore: Option<SocketAddr>,
}

impl Search {
    /// How many threads search.
    fn threads(&self) -> usize {
        let cores = || thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
        self.jobs.map_or_else(cores, usize::from)
    }
}

impl Arguments {
    /// What the options mean.
    pub(super) fn plan(&self, lab: Typed<'_>) -> anyhow::Result<Box<dyn Planned>> {
        self.common.plan(lab, Verb::Check)
    }
}

pub(super) fn check(arguments: &Arguments, lab: Typed<'_>) -> anyhow::Result<u8> {
    let brought = lab.brought;
    let lab = &*arguments.plan(lab)?;
    let Arguments { common, search } = arguments;
    let options = options(common, search, lab)?;
    check_mistake(lab, Verb::Check, &crate::faults::Plan::default())?;
    check_trace(common, lab.deployed().files.into_iter())?;
    netkit::threads::check_room(options.threads + 1).context("cannot search")?;
    if let Some(address) = search.explore {
        crate::run::end_at_signal()?;
        lab.explore(&options, address, &mut || {
            say(&format!("the Explorer is at http://{address}/ until you press Ctrl-C"));
        })?;
        return Ok(0);
    }
    let mut progress = Progress::new();
    let mut until_signal = UntilSignal::new()?;
    let whereabouts = vec![Whereabouts::default(); options.threads];
    let watchdogs = look_after(common, lab, &whereabouts)?;
    let go_on = &mut |states| {
        progress.say(&counted(states as u64, "state"));
        !until_signal.has_come()
    };
    let outcome = lab.check(&options, Watch { whereabouts: &whereabouts, go_on });
    drop(watchdogs);
    let elapsed = progress.elapsed();
    drop(progress);
    let written = write_traces(arguments, lab, &options, &outcome, brought)?;
    let report = Report {
        elapsed_s: elapsed.as_secs_f64(),
        brought: brought.to_vec(),
        lines: [reached(&outcome)].into_iter().chain(left_out(lab, &options)).collect(),
        ..report(lab, &options, &outcome, written, common.seed())
    };
    finish(&report, common.json)
}

/// The traces that were written, of as many runs that break a property, in their order.
type Written = Vec<Option<String>>;

/// What the search came to.
fn report(
    lab: &dyn Planned,
    options: &Options,
    outcome: &Checked,
    written: Written,
    seed: u64,
) -> Report {
    let names = |assumptions| broken(lab, assumptions);
    let told = |found: &dyn Shortest, trace: Option<String>| {
        let steps = found.steps();
        let (way_in, cycle) = steps.split_at(found.cycle_from().unwrap_or(steps.len()));
        Also {
            property: found.property().to_owned(),
            counterexample: way_in.to_vec(),
            cycle: cycle.to_vec(),
            assumptions_broken: names(found.broken()),
            trace,
        }
    };
    let mut told = outcome.found().zip(written).map(|(found, trace)| told(found, trace));
    let first = told.next();
    let also = told.collect();
    // With a counterexample the search is over, and there is nothing more to ask of it.
    let cut_short = match first {
        None => outcome.verdicts.iter().find(|verdict| verdict.holds().is_none()),
        Some(_) => None,
    };
    let problem = |verdict: &Verdict| format!("not judged to the end: {}", verdict.detail());
    let problems = cut_short.map(problem).into_iter();
    let problems = problems.chain(outcome.sees_order.iter().map(|name| order_seen_by(name)));
    let mut report = Report {
        states: Some(outcome.states as u64),
        assumptions_broken: names(options.assumptions_taken()),
        problems: problems.collect(),
        properties: outcome.verdicts.clone(),
        result: serde_json::json!({ "max_depth": outcome.max_depth, "reduced": !outcome.is_whole }),
        also,
        ..Report::of(identity_of(lab, seed))
    };
    if let Some(first) = first {
        let Also { counterexample, cycle, assumptions_broken, trace, .. } = first;
        report = Report { counterexample, cycle, assumptions_broken, trace, ..report };
    }
    report
}

/// Those of the assumptions that the lab makes, in words.
fn broken(lab: &dyn Planned, assumptions: Vec<Assumption>) -> Vec<String> {
    let assumed = lab.about().assumes;
    let has_bound = lab.delay_max().is_some();
    let is_made = |assumption: &Assumption| {
        assumed.contains(assumption) && (has_bound || *assumption != Assumption::BoundedDelay)
    };
    let told = |assumption| match assumption {
        Assumption::BoundedDelay => format!("{assumption} (timers run out at any time)"),
        assumption => assumption.to_string(),
    };
    assumptions.into_iter().filter(is_made).map(told).collect()
}

/// What is wrong with a property whose verdict depends on the order of independent steps.
fn order_seen_by(name: &str) -> String {
    format!(
        "{name:?} depends on the order of independent steps, which no process can tell: a fault of the property, \
         not of the algorithm (docs/writing-a-lab.md)"
    )
}

/// Writes a trace of each run that breaks a property, if that is asked for.
fn write_traces(
    arguments: &Arguments,
    lab: &dyn Planned,
    options: &Options,
    outcome: &Checked,
    brought: &[Brought],
) -> anyhow::Result<Written> {
    let Some(path) = &arguments.common.trace else {
        return Ok(outcome.found().map(|_| None).collect());
    };
    if outcome.counterexample.is_none() {
        say("no property is violated, so there is no counterexample to write");
    }
    let identity = identity_of(lab, arguments.common.seed());
    let properties = lab.properties_but_for(options);
    let header = Header::new(identity, arguments_after_verb(brought), properties, lab.meaning());
    let write = |(number, found): (usize, &dyn Shortest)| match number {
        1 => save(path, &header, found).map(Some),
        _ => save_beside(&numbered(path, number), &header, found),
    };
    (1..).zip(outcome.found()).map(write).collect()
}

/// The name of the trace of a second run, and of more: `t.2.jsonl` beside `t.jsonl`.
fn numbered(path: &Path, number: usize) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!(".{number}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

/// Writes a trace to a file that nobody named: only an older trace is written over.
fn save_beside(
    path: &Path,
    header: &Header,
    found: &dyn Shortest,
) -> anyhow::Result<Option<String>> {
    if std::fs::symlink_metadata(path).is_ok() && trace_file::read(path).is_err() {
        let place = path.display();
        say(&format!("{place} is there and no trace: the run that belongs there is not written"));
        return Ok(None);
    }
    save(path, header, found).map(Some)
}

/// Starts what reports a handler that does not return.
fn look_after(
    common: &Common,
    lab: &dyn Planned,
    whereabouts: &[Whereabouts],
) -> anyhow::Result<Vec<Watchdog>> {
    let report = || Unreturned::new(common, lab, identity_of(lab, common.seed()), None);
    whereabouts.iter().map(|whereabouts| report().watch(whereabouts)).collect()
}

/// The properties that are not looked at.
fn left_out(lab: &dyn Planned, options: &Options) -> Option<String> {
    let properties = lab.properties();
    let taken = properties.iter().filter(|property| options.take_away(property));
    let names: Vec<_> = taken.map(|property| property.name.as_str()).collect();
    let names = (!names.is_empty()).then(|| names.join(", "))?;
    Some(format!("not looked at, as the options themselves break it: {names}"))
}

fn reached(outcome: &Checked) -> String {
    let depth = counted(outcome.max_depth as u64, "step");
    match outcome.is_whole {
        _ if outcome.counterexample.is_some() => {
            "the search ended at the first run that breaks a property".to_owned()
        }
        true => format!("every state is reached within {depth}"),
        false => format!(
            "every state is reached within {depth}; orders that lead to the same are left out \
             (--no-reduction tries them)"
        ),
    }
}

/// What the search may do.
fn options(common: &Common, search: &Search, lab: &dyn Planned) -> anyhow::Result<Options> {
    let mut options = Options {
        channels: if search.unordered { Channels::Unordered } else { Channels::Fifo },
        losses: search.losses,
        duplicates: search.duplicates,
        crashes: search.crashes,
        timeouts: search.timeouts.unwrap_or_else(|| lab.timeouts()),
        states: search.max_states,
        time: common.timeout(),
        threads: search.threads(),
        reduction: !search.no_reduction,
        ..Options::default()
    };
    for rule in common.faults(lab)?.rules() {
        allow(&mut options, rule)
            .map_err(|why| anyhow::anyhow!("--faults: {rule:?}: {why}", rule = rule.to_string()))?;
    }
    widen(&mut options, search);
    Ok(options)
}

/// Lets the checker try what a rule says: it may happen once, at any moment.
fn allow(options: &mut Options, rule: &Rule) -> Result<(), String> {
    if let Fault::Process(Action::Restart, _) = rule.fault {
        return Err("`check` starts nobody again: leave it out".to_owned());
    }
    if rule.when != When::Always {
        return Err("`check` knows no time, and tries every moment: leave out when".to_owned());
    }
    let a_share = "`check` tries it with each message, once: leave out how often";
    match &rule.fault {
        Fault::Drop(channels, Chance::ALWAYS) => {
            options.losses = options.losses.saturating_add(1);
            options.lossy.push(channels.clone());
        }
        Fault::Duplicate(channels, Chance::ALWAYS) => {
            options.duplicates = options.duplicates.saturating_add(1);
            options.doubling.push(channels.clone());
        }
        Fault::Drop(..) | Fault::Duplicate(..) => return Err(a_share.to_owned()),
        Fault::Reorder(channels, Chance::ALWAYS) if *channels == Default::default() => {
            options.channels = Channels::Unordered;
        }
        Fault::Reorder(..) => {
            return Err("`check` reorders all channels or none: leave out which".to_owned());
        }
        Fault::Process(Action::Kill, process) => {
            options.crashes = options.crashes.saturating_add(1);
            options.mortal.insert(*process);
        }
        Fault::Partition(_) => {
            return Err("`check` loses messages one by one: write `drop 0->1`".to_owned());
        }
        Fault::Delay(..) | Fault::Process(..) => {
            return Err("`check` tries every delay anyway: leave it out".to_owned());
        }
    }
    Ok(())
}

/// What the options allow everywhere, the rules beside them do not restrict to some places.
fn widen(options: &mut Options, search: &Search) {
    if search.losses > 0 {
        options.lossy.clear();
    }
    if search.duplicates > 0 {
        options.doubling.clear();
    }
    if search.crashes > 0 {
        options.mortal.clear();
    }
}

fn identity_of(lab: &dyn Planned, seed: u64) -> Identity {
    identity(lab, Verb::Check, format!("checked-{}", lab.processes()), seed)
}

/// Writes the counterexample as a trace, and returns where.
fn save(path: &Path, header: &Header, found: &dyn Shortest) -> anyhow::Result<String> {
    let place = path.display().to_string();
    let file = File::create(path).with_context(|| format!("cannot write the trace to {place}"))?;
    found
        .save(header, Box::new(BufWriter::new(file)))
        .with_context(|| format!("cannot write the trace to {place}"))?;
    Ok(place)
}
