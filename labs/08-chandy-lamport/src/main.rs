//! Lab 08: distributed checkpoints.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use chandy_lamport::lab::ChandyLamportLab;

fn main() -> ExitCode {
    labs::cli::main::<ChandyLamportLab>()
}
