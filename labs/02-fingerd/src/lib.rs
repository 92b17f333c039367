//! Lab 02: asking a remote service, by the Finger protocol of RFC 1288.
//!
//! A client sends one line, the server sends the answer and closes: there is hardly a smaller
//! service. The line is a login, or empty for "who is there?". The server runs the system's
//! `finger` for it and sends back what that prints.
//!
//! It is worth a lab because anybody may send the line. In 1988 the Internet worm entered
//! machines through their finger servers, which read the line into too small a buffer. A server
//! written in an afternoon has the same kind of hole in another place: it puts the line into a
//! command for a shell, and then `; rm -rf ~` is a query. Here
//!
//! * the line is understood before anything is done with it ([`query`]): a line that is no login is
//!   refused, and nothing runs;
//! * `finger` is started without a shell, the login as one argument behind `--`, in an empty
//!   environment and a process group of its own (`finger`);
//! * everything that a client or a child may take has a limit ([`limits`]): bytes, time, how many
//!   at once;
//! * a server that was started as root, for port 79, gives that up before it reads a byte
//!   ([`privileges`]).
//!
//! # Why one event loop
//!
//! Clients and the pipes of their children are sources of one mio loop on one thread ([`server`]):
//! a request is a small state machine. The loop waits for clients and children in one place, where
//! all deadlines are known. It cannot wait for the built-in answer (`built_in`), which asks the
//! user database and reads home directories: either may be on a network that is down. So that
//! answer is made in a bounded number of threads, and a thread that hangs costs one of those.
//!
//! # What is left out
//!
//! Forwarding (`user@host`): RFC 1288 lets a server refuse it, and because of abuse a server
//! should. Vending machines (section 2.5.5). Several names in one query: some servers take them,
//! but the grammar of the RFC does not have them.

#![forbid(unsafe_code)]

mod answer;
mod built_in;
pub mod cli;
pub mod client;
mod family;
mod finger;
mod keeper;
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
