//! `labs`: looks at what runs left.

use std::process::ExitCode;

fn main() -> ExitCode {
    labs::cli::tool::main()
}
