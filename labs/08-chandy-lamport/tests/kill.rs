//! `kill -9` at every step of writing a checkpoint: the one before stays usable.
//!
//! The test runs itself again as another program, which writes a checkpoint and kills itself at one of the
//! steps. Nothing is simulated: it is SIGKILL, and the files are what it left.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use chandy_lamport::bank::{Account, Transfer};
use chandy_lamport::checkpoint::{Checkpoint, Folder};
use chandy_lamport::wave::Wave;
use chandy_lamport::work::{Message, State};
use labs::files::{Disk, LocalDisk};
use labs::process::ProcessId;
use nix::sys::signal::{Signal, raise};

/// Says to the program that is run again where to write, and after how many moments to die.
const FOLDER: &str = "KILL_TEST_FOLDER";
const MOMENTS: &str = "KILL_TEST_MOMENTS";

/// A disk on which the program dies, before and after each step and in the middle of writing.
struct Deadly {
    disk: LocalDisk,
    /// How many moments it still lives.
    left: u32,
}

impl Deadly {
    fn moment(&mut self) {
        if self.left == 0 {
            raise(Signal::SIGKILL).unwrap();
        }
        self.left -= 1;
    }
}

impl Disk for Deadly {
    fn create(&mut self, path: &Path) -> io::Result<File> {
        self.moment();
        let file = self.disk.create(path)?;
        self.moment();
        Ok(file)
    }

    fn write(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        let (first, second) = bytes.split_at(bytes.len() / 2);
        self.disk.write(file, first)?;
        self.moment();
        self.disk.write(file, second)?;
        self.moment();
        Ok(())
    }

    fn sync(&mut self, file: &File) -> io::Result<()> {
        self.disk.sync(file)?;
        self.moment();
        Ok(())
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)?;
        self.moment();
        Ok(())
    }
}

/// Before and after `create`, within and after `write`, after `sync`, `rename` and `sync` of the folder.
const ALL_MOMENTS: u32 = 7;

/// The moment at which the file has its name.
const NAMED: u32 = 5;

fn checkpoint(number: u32, process: u32) -> Checkpoint {
    let message = Message::Transfer(Transfer { count: 9, amount: 4 });
    Checkpoint {
        wave: Wave { number, initiator: ProcessId(0) },
        process: ProcessId(process),
        processes: 2,
        execution: "test".to_owned(),
        state: State::Bank(Account { count: 9, money: u64::from(number) }),
        held: Vec::new(),
        channels: BTreeMap::from([(ProcessId(1 - process), vec![message; 500])]),
    }
}

/// The program that is run again; as a test of its own it is not run.
#[test]
#[ignore = "it is run by the test below, and kills itself"]
fn writes_and_dies() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let left = std::env::var(MOMENTS).unwrap().parse().unwrap();
    let mut disk = Deadly { disk: LocalDisk, left };
    checkpoint(2, 1).write(&mut disk, Path::new(&folder)).unwrap();
}

/// Runs the program that dies after so many moments, and returns the signal that ended it.
fn die(folder: &Path, moments: u32) -> Option<i32> {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writes_and_dies", "--ignored", "--quiet"])
        .env(FOLDER, folder)
        .env(MOMENTS, moments.to_string())
        .output()
        .unwrap()
        .status
        .signal()
}

fn last_complete(folder: &Path) -> Vec<Checkpoint> {
    let folder = Folder::open(folder).unwrap();
    folder.wave(folder.last_complete().unwrap()).unwrap()
}

#[test]
fn killed_at_every_step_the_checkpoint_before_stays_usable() {
    for moments in 0..=ALL_MOMENTS {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        // Wave 1 is complete; of wave 2 only the file is missing that is being written.
        for (number, process) in [(1, 0), (1, 1), (2, 0)] {
            checkpoint(number, process).write(&mut LocalDisk, path).unwrap();
        }
        let killed = die(path, moments);
        let expected = (moments < ALL_MOMENTS).then_some(Signal::SIGKILL as i32);
        assert_eq!(killed, expected, "after {moments} moments");

        let last = if moments < NAMED { 1 } else { 2 };
        let usable = last_complete(path);
        assert_eq!(usable, [checkpoint(last, 0), checkpoint(last, 1)], "after {moments} moments");

        // And what the kill left is no hindrance: it is discarded, or written over.
        let left = Folder::open(path).unwrap();
        let told = left.incomplete();
        assert_eq!(told.is_empty(), moments >= NAMED, "after {moments} moments: {told:?}");
        left.discard_incomplete(3).unwrap();
        assert!(Folder::open(path).unwrap().incomplete().is_empty(), "after {moments} moments");
        for process in [0, 1] {
            checkpoint(2, process).write(&mut LocalDisk, path).unwrap();
        }
        let usable = last_complete(path);
        assert_eq!(usable, [checkpoint(2, 0), checkpoint(2, 1)], "after {moments} moments");
    }
}
