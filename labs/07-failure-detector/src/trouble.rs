//! What goes wrong in a simulated run unless somebody says it: a little of all that the detectors are for.
//!
//! All of it is counted in heartbeats, so that it fits each interval and each threshold K:
//!
//! 1. p3 stands still until it is suspected, and then answers again: it is restored.
//! 2. p4 dies. Just when p0 suspects it the detectors are cut off from each other for two heartbeats. The message
//!    that tells it is lost, and must be told again.
//! 3. The detectors are cut off from each other for longer: they suspect each other, and doubt each other's
//!    processes. Meanwhile p5 dies, and p7 stands still and comes back: what they missed must be told afterwards.
//!
//! Among fewer processes, or in a shorter run, there is less of it.

use std::time::Duration;

use crate::two_levels::{DETECTORS, Settings};

/// The latest that a plan of faults can name: a day.
const TIME_MAX: Duration = Duration::from_secs(86_400);

/// A plan of faults for so many processes, as one types it.
pub fn usual_faults(processes: u32, settings: Settings) -> String {
    let k = u64::from(settings.threshold);
    let [one, other] = DETECTORS.map(|detector| detector.0);
    let at = |round| after(round, settings.interval);
    let cut = format!("partition {one}|{other}");
    let alone = 2 * k + 10;
    // Each begins half an interval after the round of that number. A process that answers no more from then on is
    // suspected K+1 rounds later.
    let all = [
        (3, "stop 3".to_owned(), 2, Some(k + 5)),
        (4, "kill 4".to_owned(), k + 6, None),
        (other, cut.clone(), 2 * k + 6, Some(2 * k + 8)),
        (other, cut, alone, Some(alone + 2 * k + 4)),
        (5, "kill 5".to_owned(), alone + 1, None),
        (7, "stop 7".to_owned(), alone + 1, Some(alone + k + 4)),
    ];
    let rules = all.into_iter().filter_map(|(greatest, what, from, to)| {
        let happens = greatest < processes && from < settings.rounds.into();
        let rule = || match to {
            Some(to) => Some(format!("{what} from {} to {}", at(from)?, at(to)?)),
            None => Some(format!("{what} at {}", at(from)?)),
        };
        happens.then(rule).flatten()
    });
    rules.collect::<Vec<_>>().join("; ")
}

/// Half an interval after the round of this number, as plans write it; nothing if that is too late for a plan.
fn after(round: u64, interval: Duration) -> Option<String> {
    let us = interval.as_micros() * u128::from(2 * round + 1) / 2;
    let text = match us % 1_000 {
        0 => format!("{}ms", us / 1_000),
        _ => format!("{us}us"),
    };
    (us <= TIME_MAX.as_micros()).then_some(text)
}

#[cfg(test)]
mod tests;
