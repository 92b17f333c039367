//! The files, each way in which they can be wrong, and what is left in a folder.

use std::fs;

use super::*;
use crate::bank::{Account, Transfer};
use crate::counter::Tally;
use labs::files::LocalDisk;

const N: u32 = 3;

/// A checkpoint of this wave, with messages in it.
fn checkpoint(number: u32, process: u32, execution: &str) -> Checkpoint {
    let transfer = |count, amount| Message::Transfer(Transfer { count, amount });
    let others = (0..N).filter(|&other| other != process).map(ProcessId);
    Checkpoint {
        wave: Wave { number, initiator: ProcessId(0) },
        process: ProcessId(process),
        processes: N,
        execution: execution.to_owned(),
        state: State::Bank(Account { count: 7, money: 90 }),
        held: vec![(ProcessId((process + 1) % N), transfer(8, 3))],
        channels: others.map(|other| (other, vec![transfer(1, 2), transfer(2, 5)])).collect(),
    }
}

fn write_wave(folder: &Path, number: u32, processes: &[u32], execution: &str) {
    for &process in processes {
        checkpoint(number, process, execution).write(&mut LocalDisk, folder).unwrap();
    }
}

fn last(folder: &Path) -> Result<u32, String> {
    let found = || {
        let folder = Folder::open(folder)?;
        folder.wave(folder.last_complete()?)
    };
    let all = found().map_err(|error: CheckpointError| error.to_string())?;
    assert_eq!(all.len(), N as usize);
    Ok(all[0].wave.number)
}

#[test]
fn what_is_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    write_wave(folder.path(), 2, &[0, 1, 2], "one");
    let all = Folder::open(folder.path()).unwrap().wave(checkpoint(2, 0, "one").wave).unwrap();
    let expected: Vec<_> = (0..N).map(|process| checkpoint(2, process, "one")).collect();
    assert_eq!(all, expected);
    assert_eq!(all[0].worth(), 90 + 3 + 2 * (2 + 5));
    assert_eq!(all[0].file_name(), "wave-2-by-p0.p0-of-3.checkpoint");
}

#[test]
fn the_last_complete_wave_counts_and_the_rest_is_discarded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_wave(path, 1, &[0, 1, 2], "one");
    write_wave(path, 2, &[0, 1, 2], "one");
    write_wave(path, 3, &[0, 2], "one");
    fs::write(path.join("wave-4-by-p0.p1-of-3.checkpoint.new"), "half of").unwrap();
    fs::write(path.join("notes.txt"), "mine").unwrap();
    assert_eq!(last(path), Ok(2));
    let before = Folder::open(path).unwrap();
    assert_eq!(before.last_number(), 4);
    assert_eq!(
        before.incomplete(),
        ["wave 3@p0 was not complete, 2 of 3 files: discarded", "1 file unfinished: discarded"]
    );
    before.discard_incomplete(3).unwrap();
    assert_eq!(Folder::open(path).unwrap().entries(), 2 * 3 + 2 + 2, "numbers below 3");
    before.discard_incomplete(5).unwrap();
    assert_eq!(fs::read_dir(path).unwrap().count(), 2 * 3 + 1, "what is not ours stays");
    assert_eq!(last(path), Ok(2));
}

#[test]
fn nothing_complete_is_nothing_to_go_on_from() {
    let folder = tempfile::tempdir().unwrap();
    write_wave(folder.path(), 1, &[0, 1], "one");
    assert!(last(folder.path()).unwrap_err().contains("no wave is complete"));
    let error = Folder::open(&folder.path().join("nowhere")).unwrap_err().to_string();
    assert!(error.contains("cannot read the folder"), "{error}");
}

/// A damaged file is not passed over for an older wave: somebody must know.
#[test]
fn a_file_with_any_byte_changed_or_missing_is_refused() {
    let bytes = checkpoint(1, 0, "one").to_bytes().unwrap();
    assert!(Checkpoint::from_bytes(&bytes).is_ok());
    for place in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        assert!(Checkpoint::from_bytes(&changed).is_err(), "byte {place} changed");
        assert!(Checkpoint::from_bytes(&bytes[..place]).is_err(), "{place} bytes left");
    }
    let mut longer = bytes.clone();
    longer.push(b'\n');
    assert!(Checkpoint::from_bytes(&longer).is_err());
    let folder = tempfile::tempdir().unwrap();
    write_wave(folder.path(), 1, &[0, 1, 2], "one");
    write_wave(folder.path(), 2, &[0, 1, 2], "one");
    let path = folder.path().join("wave-2-by-p0.p1-of-3.checkpoint");
    fs::write(&path, &bytes[..bytes.len() - 9]).unwrap();
    let error = last(folder.path()).unwrap_err();
    assert!(error.contains("wave-2-by-p0.p1-of-3") && error.contains("damaged"), "{error}");
    assert!(!error.contains('\n'), "{error}");
}

