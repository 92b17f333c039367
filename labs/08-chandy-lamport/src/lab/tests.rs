//! What daemons are told, what is refused, and what is made of the files that a run leaves.

use clap::Parser;

use super::*;
use crate::bank::Transfer;
use crate::work::Message;
use labs::files::LocalDisk;

#[derive(Debug, Parser)]
struct CommandLine {
    #[command(flatten)]
    options: Options,
}

fn options(words: &str) -> Options {
    let line = std::iter::once("lab").chain(words.split_whitespace());
    CommandLine::try_parse_from(line).unwrap().options
}

/// Options of a run in a folder of its own.
fn prepared(place: &Path, words: &str, processes: u32) -> Options {
    let mut options = options(words);
    options.dir = Some(place.join("checkpoints"));
    ChandyLamportLab::prepare(&mut options, Verb::Run, processes).unwrap();
    options
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

fn write_wave(options: &Options, number: u32, processes: u32, execution: &str) {
    for process in 0..processes {
        let checkpoint = checkpoint(number, process, processes, execution);
        checkpoint.write(&mut LocalDisk, options.dir.as_ref().unwrap()).unwrap();
    }
}

/// What a daemon is told fits, however many processes there are, and each finds its own state.
#[test]
fn each_of_four_hundred_processes_reads_its_own_file() {
    const N: u32 = 400;
    let place = tempfile::tempdir().unwrap();
    let mut options = prepared(place.path(), "--waves 1", N);
    let mut checkpoint = checkpoint(1, 0, N, "one");
    let from = options.dir.clone().unwrap();
    checkpoint.write(&mut LocalDisk, &from).unwrap();
    checkpoint.process = ProcessId(N - 1);
    checkpoint.channels.remove(&ProcessId(N - 1));
    checkpoint.channels.insert(ProcessId(0), Vec::new());
    checkpoint.write(&mut LocalDisk, &from).unwrap();
    options.restored = Some(Restored {
        from,
        in_place: true,
        wave: checkpoint.wave,
        execution: "one".to_owned(),
        processes: N,
        total: 40_000,
        first: 2,
        discarded: vec!["much to tell".to_owned(); 1_000],
    });
    let told = serde_json::to_vec(&options).unwrap();
    assert!(told.len() < 2_048, "{} bytes", told.len());
    let options: Options = serde_json::from_slice(&told).unwrap();
    let restore = |rank| {
        let place = Place::simulated(rank, N);
        let plain =
            ChandyLamportLab::process(&Options { restored: None, ..options.clone() }, &place);
        ChandyLamportLab::restore(&options, &place, plain)
    };
    let last = restore(N - 1).unwrap();
    assert_eq!(last, options.resumed(checkpoint));
    assert_eq!(last, ChandyLamportLab::process(&options, &Place::simulated(N - 1, N)));
    let missing = restore(1).unwrap_err();
    assert!(missing.contains("wave-1-by-p0.p1-of-400.checkpoint"), "{missing}");
    let mut other = options.clone();
    other.restored.as_mut().unwrap().execution = "other".to_owned();
    let foreign = other.restored.unwrap().checkpoint(ProcessId(0)).unwrap_err();
    assert!(foreign.contains("of another execution"), "{foreign}");
}

#[test]
fn files_of_another_execution_are_not_this_run_s() {
    let place = tempfile::tempdir().unwrap();
    let options = prepared(place.path(), "--waves 2", 2);
    let judged = || judge_files(&options, 2, true, true);
    write_wave(&options, 1, 2, &options.execution);
    write_wave(&options, 2, 2, "other");
    assert_eq!(judged().0, Some(false), "{}", judged().1);
    assert!(judged().1.starts_with("1 of 2 waves are complete"), "{}", judged().1);
    write_wave(&options, 2, 2, &options.execution);
    assert_eq!(judged().0, Some(true), "{}", judged().1);
    // Nor are waves with numbers that it does not use.
    write_wave(&options, 3, 2, "other");
    assert_eq!(judged().0, Some(true), "{}", judged().1);
}

/// On machines that share no disk the launcher sees its own files only.
#[test]
fn without_a_shared_disk_the_files_are_not_judged() {
    let place = tempfile::tempdir().unwrap();
    let options = prepared(place.path(), "--waves 2", 2);
    checkpoint(1, 0, 2, &options.execution)
        .write(&mut LocalDisk, options.dir.as_ref().unwrap())
        .unwrap();
    let verdict = ChandyLamportLab::judge_remains(&options, 2, true, false).remove(0);
    assert_eq!(verdict.holds, None, "{}", verdict.detail);
    assert!(verdict.detail.contains("give --dir a path that all machines share"));
    let verdict = ChandyLamportLab::judge_remains(&options, 2, true, true).remove(0);
    assert_eq!(verdict.holds, Some(false), "{}", verdict.detail);
    let verdict = ChandyLamportLab::judge_remains(&options, 2, false, true).remove(0);
    assert_eq!(verdict.holds, None, "{}", verdict.detail);
}

#[test]
fn numbers_are_taken_before_they_are_used() {
    let place = tempfile::tempdir().unwrap();
    let options = prepared(place.path(), "--waves 30 --initiators 0,1", 2);
    let dir = options.dir.clone().unwrap();
    assert_eq!(Owner::of(&dir).unwrap(), Some(options.owner()));
    assert_eq!(options.owner().last_number, 30);
}
