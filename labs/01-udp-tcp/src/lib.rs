//! Lab 01: client and server over UDP and TCP.
//!
//! Every distributed program is built on one of two ways to send bytes. This lab has a server and a
//! client for each way, and nothing of ours in between: they send text, and `nc` can take the place
//! of any of them.
//!
//! * UDP sends *datagrams*. Each arrives whole or not at all, once or twice, in any order, and
//!   nobody tells the sender. [`udp_server`] shows what arrives, and what was cut off;
//!   [`udp_client`] shows how little its sender learns.
//! * TCP sends a *stream*. Every byte arrives, once, in order; but the stream does not say where
//!   one `write` ended and the next began. A program that wants messages must mark their ends; here
//!   the end of a line is one ([`tcp_server::Messages`]). [`tcp_server`] serves all its clients
//!   from one thread; [`tcp_client`] begins, and ends, a connection.
//!
//! These are roles, not verbs: there is no algorithm here that could be simulated or checked.
//!
//! Sources: RFC 768 (UDP), RFC 9293 (TCP); Stevens, *UNIX Network Programming*, volume 1, chapters
//! 4 to 8.

#![forbid(unsafe_code)]

use clap::Args;
use netkit::sockets::ANYWHERE;

pub mod cli;
mod signals;
pub mod tcp_client;
pub mod tcp_server;
pub mod udp_client;
pub mod udp_server;

/// The port of both servers unless another is named. Any from 1024 on would do: those below are for
/// root.
const PORT: u16 = 9875;

/// Where a server listens.
#[derive(Args, Clone, Debug)]
pub struct Listen {
    /// The own address to listen at; all of them, of IPv4 and IPv6, unless one is named
    #[arg(long, value_name = "ADDR", default_value = ANYWHERE)]
    pub bind: String,
    /// The port to listen at; 0 takes a free one
    #[arg(long, default_value_t = PORT)]
    pub port: u16,
}

/// A number of things in words: "1 read", "2 reads".
fn count(n: impl Into<u64>, thing: &str) -> String {
    match n.into() {
        1 => format!("1 {thing}"),
        n => format!("{n} {thing}s"),
    }
}
