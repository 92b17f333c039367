//! How long a message is under way, as people write it.

use std::ops::RangeInclusive;
use std::time::Duration;

/// The longest latency that a network may have. An hour is beyond any experiment, and keeps virtual
/// time far from its end.
pub const LATENCY_MAX: Duration = Duration::from_secs(3_600);

/// Reads latencies in milliseconds: one, or a range of them.
pub(crate) fn latency(text: &str) -> Result<RangeInclusive<Duration>, String> {
    let (from, to) = text.split_once("..").unwrap_or((text, text));
    Ok(milliseconds(from)?..=milliseconds(to.trim_start_matches('='))?)
}

/// Reads a time in milliseconds.
pub(crate) fn milliseconds(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a number of milliseconds");
    let milliseconds: f64 = text.parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(milliseconds / 1_000.0).map_err(|_| wrong())
}
