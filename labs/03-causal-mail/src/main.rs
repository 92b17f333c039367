//! Lab 03: e-mail in causal order.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use causal_mail::lab::CausalMailLab;

fn main() -> ExitCode {
    labs::cli::main::<CausalMailLab>()
}
