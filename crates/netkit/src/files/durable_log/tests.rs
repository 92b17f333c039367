mod power;

use std::fs;

use proptest::prelude::*;

use super::*;

const MAX: u64 = 1 << 20;

fn opened(path: &Path) -> (DurableLog, Contents) {
    DurableLog::open(LocalDisk, path, MAX).unwrap().unwrap()
}

/// A log with two turns of two entries.
fn two_turns(path: &Path) -> DurableLog {
    let mut log = DurableLog::create(LocalDisk, path, ["begin"]).unwrap();
    for turn in [["a", "b"], ["c", "d\r"]] {
        turn.iter().for_each(|entry| log.append(entry));
        log.commit().unwrap();
    }
    log
}

fn why(path: &Path) -> String {
    let Err(error) = DurableLog::open(LocalDisk, path, MAX) else { panic!("it is opened") };
    error.to_string()
}

#[test]
fn what_was_committed_is_there_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    assert!(DurableLog::open(LocalDisk, &path, MAX).unwrap().is_none());
    let mut log = two_turns(&path);
    assert!(!log.is_dirty());
    log.append("lost");
    assert!(log.is_dirty());
    drop(log);
    let (mut log, contents) = opened(&path);
    assert_eq!(contents.snapshot, ["begin"]);
    assert_eq!(contents.turns, ["a", "b", "c", "d\r"]);
    assert_eq!(parse(&fs::read(&path).unwrap()).unwrap(), contents);
    log.append("");
    log.commit().unwrap();
    assert_eq!(opened(&path).1.turns, ["a", "b", "c", "d\r", ""]);
}

#[test]
fn a_commit_of_nothing_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let mut log = two_turns(&path);
    let before = fs::read(&path).unwrap();
    log.commit().unwrap();
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_compacted_log_holds_the_snapshot_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let mut log = two_turns(&path);
    assert!(log.is_long(50) && !log.is_long(1_000));
    log.append("e");
    log.compact(["a b c d e"]).unwrap();
    assert!(!log.is_long(0) && !log.is_dirty());
    log.append("f");
    log.commit().unwrap();
    drop(log);
    let (log, contents) = opened(&path);
    assert_eq!((contents.snapshot, contents.turns), (vec!["a b c d e".into()], vec!["f".into()]));
    assert!(!log.is_long(0), "the snapshot is longer than what follows");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn what_a_crash_interrupted_is_cut_off_and_kept_beside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    drop(two_turns(&path));
    let whole = fs::read(&path).unwrap();
    let last = whole.len() - HEADER_AND_TWO - 1;
    for length in last + 1..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let (mut log, contents) = opened(&path);
        assert_eq!(contents.turns, ["a", "b"], "{length}");
        let torn = fs::read(folder.path().join("log.torn")).unwrap();
        assert_eq!(torn, whole[last..length]);
        log.append("after");
        log.commit().unwrap();
        assert_eq!(opened(&path).1.turns, ["a", "b", "after"], "{length}");
    }
}

/// What stands before the entries `c` and `d\r`, and these, without the last end of a line.
const HEADER_AND_TWO: usize = 43 + 4;

#[test]
fn damage_that_no_crash_does_is_named_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    drop(two_turns(&path));
    let whole = fs::read(&path).unwrap();
    let last = whole.len() - HEADER_AND_TWO - 1;
    for at in 0..last {
        let mut spoilt = whole.clone();
        spoilt[at] ^= 1;
        fs::write(&path, &spoilt).unwrap();
        let why = why(&path);
        let is_named = why.starts_with("it is no log of this program");
        assert!(is_named || why.starts_with("it is damaged at byte "), "{at}: {why}");
        assert_eq!(fs::read(&path).unwrap(), spoilt);
    }
    // A block is missing, comes twice, or the file ends within its snapshot.
    let first = 44 + HEADER_AND_TWO - 4 + "begin\n".len();
    let blocks = [&whole[..first], &whole[first..last], &whole[last..]];
    for wrong in [
        [blocks[0], blocks[2], &[]].concat(),
        [blocks[0], blocks[1], blocks[1]].concat(),
        whole[..first - 1].to_vec(),
        whole[..44].to_vec(),
    ] {
        fs::write(&path, wrong).unwrap();
        assert!(why(&path).starts_with("it is damaged at byte "));
    }
}

#[test]
fn a_file_that_is_no_log_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    for text in ["", "{}\n", "labs-log 2 00\n", "labs-log 1 zz\n"] {
        fs::write(&path, text).unwrap();
        assert!(why(&path).starts_with("it is no log of this program"), "{text}");
        assert_eq!(is_log(text.as_bytes()), text.starts_with("labs-log 1"));
    }
    drop(two_turns(&path));
    let refused = |path: &Path, max| DurableLog::open(LocalDisk, path, max).map(drop).unwrap_err();
    assert_eq!(refused(&path, 99).to_string(), "it is longer than 99 bytes");
    assert!(refused(folder.path(), MAX).to_string().contains("not an ordinary file"));
}

#[test]
fn no_text_in_a_log_looks_like_a_block_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let (path, other) = (folder.path().join("log"), folder.path().join("other"));
    drop(two_turns(&other));
    let foreign = fs::read(&other).unwrap();
    let mut log = two_turns(&path);
    for line in std::str::from_utf8(&foreign).unwrap().lines() {
        log.append(line);
    }
    log.commit().unwrap();
    let whole = fs::read(&path).unwrap();
    // The block of these is torn, and what stands in it is no whole block behind it.
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    assert_eq!(opened(&path).1.turns, ["a", "b", "c", "d\r"]);
}

/// A disk on which nothing can be written any more.
struct Full(bool);

impl Disk for Full {
    fn create(&mut self, path: &Path) -> io::Result<File> {
        LocalDisk.create(path)
    }

    fn sync_data(&mut self, file: &File) -> io::Result<()> {
        match std::mem::take(&mut self.0) {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => file.sync_data(),
        }
    }
}

/// What a disk says after it has once failed to store something is worth nothing: the system may have
/// forgotten what it could not write.
#[test]
fn after_a_commit_that_failed_each_further_one_fails() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let mut log = DurableLog::create(Full(true), &path, [""; 0]).unwrap();
    log.append("a");
    assert_eq!(log.commit().unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert!(log.commit().unwrap_err().to_string().contains("start again"));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes);
        let salt = Salt::random().unwrap();
        let mut log = salt.first_line().into_bytes();
        log.extend_from_slice(Block::default().finish(0, &salt).unwrap());
        log.extend_from_slice(&bytes);
        prop_assert_eq!(parse(&log).unwrap().turns.len(), 0);
    }
}
