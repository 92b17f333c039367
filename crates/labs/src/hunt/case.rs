//! The command line of one run.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::faults::Plan;
use crate::simulate::{Chance, Slow};

/// One run of `simulate`, as its command line says it; what is left out is as usual.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Case {
    /// What the run draws from.
    pub seed: u64,
    /// How many processes there are.
    pub processes: Option<u32>,
    /// The lab's own options, each with its value.
    pub own: Vec<(&'static str, String)>,
    /// How messages travel.
    pub weather: Weather,
    /// What goes wrong by plan.
    pub faults: Plan,
}

/// How messages travel, where it is not as usual.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Weather {
    /// How long they are under way.
    pub latency: Option<RangeInclusive<Duration>>,
    /// Which channels are slower than others.
    pub slow: Vec<Slow>,
    /// How many are lost.
    pub loss: Chance,
    /// How many arrive twice.
    pub duplication: Chance,
    /// How many are held back.
    pub reordering: Chance,
    /// Whether they overtake each other.
    pub unordered: bool,
    /// Within which time applications ask.
    pub requests_within: Duration,
}

/// The seed that `simulate` takes if it is given none.
const USUAL_SEED: u64 = 1;

impl Case {
    /// The words after `simulate`.
    pub fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
        if let Some(processes) = self.processes {
            option("-n", processes.to_string());
        }
        for (name, value) in &self.own {
            option(name, value.clone());
        }
        for (name, value) in self.weather.options() {
            option(name, value);
        }
        if !self.faults.is_empty() {
            option("--faults", self.faults.to_string());
        }
        if self.seed != USUAL_SEED {
            option("--seed", self.seed.to_string());
        }
        if self.weather.unordered {
            words.push("--unordered".to_owned());
        }
        words
    }

    /// How many things differ from a run in which nothing goes wrong.
    pub(super) fn parts(&self) -> usize {
        let unordered = usize::from(self.weather.unordered);
        self.weather.options().len() + unordered + self.faults.rules().len()
    }

    /// How long the command line is, in letters.
    pub(super) fn length(&self) -> usize {
        self.words().iter().map(|word| word.len() + 1).sum()
    }
}

impl Weather {
    fn options(&self) -> Vec<(&'static str, String)> {
        let mut options = Vec::new();
        if let Some(latency) = &self.latency {
            options.push(("--latency", milliseconds(latency)));
        }
        for Slow { channels, by } in &self.slow {
            let channels = channels.to_string();
            options.push(("--slow", format!("{} {}", channels.trim(), milliseconds(by))));
        }
        let chances = [
            ("--loss", self.loss),
            ("--duplication", self.duplication),
            ("--reordering", self.reordering),
        ];
        for (name, chance) in chances {
            if chance != Chance::NEVER {
                options.push((name, chance.to_string()));
            }
        }
        if self.requests_within > Duration::ZERO {
            options.push(("--requests-within", number(self.requests_within)));
        }
        options
    }
}

fn milliseconds(times: &RangeInclusive<Duration>) -> String {
    match times.start() == times.end() {
        true => number(*times.start()),
        false => format!("{}..{}", number(*times.start()), number(*times.end())),
    }
}

/// A time in milliseconds, exactly.
fn number(time: Duration) -> String {
    let us = time.as_micros();
    let text = format!("{}.{:03}", us / 1_000, us % 1_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
