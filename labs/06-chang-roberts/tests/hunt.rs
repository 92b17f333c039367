//! Hunts: nothing is found in the algorithm, and each mistake is, without any other option.

use chang_roberts::election::Mistake;
use labs::testing::{Program, every_mistake_shows, nothing_is_found};

const PROGRAM: Program = Program(env!("CARGO_BIN_EXE_chang-roberts"));

#[test]
fn the_algorithm_is_not_accused() {
    nothing_is_found(PROGRAM);
}

#[test]
fn every_mistake_shows_without_options() {
    every_mistake_shows::<Mistake>(PROGRAM);
}
