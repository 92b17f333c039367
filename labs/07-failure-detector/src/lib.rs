//! Lab 07: heartbeats in a two-level system, and how good they are.
//!
//! The algorithm is in [`two_levels`]: two detectors, each with its [`heartbeats`], its [`lists`]
//! and the [`changes`] that it tells the other. [`properties`] is what is demanded of it,
//! [`theory`] how good a detector is that loses messages, [`quality`] how good it was. [`sweep`]
//! measures many runs and draws them. [`screen`] shows a run while it goes on. [`trouble`] is what goes wrong in
//! a simulated run unless the student says it.

#![forbid(unsafe_code)]

pub mod changes;
pub mod findings;
pub mod heartbeats;
pub mod lab;
pub mod lists;
pub mod live;
pub mod properties;
pub mod quality;
pub mod screen;
pub mod sweep;
pub mod table;
pub mod theory;
pub mod trouble;
pub mod two_levels;
