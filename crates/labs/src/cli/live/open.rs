//! Opens a page in the browser of whoever sits here.

use std::process::{Command, Stdio};

/// Opens a file or an address, if there is a display to show it on. Returns whether a browser was asked;
/// what becomes of it is not waited for.
pub fn open(what: &str) -> bool {
    let has_display = ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    if !has_display {
        return false;
    }
    let mut command = Command::new("xdg-open");
    command.arg(what).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().is_ok()
}
