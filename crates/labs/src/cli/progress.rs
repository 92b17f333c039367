//! What is said on a terminal while one waits.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Nothing is said of what is over sooner.
const QUIET: Duration = Duration::from_secs(1);

/// One line on standard error that is written over again; in a pipe, nothing.
pub struct Progress {
    started: Instant,
    on_terminal: bool,
    shown: bool,
}

impl Progress {
    /// From now on, with nothing to say yet.
    #[expect(clippy::new_without_default, reason = "it begins at a moment, and a default has none")]
    pub fn new() -> Self {
        Self { started: now(), on_terminal: std::io::stderr().is_terminal(), shown: false }
    }

    /// Shows how far it is, once it has taken a moment.
    pub fn say(&mut self, message: &str) {
        if self.on_terminal && self.started.elapsed() > QUIET {
            self.shown = true;
            // Carriage return and "erase to the end of the line".
            let _ = write!(std::io::stderr(), "\r\u{1b}[K{message}");
        }
    }

    /// Takes away what is shown.
    pub fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = write!(std::io::stderr(), "\r\u{1b}[K");
        }
    }

    /// How long it has taken so far.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

/// The clock of this machine. People and other programs live in real time; no process of a lab asks it.
#[expect(clippy::disallowed_methods, reason = "how long a person waits is a matter of real time")]
pub fn now() -> Instant {
    Instant::now()
}
