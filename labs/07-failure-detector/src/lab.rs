//! What lab 07 demands of its detectors, what theory says they cost, and their options.

use std::path::PathBuf;
use std::time::Duration;

use labs::faults::Assumption;
use labs::hunt::{Dial, Grounds};
use labs::lab::{
    Deployment, Findings, Lab, Launch, Place, Predictions, Runs, Verb, World, exactly,
};
use labs::overlay::Overlay;
use labs::process::ProcessId;
use labs::simulate::Chance;
use labs::trace::Meaning;
use labs::verdict::Property;
use serde::{Deserialize, Serialize};

use crate::findings::DetectorFindings;
use crate::properties::{
    Asking, EventualAccuracy, ListsAgree, OneList, StrongCompleteness, Suspicions, Telling,
};
use crate::sweep::{self, Sweep};
use crate::table::Table;
use crate::trouble::usual_faults;
use crate::two_levels::{DETECTORS, Indication, Mistake, Settings, TwoLevels, watcher};

/// Lab 07: what its options come to.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct FailureDetectorLab {
    processes: u32,
    settings: Settings,
    /// After how many rounds a change must be known to the other detector.
    settle: u32,
    /// Many runs instead of one.
    sweep: Option<Sweep>,
}

/// The lab's own options.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// How many processes each of the two detectors watches [default: 4, in `check` 1]
    #[arg(long, value_name = "W", value_parser = clap::value_parser!(u32).range(0..=WATCHED_MAX))]
    watched: Option<u32>,
    /// From one heartbeat to the next: `250ms`, `1s`
    #[arg(long, value_name = "TIME", default_value = "250ms", value_parser = time)]
    interval: Duration,
    /// By how many heartbeats a process may be behind before it is suspected [default: 3, in
    /// `check` 1]
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..=THRESHOLD_MAX))]
    threshold: Option<u32>,
    /// How long the detectors work, in whole intervals [default: 10s, in `check` 2 intervals, with
    /// --sweep 300]
    #[arg(long, value_name = "TIME", value_parser = time)]
    duration: Option<Duration>,
    /// Many runs instead of one, for each of these thresholds: measures how good the detectors are,
    /// and plots it. In `simulate` only
    #[arg(long, value_name = "K,K,...", value_delimiter = ',', conflicts_with = "threshold")]
    sweep: Vec<u32>,
    /// The shares of messages that --sweep loses [default: 10%,20%,30%]
    #[arg(long, value_name = "P,P,...", value_delimiter = ',', requires = "sweep")]
    sweep_losses: Vec<String>,
    /// How long messages take in --sweep, in milliseconds, from almost nothing up to this: each
    /// with each loss [default: 5]
    #[arg(long, value_name = "MS,MS,...", value_delimiter = ',', requires = "sweep")]
    sweep_delays: Vec<u32>,
    /// How many runs --sweep makes for each threshold, loss and delay [default: 20]
    #[arg(long, value_name = "R", requires = "sweep")]
    runs: Option<u32>,
    /// Where --sweep writes its plot, as SVG [default: failure-detector.svg]
    #[arg(long, value_name = "FILE", requires = "sweep")]
    plot: Option<PathBuf>,
}

/// The most processes of one detector: its rounds are listed one by one.
const WATCHED_MAX: i64 = 100_000;

/// As many as that, and the two detectors.
const PROCESSES_MAX: u32 = 2 + 2 * WATCHED_MAX as u32;

/// The greatest threshold: a gap of a million heartbeats is no detection any more.
const THRESHOLD_MAX: i64 = 1_000_000;

/// The most rounds of a run: a week of four a second.
const ROUNDS_MAX: u32 = 2_500_000;

/// By how many heartbeats a process may be behind unless told otherwise.
const THRESHOLD: u32 = 3;

/// A threshold and a number of rounds at which `check` ends in seconds, and at which processes are
/// suspected.
const CHECK: (u32, u32) = (1, 2);

/// How many rounds a run of a sweep has: enough for some mistakes of each process.
const SWEEP_ROUNDS: u32 = 300;

/// After so many rounds a change must be known to the other detector. It is told once in each: if
/// three in ten messages are lost, all of them are in one of 170,000 cases.
const SETTLE_ROUNDS: u32 = 10;

/// The largest threshold in a sweep, the most runs of each, and the longest delay in milliseconds:
/// minutes of work.
const SWEEP_MAX: u32 = 100;

/// As [`SWEEP_MAX`].
const RUNS_MAX: u32 = 10_000;

/// As [`SWEEP_MAX`].
const DELAY_MAX: u32 = 60_000;

/// How many runs a sweep makes unless told otherwise, with messages that take at most so many
/// milliseconds.
const RUNS: u32 = 20;

/// As [`RUNS`].
const DELAY: u32 = 5;

