//! The report of a hunt, for people and for programs.

use std::fmt::{self, Write as _};
use std::time::Duration;

use anstyle::AnsiColor;
use serde::Serialize;

use super::VERB;
use super::tally::{Property, Tally};
use crate::cli::many::Over;
use crate::planned::About;
use crate::report::Brought;
use crate::text::{Column, Paint, counted, table};
use crate::verdict::{PropertyKind, Verdict};

/// What came of a hunt.
#[derive(Debug, Serialize)]
pub(super) struct HuntReport {
    lab: &'static str,
    verb: &'static str,
    seed: u64,
    elapsed_s: f64,
    #[serde(flatten)]
    tally: Tally,
    violation: Option<Violation>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<String>,
}

/// The smallest run that is wrong.
#[derive(Debug, Serialize)]
pub(super) struct Violation {
    /// The number of the run that was wrong first.
    pub(super) run: u64,
    /// What is violated.
    #[serde(flatten, serialize_with = "property")]
    pub(super) property: Verdict,
    /// The smallest command line that shows it.
    pub(super) command: String,
    /// The command line that it was shrunk from.
    pub(super) found_as: String,
    /// The options that come with it unasked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) brought: Vec<Brought>,
    /// How many events it takes.
    pub(super) events: u64,
    /// How many steps the story has; only the last may be shown.
    pub(super) steps: usize,
    /// What happens, in the notation.
    pub(super) story: Vec<String>,
    /// Where its trace is, if it was written.
    pub(super) trace: Option<String>,
}

/// The name of the property, what is wrong, and the events that show it.
fn property<S: serde::Serializer>(verdict: &Verdict, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Written<'a> {
        property: &'a str,
        kind: PropertyKind,
        detail: &'a str,
        witnesses: &'a [crate::verdict::Witness],
    }
    let (property, kind) = (verdict.name.as_str(), verdict.kind);
    Written { property, kind, detail: verdict.detail(), witnesses: verdict.witnesses() }
        .serialize(serializer)
}

impl HuntReport {
    pub(super) fn new(
        about: About,
        seed: u64,
        tally: Tally,
        violation: Option<Violation>,
        over: Over,
        elapsed: Duration,
    ) -> Self {
        let interrupted = "interrupted: this is of the runs until then".to_owned();
        let problems = if over == Over::Interrupted { vec![interrupted] } else { Vec::new() };
        let elapsed_s = elapsed.as_secs_f64();
        Self { lab: about.name, verb: VERB, seed, elapsed_s, tally, violation, problems }
    }

    /// 0: nothing was found. 1: something was. 2: it was interrupted, or no run came to its end.
    pub(super) fn exit_status(&self, not_judged: u8) -> u8 {
        if self.violation.is_some() {
            1
        } else if !self.problems.is_empty() || self.tally.runs == self.tally.runs_cut_short {
            not_judged
        } else {
            0
        }
    }

    /// The report for people.
    pub(super) fn to_text(&self, paint: Paint) -> String {
        let mut text = String::new();
        self.write_text(&mut text, paint).expect("writing to a string cannot fail");
        text
    }

    fn write_text(&self, out: &mut String, paint: Paint) -> fmt::Result {
        let Tally { runs, runs_cut_short, events, .. } = self.tally;
        let title = paint.bold(&format!("{} {}", self.lab, self.verb));
        let (runs, events) = (counted(runs, "run"), counted(events, "event"));
        writeln!(out, "{title}, seed {}, {runs}, {events}, {:.3} s", self.seed, self.elapsed_s)?;
        if runs_cut_short > 0 {
            let cut = counted(runs_cut_short, "run");
            writeln!(out, "{cut} did not come to an end: their liveness is not judged")?;
        }
        self.write_faults(out)?;
        self.write_properties(out, paint)?;
        if let Some(violation) = &self.violation {
            violation.write(out, paint)?;
        }
        for problem in &self.problems {
            writeln!(out, "{} {problem}", paint.colour(AnsiColor::Red, "problem:"))?;
        }
        Ok(())
    }

    fn write_faults(&self, out: &mut String) -> fmt::Result {
        if self.tally.faults.is_empty() {
            return writeln!(out, "\nnothing went wrong in these runs but what is slow");
        }
        let mut rows = vec![["what went wrong".to_owned(), "times".to_owned()]];
        rows.extend(self.tally.faults.iter().map(|(kind, n)| [(*kind).to_owned(), n.to_string()]));
        writeln!(out, "\n{}", table(&[Column::Left(24), Column::Right(12)], &rows).join("\n"))
    }

    fn write_properties(&self, out: &mut String, paint: Paint) -> fmt::Result {
        writeln!(out)?;
        for Property { name, kind, judged, tested, holds } in &self.tally.properties {
            let word = match holds {
                Some(false) => paint.colour(AnsiColor::Red, "VIOLATED"),
                Some(true) if *tested > 0 => paint.colour(AnsiColor::Green, "holds   "),
                _ => paint.colour(AnsiColor::Yellow, "untested"),
            };
            let kind = match kind {
                PropertyKind::Safety => "safety",
                PropertyKind::Liveness => "liveness",
            };
            let judged = counted(*judged, "run");
            writeln!(out, "{word} {name} ({kind}): put to the test in {tested} of {judged}")?;
        }
        Ok(())
    }
}

impl Violation {
    fn write(&self, out: &mut String, paint: Paint) -> fmt::Result {
        let Self { property, command, found_as, .. } = self;
        writeln!(out, "\nrun {} violates {}: {}", self.run, property.name, property.detail())?;
        writeln!(out, "the smallest command line that shows it:\n  {}", paint.bold(command))?;
        for brought in &self.brought {
            writeln!(out, "  ({})", brought.text())?;
        }
        if found_as != command {
            writeln!(out, "it was shrunk from:\n  {found_as}")?;
        }
        let (shown, steps) = (self.story.len(), counted(self.steps as u64, "step"));
        match self.steps > shown {
            false => writeln!(out, "what happens, in {steps}:")?,
            true => writeln!(out, "what happens, the last {shown} of {steps}:")?,
        }
        for step in &self.story {
            writeln!(out, "  {step}")?;
        }
        if let Some(trace) = &self.trace {
            writeln!(out, "trace: {trace}")?;
        }
        Ok(())
    }
}
