//! Lab 05: launching over SSH, a ring, and mutual exclusion by token.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use token_ring::lab::TokenRingLab;

fn main() -> ExitCode {
    labs::cli::main::<TokenRingLab>()
}