/// The percentages of messages that a sweep loses unless told otherwise.
const LOSSES: [u32; 3] = [10, 20, 30];

/// Where the plot goes unless told otherwise.
const PLOT: &str = "failure-detector.svg";

impl Options {
    /// How many intervals the detectors work.
    fn rounds(&self, verb: Verb) -> Result<u32, String> {
        let Some(duration) = self.duration else {
            return Ok(match verb {
                Verb::Check => CHECK.1,
                _ if !self.sweep.is_empty() => SWEEP_ROUNDS,
                _ => rounds_in(DEFAULT_DURATION, self.interval).min(ROUNDS_MAX.into()) as u32,
            });
        };
        let rounds = rounds_in(duration, self.interval);
        u32::try_from(rounds).ok().filter(|rounds| (1..=ROUNDS_MAX).contains(rounds)).ok_or_else(
            || {
                format!(
                    "--duration {duration:?}: that is {rounds} intervals of {:?}; take from 1 to \
                 {ROUNDS_MAX}",
                    self.interval
                )
            },
        )
    }

    /// What `--sweep` and its companions mean, if it is given.
    fn sweep(self, verb: Verb) -> Result<Option<Sweep>, String> {
        if self.sweep.is_empty() {
            return Ok(None);
        }
        if verb != Verb::Simulate {
            return Err("--sweep: only in `simulate`".to_owned());
        }
        if let Some(k) = self.sweep.iter().find(|k| !(1..=SWEEP_MAX).contains(k)) {
            return Err(format!("--sweep {k}: a threshold is from 1 to {SWEEP_MAX} here"));
        }
        let runs = self.runs.unwrap_or(RUNS);
        if !(1..=RUNS_MAX).contains(&runs) {
            return Err(format!("--runs: from 1 to {RUNS_MAX}"));
        }
        if let Some(ms) = self.sweep_delays.iter().find(|ms| !(1..=DELAY_MAX).contains(ms)) {
            return Err(format!("--sweep-delays {ms}: from 1 to {DELAY_MAX} milliseconds"));
        }
        let read = |text: &String| text.parse().map_err(|error| format!("--sweep-losses: {error}"));
        let losses: Vec<Chance> = self.sweep_losses.iter().map(read).collect::<Result<_, _>>()?;
        let delays = if self.sweep_delays.is_empty() { vec![DELAY] } else { self.sweep_delays };
        Ok(Some(Sweep {
            thresholds: self.sweep,
            losses: if losses.is_empty() { LOSSES.map(Chance::percent).to_vec() } else { losses },
            delays: delays.into_iter().map(|ms| Duration::from_millis(ms.into())).collect(),
            runs,
            plot: self.plot.unwrap_or_else(|| PLOT.into()),
        }))
    }
}

/// How long the detectors work unless told otherwise: long enough to stop and continue one by hand.
const DEFAULT_DURATION: Duration = Duration::from_secs(10);

/// How many whole intervals, at least one.
fn rounds_in(duration: Duration, interval: Duration) -> u128 {
    (duration.as_nanos() / interval.as_nanos().max(1)).max(1)
}

/// The longest time that an option takes, and the shortest: a day, and what a timer can keep.
const TIME: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(86_400));

/// Reads `250ms` or `1.5s`.
fn time(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no time: write 250ms or 1.5s");
    let (number, unit_s) = match text.strip_suffix("ms") {
        Some(number) => (number, 1e-3),
        None => (text.strip_suffix('s').ok_or_else(wrong)?, 1.0),
    };
    let seconds: f64 = number.trim().parse().map_err(|_| wrong())?;
    let time = Duration::try_from_secs_f64(seconds * unit_s).map_err(|_| wrong())?;
    if time < TIME.0 || time > TIME.1 {
        return Err(format!("from {:?} to {:?}", TIME.0, TIME.1));
    }
    Ok(time)
}

impl FailureDetectorLab {
    /// So many processes, of which detectors set like this tell each other within
    /// `SETTLE_ROUNDS`.
    pub fn new(processes: u32, settings: Settings) -> Self {
        Self { processes, settings, settle: SETTLE_ROUNDS, sweep: None }
    }
}

impl Lab for FailureDetectorLab {
    const NAME: &'static str = "failure-detector";
    const ABOUT: &'static str = "Failure detection by heartbeats, in two levels";
    const PROCESSES: u32 = 10;
    const CHECK_PROCESSES: u32 = 4;

    /// Nothing: what it assumes of delays, it assumes of *some day* only.
    const ASSUMES: &'static [Assumption] = &[];

