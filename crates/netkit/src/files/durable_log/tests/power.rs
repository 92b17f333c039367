//! The log on a disk that can lose its power at each step.
//!
//! What was not brought to the disk is there afterwards in part: nothing, all, a beginning, or any of
//! its sectors with zeros for the others. A name that a file got is there, or the former one, until
//! the folder is brought to the disk. A `kill -9` is the case in which all is there that was written.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::rc::Rc;

use super::*;

/// The smallest part of a disk that is written whole.
const SECTOR: usize = 512;

/// How many ways to lose a part are drawn at each step at which the power may go.
const LOSSES: u64 = 12;

/// What a disk holds for sure, and what it was told.
#[derive(Clone, Debug, Default)]
struct Platter {
    files: BTreeMap<u64, Sides>,
    /// Which file has which name: for sure, and as it was told.
    names: BTreeMap<PathBuf, u64>,
    told_names: BTreeMap<PathBuf, u64>,
    /// How many steps are done until the power goes.
    steps: usize,
}

/// A file: for sure, and as the disk was told.
#[derive(Clone, Debug, Default)]
struct Sides {
    sure: Vec<u8>,
    told: Vec<u8>,
}

#[derive(Clone, Debug, Default)]
struct FragileDisk(Rc<RefCell<Platter>>);

impl FragileDisk {
    /// One with the files of a folder, all of which are there for sure.
    fn of(folder: &Path, steps: usize) -> Self {
        let mut platter = Platter { steps, ..Platter::default() };
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let sure = fs::read(&path).unwrap();
            let inode = fs::metadata(&path).unwrap().ino();
            platter.files.insert(inode, Sides { told: sure.clone(), sure });
            platter.names.insert(path, inode);
        }
        platter.told_names = platter.names.clone();
        Self(Rc::new(RefCell::new(platter)))
    }

    /// Counts a step; the power goes instead of it if it is one too many.
    fn step(&self) -> io::Result<()> {
        let mut platter = self.0.borrow_mut();
        platter.steps = platter.steps.checked_sub(1).ok_or_else(|| io::Error::other("no power"))?;
        Ok(())
    }

    /// What is there when the power is back, in a folder of its own.
    fn restore(&self, into: &Path, random: &mut u64) {
        let platter = self.0.borrow();
        let names = match draw(random, 2) {
            0 => &platter.names,
            _ => &platter.told_names,
        };
        for (path, inode) in names {
            let bytes = platter.files[inode].survivors(random);
            fs::write(into.join(path.file_name().unwrap()), bytes).unwrap();
        }
    }
}

impl Sides {
    fn survivors(&self, random: &mut u64) -> Vec<u8> {
        let Self { sure, told } = self;
        match draw(random, 4) {
            0 => sure.clone(),
            1 => told.clone(),
            2 => {
                let lost = told.len().saturating_sub(sure.len()) as u64;
                told[..told.len() - draw(random, lost + 1) as usize].to_vec()
            }
            _ => {
                let mut bytes = sure.clone();
                bytes.resize(told.len(), 0);
                for start in (0..told.len()).step_by(SECTOR) {
                    let sector = start..told.len().min(start + SECTOR);
                    if draw(random, 2) == 0 {
                        bytes[sector.clone()].copy_from_slice(&told[sector]);
                    }
                }
                bytes
            }
        }
    }
}

fn draw(random: &mut u64, below: u64) -> u64 {
    // Marsaglia's xorshift: what it draws is the same each time.
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    *random % below
}

fn inode(file: &File) -> u64 {
    file.metadata().unwrap().ino()
}

impl Disk for FragileDisk {
    fn create(&mut self, path: &Path) -> io::Result<File> {
        self.step()?;
        let file = LocalDisk.create(path)?;
        let mut platter = self.0.borrow_mut();
        platter.files.insert(inode(&file), Sides::default());
        platter.told_names.insert(path.to_owned(), inode(&file));
        Ok(file)
    }

    fn write(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        let step = self.step();
        // The step that the power interrupts may have been done in part.
        LocalDisk.write(file, bytes)?;
        let mut platter = self.0.borrow_mut();
        platter.files.entry(inode(file)).or_default().told.extend_from_slice(bytes);
        step
    }

