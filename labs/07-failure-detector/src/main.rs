//! Lab 07: heartbeats in a two-level system.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use failure_detector::lab::FailureDetectorLab;

fn main() -> ExitCode {
    labs::cli::main::<FailureDetectorLab>()
}
