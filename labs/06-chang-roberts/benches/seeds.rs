//! Many runs in one call: against as many calls, and on all cores against one.
//!
//! ```text
//! cargo bench -p chang-roberts --bench seeds
//! ```
//!
//! Prints both sides of each comparison, and their ratio. To reach: 1,000 seeds of `simulate -n 100` in one call take a
//! fifth of the time of 1,000 calls; `hunt` on two cores sees 1.8 times the events a second of one.

use std::process::{Command, Stdio};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

const SEEDS: u32 = 1_000;

/// How many runs a hunt makes: some seconds on one core.
const RUNS: &str = "20000";

fn main() {
    let one_call = timed(&["simulate", "-n", "100", "--seeds", &format!("1..{SEEDS}")]);
    let calls =
        (1..=SEEDS).map(|seed| timed(&["simulate", "-n", "100", "--seed", &seed.to_string()]));
    compare("1,000 calls", calls.sum(), "--seeds 1..1000", one_call);
    let cores = available_parallelism().map_or(1, usize::from).to_string();
    let hunt = |jobs: &str| timed(&["hunt", "--runs", RUNS, "--jobs", jobs]);
    compare("a hunt on one core", hunt("1"), &format!("on {cores} cores"), hunt(&cores));
}

/// How long the program takes.
#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn timed(words: &[&str]) -> Duration {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chang-roberts"));
    let begin = Instant::now();
    let status = command.args(words).stdout(Stdio::null()).status().expect("the program starts");
    assert!(status.success(), "{words:?}: {status}");
    begin.elapsed()
}

fn compare(slow: &str, slowly: Duration, fast: &str, quickly: Duration) {
    let ratio = slowly.as_secs_f64() / quickly.as_secs_f64();
    let (slowly, quickly) = (slowly.as_secs_f64(), quickly.as_secs_f64());
    println!("{slow}: {slowly:.3} s; {fast}: {quickly:.3} s; ratio {ratio:.2}");
}
