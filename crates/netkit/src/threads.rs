//! Starting threads where there may be no more: an account in a lab room has few processes
//! (`ulimit -u`), threads count among them, and a thread that cannot be made is no reason to panic.

use std::io;
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
mod tests {
    use super::*;

    #[test]
    fn what_this_machine_is_short_of_has_a_way_out() {
        let of = |errno: Errno| way_out(&io::Error::from(errno));
        assert!(of(Errno::EAGAIN).unwrap().contains("ulimit -u"));
        assert!(of(Errno::EMFILE).unwrap().contains("ulimit -n"));
        assert_eq!(of(Errno::ENOENT), None);
        let error = explained(Errno::EAGAIN.into());
        assert!(error.to_string().starts_with("cannot start a thread: "), "{error}");
        assert!(error.to_string().contains("(os error 11); end other programs"), "{error}");
    }
}
