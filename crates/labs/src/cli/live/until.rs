//! Reading with a deadline for all of it, however little comes at once.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use crate::cli::progress::now;

/// Reads from a socket until a point in time.
pub struct Until<'a, S> {
    /// What is read from.
    pub stream: &'a S,
    /// How its time-out is set.
    pub set_timeout: fn(&S, Option<Duration>) -> io::Result<()>,
    /// The point in time. What comes later is an error, [`TimedOut`](io::ErrorKind::TimedOut).
    pub deadline: Instant,
}

impl<S> Read for Until<'_, S>
where
    for<'b> &'b S: Read,
{
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        // No time at all would mean all the time of the world.
        let left = self.deadline.saturating_duration_since(now()).max(Duration::from_millis(1));
        (self.set_timeout)(self.stream, Some(left))?;
        let read = (&*self.stream).read(into);
        if now() >= self.deadline { Err(io::ErrorKind::TimedOut.into()) } else { read }
    }
}
