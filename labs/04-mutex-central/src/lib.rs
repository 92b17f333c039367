//! Lab 04: mutual exclusion by a coordinator.
//!
//! The algorithm is in [`mutex`], with its two sides in [`coordinator`] and [`client`], what they say to each
//! other in [`messages`], what the coordinator writes down in [`book`], and mistakes in [`mistake`].
//! [`properties`] and [`lab`] say what is demanded of it and what it costs. [`shared_file`] is what clients
//! write to in their critical sections, [`state_file`] what the coordinator starts again from. [`roles`] are
//! the coordinator and the client as programs of their own.

#![forbid(unsafe_code)]

pub mod book;
pub mod client;
pub mod coordinator;
pub mod lab;
pub mod messages;
pub mod mistake;
pub mod mutex;
pub mod properties;
pub mod roles;
pub mod shared_file;
pub mod state_file;
