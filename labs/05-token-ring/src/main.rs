//! Lab 05: launching over SSH, a ring, and mutual exclusion by token.

use std::process::ExitCode;

use token_ring::lab::TokenRingLab;

fn main() -> ExitCode {
    labs::cli::main::<TokenRingLab>()
}
