//! Many runs of rings of several sizes: the mean number of ELECTION messages beside N·H(N).
//!
//! Each run has a random order of its own, and is judged like any other.

use std::io;
use std::path::Path;

use labs::lab::{Lab, Place, Study};
use labs::plot::{Axis, Curve, Mark, Plot, Point, Scale};
use labs::process::split_mix;
use labs::simulate::{Limits, Network, Simulation};
use labs::trace::Recorder;
use labs::verdict::{Judge, Tally};
use serde_json::json;

use crate::identities::Identities;
use crate::lab::{ChangRobertsLab, Options};
use crate::theory;

/// What the runs of one size showed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// The size.
    pub n: u32,
    /// The mean number of ELECTION messages.
    pub mean: f64,
    /// Their standard deviation, over the sample.
    pub deviation: f64,
    /// The fewest.
    pub min: u64,
    /// The most.
    pub max: u64,
    /// N·H(N).
    pub predicted: f64,
}

/// Runs, writes the plot, and says what came of it. `options` makes the options of one run.
///
/// # Errors
///
/// If the network is none, or the plot cannot be written; that is known before the runs.
pub fn sweep(
    sizes: &[u32],
    runs: u32,
    seed: u64,
    network: &Network,
    options: &dyn Fn(Identities) -> Options,
    plot: &Path,
) -> io::Result<Study> {
    Plot::check(plot)?;
    let mut seeds = seed;
    let mut tally = Tally::default();
    let mut rows = Vec::new();
    for &n in sizes {
        let mut counts = Vec::new();
        for _ in 0..runs {
            let seed = split_mix(&mut seeds);
            let options = options(Identities { seed, ..Identities::default() });
            counts.push(run(&mut tally, n, seed, network, &options)?);
        }
        rows.push(row(n, &counts));
    }
    drawing(&rows, runs).write(plot)?;
    let mut lines = table(&rows, runs);
    lines.push(format!("plot: {}", plot.display()));
    Ok(Study {
        processes: sizes.iter().copied().max().unwrap_or(0),
        lines,
        result: json!({
            "runs": runs,
            "plot": plot.display().to_string(),
            "sizes": rows.iter().copied().map(Row::to_json).collect::<Vec<_>>(),
        }),
        verdicts: tally.into_verdicts(),
    })
}

impl Row {
    fn to_json(self) -> serde_json::Value {
        json!({
            "processes": self.n,
            "mean": self.mean,
            "deviation": self.deviation,
            "min": self.min,
            "max": self.max,
            "predicted": self.predicted,
        })
    }
}

fn row(n: u32, counts: &[u64]) -> Row {
    let runs = counts.len() as f64;
    let mean = counts.iter().sum::<u64>() as f64 / runs;
    let squares: f64 = counts.iter().map(|&count| (count as f64 - mean).powi(2)).sum();
    Row {
        n,
        mean,
        deviation: (squares / (runs - 1.0).max(1.0)).sqrt(),
        min: counts.iter().copied().min().unwrap_or(0),
        max: counts.iter().copied().max().unwrap_or(0),
        predicted: theory::mean(n, n),
    }
}

fn drawing(rows: &[Row], runs: u32) -> Plot {
    let axis = |name: &str| Axis { name: name.to_owned(), scale: Scale::Logarithmic };
    let measured = |row: &Row| Point { x: f64::from(row.n), y: row.mean, deviation: row.deviation };
    let predicted = |row: &Row| Point { x: f64::from(row.n), y: row.predicted, deviation: 0.0 };
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
        let Row { n, mean, deviation, min, max, predicted } = row;
        format!(
            "{n:>10}{mean:>14.1}{deviation:>14.1}{min:>12}{max:>12}{predicted:>14.1}{ratio:>9.3}"
        )
    };
    let title = format!("ELECTION messages over {runs} random orders of each size:");
    [title, head].into_iter().chain(rows.iter().map(line)).collect()
}

/// One run, judged. Returns how many ELECTION messages it took.
fn run(
    tally: &mut Tally,
    n: u32,
    seed: u64,
    network: &Network,
    options: &Options,
) -> io::Result<u64> {
    let process = |rank| ChangRobertsLab::process(options, &Place::simulated(rank, n));
    let judge = Judge::new(&ChangRobertsLab::properties(options, n), n);
    let all = (0..n).map(process).collect();
    let recorder = Recorder::new(n, judge);
    let mut simulation = Simulation::new(seed, network.clone(), all, recorder)
        .map_err(|error| io::Error::other(error.to_string()))?;
    let ended = simulation.run(Limits::default()).end();
    let judge = simulation.into_observer().finish()?;
    tally.count(&format!("with {n} processes and the seed {seed}"), judge.verdicts(&ended));
    Ok(judge.messages().get("ELECTION").copied().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_that_cannot_be_written_is_said_before_the_runs() {
        let options = |_| -> Options { panic!("a run began") };
        let plot = Path::new("/dev/null");
        let error = sweep(&[5], 1, 1, &Network::default(), &options, plot).unwrap_err();
        assert!(error.to_string().contains("cannot write the plot to /dev/null"), "{error}");
    }
}
