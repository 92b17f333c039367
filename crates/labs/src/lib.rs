//! What the labs share.
//!
//! An algorithm is a [`process::Process`]: a state machine without I/O. The same source runs in
//! three worlds: as real processes on real machines, in a seeded simulator, and under a model
//! checker. Every run ends in a verdict, computed from happened-before.

#![forbid(unsafe_code)]

mod chance;
pub mod check;
pub mod cli;
pub mod clocks;
pub mod export;
pub mod faults;
pub mod hunt;
pub mod lab;
pub mod logs;
pub mod misstep;
pub mod mutant;
pub mod overlay;
mod peers;
mod planned;
pub mod plot;
pub mod process;
pub mod record;
pub mod replay;
pub mod report;
pub mod run;
pub mod said;
pub mod script;
pub mod shared_file;
pub mod simulate;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod text;
pub mod trace;
pub mod verdict;
pub mod view;

pub use netkit::files;
