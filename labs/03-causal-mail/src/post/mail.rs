//! A mail, and how it stands in a file that other mail programs read too: RFC 5322, with two more
//! headers.
//!
//! The body follows the first empty line as it was written, byte for byte.

use std::ffi::OsStr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use netkit::text;
use serde::{Deserialize, Serialize};

use super::address::Address;
use crate::ordering::{Envelope, Mailed};

/// A mail.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Mail {
    /// Which mail of its sender it is: with the sender, its identity.
    pub n: u64,
    /// When its server accepted it, in microseconds since 1970.
    pub sent_us: u64,
    /// From whom to whom, after what.
    pub envelope: Envelope<Address>,
    /// What it says.
    pub body: String,
}

impl Mailed<Address> for Mail {
    fn envelope(&self) -> &Envelope<Address> {
        &self.envelope
    }
}

/// The longest subject, in characters: what a list of mails shows.
const SUBJECT_MAX: usize = 60;

/// How many bytes of a subject go into one encoded word: with its frame it must stay below 75.
const WORD_MAX: usize = 42;

/// Lines of a header are folded beyond so many bytes: the limit is 998.
const LINE_MAX: usize = 900;

impl Mail {
    /// Its identity among all mails: `17.alice@a.org`.
    pub fn id(&self) -> String {
        format!("{}.{}", self.n, self.envelope.from)
    }

    /// The name of its file in a mailbox, the same wherever and however often it is delivered.
    pub fn file_name(&self) -> String {
        let sent = Duration::from_micros(self.sent_us);
        let from = &self.envelope.from;
        format!(
            "{}.M{:06}Q{}.{}={}",
            sent.as_secs(),
            sent.subsec_micros(),
            self.n,
            from.name(),
            from.domain()
        )
    }

    /// As it stands in a file.
    ///
    /// # Errors
    ///
    /// If its clock cannot be written, which has no reason.
    pub fn to_text(&self) -> serde_json::Result<String> {
        let Envelope { from, to, clock } = &self.envelope;
        let to: Vec<_> = to.iter().map(Address::to_string).collect();
        let clock = folded(&serde_json::to_string(clock)?);
        Ok(format!(
            "From: {from}\nTo: {to}\nDate: {date}\nSubject: {subject}\nMessage-ID: <{id}>\n\
             MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\
             Content-Transfer-Encoding: 8bit\nX-Causal-Sent: {n} {sent_us}\n\
             X-Causal-Clock: {clock}\n\n{body}",
            to = to.join(",\n "),
            date = self.date("%a, %d %b %Y %H:%M:%S +0000"),
            subject = encoded(&self.subject()),
            id = self.id(),
            n = self.n,
            sent_us = self.sent_us,
            body = self.body,
        ))
    }

    /// Reads what [`to_text`](Self::to_text) wrote. Nothing if it is something else.
    pub fn from_text(text: &str) -> Option<Self> {
        let (head, body) = text.split_once("\n\n")?;
        let head = head.replace("\n ", "");
        let header =
            |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let (n, sent_us) = header("X-Causal-Sent")?.split_once(' ')?;
        let to = header("To")?.split(',').map(str::parse).collect::<Result<_, _>>().ok()?;
        let envelope = Envelope {
            from: header("From")?.parse().ok()?,
            to,
            clock: serde_json::from_str(header("X-Causal-Clock")?).ok()?,
        };
        let (n, sent_us) = (n.parse().ok()?, sent_us.parse().ok()?);
        Some(Self { n, sent_us, envelope, body: body.to_owned() })
    }

    /// When it was sent, in UTC.
    pub fn date(&self, format: &str) -> String {
        let sent =
            i64::try_from(self.sent_us).ok().and_then(|us| Timestamp::from_microsecond(us).ok());
        sent.unwrap_or_default().to_zoned(TimeZone::UTC).strftime(format).to_string()
    }

    /// The first line that says something. Mail programs show it as it is, so it is made safe.
    fn subject(&self) -> String {
        let line = self.body.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("");
        text::one_line(&line.chars().take(SUBJECT_MAX).collect::<String>(), SUBJECT_MAX)
    }
}

/// Whether a file has such a name as [`Mail::file_name`] gives. Other programs give others.
pub fn is_file_name(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    let parts = || {
        let (seconds, rest) = name.split_once(".M")?;
        let (us, rest) = rest.split_once('Q')?;
        let (n, sender) = rest.split_once('.')?;
        Some([seconds, us, n].into_iter().all(is_number) && sender.contains('='))
    };
    parts() == Some(true)
}

/// Any text as a header: encoded words (RFC 2047) unless it is plain ASCII.
fn encoded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    let mut words = vec![String::new()];
    for c in text.chars() {
        if words.last().is_some_and(|word| word.len() + c.len_utf8() > WORD_MAX) {
            words.push(String::new());
        }
        words.iter_mut().last().into_iter().for_each(|word| word.push(c));
    }
    let words: Vec<_> =
        words.iter().map(|word| format!("=?utf-8?B?{}?=", STANDARD.encode(word))).collect();
    words.join("\n ")
}

/// In lines that are not too long. There is no space in it but those put in here.
fn folded(text: &str) -> String {
    let mut lines = Vec::new();
    let mut rest = text;
    while rest.len() > LINE_MAX {
        let (line, more) = rest.split_at(LINE_MAX); // An address, and so the text, is ASCII.
        lines.push(line);
        rest = more;
    }
    lines.push(rest);
    lines.join("\n ")
}

#[cfg(test)]
mod tests;
