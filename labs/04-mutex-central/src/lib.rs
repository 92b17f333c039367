//! Lab 04: mutual exclusion by a coordinator.
//!
//! The algorithm is in [`mutex`], with its two sides in [`coordinator`] and [`client`], and its mistakes in
//! [`broken`]; [`lab`] says what is demanded of it and what it costs. [`shared_file`] is what clients write to
//! in their critical sections, [`state_file`] what the coordinator starts again from. [`roles`] are the
//! coordinator and the client as programs of their own.

#![forbid(unsafe_code)]

pub mod broken;
pub mod client;
pub mod coordinator;
pub mod lab;
pub mod mutex;
pub mod roles;
pub mod shared_file;
pub mod state_file;
