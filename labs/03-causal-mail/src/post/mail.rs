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
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use labs::clocks::SparseMatrix;
    use proptest::prelude::*;

    use super::super::address::{DOMAIN_MAX, NAME_MAX};
    use super::super::maildir::{self, Maildir};
    use super::*;

    fn mail(body: &str, known: u32) -> Mail {
        let address = |name: &str| Address::new(name, "a.org").unwrap();
        let mut clock = SparseMatrix::new();
        for i in 0..known {
            clock.tick(&address(&format!("user{i}")), &address("bob"));
        }
        let to: BTreeSet<_> = [address("bob"), address("carol")].into();
        let envelope = Envelope { from: address("alice"), to, clock: Arc::new(clock) };
        Mail { n: 7, sent_us: 1_763_800_000_123_456, envelope, body: body.to_owned() }
    }

    #[test]
    fn a_mail_in_a_file_is_one_that_other_programs_read() {
        let text = mail("Hello Bob,\n\nsee you: @ noon.\n", 1).to_text().unwrap();
        assert_eq!(
            text,
            "From: alice@a.org\nTo: bob@a.org,\n carol@a.org\nDate: Sat, 22 Nov 2025 08:26:40 +0000\n\
             Subject: Hello Bob,\nMessage-ID: <7.alice@a.org>\nMIME-Version: 1.0\n\
             Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\
             X-Causal-Sent: 7 1763800000123456\n\
             X-Causal-Clock: {\"user0@a.org\":{\"bob@a.org\":1}}\n\n\
             Hello Bob,\n\nsee you: @ noon.\n"
        );
        assert_eq!(mail("", 0).file_name(), "1763800000.M123456Q7.alice=a.org");
    }

    #[test]
    fn the_names_of_its_files_are_told_from_others() {
        assert!(is_file_name(mail("", 0).file_name().as_ref()));
        for other in ["", "x", "1.2.host", "1763800000.M1P2Q3.host", "1.M2Q3.alice", "1.MQ.a=b"] {
            assert!(!is_file_name(other.as_ref()), "{other}");
        }
    }

    /// Another server may send any number and date: a name that the file system refuses would stop
    /// this one.
    #[test]
    fn the_longest_file_name_fits_into_a_folder() {
        let address = Address::new(&"n".repeat(NAME_MAX), &"d".repeat(DOMAIN_MAX)).unwrap();
        let mut longest = mail("", 0);
        (longest.n, longest.sent_us) = (u64::MAX, u64::MAX);
        longest.envelope.from = address;
        let (name, folder) = (longest.file_name(), tempfile::tempdir().unwrap());
        let maildir = Maildir::open(folder.path().to_owned()).unwrap();
        let path = maildir.deliver(&name, &longest.to_text().unwrap()).unwrap();
        maildir.mark_seen(&path).unwrap();
        let seen = &maildir.files().unwrap()[0];
        assert_eq!(Mail::from_text(&maildir::read(seen).unwrap()), Some(longest));
    }

    #[test]
    fn a_subject_cannot_command_a_terminal() {
        let text = mail("\u{1b}[2Jhello\u{202e}\nX-Causal-Sent: 9 9\n", 1).to_text().unwrap();
        assert!(text.contains("\nSubject: \\u{1b}[2Jhello\\u{202e}\nMessage-ID"), "{text}");
    }

    #[test]
    fn long_headers_are_folded() {
        let long = mail(&"Žluťoučký kůň pěl ďábelské ódy ".repeat(4), 300);
        let text = long.to_text().unwrap();
        let (head, _) = text.split_once("\n\n").unwrap();
        assert!(head.lines().all(|line| line.len() < 998), "{head}");
        assert!(head.contains("Subject: =?utf-8?B?"));
        assert_eq!(Mail::from_text(&text), Some(long));
    }

    #[test]
    fn what_is_no_mail_of_ours_is_nothing() {
        for text in ["", "From: alice@a.org\n\nhello", "\n\n", "X-Causal-Sent: 1\n\n"] {
            assert_eq!(Mail::from_text(text), None);
        }
    }

    proptest! {
        #[test]
        fn any_body_comes_back_as_it_was(body in any::<String>()) {
            let mail = mail(&body, 2);
            prop_assert_eq!(Mail::from_text(&mail.to_text().unwrap()), Some(mail));
        }
    }
}
