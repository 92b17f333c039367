//! Handlers that do not return.
//!
//! Nobody can end a thread that spins. So a step says where it is before it begins and after it has ended, and
//! another thread looks from time to time: a step that takes too long is told, and the program then ends without it.

use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::{Misstep, Occasion, Wrong};
use crate::process::ProcessId;

/// How long one step may take: some thousand times as long as the slowest of the labs.
pub const STEP_MAX: Duration = Duration::from_secs(5);

/// How often the other thread looks.
const LOOK: Duration = Duration::from_millis(250);

/// Where the steps of one thread are. A step costs one lock that nobody else holds.
#[derive(Clone, Debug, Default)]
pub struct Whereabouts(Arc<Now>);

/// The step that happens now.
#[derive(Debug, Default)]
struct Now {
    /// How many steps have begun and how many have ended, together: odd while one happens.
    borders: AtomicU64,
    /// Of whom it is, or was the last time, and why it happens.
    at: Mutex<Option<(ProcessId, Occasion)>>,
}

impl Whereabouts {
    /// A step begins.
    pub fn enter(&self, process: ProcessId, occasion: Occasion) {
        *self.0.at.lock().unwrap_or_else(PoisonError::into_inner) = Some((process, occasion));
        self.cross();
    }

    /// It has ended.
    pub fn leave(&self) {
        self.cross();
    }

    fn cross(&self) {
        // Only the thread of the steps writes, so that nothing can come between.
        let borders = self.0.borders.load(Ordering::Relaxed);
        self.0.borders.store(borders + 1, Ordering::Release);
    }

    /// The number of the step that happens now, if one does.
    fn step(&self) -> Option<u64> {
        let borders = self.0.borders.load(Ordering::Acquire);
        (borders % 2 == 1).then_some(borders)
    }

    fn misstep(&self, limit: Duration) -> Option<(ProcessId, Misstep)> {
        let (process, occasion) =
            self.0.at.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let what = format!("the handler still ran after {} s", limit.as_secs_f64());
        let (wrong, when) = (Wrong::Hangs, occasion.to_string());
        Some((process, Misstep { wrong, when, what, place: None }))
    }
}

/// Looks after the steps of another thread, until it is dropped.
#[derive(Debug)]
pub struct Watchdog {
    _ends: Sender<()>,
}

impl Watchdog {
    /// Looks after these steps from now on. If one takes longer than the limit, `tell` hears which, once.
    ///
    /// # Errors
    ///
    /// If there is no thread for it.
    #[expect(clippy::disallowed_methods, reason = "the time a handler takes is not that of a run")]
    pub fn start(
        whereabouts: Whereabouts,
        limit: Duration,
        tell: impl FnOnce(ProcessId, Misstep) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (ends, ended) = channel::<()>();
        let look = move || {
            let mut since = (None, Instant::now());
            let mut last = Instant::now();
            while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(LOOK.min(limit)) {
                let step = whereabouts.step();
                // Who stood still, or had no processor, has not seen the handler run.
                let was_away = mem::replace(&mut last, Instant::now()).elapsed() > LOOK * 3;
                if was_away || step.is_none() || step != since.0 {
                    since = (step, Instant::now());
                } else if since.1.elapsed() >= limit
                    && let Some((process, misstep)) = whereabouts.misstep(limit)
                {
                    return tell(process, misstep);
                }
            }
        };
        thread::Builder::new().name("watchdog".to_owned()).spawn(look)?;
        Ok(Self { _ends: ends })
    }
}
