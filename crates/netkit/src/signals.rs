//! Which signals a program watches.
//!
//! A program that starts with a signal ignored is to leave it ignored: that is how `nohup` keeps a
//! program alive when its terminal closes.
//!
//! There is one exception. A script starts each command in the background with SIGINT and SIGQUIT
//! ignored, so that Ctrl-C ends the script and not the command. But what is watched here ends
//! cleanly at SIGINT, and scripts send it for that. So where both are ignored, SIGINT is watched
//! all the same.

use std::fs;
use std::io;

use nix::libc::c_int;
use nix::sys::signal::{SigHandler, Signal, signal};

/// Lets a write beyond the limit of the length of files (`ulimit -f`) fail as one on a full disk does.
/// By itself it ends the program with SIGXFSZ, without a word. Each program calls this first.
///
/// The signal is handled, and not ignored: programs that this one starts have its usual effect again.
pub fn let_long_writes_fail() {
    extern "C" fn pass(_: c_int) {}
    // SAFETY: the handler does nothing, which is safe at any moment. The system has no reason to
    // refuse; if it did, all would be as before.
    let _ = unsafe { signal(Signal::SIGXFSZ, SigHandler::Handler(pass)) };
}

/// From now on this program does not outlive the one that started it: the system kills it when `parent`,
/// the number of that one, has ended, however that came about.
///
/// # Errors
///
/// If it has ended already, or the system refuses.
pub fn end_with(parent: u32) -> io::Result<()> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
    if std::os::unix::process::parent_id() == parent {
        return Ok(());
    }
    Err(io::Error::other(format!("process {parent}, which this one was to end with, has ended")))
}

/// Those of the signals that are to be watched, as they are not ignored now. All, if the system does
/// not say.
///
/// Nothing in this crate has a signal ignored, so this says what the program was started with.
#[must_use]
pub fn not_ignored(signals: &[i32]) -> Vec<i32> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = chosen(ignored(&status).unwrap_or_default());
    signals.iter().copied().filter(|&signal| !is_in(ignored, signal)).collect()
}

/// Those that somebody had ignored by choice, and not by starting a program in the background.
fn chosen(ignored: u64) -> u64 {
    let [interrupt, quit] = [Signal::SIGINT as i32, Signal::SIGQUIT as i32];
    let is_background = is_in(ignored, interrupt) && is_in(ignored, quit);
    if is_background { ignored & !(1 << (interrupt - 1)) } else { ignored }
}

/// The set of ignored signals in `/proc/PID/status`: a number in which signal 1 is the lowest bit.
fn ignored(status: &str) -> Option<u64> {
    let set = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(set.trim(), 16).ok()
}

fn is_in(set: u64, signal: i32) -> bool {
    let bit = u32::try_from(signal - 1).ok().and_then(|bit| 1_u64.checked_shl(bit));
    bit.is_some_and(|bit| set & bit != 0)
}

#[cfg(test)]
mod tests;
