//! What the tests of several files need.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::path::PathBuf;

/// The program of the smallest lab.
pub(crate) fn greet() -> PathBuf {
    example("greeting")
}

/// The program of an example, which `cargo test` builds beside the tests.
pub(crate) fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.parent().unwrap().parent().unwrap().join("examples").join(name);
    assert!(program.exists(), "run `cargo build -p labs-tool --example {name}` first");
    program
}
