//! What daemons are told, what is refused, and what is made of the files that a run leaves.

use clap::{Args as _, FromArgMatches as _};
use labs::files::LocalDisk;

use super::*;
use crate::bank::Transfer;
use crate::claim::Owner;
use crate::work::Message;

fn typed(words: &str) -> Options {
    let command = Options::augment_args(clap::Command::new("lab").no_binary_name(true));
    let matches = command.get_matches_from(words.split_whitespace());
    Options::from_arg_matches(&matches).unwrap()
}

/// A run in a folder of its own.
fn planned(place: &std::path::Path, words: &str, processes: u32) -> ChandyLamportLab {
    let options = Options { dir: Some(place.join("checkpoints")), ..typed(words) };
    let world = World { verb: Verb::Run, processes: Some(processes), seed: 1 };
    ChandyLamportLab::plan(options, &world).unwrap()
}

fn store(lab: &ChandyLamportLab) -> &Store {
    lab.store.as_ref().unwrap()
}

fn checkpoint(number: u32, process: u32, processes: u32, execution: &str) -> Checkpoint {
    let others = (0..processes).filter(|&other| other != process).map(ProcessId);
    let message = Message::Transfer(Transfer { count: 1, amount: 1 });
    Checkpoint {
        wave: Wave { number, initiator: ProcessId(0) },
        process: ProcessId(process),
        processes,
        execution: execution.to_owned(),
        state: State::Bank(Account { count: 1, money: 99 }),
        held: vec![(ProcessId((process + 1) % processes), message)],
        channels: others.map(|other| (other, Vec::new())).collect(),
    }
}

fn write_wave(lab: &ChandyLamportLab, number: u32, processes: u32, execution: &str) {
    for process in 0..processes {
        let checkpoint = checkpoint(number, process, processes, execution);
        checkpoint.write(&mut LocalDisk, &store(lab).dir).unwrap();
    }
}

/// What a daemon is told fits, however many processes there are, and each finds its own state.
#[test]
fn each_of_four_hundred_processes_reads_its_own_file() {
    const N: u32 = 400;
    let place = tempfile::tempdir().unwrap();
    let mut lab = planned(place.path(), "--waves 1", N);
    let plain = lab.process(&Place::simulated(1, N));
    let mut checkpoint = checkpoint(1, 0, N, "one");
    let from = store(&lab).dir.clone();
    checkpoint.write(&mut LocalDisk, &from).unwrap();
    checkpoint.process = ProcessId(N - 1);
    checkpoint.channels.remove(&ProcessId(N - 1));
    checkpoint.channels.insert(ProcessId(0), Vec::new());
    checkpoint.write(&mut LocalDisk, &from).unwrap();
    lab.restored = Some(Restored {
        from,
        in_place: true,
        wave: checkpoint.wave,
        execution: "one".to_owned(),
        processes: N,
        total: 40_000,
        first: 2,
        discarded: vec!["much to tell".to_owned(); 1_000],
    });
    let told = serde_json::to_vec(&lab).unwrap();
    assert!(told.len() < 2_048, "{} bytes", told.len());
    let lab: ChandyLamportLab = serde_json::from_slice(&told).unwrap();
    let restore = |rank| lab.restore(&Place::simulated(rank, N), plain.clone());
    let last = restore(N - 1).unwrap();
    assert_eq!(last, lab.resumed(checkpoint));
    assert_eq!(last, lab.process(&Place::simulated(N - 1, N)));
    let missing = restore(1).unwrap_err();
    assert!(missing.contains("wave-1-by-p0.p1-of-400.checkpoint"), "{missing}");
    let mut other = lab.restored.clone().unwrap();
    other.execution = "other".to_owned();
    let foreign = other.checkpoint(ProcessId(0)).unwrap_err();
    assert!(foreign.contains("of another execution"), "{foreign}");
}

/// The verdict on the files of a run that came to its end, or not, on one machine, or more.
fn judged(lab: &ChandyLamportLab, complete: bool, one_machine: bool) -> Verdict {
    lab.remains(Remains { complete, one_machine }).remove(0)
}

#[test]
fn files_of_another_execution_are_not_this_run_s() {
    let place = tempfile::tempdir().unwrap();
    let lab = planned(place.path(), "--waves 2", 2);
    let execution = store(&lab).owner.execution.clone();
    write_wave(&lab, 1, 2, &execution);
    write_wave(&lab, 2, 2, "other");
    let verdict = judged(&lab, true, true);
    assert_eq!(verdict.holds(), Some(false), "{verdict:?}");
    assert!(verdict.detail().starts_with("1 of 2 waves are complete"), "{verdict:?}");
    write_wave(&lab, 2, 2, &execution);
    assert_eq!(judged(&lab, true, true).holds(), Some(true));
    // Nor are waves with numbers that it does not use.
    write_wave(&lab, 3, 2, "other");
    assert_eq!(judged(&lab, true, true).holds(), Some(true));
}

/// On machines that share no disk the launcher sees its own files only.
#[test]
fn without_a_shared_disk_the_files_are_not_judged() {
    let place = tempfile::tempdir().unwrap();
    let lab = planned(place.path(), "--waves 2", 2);
    let Store { dir, owner, .. } = store(&lab);
    checkpoint(1, 0, 2, &owner.execution).write(&mut LocalDisk, dir).unwrap();
    let verdict = judged(&lab, true, false);
    assert_eq!(verdict.holds(), None, "{verdict:?}");
    assert!(verdict.detail().contains("give --dir a path that all machines share"));
    assert_eq!(judged(&lab, true, true).holds(), Some(false));
    assert_eq!(judged(&lab, false, true).holds(), None);
}

#[test]
fn numbers_are_taken_before_they_are_used() {
    let place = tempfile::tempdir().unwrap();
    let lab = planned(place.path(), "--waves 30 --initiators 0,1", 2);
    let Store { dir, owner, .. } = store(&lab);
    assert_eq!(Owner::of(dir).unwrap().as_ref(), Some(owner));
    assert_eq!(owner.last_number, 30);
}

#[test]
fn in_check_of_more_than_three_processes_two_send() {
    let planned = |verb, processes, words| {
        ChandyLamportLab::plan(typed(words), &World { verb, processes: Some(processes), seed: 1 })
    };
    let senders = |verb, processes, words| planned(verb, processes, words).unwrap().senders;
    assert_eq!(senders(Verb::Check, 3, ""), [0, 1, 2]);
    assert_eq!(senders(Verb::Check, 4, ""), [0, 1]);
    assert_eq!(senders(Verb::Check, 4, "--senders 3"), [3]);
    assert_eq!(senders(Verb::Simulate, 4, ""), [0, 1, 2, 3]);
    let refused = |words| planned(Verb::Check, 4, words).unwrap_err();
    assert!(refused("--senders 4").contains("--senders 4: processes are numbered 0 to 3"));
    assert!(refused("--senders 0,0").contains("--senders: one is named twice"));
}
