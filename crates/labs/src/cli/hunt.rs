//! `hunt`: see [`crate::hunt`] for what is drawn and how it is shrunk. Here cases are run in several threads, and
//! reported on.

mod hunter;
mod report;
mod tally;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, Args};

use self::hunter::{Hunter, Outcome};
use self::report::{HuntReport, Violation};
use self::tally::Tally;
use super::many::{Over, Wanted, Work, jobs, jobs_or_cores, many};
use super::output::safe;
use super::progress::Progress;
use super::{COULD_NOT_RUN, paint, print};
use crate::files;
use crate::hunt::{Fixed, Hunted, shrink};
use crate::planned::Course;
use crate::text::counted;

/// The name of the verb.
pub(super) const VERB: &str = "hunt";

/// How long a hunt takes unless told otherwise: as long as one likes to wait.
const LASTS: Duration = Duration::from_secs(10);

#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// How many processes take part [default: drawn anew for each run]
    #[arg(long, short = 'n', value_name = "N")]
    processes: Option<u32>,
    /// The regions in which the processes are, instead of latencies that are drawn: see networks/cloud.json
    #[arg(long, value_name = "FILE", value_parser = regions)]
    network: Option<String>,
    /// What everything is drawn from: run K of a hunt depends on this and K alone
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// How many runs to make [default: as many as there is time for]
    #[arg(long, value_name = "N")]
    runs: Option<u64>,
    /// How many seconds to hunt [default: 10; with --runs, as long as these take]
    #[arg(long = "for", value_name = "SECONDS", value_parser = super::seconds)]
    lasts: Option<f64>,
    /// How many runs are made at the same time [default: one for each core]
    #[arg(long, value_name = "J", value_parser = jobs)]
    jobs: Option<usize>,
    /// Write the smallest run that is wrong to FILE, one JSON object a line
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Print the report as one JSON object
    #[arg(long)]
    json: bool,
}

/// The path of a file of regions that can be read.
fn regions(path: &str) -> Result<String, String> {
    super::simulate::regions(path).map(|_| path.to_owned())
}

/// Where the options of the lab stand in `--help`: behind those of the verb.
const BEHIND_OURS: usize = 100;

/// The verb with the options of the lab, which are not drawn where they are given.
pub(super) fn with_options(verb: clap::Command, lab: &dyn Course) -> clap::Command {
    let own = own(lab).into_iter().zip(BEHIND_OURS..);
    verb.args(own.map(|(argument, place)| argument.display_order(place)))
}

/// The options of the lab that a hunt takes: all but those that mean something else here.
fn own(lab: &dyn Course) -> Vec<clap::Arg> {
    let ours = Arguments::augment_args(clap::Command::new(VERB));
    let options = lab.options();
    let is_ours = |argument: &&clap::Arg| {
        ours.get_arguments()
            .any(|our| our.get_id() == argument.get_id() || our.get_long() == argument.get_long())
    };
    options.get_arguments().filter(|argument| !is_ours(argument)).cloned().collect()
}

/// The words of the options of the lab that were given.
fn given(lab: &dyn Course, matches: &ArgMatches) -> Vec<String> {
    let mut words = Vec::new();
    for argument in own(lab) {
        let id = argument.get_id().as_str();
        let (Some(long), Some(ValueSource::CommandLine)) =
            (argument.get_long(), matches.value_source(id))
        else {
            continue;
        };
        words.push(format!("--{long}"));
        if !matches!(argument.get_action(), ArgAction::Set | ArgAction::Append) {
            continue;
        }
        let values = matches.get_raw(id).into_iter().flatten();
        let values: Vec<_> = values.map(|value| value.to_string_lossy().into_owned()).collect();
        words.push(values.join(&argument.get_value_delimiter().unwrap_or(',').to_string()));
    }
    words
}

