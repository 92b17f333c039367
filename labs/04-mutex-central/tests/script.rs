//! Golden runs, told step by step: see `tests/scripts`.

mod common;

use labs::process::ProcessId;
use labs::script::run_dir;
use mutex_central::lab::Options;
use mutex_central::mutex::{Mutex, Request};

#[test]
fn scripts() {
    let requests = [Request::Lost(ProcessId(1)), Request::Lost(ProcessId(2)), Request::Refused(1)];
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts");
    run_dir::<Mutex>(folder, &requests, |opening| {
        let number = |key: &str, default| match opening.arguments.get(key) {
            Some(text) => text.parse().map_err(|_| format!("{key}={text} is no number")),
            None => Ok(default),
        };
        let options = Options::new(
            number("entries", 1)?,
            number("work", 0)?,
            number("lease", 0)?,
            number("retry", 0)?,
        );
        let processes = opening.processes;
        Ok((common::all(processes, &options), common::specs(processes, &options)))
    })
    .unwrap();
}