#[test]
fn a_file_under_a_wrong_name_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    write_wave(folder.path(), 1, &[0, 1, 2], "one");
    let path = |p: u32| folder.path().join(checkpoint(1, p, "").file_name());
    fs::copy(path(0), path(1)).unwrap();
    let error = last(folder.path()).unwrap_err();
    assert!(error.contains("another file than its name says"), "{error}");
}

/// Two halves of two executions are not a state in which the system was.
#[test]
fn files_of_two_executions_are_no_wave() {
    let folder = tempfile::tempdir().unwrap();
    write_wave(folder.path(), 1, &[0, 1], "one");
    write_wave(folder.path(), 1, &[2], "other");
    let error = last(folder.path()).unwrap_err();
    assert!(error.contains("of another execution"), "{error}");
}

#[test]
fn what_no_process_writes_is_refused() {
    let refused = |change: &dyn Fn(&mut Checkpoint)| {
        let mut checkpoint = checkpoint(1, 0, "one");
        change(&mut checkpoint);
        Checkpoint::from_bytes(&checkpoint.to_bytes().unwrap()).unwrap_err()
    };
    assert!(refused(&|c| c.processes = 1).contains("from 2 to"));
    assert!(refused(&|c| c.processes = u32::MAX).contains("from 2 to"));
    assert!(refused(&|c| c.process = ProcessId(3)).contains("not among"));
    assert!(refused(&|c| c.held[0].0 = ProcessId(9)).contains("not among"));
    assert!(refused(&|c| _ = c.channels.insert(ProcessId(0), Vec::new())).contains("not among"));
    assert!(refused(&|c| _ = c.channels.remove(&ProcessId(2))).contains("1 channels of 2"));
    let bank = |count, money| State::Bank(Account { count, money });
    let tally = |count| State::Counter(Tally { count, greatest: u64::MAX });
    for state in [bank(u64::MAX, 0), tally(u64::MAX)] {
        assert!(refused(&|c| c.state = state).contains("counts more than"));
    }
    let rich = Message::Transfer(Transfer { count: 1, amount: u64::MAX });
    assert!(refused(&|c| c.state = bank(1, u64::MAX)).contains("holds more than"));
    assert!(refused(&|c| c.held[0].1 = rich).contains("holds more than"));
    assert!(
        refused(&|c| c.channels.get_mut(&ProcessId(1)).unwrap()[0] = rich).contains("holds more")
    );
}

#[test]
fn names_are_read_as_they_are_written_and_no_other_way() {
    let wave = Wave { number: 12, initiator: ProcessId(3) };
    let name = file_name(wave, ProcessId(4), 5);
    assert_eq!(parse_name(&name), Some((wave, ProcessId(4), 5)));
    for other in [
        "wave-012-by-p3.p4-of-5.checkpoint",
        "wave-12-by-p3.p4-of-5.checkpoint.new",
        "wave-12-by-p3.p4-of-5",
        "wave-12-by-p3.p+4-of-5.checkpoint",
        "wave-99999999999-by-p3.p4-of-5.checkpoint",
        "wave--by-p.p-of-.checkpoint",
        "",
    ] {
        assert_eq!(parse_name(other), None, "{other}");
    }
    let huge = format!("wave-1-by-p0.p0-of-{}.checkpoint", u32::MAX);
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(huge), "").unwrap();
    assert!(last(folder.path()).is_err());
}

proptest::proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        let _ = Checkpoint::from_bytes(&bytes);
        let mut whole = heading(&bytes).into_bytes();
        whole.push(b'\n');
        whole.extend(&bytes);
        proptest::prop_assert!(Checkpoint::from_bytes(&whole).is_err());
    }
}

/// The most that a checkpoint may hold, in each of the most processes, is no overflow.
#[test]
fn what_is_accepted_can_be_added_and_counted_on() {
    assert!(WORTH_MAX.checked_mul(u64::from(PROCESSES_MAX)).is_some());
    let mut most = checkpoint(1, 0, "one");
    most.held.clear();
    most.channels.values_mut().for_each(Vec::clear);
    most.state = State::Bank(Account { count: COUNT_MAX, money: WORTH_MAX });
    assert_eq!(Checkpoint::from_bytes(&most.to_bytes().unwrap()), Ok(most));
}

/// A pipe under the name of a checkpoint is not waited for.
#[test]
fn what_is_no_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    write_wave(folder.path(), 1, &[0, 1], "one");
    let path = folder.path().join("wave-1-by-p0.p2-of-3.checkpoint");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(last(folder.path()).unwrap_err().contains("it is not an ordinary file"));
}
