//! Many runs in several threads, and what came of them in order.
//!
//! A run is known by its number, and what comes of it depends on nothing else. The lowest run that ends the
//! search is found whatever the number of threads is: runs above it are abandoned, those below are finished.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;

use crate::run::UntilSignal;

/// The most threads: far more than any machine in a lab room has cores.
const JOBS_MAX: usize = 256;

/// How far ahead of the lowest run that goes on others may be: what came of them is kept meanwhile.
const AHEAD_MAX: u64 = 10_000;

/// How often the thread that waits looks at the clock, and whether somebody pressed Ctrl-C.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Reads the number of threads.
pub(super) fn jobs(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(jobs @ 1..=JOBS_MAX) => Ok(jobs),
        _ => Err(format!("a number from 1 to {JOBS_MAX}")),
    }
}

/// As many threads as there are cores, unless told otherwise.
pub(super) fn jobs_or_cores(jobs: Option<usize>) -> usize {
    let cores = || thread::available_parallelism().map_or(1, NonZero::get);
    jobs.unwrap_or_else(cores).min(JOBS_MAX)
}

/// Why no more runs were made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Over {
    /// All were made, or one ended the search.
    Done,
    /// There was no more time.
    Time,
    /// Somebody pressed Ctrl-C.
    Interrupted,
}

/// Which runs are wanted.
pub(super) struct Wanted<'a> {
    /// How many.
    pub(super) runs: u64,
    /// How many at once.
    pub(super) jobs: usize,
    /// Whether there is no more time. It is asked now and then, and told how many runs have ended.
    pub(super) is_over: &'a mut dyn FnMut(u64) -> bool,
}

/// The numbers that are given out, and how far the runs are.
pub(super) struct Numbers {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    next: u64,
    /// No number from here on is wanted.
    end: u64,
    /// What came of all runs below has been taken.
    taken: u64,
}

impl Numbers {
    fn new(end: u64) -> Self {
        let state = Mutex::new(State { next: 0, end, taken: 0 });
        Self { state, changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of the next run, if one more is wanted.
    fn next(&self) -> Option<u64> {
        let mut state = self.state();
        while state.next < state.end && state.next >= state.taken.saturating_add(AHEAD_MAX) {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let number = state.next;
        (number < state.end).then(|| {
            state.next += 1;
            number
        })
    }

    /// Whether what comes of this run is of no interest any more.
    pub(super) fn is_abandoned(&self, number: u64) -> bool {
        number >= self.state().end
    }

    /// No run from this number on is wanted.
    fn end_at(&self, number: u64) {
        let mut state = self.state();
        state.end = state.end.min(number);
        self.changed.notify_all();
    }

    /// No run is wanted beyond those that were begun.
    fn begin_no_more(&self) {
        let mut state = self.state();
        state.end = state.end.min(state.next);
        self.changed.notify_all();
    }

    fn take(&self) {
        self.state().taken += 1;
        self.changed.notify_all();
    }
}

/// What one thread does: it makes the run of a number. Nothing comes of one that was abandoned.
pub(super) type Work<'a, T> = Box<dyn FnMut(u64, &Numbers) -> Option<T> + 'a>;

/// Makes runs. `worker` makes what each thread needs, in that thread. `take` gets what came of each run, in
/// the order of their numbers; the first for which it returns true is the last.
///
/// # Errors
///
/// If no thread can be started.
pub(super) fn many<'a, T: Send>(
    wanted: Wanted<'_>,
    worker: &(dyn Fn() -> Work<'a, T> + Sync),
    ends: &(dyn Fn(&T) -> bool + Sync),
    take: &mut dyn FnMut(u64, T),
) -> anyhow::Result<Over> {
    let mut until_signal = UntilSignal::new()?;
    until(&mut || until_signal.has_come(), wanted, worker, ends, take)
}

/// The same, until somebody wants no more.
fn until<'a, T: Send>(
    interrupted: &mut dyn FnMut() -> bool,
    wanted: Wanted<'_>,
    worker: &(dyn Fn() -> Work<'a, T> + Sync),
    ends: &(dyn Fn(&T) -> bool + Sync),
    take: &mut dyn FnMut(u64, T),
) -> anyhow::Result<Over> {
    let numbers = Numbers::new(wanted.runs);
    thread::scope(|scope| {
        let (told, results) = channel();
        for thread in 0..wanted.jobs {
            let (told, numbers) = (told.clone(), &numbers);
            let work = move || work(numbers, &mut *worker(), ends, &told);
            match netkit::threads::spawn_scoped(scope, "run", work) {
                Ok(_) => {}
                Err(error) if thread == 0 => return Err(error).context("cannot simulate"),
                // Fewer threads do it too.
                Err(_) => break,
            }
        }
        drop(told);
        Ok(gather(&numbers, &results, wanted.is_over, interrupted, take))
    })
}

fn work<T>(
    numbers: &Numbers,
    work: &mut dyn FnMut(u64, &Numbers) -> Option<T>,
    ends: &dyn Fn(&T) -> bool,
    told: &Sender<(u64, T)>,
) {
    while let Some(number) = numbers.next() {
        let Some(result) = work(number, numbers) else { continue };
        if ends(&result) {
            numbers.end_at(number + 1);
        }
        // Whoever waits for it is there as long as this thread.
        let _ = told.send((number, result));
    }
}

fn gather<T>(
    numbers: &Numbers,
    results: &Receiver<(u64, T)>,
    is_over: &mut dyn FnMut(u64) -> bool,
    interrupted: &mut dyn FnMut() -> bool,
    take: &mut dyn FnMut(u64, T),
) -> Over {
    let mut early = BTreeMap::new();
    let (mut next, mut over) = (0, Over::Done);
    let mut came = 0u64;
    loop {
        match results.recv_timeout(LOOK_EVERY) {
            Ok((number, result)) => drop(early.insert(number, result)),
            Err(RecvTimeoutError::Timeout) => came = LOOK_EACH - 1,
            Err(RecvTimeoutError::Disconnected) => return over,
        }
        while let Some(result) = early.remove(&next) {
            if !numbers.is_abandoned(next) {
                take(next, result);
            }
            next += 1;
            numbers.take();
        }
        came += 1;
        // A look at the signals asks the system, and runs may be short.
        if over == Over::Done && came.is_multiple_of(LOOK_EACH) {
            if is_over(next) {
                over = Over::Time;
            } else if interrupted() {
                over = Over::Interrupted;
            }
            if over != Over::Done {
                numbers.begin_no_more();
            }
        }
    }
}

/// How many runs end between two looks at the signals.
const LOOK_EACH: u64 = 16;

#[cfg(test)]
mod tests;
