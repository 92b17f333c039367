//! Hunts: nothing is found in the algorithm, and each mistake is, without any other option.

use causal_mail::causal_mail::Mistake;
use labs::testing::{Program, every_mistake_shows, hunted, nothing_is_found};

const PROGRAM: Program = Program(env!("CARGO_BIN_EXE_causal-mail"));

#[test]
fn the_algorithm_is_not_accused() {
    nothing_is_found(PROGRAM);
}

#[test]
fn every_mistake_shows_without_options() {
    every_mistake_shows::<Mistake>(PROGRAM);
}

/// Some runs do not show it.
const SOMETIMES: [&str; 2] = ["--broken", "ignores-clock"];

#[test]
fn the_same_is_found_however_many_work() {
    let alone = hunted(PROGRAM, &[&SOMETIMES[..], &["--jobs", "1"]].concat());
    assert!(alone["violation"]["run"].as_u64() > Some(0), "{alone}");
    let together = hunted(PROGRAM, &[&SOMETIMES[..], &["--jobs", "4"]].concat());
    assert_eq!(alone, together);
    let other = hunted(PROGRAM, &[&SOMETIMES[..], &["--seed", "4"]].concat());
    assert_ne!(alone["violation"]["found_as"], other["violation"]["found_as"]);
    let runs = |jobs| hunted(PROGRAM, &["--runs", "50", "--jobs", jobs]);
    assert_eq!(runs("1"), runs("3"));
    assert_eq!(runs("2")["runs"], 50);
}
