//! Golden runs, told step by step: see `tests/scripts`.

mod common;

use failure_detector::two_levels::TwoLevels;
use labs::script::run_dir;

#[test]
fn scripts() {
    run_dir::<TwoLevels>(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts"), &[], |opening| {
        let number = |key: &str, default: u32| match opening.arguments.get(key) {
            None => Ok(default),
            Some(text) => text.parse::<u32>().map_err(|_| format!("{key}={text} is no number")),
        };
        let options = common::checked(number("threshold", 1)?, number("rounds", 9)?);
        let processes = opening.processes;
        Ok((common::system(processes, &options), common::specs(processes, &options)))
    })
    .unwrap();
}
