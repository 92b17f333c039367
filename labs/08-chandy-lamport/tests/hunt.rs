//! Hunts: nothing is found in the algorithm, and each mistake is, without any other option.

use chandy_lamport::snapshot::Mistake;
use labs::testing::{Program, every_mistake_shows, nothing_is_found};

const PROGRAM: Program = Program(env!("CARGO_BIN_EXE_chandy-lamport"));

#[test]
fn the_algorithm_is_not_accused() {
    nothing_is_found(PROGRAM);
}

#[test]
fn every_mistake_shows_without_options() {
    every_mistake_shows::<Mistake>(PROGRAM);
}
