//! What the tests of this lab share.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::path::Path;

use labs::testing::{Program, Running, System, wait_until};
use token_ring::lab::TokenRingLab;

/// A ring of so many processes, closed in one way or the other.
pub(crate) fn ring(processes: u32, laps: u64, entries: u64, closing: &str) -> System<TokenRingLab> {
    let options = format!("--laps {laps} --entries {entries} --closing {closing}");
    // A token that doubled at every hop would never let the run come to rest.
    let limits = labs::simulate::Limits { events: 20_000, ..Default::default() };
    System::typed(processes, &options).within(limits)
}

pub(crate) const CLOSINGS: [&str; 2] = ["forward", "first"];

/// The lab's program.
pub(crate) const PROGRAM: Program = Program(env!("CARGO_BIN_EXE_token-ring"));

/// Starts a run that would last for minutes, and waits until the token circulates: until `file`, to
/// which the processes write, has some lines.
pub(crate) fn circulating(file: &Path, arguments: &[&str]) -> Running {
    let mut all = vec!["run", "--laps", "1000000", "--work", "1", "--timeout", "120", "--file"];
    all.push(file.to_str().unwrap());
    all.extend(arguments);
    let running = PROGRAM.start(&all);
    wait_until_circulating(file);
    // From now on it knows its name, whatever becomes of the processes.
    assert!(!running.run().is_empty());
    running
}

pub(crate) fn wait_until_circulating(file: &Path) {
    wait_until("the token circulates", || {
        std::fs::read_to_string(file).is_ok_and(|text| text.lines().count() > 20)
    });
}
