//! Many simulated runs for each threshold, loss and delay: how good the detectors are, beside
//! theory.
//!
//! In each run one process dies at a random moment of the last third, and the others make the
//! detectors err. Each run is judged like any other.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use labs::lab::{Findings, Lab, Place, Series, Study};
use labs::plot::{Axis, Curve, Mark, Plot, Point, Scale};
use labs::process::{ProcessId, split_mix};
use labs::record::Recorder;
use labs::simulate::{Chance, Limits, Network, Simulation};
use labs::text::{self, Column, counted};
use labs::verdict::{Judge, Tally};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::findings::DetectorFindings;
use crate::quality::Measures;
use crate::theory::{self, Link, Predicted};
use crate::two_levels::{Settings, TwoLevels};

/// What is tried.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Sweep {
    /// The thresholds.
    pub thresholds: Vec<u32>,
    /// The shares of messages that are lost.
    pub losses: Vec<Chance>,
    /// The longest times that a message may take.
    pub delays: Vec<Duration>,
    /// How many runs of each.
    pub runs: u32,
    /// Where the plot goes.
    pub plot: PathBuf,
}

impl Sweep {
    /// Each longest time, share of losses and threshold.
    fn combinations(&self) -> impl Iterator<Item = (Duration, Chance, u32)> {
        self.delays.iter().flat_map(move |&delay| {
            self.losses.iter().flat_map(move |&loss| {
                self.thresholds.iter().map(move |&threshold| (delay, loss, threshold))
            })
        })
    }
}

/// What the runs with one threshold, loss and delay showed.
#[derive(Clone, Debug)]
pub struct Row {
    /// How many runs there were.
    pub runs: u32,
    /// The share of messages that were lost, from 0 to 1.
    pub loss: f64,
    /// The longest time that a message took.
    pub delay: Duration,
    /// The threshold.
    pub threshold: u32,
    /// The bound on T_D, for both detectors to know.
    pub bound: Duration,
    /// What was measured.
    pub measures: Measures,
    /// What theory predicts, where round trips are shorter than an interval.
    pub predicted: Option<Predicted>,
}

/// Runs, writes the plot, and says what came of it. `lab` is the lab with settings like these.
///
/// # Errors
///
/// If a network is none, or the plot cannot be written; that is known before the runs.
pub fn sweep<L: Lab<Process = TwoLevels>>(
    sweep: &Sweep,
    settings: Settings,
    lab: impl Fn(Settings) -> L,
    series: &mut Series<'_>,
) -> io::Result<Study> {
    Plot::check(&sweep.plot)?;
    let mut seeds = series.seed;
    let mut tally = Tally::default();
    let mut rows = Vec::new();
    for (delay, loss, threshold) in sweep.combinations() {
        let settings = Settings { threshold, ..settings };
        let lab = lab(settings);
        let latency = shortest(delay)..=delay;
        let network = Network { latency, loss, ..series.network.clone() };
        let mut measures = Measures::default();
        let mut runs = 0;
        while runs < sweep.runs && series.goes_on() {
            let seed = split_mix(&mut seeds);
            measures.add(run(&mut tally, &lab, settings, seed, &network)?);
            runs += 1;
        }
        rows.extend((runs > 0).then(|| row(settings, loss, delay, runs, measures)));
    }
    if !rows.is_empty() {
        drawing(sweep, &rows).write(&sweep.plot)?;
    }
    let plot = sweep.plot.display();
    let mut lines = table(settings, sweep.runs, &rows);
    if let Some(row) = rows.last().filter(|row| row.runs < sweep.runs) {
        lines.push(format!("the last row is of {}", counted(u64::from(row.runs), "run")));
    }
    lines.extend((!rows.is_empty()).then(|| format!("plot: {plot}")));
    Ok(Study {
        processes: lab(settings).processes(),
        lines,
        result: json!({
            "runs": sweep.runs,
            "rounds": settings.rounds,
            "interval_s": settings.interval.as_secs_f64(),
            "plot": plot.to_string(),
            "rows": rows.iter().map(Row::to_json).collect::<Vec<_>>(),
        }),
        verdicts: tally.into_verdicts(),
    })
}