/// Hunts, and prints the report.
pub(super) fn hunt(
    arguments: &Arguments,
    lab: &dyn Course,
    matches: &ArgMatches,
) -> anyhow::Result<u8> {
    let mut words = given(lab, matches);
    let latency = arguments.network.is_some();
    let mut fixed = Fixed { options: words.clone(), processes: false, latency };
    if let Some(path) = &arguments.network {
        words.extend(["--network".to_owned(), path.clone()]);
    }
    if let Some(processes) = arguments.processes {
        words.extend(["-n".to_owned(), processes.to_string()]);
    }
    let mut hunter = Hunter::new(lab, arguments.seed, &words, &fixed);
    hunter.check().context("hunt")?;
    fixed.processes = arguments.processes.is_some() || !hunter.can_vary_processes();
    if let Some(path) = &arguments.trace {
        check_trace(path)?;
    }
    let began = Progress::new();
    let progress = RefCell::new(began);
    let mut tally = Tally::default();
    let mut found = None;
    let over = search(arguments, lab, &words, &fixed, &progress, &mut |number, outcome| {
        tally.add(&outcome);
        if outcome.is_found() {
            found = Some((number, outcome));
        }
    })?;
    let hunter = &mut Hunter::new(lab, arguments.seed, &words, &fixed);
    let violation = match found {
        None => None,
        Some((number, outcome)) => {
            progress.borrow_mut().say("shrinking what was found");
            Some(smallest(hunter, number, &outcome, arguments.trace.as_deref())?)
        }
    };
    let elapsed = progress.borrow().elapsed();
    progress.borrow_mut().clear();
    let report = HuntReport::new(lab.about(), arguments.seed, tally, violation, over, elapsed);
    print(&match arguments.json {
        true => format!("{}\n", serde_json::to_string(&report)?),
        false => safe(&report.to_text(paint()), paint()),
    })?;
    Ok(report.exit_status(COULD_NOT_RUN))
}

/// Makes runs until one is wrong, or there is no more time.
fn search(
    arguments: &Arguments,
    lab: &dyn Course,
    words: &[String],
    fixed: &Fixed,
    progress: &RefCell<Progress>,
    take: &mut dyn FnMut(u64, Outcome),
) -> anyhow::Result<Over> {
    let lasts = match (arguments.lasts, arguments.runs) {
        (Some(seconds), _) => Duration::from_secs_f64(seconds),
        (None, Some(_)) => Duration::MAX,
        (None, None) => LASTS,
    };
    let mut is_over = |ended: u64| {
        let mut progress = progress.borrow_mut();
        progress.say(&format!("{}, nothing found", counted(ended, "run")));
        progress.elapsed() >= lasts
    };
    let worker = || -> Work<'_, Outcome> {
        let mut hunter = Hunter::new(lab, arguments.seed, words, fixed);
        Box::new(move |number, numbers| hunter.hunt(number, &|| numbers.is_abandoned(number)))
    };
    let wanted = Wanted {
        runs: arguments.runs.unwrap_or(u64::MAX),
        jobs: jobs_or_cores(arguments.jobs),
        is_over: &mut is_over,
    };
    many(wanted, &worker, &Outcome::is_found, take)
}

/// Shrinks what was found, and tells its story.
fn smallest(
    hunter: &mut Hunter<'_>,
    number: u64,
    outcome: &Outcome,
    trace: Option<&Path>,
) -> anyhow::Result<Violation> {
    let property = outcome.broken.clone().context("nothing is broken")?;
    let found =
        Hunted { case: outcome.case.clone(), processes: outcome.processes, events: outcome.events };
    let (grounds, least, fixed) = hunter.may_shrink();
    let smallest = shrink(found.clone(), &grounds, least, &fixed, &mut |case| {
        hunter.shows(case, &property.name)
    });
    let told = hunter.story(&smallest.case, &property.name)?;
    let place = trace.map(|path| path.display().to_string());
    if let Some(path) = trace {
        let failed = || format!("the trace could not be written to {}", path.display());
        std::fs::write(path, &told.trace).with_context(failed)?;
    }
    Ok(Violation {
        run: number,
        property: told.property,
        command: hunter.command(&smallest.case),
        found_as: hunter.command(&found.case),
        brought: told.brought,
        events: smallest.events,
        steps: told.steps,
        story: told.story,
        trace: place,
    })
}

/// Makes sure that a trace can be written there, without harm to what is there now.
fn check_trace(path: &Path) -> anyhow::Result<()> {
    let write = || -> anyhow::Result<()> {
        files::check_regular(path)?;
        std::fs::OpenOptions::new().create(true).append(true).open(path)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write the trace to {}", path.display()))
}
