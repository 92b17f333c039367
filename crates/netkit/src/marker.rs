//! The one line by which a daemon says whether it is ready, for the process that started it.
//!
//! `@@netkit ok PID` or `@@netkit error TEXT`. It is looked for anywhere in what the command
//! prints, since over SSH a `.bashrc` may have printed something before, even without ending its
//! line.

use std::fmt;
use std::time::Duration;

use crate::text::one_line;

/// How much may be printed before the marker, in bytes. A login that greets at greater length is
/// broken, and its output must not fill memory.
pub(crate) const MAX_OUTPUT: usize = 64 << 10;

/// How long a command may take to end once its daemon has said that it is ready. It has nothing
/// left to do then; one that goes on did not detach.
pub(crate) const END_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest text of an error, in characters.
pub(crate) const MAX_ERROR: usize = 1000;

const START: &[u8] = b"@@netkit ";

/// What the daemon said.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Marker {
    /// It is ready, and this is its process number.
    Ok(u32),
    /// It could not start, and this is why.
    Error(String),
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Marker::Ok(pid) => write!(f, "@@netkit ok {pid}"),
            Marker::Error(text) => write!(f, "@@netkit error {}", one_line(text, MAX_ERROR)),
        }
    }
}

/// What a command has printed so far, and the marker in it.
#[derive(Debug, Default)]
pub(crate) struct Output {
    bytes: Vec<u8>,
    too_much: bool,
}

impl Output {
    /// Adds bytes that were just read. Bytes beyond [`MAX_OUTPUT`] are dropped.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let room = MAX_OUTPUT - self.bytes.len();
        self.too_much |= bytes.len() > room;
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// Whether more was printed than is looked at.
    pub(crate) fn too_much(&self) -> bool {
        self.too_much
    }

    /// The first complete marker.
    pub(crate) fn marker(&self) -> Option<Marker> {
        let mut rest = &self.bytes[..];
        while let Some(at) = find(rest, START) {
            rest = &rest[at + START.len()..];
            let end = rest.iter().position(|&byte| byte == b'\n')?;
            if let Some(marker) = parse(&rest[..end]) {
                return Some(marker);
            }
        }
        None
    }

    /// The last line that says something: most often the reason why there is no marker.
    pub(crate) fn last_line(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.bytes);
        let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
        Some(one_line(line, 200))
    }
}

/// Reads what stands between `@@netkit ` and the end of the line.
fn parse(line: &[u8]) -> Option<Marker> {
    let line = String::from_utf8_lossy(line);
    match line.trim_end().split_once(' ')? {
        ("ok", pid) => pid.parse().ok().filter(|&pid| pid != 0).map(Marker::Ok),
        ("error", text) => Some(Marker::Error(one_line(text, MAX_ERROR))),
        _ => None,
    }
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests;
