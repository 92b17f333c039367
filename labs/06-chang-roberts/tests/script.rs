//! Golden runs, told step by step: see `tests/scripts`.

mod common;

use chang_roberts::identities::Initiators;
use chang_roberts::lab::ChangRobertsLab;
use common::{CLOSINGS, ELECTS};
use labs::script::run_dir;
use labs::testing::{ProcessOf, System};

#[test]
fn scripts() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts");
    run_dir::<ProcessOf<ChangRobertsLab>>(folder, &[], |opening| {
        let argument = |key: &str| opening.arguments.get(key).map(String::as_str);
        let number = |text: &str| text.parse::<u64>().map_err(|_| format!("{text} is no number"));
        let identities = argument("ids").ok_or("ids=1,2,3 is missing")?;
        let identities = identities.split(',').map(number).collect::<Result<Vec<_>, _>>()?;
        let processes = opening.processes;
        if identities.len() != processes as usize {
            return Err(format!("{} identities for {processes} processes", identities.len()));
        }
        let initiators = match argument("initiators").unwrap_or("all").parse()? {
            Initiators::All => processes,
            Initiators::Some(count) => count,
        };
        let closing = match argument("closing") {
            None | Some("forward") => CLOSINGS[0],
            Some("first") => CLOSINGS[1],
            Some(other) => return Err(format!("closing={other}")),
        };
        let elect = match argument("elect") {
            None | Some("max") => ELECTS[0],
            Some("min") => ELECTS[1],
            Some(other) => return Err(format!("elect={other}")),
        };
        let system = System::new(common::given(&identities, initiators, elect, closing));
        Ok((system.processes(), system.properties))
    })
    .unwrap();
}
