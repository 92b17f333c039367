//! Many runs of rings of several sizes: the mean number of ELECTION messages beside N·H(N).
//!
//! Each run has a random order of its own, and is judged like any other.

use std::io;
use std::path::PathBuf;

use labs::lab::{Lab, Place, Series, Study};
use labs::plot::{Axis, Curve, Mark, Plot, Point, Scale};
use labs::process::split_mix;
use labs::record::Recorder;
use labs::simulate::{Limits, Network, Simulation};
use labs::text::counted;
use labs::verdict::{Judge, Tally};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::identities::Identities;
use crate::theory;

/// Which runs are made.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Sweep {
    /// How many processes the rings have.
    pub sizes: Vec<u32>,
    /// How many runs there are of each size.
    pub runs: u32,
    /// Where the plot goes.
    pub plot: PathBuf,
}

impl Sweep {
    /// Runs, writes the plot, and says what came of it. `lab` makes the lab of one run.
    ///
    /// # Errors
    ///
    /// If the network is none, or the plot cannot be written; that is known before the runs.
    pub fn run<L: Lab>(
        &self,
        lab: impl Fn(Identities) -> L,
        series: &mut Series<'_>,
    ) -> io::Result<Study> {
        Plot::check(&self.plot)?;
        let (mut seeds, network) = (series.seed, series.network);
        let mut tally = Tally::default();
        let mut rows = Vec::new();
        for &n in &self.sizes {
            let mut counts = Vec::new();
            while counts.len() < self.runs as usize && series.goes_on() {
                let seed = split_mix(&mut seeds);
                counts.push(run(&mut tally, &lab(Identities::random(n, seed)), seed, network)?);
            }
            rows.extend((!counts.is_empty()).then(|| row(n, &counts)));
        }
        let mut lines = table(&rows, self.runs);
        lines.extend(self.fewer(&rows));
        if !rows.is_empty() {
            drawing(&rows, self.runs).write(&self.plot)?;
            lines.push(format!("plot: {}", self.plot.display()));
        }
        Ok(Study {
            processes: self.sizes.iter().copied().max().unwrap_or(0),
            lines,
            result: json!({
                "runs": self.runs,
                "plot": self.plot.display().to_string(),
                "sizes": rows,
            }),
            verdicts: tally.into_verdicts(),
        })
    }
}

impl Sweep {
    /// What to say of a size that has fewer runs than were asked for, as the sweep was cut short.
    fn fewer(&self, rows: &[Row]) -> Option<String> {
        let Row { processes, runs, .. } =
            rows.last().filter(|row| row.runs < self.runs as usize)?;
        Some(format!("the last size, {processes}, has {}", counted(*runs as u64, "run")))
    }
}

/// What the runs of one size showed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Row {
    processes: u32,
    /// How many there were.
    runs: usize,
    /// The mean number of ELECTION messages.
    mean: f64,
    /// Their standard deviation, over the sample.
    deviation: f64,
    min: u64,
    max: u64,
    /// N·H(N).
    predicted: f64,
}

fn row(n: u32, counts: &[u64]) -> Row {
    let of = counts.len() as f64;
    let mean = counts.iter().sum::<u64>() as f64 / of;
    let squares: f64 = counts.iter().map(|&count| (count as f64 - mean).powi(2)).sum();
    Row {
        processes: n,
        runs: counts.len(),
        mean,
        deviation: (squares / (of - 1.0).max(1.0)).sqrt(),
        min: counts.iter().copied().min().unwrap_or(0),
        max: counts.iter().copied().max().unwrap_or(0),
        predicted: theory::mean(n, n),
    }
}

fn drawing(rows: &[Row], runs: u32) -> Plot {
    let axis = |name: &str| Axis { name: name.to_owned(), scale: Scale::Logarithmic };
    let measured =
        |row: &Row| Point { x: f64::from(row.processes), y: row.mean, deviation: row.deviation };
    let predicted =
        |row: &Row| Point { x: f64::from(row.processes), y: row.predicted, deviation: 0.0 };
    let measured = Curve {
        name: "measured, with standard deviation".to_owned(),
        mark: Mark::Dots,
        colour: 0,
        points: rows.iter().map(measured).collect(),
    };
    let predicted = Curve {
        name: "N·H(N)".to_owned(),
        mark: Mark::Line,
        colour: 1,
        points: rows.iter().map(predicted).collect(),
    };
    Plot {
        title: format!("ELECTION messages, mean of {runs} random orders"),
        x: axis("processes N"),
        y: axis("messages"),
        curves: vec![measured, predicted],
    }
}

fn table(rows: &[Row], runs: u32) -> Vec<String> {
    let head = format!(
        "{:>10}{:>14}{:>14}{:>12}{:>12}{:>14}{:>9}",
        "processes", "mean", "deviation", "fewest", "most", "N·H(N)", "ratio"
    );
    let line = |row: &Row| {
        let ratio = row.mean / row.predicted;
        let Row { processes, mean, deviation, min, max, predicted, .. } = row;
        format!(
            "{processes:>10}{mean:>14.1}{deviation:>14.1}{min:>12}{max:>12}{predicted:>14.1}{ratio:>9.3}"
        )
    };
    let title = format!("ELECTION messages over {runs} random orders of each size:");
    [title, head].into_iter().chain(rows.iter().map(line)).collect()
}

/// One run, judged. Returns how many ELECTION messages it took.
fn run<L: Lab>(tally: &mut Tally, lab: &L, seed: u64, network: &Network) -> io::Result<u64> {
    let n = lab.processes();
    let all = (0..n).map(|rank| lab.process(&Place::simulated(rank, n))).collect();
    let recorder = Recorder::new(n, Judge::new(&lab.demanded(), n));
    let mut simulation = Simulation::new(seed, network.clone(), all, recorder)
        .map_err(|error| io::Error::other(error.to_string()))?;
    let ended = simulation.run(Limits::default()).end();
    let judge = simulation.into_observer().finish()?;
    tally.count(&format!("with {n} processes and the seed {seed}"), judge.verdicts(&ended));
    Ok(judge.messages().get("ELECTION").copied().unwrap_or(0))
}

#[cfg(test)]
mod tests;
