//! What is said beside a report while it is in the making.

use std::io::Write as _;

/// Says something on standard error. That nobody can hear it is no reason to fail.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
