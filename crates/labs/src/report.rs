//! The report that every run ends with, for people and for programs.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use anstyle::AnsiColor;
use serde::{Serialize, Serializer};

use crate::faults::{Plan, Toll};
use crate::lab::{Findings, Prediction, Predictions};
use crate::process::ProcessId;
use crate::text::{Column, Paint, counted, quoted, table};
use crate::trace::{Identity, Noted};
use crate::verdict::{NEVER_BEGAN, PropertyKind, Verdict};

/// How many processes are listed one by one; of more, the first and the last.
const LISTED_MAX: usize = 20;

/// What came of a run, of any of the three worlds.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Which run of which lab.
    #[serde(flatten)]
    pub identity: Identity,
    /// From the start of the algorithm to its end, in seconds of the wall clock.
    pub elapsed_s: f64,
    /// The first and the last seed of many runs; only with `--seeds`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seeds: Option<[u64; 2]>,
    /// The same in virtual time; only in `simulate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub virtual_s: Option<f64>,
    /// How many different states were visited; only in `check`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub states: Option<u64>,
    /// The machines.
    pub hosts: Vec<String>,
    /// Messages by kind, counted and predicted.
    pub messages: BTreeMap<String, Count>,
    /// What was demanded, and whether it holds.
    pub properties: Vec<Verdict>,
    /// The lab's own result.
    pub result: serde_json::Value,
    /// Where the trace is, if one was written.
    pub trace: Option<String>,
    /// Where the logs are, `host:path`.
    pub logs: Vec<String>,
    /// What the algorithm assumes and the run did not grant, each with what took it away.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub assumptions_broken: Vec<String>,
    /// What went wrong by plan.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Struck>,
    /// The options that were not typed: the lab brings them, or the mistake that is shown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub brought: Vec<Brought>,
    /// Why the run did not come to its end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
    /// What had to be killed at the end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub killed: Vec<String>,
    /// The shortest run that breaks a property, in the notation; only in `check`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub counterexample: Vec<String>,
    /// The steps after it that repeat for ever, if it is a run without end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cycle: Vec<String>,
    /// Runs that break liveness properties which that one does not break; only in `check`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Also>,
    /// The processes of a real run: rank, machine, process id, and what the result knows of each. Of a
    /// simulated one, if the result knows something; of many, the first and the last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<PlaceOf>,
    /// Whether the algorithm began at all.
    #[serde(skip)]
    pub began: bool,
    /// The lab's own lines, for people.
    #[serde(skip)]
    pub lines: Vec<String>,
}

/// Options that came unasked.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Brought {
    /// What brought it: `--broken forgets-book`, or the lab.
    pub by: String,
    /// Options and their values in turn: `--faults`, and a plan.
    pub words: Vec<String>,
}

impl Brought {
    /// As one types it into a shell.
    pub fn text(&self) -> String {
        let words: Vec<_> = self.words.iter().map(|word| quoted(word)).collect();
        format!("{} brings {}", self.by, words.join(" "))
    }
}

/// A run that breaks one more property.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Also {
    /// The name of the property.
    pub property: String,
    /// The run in the notation: of one without end, the steps before those that repeat.
    pub counterexample: Vec<String>,
    /// The steps that repeat for ever, if it is a run without end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cycle: Vec<String>,
    /// What the algorithm assumes and this run does not grant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub assumptions_broken: Vec<String>,
    /// Where its trace is, if one was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

/// A rule of the plan of faults, and how many messages it struck; of a process, how many times.
#[derive(Clone, Debug, Serialize)]
pub struct Struck {
    /// The rule, as plans are written.
    pub rule: String,
    /// How many times.
    pub struck: u64,
}

impl Struck {
    /// All rules of a plan.
    pub fn all(plan: &Plan, toll: &Toll) -> Vec<Self> {
        let rules = plan.rules().iter().enumerate();
        rules.map(|(n, rule)| Self { rule: rule.to_string(), struck: toll.of(n) }).collect()
    }
}

/// The messages of one kind.
#[derive(Clone, Debug, Serialize)]
pub struct Count {
    /// How many were sent; nothing in `check`, where every run has a number of its own.
    pub measured: Option<Measured>,
    /// How many theory predicts.
    pub predicted: Option<Prediction>,
}

/// How many messages of one kind were sent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Measured {
    /// So many, in one run.
    Exactly(u64),
    /// In each of many runs.
    Spread {
        /// At least.
        min: u64,
        /// At most.
        max: u64,
        /// On average.
        mean: f64,
    },
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(n) => write!(f, "{n}"),
            Self::Spread { min, max, .. } if min == max => write!(f, "{min}"),
            Self::Spread { min, max, mean } => write!(f, "{min} to {max}, mean {mean:.1}"),
        }
    }
}

