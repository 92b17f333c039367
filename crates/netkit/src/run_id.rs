//! The name of one run.
//!
//! A run is named by the time at which it starts (UTC, so that names sort) and four random digits,
//! so that two that start in the same second differ: `20261122-071500-3f9a`. The name becomes a
//! folder on every machine of the run and an argument of every process, by which what is left of
//! the run is found ([`reap`](crate::reap)). Since it comes to a daemon from elsewhere, its form is
//! checked: no text with a slash, a dot or a space in it is ever a name.

use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The name of one run, such as `20261122-071500-3f9a`; always of that form.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(String);

impl RunId {
    /// The name of a run that starts now.
    ///
    /// # Panics
    ///
    /// If the system has no randomness to give, which a running Linux always has.
    #[expect(
        clippy::new_without_default,
        reason = "a default would not be a different one each time"
    )]
    pub fn new() -> RunId {
        let mut random = [0; 2];
        getrandom::fill(&mut random).expect("the system gives randomness");
        // 2026-11-22T07:15:00Z, without the signs between its parts.
        let now = humantime::format_rfc3339_seconds(SystemTime::now().max(UNIX_EPOCH)).to_string();
        let now = now.replace(['-', ':', 'Z'], "").replace('T', "-");
        RunId(format!("{now}-{:04x}", u16::from_be_bytes(random)))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for RunId {
    type Err = RunIdError;

    fn from_str(text: &str) -> Result<RunId, RunIdError> {
        let fits = text.len() == FORM.len()
            && text.bytes().zip(FORM.bytes()).all(|(byte, form)| match form {
                b'd' => byte.is_ascii_digit(),
                b'x' => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
                _ => byte == form,
            });
        if fits { Ok(RunId(text.to_owned())) } else { Err(RunIdError) }
    }
}

/// The form of a name: `d` stands for a decimal digit, `x` for a hexadecimal one.
const FORM: &str = "dddddddd-dddddd-xxxx";

impl TryFrom<String> for RunId {
    type Error = RunIdError;

    fn try_from(text: String) -> Result<RunId, RunIdError> {
        text.parse()
    }
}

impl From<RunId> for String {
    fn from(run: RunId) -> String {
        run.0
    }
}

/// A text that is not the name of a run.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("not the name of a run; one looks like 20261122-071500-3f9a")]
pub struct RunIdError;

#[cfg(test)]
mod tests;
