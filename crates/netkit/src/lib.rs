//! Framed TCP and UDP, SSH launching, daemons and logs.

pub mod daemon;
pub mod hosts;
pub mod launch;
pub mod logs;
pub mod reap;
pub mod run_id;
pub mod ssh;

mod marker;
mod text;
