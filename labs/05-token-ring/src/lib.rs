//! Lab 05: launching over SSH, a ring, and mutual exclusion by token.
//!
//! The algorithm is in [`token_ring`], its mistakes in [`broken`]; [`lab`] says what is demanded of it and
//! what it costs, and [`shared_file`] is what the processes write to in their critical sections.

#![forbid(unsafe_code)]

pub mod broken;
pub mod lab;
pub mod shared_file;
pub mod token_ring;
