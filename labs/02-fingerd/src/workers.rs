//! Threads for the built-in answer, which may have to wait for a disk or a network.
//!
//! A thread is started when all others are busy, up to a number, and stays. There is no queue: when
//! all are busy, the server says so. One that hangs in the system cannot be ended; it only counts
//! as busy for ever.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use mio::{Token, Waker};

use crate::built_in::Sources;
use crate::query::Query;

/// The threads of a server.
pub(crate) struct Workers {
    sources: Arc<Sources>,
    /// The ways to threads that have nothing to do.
    idle: Vec<Sender<Job>>,
    started: usize,
    max: usize,
    done: Receiver<Done>,
    to_done: Sender<Done>,
    waker: Arc<Waker>,
}

/// A query, and the connection that asks it.
struct Job {
    asker: Token,
    query: Query,
}

/// An answer, and the thread that is free again.
struct Done {
    asker: Token,
    text: String,
    worker: Sender<Job>,
}

impl Workers {
    /// Up to `max` threads, none started. `waker` is used when there is an answer to take.
    pub(crate) fn new(sources: Sources, max: usize, waker: Waker) -> Workers {
        let (to_done, done) = channel();
        let (sources, waker) = (Arc::new(sources), Arc::new(waker));
        Workers { sources, idle: Vec::new(), started: 0, max, done, to_done, waker }
    }

    /// Has a query answered. `false` if all threads are busy.
    ///
    /// # Errors
    ///
    /// If the system has no thread left.
    pub(crate) fn ask(&mut self, asker: Token, query: Query) -> io::Result<bool> {
        let worker = match self.idle.pop() {
            Some(worker) => worker,
            None if self.started < self.max => self.start()?,
            None => return Ok(false),
        };
        worker.send(Job { asker, query }).expect("a worker that is idle waits for a job");
        Ok(true)
    }

    /// The next answer that is ready, if one is.
    pub(crate) fn answer(&mut self) -> Option<(Token, String)> {
        let done = self.done.try_recv().ok()?;
        self.idle.push(done.worker);
        Some((done.asker, done.text))
    }

    fn start(&mut self) -> io::Result<Sender<Job>> {
        let (own, jobs) = channel::<Job>();
        let worker = own.clone();
        let (sources, to_done) = (Arc::clone(&self.sources), self.to_done.clone());
        let waker = Arc::clone(&self.waker);
        thread::Builder::new().name(format!("answer-{}", self.started)).spawn(move || {
            for Job { asker, query } in jobs {
                let text = sources.answer(&query);
                let done = Done { asker, text, worker: own.clone() };
                // The server has ended, or its loop has: nobody wants an answer any more.
                if to_done.send(done).is_err() || waker.wake().is_err() {
                    return;
                }
            }
        })?;
        self.started += 1;
        Ok(worker)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::time::Duration;

    use mio::{Events, Poll};
    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(60);

    #[test]
    fn a_thread_that_hangs_counts_as_busy_until_it_no_longer_does() {
        // Login records that are a pipe without a writer: a thread that opens them hangs.
        let folder = tempfile::tempdir().unwrap();
        let utmp = folder.path().join("utmp");
        mkfifo(&utmp, Mode::S_IRWXU).unwrap();
        let sources = Sources { utmp: utmp.clone(), ..Sources::of_this_machine() };
        let mut poll = Poll::new().unwrap();
        let waker = Waker::new(poll.registry(), Token(0)).unwrap();
        let mut workers = Workers::new(sources, 1, waker);
        let who_is_there = Query { verbose: false, login: None };
        assert!(workers.ask(Token(4), who_is_there.clone()).unwrap());
        assert!(!workers.ask(Token(6), who_is_there.clone()).unwrap());
        assert!(workers.answer().is_none());
        // This waits for the thread to open its end, and then there is nothing to read.
        for asker in [Token(4), Token(8)] {
            drop(OpenOptions::new().write(true).open(&utmp).unwrap());
            poll.poll(&mut Events::with_capacity(1), Some(TIMEOUT)).unwrap();
            let answer = workers.answer();
            assert_eq!(answer, Some((asker, "No one logged on.\n".to_owned())));
            // The same thread is asked again.
            assert!(workers.ask(Token(8), who_is_there.clone()).unwrap());
            assert_eq!(workers.started, 1);
        }
        // Nobody waits for the last.
        drop(OpenOptions::new().write(true).open(&utmp).unwrap());
    }
}
