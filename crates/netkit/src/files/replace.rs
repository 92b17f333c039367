//! How a file comes to its place whole or not at all.
//!
//! A process may be killed, and a machine lose its power, between any two instructions. So a file
//! is written under another name, brought to the disk, and only then given its own name, which file
//! systems do at once; then the folder, where names are kept, is brought to the disk too. A reader
//! finds the old file or the new one, and never a part of it. A process that is killed may leave a
//! file with a name that nobody reads; the next attempt removes it. The cost is two waits for the
//! disk.
//!
//! The steps are a trait, so that a test can die at each of them, and so that files may be for
//! their owner alone: each disk says how it makes a file, and does the rest as the system does.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// What is asked of a disk, in the order in which it is asked.
pub trait Disk {
    /// Makes a new, empty file, in place of any that is there.
    ///
    /// # Errors
    ///
    /// If it cannot be made.
    fn create(&mut self, path: &Path) -> io::Result<File>;

    /// Writes to a file.
    ///
    /// # Errors
    ///
    /// If not all can be written.
    fn write(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    /// Waits until what is written, or is in the folder, is on the disk.
    ///
    /// # Errors
    ///
    /// If the disk says that it is not.
    fn sync(&mut self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    /// The same for what a file holds, without its times and rights.
    ///
    /// # Errors
    ///
    /// If the disk says that it is not.
    fn sync_data(&mut self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    /// Cuts off what a file holds behind so many bytes, and waits until that is on the disk.
    ///
    /// # Errors
    ///
    /// If it cannot be cut, or the disk says that it is not.
    fn cut(&mut self, file: &File, length: u64) -> io::Result<()> {
        file.set_len(length)?;
        file.sync_all()
    }

    /// Gives a file another name, at once, in place of any that is there.
    ///
    /// # Errors
    ///
    /// If it keeps its own.
    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }
}

/// A disk of this machine. The umask of the process decides which users may read its files.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalDisk;

/// The same, with files that nobody but their owner may read.
#[derive(Clone, Copy, Debug, Default)]
pub struct PrivateDisk;

/// A file of mode 0666 can be read and written by all users that the umask does not exclude.
const FOR_ALL: u32 = 0o666;

/// A file of mode 0600 can be read and written by its owner alone.
const FOR_OWNER_ALONE: u32 = 0o600;

fn make(path: &Path, mode: u32) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // A new file is nobody else's: a link that somebody put there is not followed.
    OpenOptions::new().write(true).create_new(true).mode(mode).open(path)
}

impl Disk for LocalDisk {
    fn create(&mut self, path: &Path) -> io::Result<File> {
        make(path, FOR_ALL)
    }
}

impl Disk for PrivateDisk {
    fn create(&mut self, path: &Path) -> io::Result<File> {
        make(path, FOR_OWNER_ALONE)
    }
}

/// The end of the name that a file has until it is whole.
pub const UNFINISHED: &str = ".new";

/// Puts a file in the place of another, or of none: whenever this is interrupted, the old one is
/// there or the new one, whole. When this returns the new one is on the disk. One process at a time
/// may do that with a file.
///
/// # Errors
///
/// If a step fails. Then the old file is there, or the new one, which is perhaps not on the disk
/// yet.
pub fn replace(disk: &mut impl Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(UNFINISHED);
    replace_by_way_of(disk, Path::new(&unfinished), path, bytes)
}

/// The same, where several processes may write the same file, or its folder is for whole files
/// only: each has a name of its own on the same file system until it is whole.
///
/// # Errors
///
/// As [`replace`].
pub fn replace_by_way_of(
    disk: &mut impl Disk,
    unfinished: &Path,
    path: &Path,
    bytes: &[u8],
) -> io::Result<()> {
    let mut file = disk.create(unfinished)?;
    disk.write(&mut file, bytes)?;
    disk.sync(&file)?;
    disk.rename(unfinished, path)?;
    disk.sync(&File::open(folder_of(path))?)
}

/// Puts a new file where none is, whole or not at all. Several processes may try that at once: one
/// of them succeeds. An attempt that fails, as on a full disk, leaves nothing behind.
///
/// # Errors
///
/// [`io::ErrorKind::AlreadyExists`] if a file is there; it stays as it is. Else as the system says.
pub fn create(disk: &mut impl Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    // Others may be at it, threads of this process too.
    unfinished.push(format!(".{:x}{UNFINISHED}", getrandom::u64()?));
    let unfinished = Path::new(&unfinished);
    let created = create_by_way_of(disk, unfinished, path, bytes);
    // Whether it has its name or not: this one is of no more use, and nobody reads it.
    let _ = fs::remove_file(unfinished);
    created?;
    disk.sync(&File::open(folder_of(path))?)
}

fn create_by_way_of(
    disk: &mut impl Disk,
    unfinished: &Path,
    path: &Path,
    bytes: &[u8],
) -> io::Result<()> {
    // Better to know before anything is written. That it is still so, the link makes sure.
    if fs::symlink_metadata(path).is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let mut file = disk.create(unfinished)?;
    disk.write(&mut file, bytes)?;
    disk.sync(&file)?;
    fs::hard_link(unfinished, path)
}

fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests;
