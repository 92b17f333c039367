//! Lab 05: launching over SSH, a ring, and mutual exclusion by token.
//!
//! The algorithm and its mistakes are in [`token_ring`], what is demanded of it alone in [`properties`];
//! [`lab`] says what it costs, and [`shared_file`] is what the processes write to in their critical sections.

#![forbid(unsafe_code)]

pub mod lab;
pub mod properties;
pub mod shared_file;
pub mod token_ring;
