//! Golden runs, told step by step: see `tests/scripts`.

mod common;

use std::collections::BTreeMap;

use chandy_lamport::bank::{Account, Transfer};
use chandy_lamport::checkpoint::Checkpoint;
use chandy_lamport::snapshot::{Request, Snapshot};
use chandy_lamport::wave::Wave;
use chandy_lamport::work::{Message, State, Work};
use labs::lab::{Lab, Place, Verb};
use labs::process::ProcessId;
use labs::script::run_dir;

#[test]
fn scripts() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts");
    run_dir::<Snapshot<Work>>(folder, &[Request::Snapshot], |opening| {
        let processes = opening.processes;
        let words: Vec<_> = opening
            .arguments
            .iter()
            .filter(|(key, _)| *key != "restored")
            .map(|(key, value)| format!("--{key} {value}"))
            .collect();
        let words = words.join(" ");
        let (lab, all) = match opening.arguments.contains_key("restored") {
            true => common::resumed(Verb::Check, &words, checkpoints(processes)),
            false => {
                let lab = common::checked(processes, &words).lab;
                let process = |rank| lab.process(&Place::simulated(rank, processes));
                let all = (0..processes).map(process).collect();
                (lab, all)
            }
        };
        Ok((all, lab.demanded()))
    })
    .unwrap();
}

/// A wave in which 5 is in transit to each process from the one before, and 2 held back by it for the
/// next.
fn checkpoints(processes: u32) -> Vec<Checkpoint> {
    let transfer = |amount| Message::Transfer(Transfer { count: 1, amount });
    let checkpoint = |rank| {
        let before = ProcessId((rank + processes - 1) % processes);
        let next = ProcessId((rank + 1) % processes);
        let others = (0..processes).map(ProcessId).filter(|other| other.0 != rank);
        let mut channels: BTreeMap<_, _> = others.map(|other| (other, Vec::new())).collect();
        channels.insert(before, vec![transfer(5)]);
        Checkpoint {
            wave: Wave { number: 4, initiator: ProcessId(0) },
            process: ProcessId(rank),
            processes,
            execution: "script".to_owned(),
            state: State::Bank(Account { count: 1, money: 10 }),
            held: vec![(next, transfer(2))],
            channels,
        }
    };
    (0..processes).map(checkpoint).collect()
}
