//! Waiting for something that only looking can tell.

use std::thread;
use std::time::{Duration, Instant};

/// How often to look.
const PAUSE: Duration = Duration::from_millis(10);

/// Waits until `found` finds something, and returns it.
///
/// # Panics
///
/// If that takes longer than `at_most`.
pub fn wait_until<T>(what: &str, at_most: Duration, mut found: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(value) = found() {
            return value;
        }
        assert!(begin.elapsed() < at_most, "waited {at_most:?} in vain: {what}");
        thread::sleep(PAUSE);
    }
}
