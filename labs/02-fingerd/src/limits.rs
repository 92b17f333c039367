//! What a client and a child may take. Everything has a limit, and each is an option.
//!
//! Together they bound what the server can be made to use: at most `connections` answers of
//! `max-answer` bytes in memory (twice that if it is all ends of lines), `children` processes, and
//! for each of these a time after which it is over. A client that meets a limit gets a line that
//! says which.

use std::time::Duration;

use clap::Args;

/// The limits of a server.
#[derive(Args, Clone, Debug)]
pub struct Limits {
    /// The longest query line, its end included
    #[arg(long, value_name = "BYTES", default_value_t = 512,
        value_parser = clap::value_parser!(u32).range(3..=65_536))]
    pub max_query: u32,
    /// How long a client may take to send its query
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub query_time: Duration,
    /// How long making an answer may take
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub answer_time: Duration,
    /// The longest answer that `finger` may give; the rest is cut off
    #[arg(long, value_name = "BYTES", default_value_t = 262_144,
        value_parser = clap::value_parser!(u32).range(1..=1 << 28))]
    pub max_answer: u32,
    /// How long a client may take to receive its answer
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub send_time: Duration,
    /// How many answers are made at once, each by a child of its own
    #[arg(long, value_name = "COUNT", default_value_t = 16,
        value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub children: u32,
    /// How many clients are served at once
    #[arg(long, value_name = "COUNT", default_value_t = 64,
        value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub connections: u32,
}

/// The longest time that can be asked for: a day.
const MAX_SECONDS: f64 = 86_400.0;

/// A time in seconds, such as `10` or `0.5`.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "a number of seconds, such as 10 or 0.5")?;
    match (0.001..=MAX_SECONDS).contains(&seconds) {
        true => Ok(Duration::from_secs_f64(seconds)),
        false => Err(format!("a time from 0.001 to {MAX_SECONDS} seconds")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for wrong in ["", "x", "0", "-1", "nan", "inf", "1e9"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
