//! Lab 01: client and server over UDP and TCP.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    udp_tcp::cli::main()
}
