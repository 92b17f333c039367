//! Lab 06: leader election on a ring, and numbering.
//!
//! Two algorithms, one on top of the other: [`election`] on the ring, [`numbering`] on the election. Their
//! mistakes are in [`broken`]; [`identities`] says who is called what and who starts, [`theory`] what it
//! costs, [`lab`] what is demanded. [`sweep`] measures many runs and draws them.

#![forbid(unsafe_code)]

pub mod broken;
pub mod election;
pub mod identities;
pub mod lab;
pub mod numbering;
pub mod sweep;
pub mod theory;
