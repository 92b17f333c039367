//! What the benches share: one core for both sides, and medians of runs that alternate.

use std::time::Duration;

use nix::sched::{CpuSet, sched_setaffinity};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

/// How often each side is measured.
pub(crate) const ROUNDS: usize = 7;

/// Keeps this program on one core: placement is worth more than what is measured.
pub(crate) fn pin_to_one_core() {
    let cores = std::env::var("BENCH_CORE").ok().and_then(|core| core.parse().ok());
    let mut set = CpuSet::new();
    set.set(cores.unwrap_or(0)).expect("the machine has that core");
    sched_setaffinity(Pid::from_raw(0), &set).expect("a program may choose among its cores");
}

/// Runs `ours` and `theirs` in turn, and returns the median time of each, as the processor counts it:
/// others who use the machine make it no longer.
pub(crate) fn medians(mut ours: impl FnMut(), mut theirs: impl FnMut()) -> (Duration, Duration) {
    let time = |run: &mut dyn FnMut()| {
        let start = processor_time();
        run();
        processor_time() - start
    };
    let mut times = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        times.0.push(time(&mut ours));
        times.1.push(time(&mut theirs));
    }
    times.0.sort();
    times.1.sort();
    (times.0[ROUNDS / 2], times.1[ROUNDS / 2])
}

/// So many a second, in millions.
pub(crate) fn millions_a_second(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64() / 1e6
}

/// How long this program has been working.
pub(crate) fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).expect("the machine has this clock").into()
}

/// Whether a part of a bench is wanted: all are, unless the command line names some.
pub(crate) fn wanted(part: &str) -> bool {
    let mut names = std::env::args().skip(1).filter(|name| !name.starts_with('-')).peekable();
    names.peek().is_none() || names.any(|name| part.contains(&name))
}
