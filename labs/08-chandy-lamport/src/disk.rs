//! How a file comes to its place whole or not at all.
//!
//! A process may be killed, and a machine lose its power, between any two instructions. So a file is written
//! under another name, brought to the disk, and only then given its own name, which file systems do at
//! once; then the folder, where names are kept, is brought to the disk too. Whoever looks finds nothing of it
//! or all of it. What a kill leaves is a file with a name that nobody reads, and the next attempt removes it.
//!
//! The steps are a trait, so that a test can die at each of them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

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
    fn write(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()>;

    /// Waits until what is written, or is in the folder, is on the disk.
    ///
    /// # Errors
    ///
    /// If the disk says that it is not.
    fn sync(&mut self, file: &File) -> io::Result<()>;

    /// Gives a file another name, at once, in place of any that is there.
    ///
    /// # Errors
    ///
    /// If it keeps its own.
    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()>;
}

/// A disk of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalDisk;

impl Disk for LocalDisk {
    fn create(&mut self, path: &Path) -> io::Result<File> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // A new file is nobody else's: a link that somebody put there is not followed.
        OpenOptions::new().write(true).create_new(true).open(path)
    }

    fn write(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn sync(&mut self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }
}

/// The end of the name that a file has until it is whole.
pub const UNFINISHED: &str = ".new";

/// Writes a file so that it is there whole or not at all, whenever this is interrupted.
///
/// # Errors
///
/// If a step fails. Then the file is not there, or it is there whole and perhaps not on the disk yet.
pub fn write_whole(disk: &mut impl Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(UNFINISHED);
    write_whole_by_way_of(disk, &PathBuf::from(unfinished), path, bytes)
}

/// The same, where several processes may write the same file: each under its own name in the same folder
/// until it is whole.
///
/// # Errors
///
/// As [`write_whole`].
pub fn write_whole_by_way_of(
    disk: &mut impl Disk,
    unfinished: &Path,
    path: &Path,
    bytes: &[u8],
) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let mut file = disk.create(unfinished)?;
    disk.write(&mut file, bytes)?;
    disk.sync(&file)?;
    disk.rename(unfinished, path)?;
    disk.sync(&File::open(folder)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk that says what was asked of it.
    #[derive(Default)]
    struct Told(LocalDisk, Vec<&'static str>);

    impl Disk for Told {
        fn create(&mut self, path: &Path) -> io::Result<File> {
            self.1.push("create");
            self.0.create(path)
        }

        fn write(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
            self.1.push("write");
            self.0.write(file, bytes)
        }

        fn sync(&mut self, file: &File) -> io::Result<()> {
            let is_folder = file.metadata()?.is_dir();
            self.1.push(if is_folder { "sync folder" } else { "sync file" });
            self.0.sync(file)
        }

        fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
            self.1.push("rename");
            self.0.rename(from, to)
        }
    }

    /// A power cut cannot be tried here; what it leaves follows from the order.
    #[test]
    fn the_name_comes_after_the_content_and_the_folder_last() {
        let folder = tempfile::tempdir().unwrap();
        let mut disk = Told::default();
        write_whole(&mut disk, &folder.path().join("a"), b"text").unwrap();
        assert_eq!(disk.1, ["create", "write", "sync file", "rename", "sync folder"]);
        assert_eq!(fs::read(folder.path().join("a")).unwrap(), b"text");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_an_interrupted_attempt_left_is_replaced_and_a_link_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let victim = folder.path().join("victim");
        fs::write(&victim, "untouched").unwrap();
        std::os::unix::fs::symlink(&victim, folder.path().join("a.new")).unwrap();
        write_whole(&mut LocalDisk, &folder.path().join("a"), b"text").unwrap();
        assert_eq!(fs::read(&victim).unwrap(), b"untouched");
        assert_eq!(fs::read(folder.path().join("a")).unwrap(), b"text");
    }
}
