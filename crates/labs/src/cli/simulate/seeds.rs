//! `simulate --seeds`: a run with each of many seeds, on all cores, and one report on all of them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;

use super::trial::{Cut, ROUND, Trial};
use super::{Arguments, identity_of, timed_out};
use crate::cli::many::{Over, Wanted, Work, jobs_or_cores, many};
use crate::cli::progress::{Progress, now};
use crate::cli::{Typed, arguments_after_verb, check_trace, without_options};
use crate::faults::Toll;
use crate::lab::{Nothing, Predictions, Verb, World};
use crate::planned::{Planned, Simulated};
use crate::record::Recorder;
use crate::report::{Count, Measured, Report, Struck};
use crate::said::say;
use crate::text::counted;
use crate::trace::Header;
use crate::verdict::{End, Judge, Judgement, Verdict};

/// The most seeds of one call: more than anybody waits for.
const SEEDS_MAX: u64 = 1_000_000_000;

/// Reads `1..1000`.
pub(super) fn range(text: &str) -> Result<RangeInclusive<u64>, String> {
    let wrong = || format!("{text:?}: write the first and the last seed, such as 1..1000");
    let (first, last) = text.split_once("..").ok_or_else(wrong)?;
    let read = |text: &str| text.parse::<u64>().map_err(|_| wrong());
    let (first, last) = (read(first)?, read(last.trim_start_matches('='))?);
    match last.checked_sub(first) {
        None => Err(format!("{text:?} is an empty range: exchange its ends")),
        Some(more) if more >= SEEDS_MAX => Err(format!("at most {SEEDS_MAX} seeds")),
        Some(_) => Ok(first..=last),
    }
}

/// What came of one run.
struct Outcome {
    verdicts: Vec<Verdict>,
    messages: BTreeMap<String, u64>,
    predicted: Predictions,
    virtual_time: Duration,
    toll: Toll,
    assumptions_broken: Vec<String>,
    problem: Option<String>,
}

/// Simulates with all seeds, and returns the report.
pub(super) fn simulated(arguments: &Arguments, lab: Typed<'_>) -> anyhow::Result<Report> {
    let seeds = arguments.seeds.clone().context("no seeds")?;
    let first = *seeds.start();
    let planned = planned(arguments, lab, first)?;
    let faults = arguments.faults(&*planned)?;
    let common = &arguments.common;
    anyhow::ensure!(planned.study().is_none(), "--seeds: these options mean many runs already");
    check_trace(common, planned.deployed().files.into_iter())?;
    let mut progress = Progress::new();
    let runs = seeds.end() - first + 1;
    let worker = || -> Work<'_, anyhow::Result<Outcome>> {
        Box::new(|number, numbers| {
            outcome(arguments, lab, first + number, &|| numbers.is_abandoned(number)).transpose()
        })
    };
    let mut tally = Tally::default();
    let mut failed = None;
    let over = many(
        Wanted {
            runs,
            jobs: jobs_or_cores(arguments.jobs),
            is_over: &mut |ended| {
                progress.say(&format!("{ended} of {}", counted(runs, "run")));
                false
            },
        },
        &worker,
        &Result::is_err,
        &mut |number, outcome| match outcome {
            Ok(outcome) => tally.add(first + number, outcome),
            Err(error) => failed = Some(error.context(format!("seed {}", first + number))),
        },
    )?;
    if let Some(error) = failed {
        return Err(error);
    }
    let elapsed = progress.elapsed();
    drop(progress);
    let mut report = tally.report(&*planned, &seeds, over);
    report.elapsed_s = elapsed.as_secs_f64();
    report.faults = Struck::all(&faults, &tally.toll);
    report.brought = lab.brought.to_vec();
    report.seeds = Some([first, *seeds.end()]);
    report.trace = match &common.trace {
        None => None,
        Some(path) => traced(arguments, lab, tally.first_bad(), path)?,
    };
    Ok(report)
}

fn planned(arguments: &Arguments, lab: Typed<'_>, seed: u64) -> anyhow::Result<Box<dyn Planned>> {
    let world = World { verb: Verb::Simulate, processes: arguments.common.processes, seed };
    (lab.plan)(&world)
}

