//! What the tests of several files need.

use std::path::PathBuf;

/// The program of the smallest lab, which `cargo test` builds beside the tests.
pub(crate) fn greet() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.parent().unwrap().parent().unwrap().join("examples/greeting");
    assert!(program.exists(), "run `cargo build -p labs-tool --example greeting` first");
    program
}
