//! Starting threads where there may be no more: an account in a lab room has few processes
//! (`ulimit -u`), threads count among them, and a thread that cannot be made is no reason to panic.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle, Scope, ScopedJoinHandle};

use nix::errno::Errno;

/// Starts a thread.
///
/// # Errors
///
/// If there can be no more threads; the error says so, and what to do.
pub fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    thread::Builder::new().name(name.to_owned()).spawn(work).map_err(explained)
}

/// Starts a thread that ends before the scope does.
///
/// # Errors
///
/// As [`spawn`].
pub fn spawn_scoped<'scope, 'env, T: Send + 'scope>(
    scope: &'scope Scope<'scope, 'env>,
    name: &str,
    work: impl FnOnce() -> T + Send + 'scope,
) -> io::Result<ScopedJoinHandle<'scope, T>> {
    thread::Builder::new().name(name.to_owned()).spawn_scoped(scope, work).map_err(explained)
}

/// Does the same work in up to so many threads at once, and waits for all of them. Where there can be
/// fewer, fewer do it, and this thread too: the work is done in any case.
pub fn in_several(most: usize, name: &str, work: impl Fn() + Sync) {
    thread::scope(|scope| {
        if !(0..most).all(|_| spawn_scoped(scope, name, &work).is_ok()) {
            work();
        }
    });
}

/// Does the same with all of them, at most so many at once; the results are in their order.
///
/// # Panics
///
/// If the work does.
pub fn map<T: Sync, R: Send>(all: &[T], most: usize, work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(all.len()));
    in_several(all.len().min(most), "one-of-several", || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(one) = all.get(at) else { return };
            let result = work(one);
            results.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Whether there can be so many more threads: they are made, and end at once. It is for libraries that
/// panic where a thread cannot be made.
///
/// # Errors
///
/// As [`spawn`].
pub fn check_room(most: usize) -> io::Result<()> {
    let until_all_are_made = Mutex::new(());
    thread::scope(|scope| {
        let _making = until_all_are_made.lock();
        let wait = || drop(until_all_are_made.lock());
        (0..most).try_for_each(|_| spawn_scoped(scope, "room", wait).map(drop))
    })
}

/// What to do if this machine has run out of something; none if the error is another one.
pub fn way_out(error: &io::Error) -> Option<&'static str> {
    match Errno::from_raw(error.raw_os_error()?) {
        Errno::EAGAIN => {
            Some("end other programs of yours, or raise the limit of processes (see `ulimit -u`)")
        }
        Errno::EMFILE => Some("raise the limit of open files (see `ulimit -n`), or start fewer"),
        Errno::ENFILE => Some("this machine has too many open files: end other programs"),
        Errno::ENOMEM => Some("this machine is short of memory: end other programs"),
        _ => None,
    }
}

fn explained(error: io::Error) -> io::Error {
    let hint = way_out(&error).map(|hint| format!("; {hint}")).unwrap_or_default();
    io::Error::new(error.kind(), format!("cannot start a thread: {error}{hint}"))
}

#[cfg(test)]
mod tests;
