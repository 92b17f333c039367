//! Lab 04: mutual exclusion by a coordinator.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use mutex_central::lab::MutexCentralLab;

fn main() -> ExitCode {
    labs::cli::main::<MutexCentralLab>()
}
