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

/// What may go to a terminal: control characters but the end of a line and the tabulator are
/// written out.
pub(crate) fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => printable.push(c),
            c if c.is_control() => printable.extend(c.escape_default()),
            c => printable.push(c),
        }
    }
    printable
}
