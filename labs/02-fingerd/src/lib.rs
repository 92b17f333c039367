//! Lab 02: asking a remote service, by the Finger protocol of RFC 1288.
//!
//! One line in, the answer out, the server closes: there is hardly a smaller service. A client sends
//! a login (or nothing, for "who is there?"), the server runs the system's `finger` for it and sends
//! back what that prints.
//!
//! What makes it worth a lab is that the line comes from anybody. In 1988 the Internet worm entered
//! machines through their finger servers, which read the line into too small a buffer. A server
//! written in an afternoon has the same kind of hole in another place: it puts the line into a
//! command for a shell, and then `; rm -rf ~` is a query. Here
//!
//! * the line is understood before anything is done with it ([`query`]): what is no login is refused,
//!   and nothing runs;
//! * `finger` is started without a shell, the login as one argument behind `--`, in an empty
//!   environment and a process group of its own (`finger`);
//! * everything that a client or a child may take has a limit ([`limits`]): bytes, time, how many at
//!   once;
//! * a server that was started as root, for port 79, gives that up before it reads a byte
//!   ([`privileges`]).
//!
//! # Why one event loop
//!
//! Clients and the pipes of their children are sources of one mio loop on one thread ([`server`]): a
//! request is a small state machine, and all that waits, for a client or for a child, waits in one
//! place, where its deadline is known. What cannot be waited for in a loop is the built-in answer
//! (`built_in`), which asks the user database and reads home directories, and either may be on a network
//! that is down. It runs in a bounded number of threads, and a thread that hangs costs one of those.
//!
//! # What is left out
//!
//! Forwarding (`user@host`), which RFC 1288 lets a server refuse and whoever thinks of abuse should;
//! vending machines (section 2.5.5); several names in one query, which its grammar does not have though
//! some servers do.

#![forbid(unsafe_code)]

mod answer;
mod built_in;
pub mod cli;
pub mod client;
mod finger;
pub mod limits;
mod log_file;
mod pid_file;
pub mod privileges;
pub mod query;
mod records;
pub mod server;
mod workers;

/// The port of both roles unless another is named. The protocol's own, 79, is for root.
const PORT: u16 = 7979;
