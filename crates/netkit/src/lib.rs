//! Framed TCP and UDP, SSH launching, daemons and logs.

pub mod daemon;
pub mod hosts;
pub mod logs;
pub mod reap;
pub mod run_id;

mod marker;
mod text;