/// The shortest time of a message whose longest is `delay`: a fifth, as in the network that is
/// simulated by default.
fn shortest(delay: Duration) -> Duration {
    delay / 5
}

/// One run, judged. Returns how good the detectors were.
fn run(
    tally: &mut Tally,
    lab: &impl Lab<Process = TwoLevels>,
    settings: Settings,
    seed: u64,
    network: &Network,
) -> io::Result<Measures> {
    let n = lab.processes();
    let process = |rank| lab.process(&Place::simulated(rank, n));
    let judge = Judge::new(&lab.demanded(), n);
    let all = (0..n).map(process).collect();
    let mut simulation = Simulation::new(seed, network.clone(), all, Recorder::new(n, judge))
        .map_err(|error| io::Error::other(error.to_string()))?;
    let mut chances = seed;
    if n > 2 {
        let dies = ProcessId(2 + draw(&mut chances, u64::from(n) - 2) as u32);
        simulation.crash_at(time_of_death(settings, &mut chances), dies);
    }
    let mut findings = DetectorFindings::new(settings, n);
    let ended = simulation.run_with(Limits::default(), |simulation, process, indication| {
        let at_us = simulation.now().as_micros().try_into().unwrap_or(u64::MAX);
        findings.on_indication(process, &indication, at_us);
    });
    for &(process, at_us) in simulation.observer().crashes() {
        findings.on_crash(process, at_us);
    }
    let judge = simulation.into_observer().finish()?;
    let which = format!("with threshold {} and the seed {seed}", settings.threshold);
    tally.count(&which, judge.verdicts(&ended.end()));
    Ok(findings.measures())
}

/// A moment of the last third, and early enough to be noticed if the run is long enough at all.
fn time_of_death(settings: Settings, chances: &mut u64) -> Duration {
    let interval_us = settings.interval.as_micros() as u64;
    let all_us = interval_us.saturating_mul(settings.rounds.into());
    let needed_us = interval_us.saturating_mul(u64::from(settings.threshold) + 2);
    let last_us = all_us.saturating_sub(needed_us);
    let first_us = (all_us / 3 * 2).min(last_us);
    Duration::from_micros(first_us + draw(chances, last_us - first_us + 1))
}

/// A number below `bound`. Its bias is below `bound` / 2^64.
fn draw(chances: &mut u64, bound: u64) -> u64 {
    split_mix(chances) % bound
}

fn row(settings: Settings, loss: Chance, delay: Duration, runs: u32, measures: Measures) -> Row {
    let longest = delay * 2;
    let loss = loss.share();
    let link = Link { loss, round_trip: shortest(delay) + delay };
    Row {
        runs,
        loss,
        delay,
        threshold: settings.threshold,
        bound: theory::detection_bound(settings, longest),
        measures,
        predicted: (longest < settings.interval).then(|| theory::predict(settings, link)),
    }
}

impl Row {
    fn to_json(&self) -> serde_json::Value {
        let predicted = self.predicted.as_ref();
        let finite = |value: f64| value.is_finite().then_some(value);
        json!({
            "runs": self.runs,
            "loss": self.loss,
            "delay_s": self.delay.as_secs_f64(),
            "threshold": self.threshold,
            "T_D": {
                "mean_s": self.measures.detection_s(),
                "max_s": self.measures.longest_detection_s(),
                "bound_s": self.bound.as_secs_f64(),
            },
            "mistakes": self.measures.mistakes_s.len(),
            "ended_by_death": self.measures.ended_by_death,
            "T_MR": {
                "measured_s": self.measures.recurrence_s(),
                "predicted_s": predicted.and_then(|p| finite(p.recurrence_s)),
            },
            "T_M": {
                "measured_s": self.measures.duration_s(),
                "predicted_s": predicted.map(|p| p.duration_s),
            },
            "P_A": {
                "measured": self.measures.accuracy(),
                "predicted": predicted.map(|p| p.accuracy),
            },
        })
    }