/// Makes one run, unless it is abandoned.
fn outcome(
    arguments: &Arguments,
    lab: Typed<'_>,
    seed: u64,
    is_abandoned: &dyn Fn() -> bool,
) -> anyhow::Result<Option<Outcome>> {
    let lab = &*planned(arguments, lab, seed)?;
    let faults = arguments.faults(lab)?;
    let judge = Judge::new(&lab.properties(), lab.processes());
    let recorder = Recorder::new(lab.processes(), judge);
    let (began, timeout) = (now(), arguments.common.timeout());
    let mut look = |_: &dyn Simulated| -> Option<Cut> {
        match is_abandoned() {
            true => Some((End::CutShort("nobody wants to know more".to_owned()), None)),
            false => (began.elapsed() > timeout).then(|| timed_out(timeout)),
        }
    };
    let trial = Trial { arguments, lab, faults: &faults, seed, round: ROUND, whereabouts: None };
    let tried = trial.run(recorder, false, &mut Nothing, &mut look)?;
    Ok((!is_abandoned()).then(|| Outcome {
        verdicts: tried.judge.verdicts(&tried.end),
        messages: tried.judge.messages().clone(),
        predicted: lab.predicted(),
        virtual_time: tried.virtual_time,
        toll: tried.toll,
        assumptions_broken: tried.assumptions_broken,
        problem: tried.problem,
    }))
}

/// Makes the run of a seed once more, and writes its trace.
fn traced(
    arguments: &Arguments,
    lab: Typed<'_>,
    seed: Option<u64>,
    path: &Path,
) -> anyhow::Result<Option<String>> {
    let Some(seed) = seed else {
        say("all properties hold with each seed, so no trace is written");
        return Ok(None);
    };
    let brought = lab.brought;
    let lab = &*planned(arguments, lab, seed)?;
    let place = path.display().to_string();
    let failed = || format!("the trace could not be written to {place}");
    let many = ["--trace", "--seeds", "--jobs"];
    let mut words = without_options(arguments_after_verb(brought), &many);
    words.extend(["--seed".to_owned(), seed.to_string()]);
    let header = Header::new(identity_of(lab, seed), words, lab.properties(), lab.meaning());
    let judge = Judge::new(&lab.properties(), lab.processes());
    let to = Box::new(BufWriter::new(File::create(path).with_context(failed)?));
    let recorder = Recorder::writing(&header, judge, to).with_context(failed)?;
    let faults = arguments.faults(lab)?;
    let (began, timeout) = (now(), arguments.common.timeout());
    let trial = Trial { arguments, lab, faults: &faults, seed, round: ROUND, whereabouts: None };
    let mut look = |_: &dyn Simulated| (began.elapsed() > timeout).then(|| timed_out(timeout));
    trial.run(recorder, true, &mut Nothing, &mut look).with_context(failed)?;
    Ok(Some(place))
}

/// What came of all runs.
#[derive(Default)]
struct Tally {
    runs: u64,
    held: u64,
    properties: Vec<Property>,
    messages: BTreeMap<String, Spread>,
    /// What theory predicts with each seed, where that is the same with all.
    predicted: Predictions,
    virtual_time: Duration,
    toll: Toll,
    assumptions_broken: Vec<String>,
    /// The first run that could not come to its end.
    problem: Option<(u64, String)>,
}

/// What came of one property.
struct Property {
    /// Its name and kind.
    verdict: Verdict,
    violated: Found,
    unknown: Found,
}

/// In how many runs something was so, and how it was in the first.
#[derive(Default)]
struct Found {
    runs: u64,
    first: Option<(u64, String)>,
}

impl Found {
    fn add(&mut self, seed: u64, detail: &str) {
        self.runs += 1;
        self.first.get_or_insert_with(|| (seed, detail.to_owned()));
    }

    /// `in 3 of 100 runs; seed 7: nobody is served`.
    fn text(&self, runs: u64) -> String {
        let (seed, detail) = self.first.clone().unwrap_or_default();
        format!("in {} of {}; seed {seed}: {detail}", self.runs, counted(runs, "run"))
    }
}

/// The least, the greatest and the sum of a number of each run.
struct Spread {
    /// Runs that have sent none are not among these.
    runs: u64,
    min: u64,
    max: u64,
    sum: u128,
}

