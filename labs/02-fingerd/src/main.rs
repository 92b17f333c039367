//! Lab 02: asking a remote service, by the Finger protocol.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    fingerd::cli::main()
}