    fn cells(&self) -> [String; 13] {
        let cell = |value: Option<f64>, digits: usize| {
            value.filter(|v| v.is_finite()).map_or("-".to_owned(), |v| format!("{v:.digits$}"))
        };
        let Measures { mistakes_s, .. } = &self.measures;
        let (measures, predicted) = (&self.measures, self.predicted.as_ref());
        [
            format!("{:.0}%", self.loss * 100.0),
            format!("{:?}", self.delay),
            self.threshold.to_string(),
            cell(measures.detection_s(), 3),
            cell(measures.longest_detection_s(), 3),
            cell(Some(self.bound.as_secs_f64()), 3),
            mistakes_s.len().to_string(),
            cell(measures.recurrence_s(), 2),
            cell(predicted.map(|p| p.recurrence_s), 2),
            cell(measures.duration_s(), 3),
            cell(predicted.map(|p| p.duration_s), 3),
            cell(measures.accuracy(), 6),
            cell(predicted.map(|p| p.accuracy), 6),
        ]
    }
}

fn table(settings: Settings, runs: u32, rows: &[Row]) -> Vec<String> {
    let Settings { interval, rounds, .. } = settings;
    let title = format!(
        "{runs} runs of {rounds} heartbeats for each threshold K, one every {interval:?}; times in \
         seconds:"
    );
    let columns = [5, 7, 4, 7, 9, 7, 10, 9, 9, 7, 8, 9, 9].map(Column::Right);
    let head = [
        "loss", "delay", "K", "T_D", "longest", "bound", "mistakes", "T_MR", "theory", "T_M",
        "theory", "P_A", "theory",
    ];
    let all: Vec<_> =
        [head.map(str::to_owned)].into_iter().chain(rows.iter().map(Row::cells)).collect();
    [title].into_iter().chain(text::table(&columns, &all)).collect()
}

/// T_D and T_MR over the threshold, both in seconds: what one pays, and what one gets.
fn drawing(sweep: &Sweep, rows: &[Row]) -> Plot {
    let mut curves = Vec::new();
    let point = |row: &Row, y: Option<f64>| {
        Some(Point { x: f64::from(row.threshold), y: y?, deviation: 0.0 })
    };
    for (colour, of_one) in rows.chunks(sweep.thresholds.len().max(1)).enumerate() {
        let name = format!("T_MR, {:.0}% lost, {:?}", of_one[0].loss * 100.0, of_one[0].delay);
        let measured = of_one.iter().filter_map(|row| point(row, row.measures.recurrence_s()));
        let predicted = of_one
            .iter()
            .filter_map(|row| point(row, row.predicted.map(|predicted| predicted.recurrence_s)));
        let curve = |name: String, mark, points| Curve { name, mark, colour, points };
        curves.push(curve(format!("{name}, measured"), Mark::Dots, measured.collect()));
        let predicted: Vec<_> = predicted.collect();
        if !predicted.is_empty() {
            curves.push(curve(format!("{name}, theory"), Mark::Line, predicted));
        }
    }
    let colour = rows.len() / sweep.thresholds.len().max(1);
    let first = &rows[..sweep.thresholds.len().min(rows.len())];
    let longest = |row: &Row| point(row, row.measures.longest_detection_s());
    let bound = |row: &Row| point(row, Some(row.bound.as_secs_f64()));
    let detection =
        |name: &str, mark, points| Curve { name: name.to_owned(), mark, colour, points };
    let measured = first.iter().filter_map(longest).collect();
    curves.push(detection("T_D, longest measured", Mark::Dots, measured));
    curves.push(detection("T_D, bound", Mark::Line, first.iter().filter_map(bound).collect()));
    Plot {
        title: "Detection time and time between mistakes".to_owned(),
        x: Axis { name: "threshold, in heartbeats".to_owned(), scale: Scale::Linear },
        y: Axis { name: "seconds".to_owned(), scale: Scale::Logarithmic },
        curves,
    }
}

#[cfg(test)]
mod tests;
