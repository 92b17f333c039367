//! Golden runs, told step by step: see `tests/scripts`.

use failure_detector::lab::FailureDetectorLab;
use labs::testing::run_scripts;

#[test]
fn scripts() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts");
    let usual = "--interval 100ms --duration 900ms --threshold 1";
    run_scripts::<FailureDetectorLab>(folder, usual, &[]);
}
