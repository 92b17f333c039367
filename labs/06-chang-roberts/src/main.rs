//! Lab 06: leader election on a ring, and numbering.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use chang_roberts::lab::ChangRobertsLab;

fn main() -> ExitCode {
    labs::cli::main::<ChangRobertsLab>()
}
