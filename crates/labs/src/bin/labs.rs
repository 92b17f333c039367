//! `labs`: looks at what runs left.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    labs::cli::tool::main()
}