    /// By `--sweep-delays` and `--sweep-losses`.
    const VARIED: &'static [&'static str] = &["--latency", "--loss"];

    /// What is lost is told again in each of some rounds: if too much is lost, all of it may be.
    const HUNT: Grounds = Grounds {
        dials: &[
            Dial::numbers("--threshold", 1, 3),
            Dial::words("--interval", &["100ms", "250ms"]),
            Dial::words("--duration", &["2s", "5s", "10s"]),
        ],
        processes_max: 10,
        loss_max_percent: 10,
        ..Grounds::USUAL
    };

    type Options = Options;
    type Process = TwoLevels;
    type Mistake = Mistake;

    fn plan(options: Options, world: &World) -> Result<Self, String> {
        // Without --watched the number is that of --processes.
        let watched = options.watched.map(|watched| 2 + 2 * watched);
        let processes = world.processes::<Self>(watched)?;
        if processes > PROCESSES_MAX {
            return Err(format!(
                "--processes {processes}: at most {PROCESSES_MAX}, of which each detector watches \
                 {WATCHED_MAX}"
            ));
        }
        // Where every order is tried, all has arrived at an end: nothing needs time.
        let (threshold, settle) = match world.verb {
            Verb::Check => (CHECK.0, 0),
            _ => (THRESHOLD, SETTLE_ROUNDS),
        };
        let settings = Settings {
            interval: options.interval,
            threshold: options.threshold.unwrap_or(threshold),
            rounds: options.rounds(world.verb)?,
        };
        Ok(Self { processes, settings, settle, sweep: options.sweep(world.verb)? })
    }

    fn processes(&self) -> u32 {
        self.processes
    }

    fn process(&self, place: &Place) -> TwoLevels {
        TwoLevels::new(place.me, place.processes, self.settings)
    }

    fn properties(&self) -> Vec<Property> {
        let Self { processes: n, settings: Settings { threshold, rounds, .. }, settle, .. } = *self;
        let completeness = StrongCompleteness::new(n, threshold, settle);
        vec![
            Property::liveness("strong completeness", completeness),
            Property::liveness("eventual accuracy", EventualAccuracy::new(n, threshold)),
            Property::liveness("the lists agree when quiet", ListsAgree::new(n, settle)),
            Property::safety("every process is on exactly one list", OneList::new(n)),
            Property::safety("suspected beyond the threshold alone", Suspicions::new(n, threshold)),
            Property::safety("told until noted", Telling::default()),
            Property::safety("everyone is asked, everyone answers", Asking::new(n, rounds)),
        ]
    }

    /// If nobody dies or is suspected: in each round one heartbeat to each process, and its answer.
    /// (Each detector gets one from the other.)
    fn predicted(&self) -> Predictions {
        let beats = u64::from(self.settings.rounds) * u64::from(self.processes);
        exactly([("HEARTBEAT", beats), ("ALIVE", beats)])
    }

    fn predicted_unless(&self) -> &'static [&'static str] {
        &["Suspect", "Doubt"]
    }

    fn timeouts(&self) -> u32 {
        self.settings.rounds
    }

    fn meaning(&self) -> Meaning {
        let role = |process| match DETECTORS.contains(&process) {
            true => (process, "detector".to_owned()),
            false => (process, format!("watched by {}", watcher(process))),
        };
        Meaning::default().roles((0..self.processes).map(ProcessId).map(role))
    }

    /// The last heartbeat, and the interval in which it is answered.
    fn lasts(&self) -> Option<Duration> {
        Some(self.settings.interval.saturating_mul(self.settings.rounds.saturating_add(1)))
    }

    /// Nobody is suspected where nothing goes wrong, and a run shows nothing.
    fn usual_faults(&self) -> String {
        usual_faults(self.processes, self.settings)
    }

    fn findings(&self) -> Box<dyn Findings<Indication>> {
        Box::new(DetectorFindings::new(self.settings, self.processes))
    }

    fn study(&self) -> Option<Runs> {
        let Self { processes, settings, settle, .. } = *self;
        let sweep = self.sweep.clone()?;
        let lab = move |settings| Self { processes, settings, settle, sweep: None };
        Some(Box::new(move |series| sweep::sweep(&sweep, settings, lab, series)))
    }

    fn deployment(&self) -> Deployment<Self> {
        Deployment {
            launch: Launch::Tree,
            survives_crashes: true,
            files: self.sweep.iter().map(|sweep| sweep.plot.clone()).collect(),
            screen: |lab| Some(Box::new(Table::new(lab.settings, lab.processes))),
            ..Deployment::over(Overlay::TwoLevels)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_unit() {
        assert_eq!(time("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(time("1.5s"), Ok(Duration::from_millis(1_500)));
        for wrong in ["", "5", "s", "-1s", "0s", "1e9s", "nans", "2m"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_duration_is_whole_intervals_and_at_least_one() {
        let second = Duration::from_secs(1);
        assert_eq!(rounds_in(second, Duration::from_millis(250)), 4);
        assert_eq!(rounds_in(second, Duration::from_millis(300)), 3);
        assert_eq!(rounds_in(second, Duration::from_secs(9)), 1);
    }
}
