//! Lab 03: e-mail in causal order.
//!
//! Servers, each in charge of one domain, forward mail to each other; users talk only to their own
//! server. FIFO channels are not enough to keep answers behind what they answer: a matrix clock is,
//! see [`ordering`].
//!
//! The order is a state machine that two worlds use. In one, servers and users are processes
//! without I/O ([`causal_mail`]), for `run`, `simulate` and `check`. In the other they are programs
//! with disks, passwords and a prompt ([`post`]).

#![forbid(unsafe_code)]

pub mod causal_mail;
pub mod correspondence;
pub mod courier;
pub mod lab;
pub mod ordering;
pub mod post;
pub mod properties;
pub mod short_clocks;
pub mod study;
pub mod tools;
