//! Golden runs, told step by step: see `tests/scripts`.

use labs::process::ProcessId;
use labs::script::run_dir;
use labs::testing::{ProcessOf, System};
use mutex_central::lab::MutexCentralLab;
use mutex_central::messages::Request;

#[test]
fn scripts() {
    let requests = [Request::Lost(ProcessId(1)), Request::Lost(ProcessId(2)), Request::Refused(1)];
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts");
    run_dir::<ProcessOf<MutexCentralLab>>(folder, &requests, |opening| {
        let pairs = opening.arguments.iter().map(|(key, value)| format!(" --{key} {value}"));
        let usual = "--entries 1 --lease 0 --retry 0".to_owned();
        let options = usual + &pairs.collect::<String>();
        let system = System::<MutexCentralLab>::typed(opening.processes, &options);
        Ok((system.processes(), system.properties))
    })
    .unwrap();
}
