//! Which signals a program watches.
//!
//! A program that starts with a signal ignored is to leave it ignored: that is how `nohup` keeps a
//! program alive when its terminal closes, and a shell a command in the background when somebody
//! presses Ctrl-C.

use std::fs;

/// Those of the signals that are not ignored now. All, if the system does not say.
///
/// Nothing in this crate has a signal ignored, so this says what the program was started with.
#[must_use]
pub fn not_ignored(signals: &[i32]) -> Vec<i32> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = ignored(&status).unwrap_or_default();
    signals.iter().copied().filter(|&signal| !is_in(ignored, signal)).collect()
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
mod tests {
    use nix::sys::signal::Signal;

    use super::*;

    #[test]
    fn the_lowest_bit_is_the_first_signal() {
        let status = "Name:\tx\nSigBlk:\tffffffffffffffff\nSigIgn:\t0000000000001001\n";
        let set = ignored(status).unwrap();
        assert!(is_in(set, Signal::SIGHUP as i32) && is_in(set, Signal::SIGPIPE as i32));
        assert!(!is_in(set, Signal::SIGINT as i32));
        assert!(!is_in(u64::MAX, 0) && !is_in(u64::MAX, 65) && is_in(u64::MAX, 64));
        assert_eq!(ignored("SigIgn:\tx\n"), None);
    }

    /// Programs in Rust start with it ignored.
    #[test]
    fn what_this_process_ignores_is_left_out() {
        let [pipe, term] = [Signal::SIGPIPE as i32, Signal::SIGTERM as i32];
        assert_eq!(not_ignored(&[pipe, term]), [term]);
    }
}