impl Tally {
    fn add(&mut self, seed: u64, outcome: Outcome) {
        let Outcome { verdicts, messages, predicted, virtual_time, toll, .. } = outcome;
        let Outcome { assumptions_broken, problem, .. } = outcome;
        match self.runs {
            0 => self.predicted = predicted,
            _ => self.predicted.retain(|kind, same| predicted.get(kind) == Some(same)),
        }
        self.runs += 1;
        self.held += u64::from(verdicts.iter().all(|verdict| verdict.holds() == Some(true)));
        if self.properties.is_empty() {
            let new = |verdict: &Verdict| Property {
                verdict: verdict.clone(),
                violated: Found::default(),
                unknown: Found::default(),
            };
            self.properties = verdicts.iter().map(new).collect();
        }
        for (property, verdict) in self.properties.iter_mut().zip(&verdicts) {
            match verdict.holds() {
                Some(true) => {}
                Some(false) => property.violated.add(seed, verdict.detail()),
                None => property.unknown.add(seed, verdict.detail()),
            }
        }
        for (kind, count) in messages {
            let new = || Spread { runs: 0, min: count, max: count, sum: 0 };
            let spread = self.messages.entry(kind).or_insert_with(new);
            spread.runs += 1;
            spread.min = spread.min.min(count);
            spread.max = spread.max.max(count);
            spread.sum += u128::from(count);
        }
        self.virtual_time += virtual_time;
        self.toll.merge(&toll);
        for broken in assumptions_broken {
            if !self.assumptions_broken.contains(&broken) {
                self.assumptions_broken.push(broken);
            }
        }
        if let (Some(problem), None) = (problem, &self.problem) {
            self.problem = Some((seed, problem));
        }
    }

    /// The first seed with which a property is violated; without one, the first that could not be judged.
    fn first_bad(&self) -> Option<u64> {
        let first = |of: fn(&Property) -> &Found| {
            let seeds = self.properties.iter().filter_map(|p| Some(of(p).first.as_ref()?.0));
            seeds.min()
        };
        first(|property| &property.violated).or_else(|| first(|property| &property.unknown))
    }

    fn report(&self, lab: &dyn Planned, seeds: &RangeInclusive<u64>, over: Over) -> Report {
        let (runs, first) = (self.runs, *seeds.start());
        let wanted = seeds.end() - first + 1;
        let verdict = |property: &Property| Verdict {
            judgement: match (property.violated.runs, property.unknown.runs) {
                (0, 0) => Judgement::Holds(format!("in each of {}", counted(runs, "run"))),
                (0, _) => Judgement::Unknown(format!("not judged {}", property.unknown.text(runs))),
                _ => Judgement::violated(property.violated.text(runs)),
            },
            ..property.verdict.clone()
        };
        let measured = |(kind, spread): (&String, &Spread)| {
            let min = if spread.runs < runs { 0 } else { spread.min };
            let mean = spread.sum as f64 / runs as f64;
            let measured = Some(Measured::Spread { min, max: spread.max, mean });
            (kind.clone(), Count { measured, predicted: self.predicted.get(kind).cloned() })
        };
        let mut line = format!("all properties hold in {} of {}", self.held, counted(runs, "run"));
        if let Some(seed) = self.first_bad() {
            line += &format!("; the first seed with which they do not is {seed}");
        }
        let problem = self.problem.iter().map(|(seed, problem)| format!("seed {seed}: {problem}"));
        let cut =
            format!("interrupted after {runs} of {}: this is of these", counted(wanted, "run"));
        let cut = (over == Over::Interrupted).then_some(cut);
        Report {
            virtual_s: Some(self.virtual_time.as_secs_f64()),
            messages: self.messages.iter().map(measured).collect(),
            properties: self.properties.iter().map(verdict).collect(),
            result: serde_json::json!({
                "runs": runs,
                "held": self.held,
                "first_seed_not_held": self.first_bad(),
            }),
            assumptions_broken: self.assumptions_broken.clone(),
            problems: problem.chain(cut).collect(),
            lines: vec![line],
            ..Report::of(identity_of(lab, first))
        }
    }
}