    fn sync(&mut self, file: &File) -> io::Result<()> {
        self.step()?;
        let mut platter = self.0.borrow_mut();
        if file.metadata()?.is_dir() {
            platter.names = platter.told_names.clone();
        } else if let Some(sides) = platter.files.get_mut(&inode(file)) {
            sides.sure = sides.told.clone();
        }
        Ok(())
    }

    fn sync_data(&mut self, file: &File) -> io::Result<()> {
        self.sync(file)
    }

    fn cut(&mut self, file: &File, length: u64) -> io::Result<()> {
        let step = self.step();
        file.set_len(length)?;
        if let Some(sides) = self.0.borrow_mut().files.get_mut(&inode(file)) {
            sides.told.truncate(length as usize);
        }
        step?;
        self.sync(file)
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.step()?;
        LocalDisk.rename(from, to)?;
        let names = &mut self.0.borrow_mut().told_names;
        let inode = names.remove(from).expect("the file is there");
        names.insert(to.to_owned(), inode);
        Ok(())
    }
}

/// The turns of the program that uses the log. Some are longer than a sector, some have no part in it.
fn turn(number: usize) -> Vec<String> {
    let lengths: &[usize] = [&[1, 1_300][..], &[3], &[700, 5, 600]][number % 3];
    let entry = |length: &usize| format!("{number}{}", "x".repeat(*length));
    lengths.iter().map(entry).collect()
}

/// How many turns there are, and the one behind which the log is compacted.
const TURNS: usize = 7;
const COMPACTED_AT: usize = 4;

/// Goes through all turns. Returns how many were acknowledged when the power went.
fn work(disk: FragileDisk, path: &Path) -> usize {
    let Ok(mut log) = DurableLog::create(disk, path, [""; 0]) else { return 0 };
    let mut said = Vec::new();
    for number in 1..=TURNS {
        for entry in turn(number) {
            log.append(&entry);
            said.push(entry);
        }
        if number == COMPACTED_AT {
            if log.compact(&said).is_err() {
                return number - 1;
            }
        } else if log.commit().is_err() {
            return number - 1;
        }
    }
    TURNS
}

/// How many turns are in a log, all of which must be whole.
fn turns_in(contents: Contents) -> usize {
    let found = [contents.snapshot, contents.turns].concat();
    let all = |turns: usize| (1..=turns).flat_map(turn).collect::<Vec<_>>();
    (0..=TURNS).find(|&turns| all(turns) == found).expect("whole turns, each once and in order")
}

/// Opens what a cut has left; the power goes again at each step of that, too.
fn recover(folder: &Path, path: &Path, random: &mut u64) -> usize {
    for steps in 0.. {
        let again = tempfile::tempdir().unwrap();
        let disk = FragileDisk::of(folder, steps);
        let name = path.file_name().unwrap();
        match DurableLog::open(disk.clone(), &folder.join(name), MAX) {
            Ok(opened) => return opened.map_or(0, |(_, contents)| turns_in(contents)),
            Err(LogError::Io(_)) => disk.restore(again.path(), random),
            Err(error) => panic!("no crash may look like damage: {error}"),
        }
        for entry in fs::read_dir(again.path()).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
        }
    }
    unreachable!()
}

#[test]
fn a_power_cut_at_any_step_loses_nothing_acknowledged() {
    let mut random = 0x5eed;
    let mut cuts = 0;
    for steps in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let disk = FragileDisk::of(folder.path(), steps);
        let acknowledged = work(disk.clone(), &path);
        for _ in 0..LOSSES {
            let after = tempfile::tempdir().unwrap();
            disk.restore(after.path(), &mut random);
            let found = recover(after.path(), &path, &mut random);
            assert!(
                found == acknowledged || found == acknowledged + 1,
                "after {steps} steps {acknowledged} turns were acknowledged, and {found} are there"
            );
            cuts += 1;
        }
        if acknowledged == TURNS {
            break;
        }
    }
    assert!(cuts > 20 * LOSSES, "only {cuts} cuts");
}