/// Where one process of a real run is.
#[derive(Clone, Debug, Serialize)]
pub struct PlaceOf {
    /// Its rank.
    pub process: u32,
    /// Its machine, as the host file names it.
    pub host: String,
    /// Its process id there; in the simulator its rank.
    pub pid: u32,
    /// What the lab's result knows of it, each under a title.
    #[serde(flatten, skip_serializing_if = "Vec::is_empty", serialize_with = "as_map")]
    pub known: Vec<(&'static str, serde_json::Value)>,
}

fn as_map<S: Serializer>(
    known: &[(&'static str, serde_json::Value)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(known.iter().map(|(title, value)| (title, value)))
}

impl PlaceOf {
    /// The processes of a simulated run of which the findings know something: of more than are listed
    /// for people, the first and the last.
    pub fn simulated(processes: u32, findings: &dyn Findings<dyn Noted>) -> Vec<Self> {
        let half = LISTED_MAX as u32 / 2;
        let is_listed =
            |rank: u32| processes as usize <= LISTED_MAX || rank < half || rank >= processes - half;
        let place = |process| {
            let known = findings.of_process(ProcessId(process));
            let host = "sim".to_owned();
            (!known.is_empty()).then_some(Self { process, host, pid: process, known })
        };
        (0..processes).filter(|&rank| is_listed(rank)).filter_map(place).collect()
    }
}

/// How wide a report is, in letters: as wide as a terminal is at least. Long names of machines make it wider.
const WIDTH: usize = 80;

/// How wide the columns are of a process, its machine and its pid.
const PLACE_WIDTHS: [usize; 3] = [9, 20, 8];

/// How wide a column is of what a lab knows of each process, if there are so few that all have room.
const KNOWN_WIDTH: usize = 12;

impl Report {
    /// A report on a run of which nothing is known yet.
    pub fn of(identity: Identity) -> Self {
        Self {
            identity,
            elapsed_s: 0.0,
            seeds: None,
            virtual_s: None,
            states: None,
            hosts: Vec::new(),
            messages: BTreeMap::new(),
            properties: Vec::new(),
            result: serde_json::Value::Null,
            trace: None,
            logs: Vec::new(),
            assumptions_broken: Vec::new(),
            faults: Vec::new(),
            brought: Vec::new(),
            problems: Vec::new(),
            killed: Vec::new(),
            counterexample: Vec::new(),
            cycle: Vec::new(),
            also: Vec::new(),
            places: Vec::new(),
            began: true,
            lines: Vec::new(),
        }
    }

    /// 0: all properties hold. 1: one is violated. 2: it could not be run to its end, or judged.
    pub fn exit_status(&self) -> u8 {
        if self.properties.iter().any(Verdict::is_violated) {
            1
        } else if !self.problems.is_empty() || self.properties.iter().any(|v| v.holds().is_none()) {
            2
        } else {
            0
        }
    }

    /// Joins what was counted with what was predicted.
    pub fn count(
        measured: &BTreeMap<String, u64>,
        predicted: &Predictions,
    ) -> BTreeMap<String, Count> {
        let kinds = measured.keys().chain(predicted.keys());
        let count = |kind: &String| Count {
            measured: Some(Measured::Exactly(measured.get(kind).copied().unwrap_or(0))),
            predicted: predicted.get(kind).cloned(),
        };
        kinds.map(|kind| (kind.clone(), count(kind))).collect()
    }

    /// The report for people.
    pub fn to_text(&self, paint: Paint) -> String {
        let mut text = String::new();
        self.write_text(&mut text, paint).expect("writing to a string cannot fail");
        text
    }

    fn write_text(&self, out: &mut String, paint: Paint) -> fmt::Result {
        let Identity { lab, verb, run, processes, seed } = &self.identity;
        let title = paint.bold(&format!("{lab} {verb}"));
        write!(out, "{title}, {}, ", counted((*processes).into(), "process"))?;
        match self.seeds {
            None => write!(out, "seed {seed}")?,
            Some([first, last]) => write!(out, "seeds {first}..{last}")?,
        }
        if let Some(states) = self.states {
            write!(out, ", {}", counted(states, "state"))?;
        }
        if let Some(virtual_s) = self.virtual_s {
            write!(out, ", {virtual_s:.3} s of virtual time")?;
        }
        writeln!(out, ", {:.3} s", self.elapsed_s)?;
        if verb == "run" {
            writeln!(out, "run {run} on {}", self.hosts.join(", "))?;
        }
        for brought in &self.brought {
            writeln!(out, "{}", brought.text())?;
        }
        // Of a run that never began there is nothing to say but why.
        if self.began {
            self.write_places(out)?;
            for line in &self.lines {
                writeln!(out, "{line}")?;
            }
            self.write_messages(out)?;
            self.write_properties(out, paint)?;
        } else {
            writeln!(out, "{NEVER_BEGAN}")?;
        }
        self.write_counterexample(out)?;
        for problem in &self.problems {
            writeln!(out, "{} {problem}", paint.colour(AnsiColor::Red, "problem:"))?;
        }
        for killed in &self.killed {
            writeln!(out, "killed at the end: {killed}")?;
        }
        if let Some(trace) = &self.trace {
            writeln!(out, "trace: {trace}")?;
        }
        self.write_logs(out)
    }

    fn write_places(&self, out: &mut String) -> fmt::Result {
        if self.places.is_empty() {
            return Ok(());
        }
        let mut columns = PLACE_WIDTHS.map(Column::Left).to_vec();
        let room = WIDTH.saturating_sub(PLACE_WIDTHS.iter().sum());
        let width = (room / self.places[0].known.len().max(1)).min(KNOWN_WIDTH);
        columns.extend(self.places[0].known.iter().map(|_| Column::Right(width)));
        let mut rows = vec![["process", "host", "pid"].map(str::to_owned).to_vec()];
        rows[0].extend(self.places[0].known.iter().map(|(title, _)| (*title).to_owned()));
        let mut next = 0;
        for place in shown(&self.places).into_iter().flatten() {
            if place.process != next {
                rows.push(vec!["...".to_owned()]);
            }
            next = place.process + 1;
            let process = format!("p{}", place.process);
            let mut row = vec![process, place.host.clone(), place.pid.to_string()];
            row.extend(place.known.iter().map(|(_, value)| cell(value)));
            rows.push(row);
        }
        writeln!(out, "\n{}", table(&columns, &rows).join("\n"))?;
        if self.lines.is_empty() { Ok(()) } else { writeln!(out) }
    }

    fn write_messages(&self, out: &mut String) -> fmt::Result {
        if self.messages.is_empty() {
            return Ok(());
        }
        let mut rows = vec![["message", "measured", "  predicted"].map(str::to_owned)];
        for (kind, count) in &self.messages {
            let measured = count.measured.map_or("-".to_owned(), |n| n.to_string());
            let predicted = match &count.predicted {
                None => "  -".to_owned(),
                Some(Prediction::Exactly(n)) => format!("  {n}"),
                Some(Prediction::AtLeast { min }) => format!("  at least {min}"),
                Some(Prediction::Within { min, max, mean }) => {
                    format!("  {min} to {max}, {mean:.1} on average")
                }
            };
            rows.push([kind.clone(), measured, predicted]);
        }
        let columns = [Column::Left(12), Column::Right(12), Column::Left(0)];
        writeln!(out, "\n{}", table(&columns, &rows).join("\n"))?;
        Ok(())
    }

    fn write_properties(&self, out: &mut String, paint: Paint) -> fmt::Result {
        writeln!(out)?;
        for Struck { rule, struck } in &self.faults {
            match struck {
                0 => writeln!(
                    out,
                    "fault {rule}: {}",
                    paint.colour(AnsiColor::Yellow, "never struck")
                )?,
                1 => writeln!(out, "fault {rule}: struck once")?,
                n => writeln!(out, "fault {rule}: struck {n} times")?,
            }
        }
        for broken in &self.assumptions_broken {
            writeln!(out, "{} {broken}", paint.colour(AnsiColor::Yellow, "assumption broken:"))?;
        }
        for verdict in &self.properties {
            let word = match verdict.holds() {
                Some(true) => paint.colour(AnsiColor::Green, "holds   "),
                Some(false) => paint.colour(AnsiColor::Red, "VIOLATED"),
                None => paint.colour(AnsiColor::Yellow, "unknown "),
            };
            let kind = match verdict.kind {
                PropertyKind::Safety => "safety",
                PropertyKind::Liveness => "liveness",
            };
            let excuse = match verdict.holds() {
                Some(false) if !self.assumptions_broken.is_empty() => ", assumption broken",
                _ => "",
            };
            writeln!(out, "{word} {} ({kind}{excuse}): {}", verdict.name, verdict.said())?;
            if !verdict.witnesses().is_empty() {
                let events: Vec<_> = verdict.witnesses().iter().map(ToString::to_string).collect();
                writeln!(out, "         shown by the events {}", events.join(", "))?;
            }
        }
        Ok(())
    }

    fn write_counterexample(&self, out: &mut String) -> fmt::Result {
        if self.counterexample.len() + self.cycle.len() > 0 {
            let run = if self.cycle.is_empty() { "a shortest run" } else { "a run without end" };
            write_steps(out, &format!("{run} that shows it"), &self.counterexample, &self.cycle)?;
        }
        for also in &self.also {
            let Also { property, counterexample, cycle, .. } = also;
            let run = if cycle.is_empty() { "a run" } else { "a run without end" };
            write_steps(out, &format!("{run} that breaks {property:?}"), counterexample, cycle)?;
            for broken in &also.assumptions_broken {
                writeln!(out, "in it this assumption is broken: {broken}")?;
            }
            if let Some(trace) = &also.trace {
                writeln!(out, "its trace: {trace}")?;
            }
        }
        Ok(())
    }

    fn write_logs(&self, out: &mut String) -> fmt::Result {
        if self.logs.is_empty() {
            return Ok(());
        }
        writeln!(out, "logs:")?;
        for log in shown(&self.logs) {
            writeln!(out, "  {}", log.map_or("...", String::as_str))?;
        }
        Ok(())
    }
}

/// The steps of a run of `check`, and those of them that repeat for ever.
fn write_steps(out: &mut String, what: &str, way_in: &[String], cycle: &[String]) -> fmt::Result {
    let steps = counted((way_in.len() + cycle.len()) as u64, "step");
    writeln!(out, "\n{what}, in {steps}:")?;
    way_in.iter().try_for_each(|step| writeln!(out, "  {step}"))?;
    if let Some((first, others)) = cycle.split_first() {
        let bend = if others.is_empty() { "⟲" } else { "╭" };
        writeln!(out, "and then for ever, again and again:")?;
        writeln!(out, "{bend} {first}")?;
        for (after, step) in (1..).zip(others) {
            let bend = if after == others.len() { "╰" } else { "│" };
            writeln!(out, "{bend} {step}")?;
        }
    }
    Ok(())
}

/// A value as it stands in a table.
fn cell(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => "-".to_owned(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The first and the last of a long list, with a gap between them.
fn shown<T>(all: &[T]) -> Vec<Option<&T>> {
    if all.len() <= LISTED_MAX {
        return all.iter().map(Some).collect();
    }
    let half = LISTED_MAX / 2;
    let (first, last) = (&all[..half], &all[all.len() - half..]);
    first.iter().map(Some).chain([None]).chain(last.iter().map(Some)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_processes_fits_a_terminal() {
        let identity = Identity {
            lab: "any".to_owned(),
            verb: "run".to_owned(),
            run: "r".to_owned(),
            processes: 1,
            seed: 1,
        };
        let titles = ["sent", "answered", "to p0", "to p1", "since_s"];
        for known in 0..=titles.len() {
            let known = titles[..known].iter().map(|title| (*title, "10.012".into())).collect();
            let host = "localhost".to_owned();
            let place = PlaceOf { process: 0, host, pid: 4_194_304, known };
            let report = Report { places: vec![place], ..Report::of(identity.clone()) };
            let text = report.to_text(Paint::Plain);
            assert!(text.contains("p0       localhost           4194304"), "{text}");
            assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        }
    }

    #[test]
    fn a_run_without_end_is_told_behind_the_first() {
        let identity = Identity {
            lab: "any".to_owned(),
            verb: "check".to_owned(),
            run: "r".to_owned(),
            processes: 1,
            seed: 1,
        };
        let steps = |all: &[&str]| all.iter().map(|&step| step.to_owned()).collect();
        let also = Also {
            property: "served".to_owned(),
            counterexample: steps(&["in"]),
            cycle: steps(&["ask", "wait", "again"]),
            trace: Some("t.2.jsonl".to_owned()),
            ..Also::default()
        };
        let also = vec![also.clone(), Also { cycle: steps(&["turn"]), trace: None, ..also }];
        let counterexample = steps(&["wrong"]);
        let report = Report { counterexample, also, states: Some(1), ..Report::of(identity) };
        let text = report.to_text(Paint::Plain);
        let (first, told) = text.split_once("a shortest run").unwrap();
        assert!(first.contains("1 process, seed 1, 1 state, "), "{first}");
        assert_eq!(
            told,
            " that shows it, in 1 step:
  wrong

a run without end that breaks \"served\", in 4 steps:
  in
and then for ever, again and again:
╭ ask
│ wait
╰ again
its trace: t.2.jsonl

a run without end that breaks \"served\", in 2 steps:
  in
and then for ever, again and again:
⟲ turn
"
        );
    }
}
