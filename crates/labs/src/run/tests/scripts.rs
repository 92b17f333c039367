//! Golden scripts: how a launcher and its participants come through a run, told step by step.

use std::path::Path;
use std::time::Duration;

use super::world::{Ask, Terms, nodes, rules};
use crate::script::{Opening, run_dir};

#[test]
fn the_scripts_of_a_run() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/run/tests/scripts");
    let ranks = 0..4;
    let mut asks = vec![Ask::Die, Ask::Interrupt];
    asks.extend(ranks.flat_map(|rank| [Ask::Started(rank), Ask::NotStarted(rank)]));
    let build = |opening: &Opening| {
        let participants = opening.processes.checked_sub(1).ok_or("the launcher is one")?;
        let plan = opening.arguments.get("plan").map_or("", String::as_str);
        let longest = Duration::from_secs(600);
        let terms =
            Terms { participants, mistake: None, longest, watches: false, has_clock: false };
        Ok((nodes(terms, rules(plan)), Vec::new()))
    };
    run_dir(folder, &asks, build).unwrap();
}
