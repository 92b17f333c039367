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
mod tests;
