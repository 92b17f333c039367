//! Lab 06: leader election on a ring, and numbering.
//!
//! Two algorithms, one on top of the other: [`election`] on the ring, [`numbering`] on the election, with
//! their mistakes beside them. [`identities`] says which process is called what and which ones start,
//! [`theory`] what it costs, [`properties`] and [`lab`] what is demanded. [`sweep`] measures many runs and
//! draws them.

#![forbid(unsafe_code)]

pub mod election;
pub mod identities;
pub mod lab;
pub mod numbering;
pub mod properties;
pub mod sweep;
pub mod theory;
