//! Judging a trace again, from the file alone.
//!
//! The general properties stand in the header of a trace, and any program can judge them. What only the lab
//! knows is judged by the lab's program: `labs verify` asks it.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use super::progress::Progress;
use super::{finish, replay, trace_file};
use crate::planned::Course;
use crate::report::Report;
use crate::text::counted;
use crate::trace::{Header, Identity, gaps};
use crate::verdict::{CycleJudge, End, Property, StreamJudge};

/// What `labs verify` hands on to the lab's program.
#[derive(Args, Clone, Debug)]
pub struct VerifyArguments {
    /// A file that a lab wrote with --trace
    pub trace: PathBuf,
    /// Print the report as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Judges a trace of this lab.
pub(super) fn verify(arguments: &VerifyArguments, lab: &dyn Course) -> anyhow::Result<u8> {
    let path = &arguments.trace;
    let own = replay::planned_again(lab, path)?.properties();
    let mut others = Vec::new();
    let mut left_out = own.clone();
    let mut report = judged(path, |header| {
        let known = |demanded: &Property| {
            let same = own.iter().find(|own| *own == demanded);
            left_out.retain(|own| own.name != demanded.name);
            if same.is_none() {
                others.push(demanded.name.clone());
            }
            same.unwrap_or(demanded).clone()
        };
        Ok(header.properties.iter().map(known).collect())
    })?;
    if !others.is_empty() {
        report.problems.push(format!(
            "this program of the lab does not demand so of a run with these options: {}; the file is of \
             another version of the lab, or was changed",
            others.join(", ")
        ));
    }
    if !left_out.is_empty() {
        let names: Vec<_> = left_out.iter().map(|property| &*property.name).collect();
        report.lines.push(format!("not demanded in this file: {}", names.join(", ")));
    }
    finish(&report, arguments.json)
}

/// The report on a trace, judged by what `properties` makes of its header.
///
/// # Errors
///
/// If it cannot be read, or is not the trace of any run.
pub fn judged(
    path: &Path,
    properties: impl FnOnce(&Header) -> anyhow::Result<Vec<Property>>,
) -> anyhow::Result<Report> {
    let place = path.display();
    let mut reader = trace_file::read(path)?;
    let header = reader.header().clone();
    let mut rules = reader.rules().with_context(|| format!("{place}, line 1"))?;
    let mut judge = StreamJudge::new(&properties(&header)?, header.processes);
    let survives_crashes = reader.setup().is_some_and(|setup| setup.survives_crashes);
    if survives_crashes {
        judge = judge.surviving_crashes();
    }
    let mut cycle = header.cycle_from.clone().map(CycleJudge::new);
    let mut progress = Progress::new();
    let mut last_us = 0;
    while let Some(event) = reader.next() {
        let event = event.with_context(|| format!("{place}"))?;
        last_us = event.at_us.max(last_us);
        let line = reader.line();
        if let Some(cycle) = &mut cycle {
            let looked_at = cycle.observe(line, &event, judge.judge());
            looked_at.with_context(|| format!("{place}, line {line}"))?;
        }
        judge.observe(&event).with_context(|| format!("{place}, line {line}"))?;
        rules.observe(&event).with_context(|| format!("{place}, line {line}"))?;
        if line % (1 << 16) == 0 {
            progress.say(&counted(line, "line"));
        }
    }
    let elapsed = progress.elapsed();
    drop(progress);
    let (end, mut properties) = (judge.end(), judge.verdicts());
    let goes_round = cycle.is_some();
    if let Some(cycle) = cycle {
        let concluded = cycle.conclude(judge.judge(), &mut properties);
        concluded.with_context(|| format!("{place}, line 1"))?;
    }
    let missing = gaps::sentence(&judge.gaps());
    // What a dead process did last is no problem where the others go on.
    let (noted, missing) = if survives_crashes { (missing, None) } else { (None, missing) };
    let judge = judge.judge();
    let events = judge.events();
    let verb = format!("verify {}", header.verb);
    Ok(Report {
        elapsed_s: elapsed.as_secs_f64(),
        messages: Report::count(judge.messages(), &Default::default()),
        properties,
        result: serde_json::json!({ "events": events }),
        trace: Some(place.to_string()),
        problems: match &end {
            End::Complete => missing.into_iter().collect(),
            // A run without end is cut somewhere, and is judged as one without end.
            End::CutShort(_) if goes_round => missing.into_iter().collect(),
            End::CutShort(why) => {
                let cut_short = format!("the run was cut short: {why}");
                [Some(cut_short), missing].into_iter().flatten().collect()
            }
        },
        lines: [format!(
            "{} in {:.6} s of the run",
            counted(events, "event"),
            last_us as f64 / 1_000_000.0
        )]
        .into_iter()
        .chain(noted.map(|what| format!("{what}: they are taken for dead")))
        .collect(),
        ..Report::of(Identity { verb, ..header.identity })
    })
}
