//! `check`.

use std::fs::File;
use std::io::BufWriter;
use std::net::SocketAddr;

use anyhow::Context as _;
use clap::Args;

use super::made::Made;
use super::progress::Progress;
use super::{Common, arguments_after_verb, check_trace, finish};
use crate::check::{Channels, Counterexample, Options, STATES_MAX, check as explore_all, explore};
use crate::faults::{Action, Fault, Rule, When};
use crate::lab::{Lab, Place, Verb};
use crate::process::{Process, ProcessId};
use crate::report::Report;
use crate::said::say;
use crate::simulate::Chance;
use crate::trace::Header;
use crate::trace::event::FORMAT;

#[derive(Args, Debug)]
pub(super) struct Arguments<L: Lab> {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    search: Search,
    /// Put a mistake into the algorithm, and see which property notices
    #[arg(long, value_name = "MISTAKE")]
    broken: Option<L::Broken>,
    #[command(flatten)]
    options: L::Options,
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
    /// Walk through the states by hand: serve Stateright's Explorer to a browser at this address
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "127.0.0.1:3000")]
    explore: Option<SocketAddr>,
}

impl<L: Lab> Arguments<L> {
    /// What it takes to make the processes.
    pub(super) fn made(&self) -> anyhow::Result<Made<L>> {
        let Self { common, broken, options, .. } = self;
        Made::new(Verb::Check, common, common.seed(), broken.clone(), options.clone())
    }
}

pub(super) fn check<L>(arguments: Arguments<L>) -> anyhow::Result<u8>
where
    L: Lab,
{
    let Made { processes, broken, options } = arguments.made()?;
    let Arguments { common, search, .. } = arguments;
    let build = |rank| L::process(&options, &Place::simulated(rank, processes));
    match broken {
        None => {
            check_processes::<L, _>(&common, &search, &options, (0..processes).map(build).collect())
        }
        Some(how) => {
            let all = (0..processes).map(|rank| L::broken(build(rank), &how)).collect();
            check_processes::<L, _>(&common, &search, &options, all)
        }
    }
}

fn check_processes<L, P>(
    common: &Common,
    search: &Search,
    lab_options: &L::Options,
    all: Vec<P>,
) -> anyhow::Result<u8>
where
    L: Lab,
    P: Process<Request = <L::Process as Process>::Request>,
{
    let processes = u32::try_from(all.len())?;
    let specs = L::properties(lab_options, processes);
    let plan = common.faults(processes)?;
    let mut options = Options {
        channels: if search.unordered { Channels::Unordered } else { Channels::Fifo },
        losses: search.losses,
        duplicates: search.duplicates,
        crashes: search.crashes,
        timeouts: search.timeouts.unwrap_or_else(|| L::timeouts(lab_options)),
        states: search.max_states,
        time: common.timeout(),
        ..Options::default()
    };
    for rule in plan.rules() {
        allow(&mut options, rule)
            .map_err(|why| anyhow::anyhow!("--faults: {rule:?}: {why}", rule = rule.to_string()))?;
    }
    widen(&mut options, search);
    check_trace(common, L::files(lab_options).into_iter())?;
    let request = |rank| L::requests(lab_options, ProcessId(rank), processes);
    let requests = (0..processes).map(request).collect();
    if let Some(address) = search.explore {
        explore(all, requests, &specs, &options, address, || {
            say(&format!("the Explorer is at http://{address}/ until you press Ctrl-C"));
        })?;
        return Ok(0);
    }

    let mut progress = Progress::new();
    let outcome = explore_all(all, requests, &specs, &options, |states| {
        progress.say(&format!("{states} states"));
    });
    let elapsed = progress.elapsed();
    let broken = outcome.counterexample.as_ref().map(Counterexample::broken).unwrap_or_default();
    let assumed = broken.iter().filter(|assumption| L::ASSUMES.contains(assumption));
    let assumptions_broken = assumed.map(ToString::to_string).collect();
    drop(progress);
    let trace = match (&common.trace, &outcome.counterexample) {
        (Some(_), Some(counterexample)) => {
            Some(save::<L, P>(common, processes, counterexample, &specs)?)
        }
        (Some(_), None) => {
            say("no property is violated, so there is no counterexample to write");
            None
        }
        (None, _) => None,
    };
    // With a counterexample the search is over, and there is nothing more to ask of it.
    let cut_short = outcome.verdicts.iter().find(|verdict| verdict.holds.is_none());
    let problems = match (&outcome.counterexample, cut_short) {
        (None, Some(verdict)) => vec![format!("not every state was visited: {}", verdict.detail)],
        _ => Vec::new(),
    };
    let report = Report {
        lab: L::NAME.to_owned(),
        verb: Verb::Check.name().to_owned(),
        run: run_name(processes),
        processes,
        seed: common.seed(),
        elapsed_s: elapsed.as_secs_f64(),
        virtual_s: None,
        states: Some(outcome.states as u64),
        hosts: Vec::new(),
        messages: std::collections::BTreeMap::new(),
        assumptions_broken,
        faults: Vec::new(),
        problems,
        properties: outcome.verdicts,
        result: serde_json::json!({ "max_depth": outcome.max_depth }),
        trace,
        logs: Vec::new(),
        killed: Vec::new(),
        counterexample: outcome.counterexample.map(|found| found.steps).unwrap_or_default(),
        places: Vec::new(),
        began: true,
        lines: vec![format!("every state is reached within {} steps", outcome.max_depth)],
    };
    finish(&report, common.json)
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

fn run_name(processes: u32) -> String {
    format!("checked-{processes}")
}

/// Writes the counterexample as a trace, and returns where.
fn save<L, P>(
    common: &Common,
    processes: u32,
    counterexample: &Counterexample<P>,
    specs: &[crate::verdict::Spec],
) -> anyhow::Result<String>
where
    L: Lab,
    P: Process,
{
    let path = common.trace.as_ref().context("no trace was asked for")?;
    let header = Header {
        trace: FORMAT,
        lab: L::NAME.to_owned(),
        verb: Verb::Check.name().to_owned(),
        run: run_name(processes),
        processes,
        seed: common.seed(),
        arguments: arguments_after_verb(),
        clocks: true,
        properties: specs.to_vec(),
    };
    let place = path.display().to_string();
    let file = File::create(path).with_context(|| format!("cannot write the trace to {place}"))?;
    counterexample
        .save(&header, Box::new(BufWriter::new(file)))
        .with_context(|| format!("cannot write the trace to {place}"))?;
    Ok(place)
}
