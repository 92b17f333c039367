//! The post: mail servers and their clients as programs, with disks, passwords and a prompt.
//!
//! ```text
//!  alice ── client ──┐                                   ┌── client ── bob
//!                    ├── server a.org ─────── server b.org ┤
//!                    │        └──────┐   ┌──────┘          └── boxes/bob/{tmp,new,cur}
//!          boxes/alice/…          server c.org ── client ── carol
//! ```
//!
//! A server has one listening socket. A program that connects says with its first frame what it is:
//! another server begins netkit's handshake and proves that it knows the secret of all servers
//! ([`wire`]); a client opens its box with a password ([`passwords`]). Everything that matters is
//! on disk before it is acknowledged ([`store`]): a server may be killed at any moment. What the
//! clients order, they order with the state machine that the simulator uses too
//! ([`ordering`](crate::ordering)).

pub mod address;
pub mod attempts;
pub mod client;
pub mod demo;
pub mod mail;
pub mod maildir;
pub mod passwords;
pub mod secret;
pub mod server;
pub mod servers_file;
pub mod session;
pub mod store;
pub mod wire;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The moment, for time-outs.
#[expect(clippy::disallowed_methods, reason = "real servers and clients wait in real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Time since 1970.
#[expect(clippy::disallowed_methods, reason = "a mail bears the date of its sending")]
pub(crate) fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// One line that a person typed or a file holds, without its end: LF or CRLF.
pub(crate) fn without_end(line: &str) -> &str {
    let line = line.strip_suffix('\n').unwrap_or(line);
    line.strip_suffix('\r').unwrap_or(line)
}

/// The first line of a text, without the mark that some programs put at the beginning.
pub(crate) fn first_line(text: &str) -> &str {
    let text = text.strip_prefix(labs::files::BYTE_ORDER_MARK).unwrap_or(text);
    without_end(text.split_inclusive('\n').next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_as_on_any_system() {
        for text in ["word", "word\n", "word\r\n", "word\r", "word\r\nmore\r\n", "\u{feff}word\r\n"]
        {
            assert_eq!(first_line(text), "word", "{text:?}");
        }
        assert_eq!(first_line(" a word \n"), " a word ");
        assert_eq!(first_line(""), "");
    }
}
