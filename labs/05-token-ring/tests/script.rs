//! Golden runs, told step by step: see `tests/scripts`.

use labs::testing::run_scripts;
use token_ring::lab::TokenRingLab;

#[test]
fn scripts() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts");
    run_scripts::<TokenRingLab>(folder, "--laps 1", &[]);
}
