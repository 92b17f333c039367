//! Files that people name, and files that a program writes for itself.
//!
//! **Reading.** A path from the command line may lead to a named pipe, where opening waits for a
//! writer, or to a file that is larger than memory. [`open`] takes ordinary files only, and
//! [`read_bounded`] reads one whole or says that it is too long. Nothing is ever cut silently: that
//! is for [`read_part`], which says so in its name.
//!
//! **Writing.** [`check_regular`] and [`check_other`] look at a path before anything is written
//! there. [`replace`] and [`create`] bring a file to its place whole or not at all. [`DurableLog`] is
//! for what changes all the time and must survive. [`lock`] is for what one process at a time may
//! write.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

pub mod durable_log;
pub mod exact;
mod lock;
mod replace;
#[cfg(test)]
mod tests;

pub use durable_log::DurableLog;
pub use lock::{Lock, lock};
pub use replace::{Disk, LocalDisk, PrivateDisk, UNFINISHED, create, replace, replace_by_way_of};

/// Opens an ordinary file to read it, and never waits for somebody who writes to it.
///
/// # Errors
///
/// If it is not an ordinary file, or as the system says.
pub fn open(path: &Path) -> io::Result<File> {
    check_regular(path)?;
    // Had somebody put a pipe there in this moment, it would read as empty and not hang.
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)
}

/// Reads an ordinary file of at most `max` bytes to its end.
///
/// # Errors
///
/// As [`open`]; [`io::ErrorKind::FileTooLarge`] if it is longer.
pub fn read_bounded(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    read_whole(open(path)?, max)
}

/// The same; none if there is no such file.
///
/// # Errors
///
/// As [`read_bounded`], but [`io::ErrorKind::NotFound`].
pub fn read_if_there(path: &Path, max: u64) -> io::Result<Option<Vec<u8>>> {
    match read_bounded(path, max) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    }
}

/// The same, of text. A byte order mark at its beginning, which some editors put there, is left out.
///
/// # Errors
///
/// As [`read_bounded`]; [`io::ErrorKind::InvalidData`] if it is not UTF-8.
pub fn read_text(path: &Path, max: u64) -> io::Result<String> {
    let text = into_text(read_bounded(path, max)?)?;
    Ok(match text.strip_prefix(BYTE_ORDER_MARK) {
        Some(text) => text.to_owned(),
        None => text,
    })
}

/// It is invisible, and would become a part of the first word.
pub const BYTE_ORDER_MARK: char = '\u{feff}';

/// Reads what is open already to its end, which is to come within `max` bytes.
///
/// # Errors
///
/// [`io::ErrorKind::FileTooLarge`] if it is longer, or as the system says.
pub fn read_whole(from: impl Read, max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(max.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        let what = format!("it is longer than {max} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
    }
    Ok(bytes)
}

/// Reads the part of a file that begins at `offset`: `most` bytes, or fewer at the end of the file.
///
/// # Errors
///
/// As the system says.
pub fn read_part(file: &mut File, offset: u64, most: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Bytes as text.
///
/// # Errors
///
/// [`io::ErrorKind::InvalidData`] if they are not UTF-8.
pub fn into_text(bytes: Vec<u8>) -> io::Result<String> {
    let wrong = |_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8");
    String::from_utf8(bytes).map_err(wrong)
}

/// What to do if a file cannot be used as it was meant to be; none if the error is another one.
pub fn way_out(error: &io::Error) -> Option<&'static str> {
    match error.kind() {
        io::ErrorKind::NotFound => Some("check the name, and the folder it is looked for in"),
        io::ErrorKind::PermissionDenied => Some("check the rights of the file and of its folder"),
        io::ErrorKind::IsADirectory => Some("name a file and not a folder"),
        io::ErrorKind::NotADirectory => Some("a part of the path is no folder: check it"),
        io::ErrorKind::ReadOnlyFilesystem => Some("name a file on a disk that can be written to"),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Some("make room on the disk, or name a file on another")
        }
        io::ErrorKind::FileTooLarge => {
            Some("raise the limit of the length of files (see `ulimit -f`)")
        }
        _ => None,
    }
}

/// Waits until all that was written to the file system of this folder, by whomever, is on the disk: of
/// many files, that is quicker than of each.
///
/// # Errors
///
/// If the disk says that something is not.
pub fn sync_disk_of(folder: &Path) -> io::Result<()> {
    Ok(nix::unistd::syncfs(File::open(folder)?)?)
}

/// The same path from whatever folder it is looked at, as a daemon needs it. Links are not
/// followed, and nothing has to be there.
///
/// # Errors
///
/// If the path is empty, or there is no current folder; the error names the path.
pub fn absolute(path: &Path) -> io::Result<PathBuf> {
    std::path::absolute(path).map_err(|error| {
        let what = format!("there is no such path: {}: {error}", path.display());
        io::Error::new(error.kind(), what)
    })
}

/// Refuses a path to something that is not an ordinary file: a pipe would hang, a device would lie.
/// Nothing has to be there.
///
/// # Errors
///
/// If something else is there.
pub fn check_regular(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(about) if !about.is_file() => {
            let what = "it is not an ordinary file: name another";
            Err(io::Error::new(io::ErrorKind::InvalidInput, what))
        }
        _ => Ok(()),
    }
}

/// Refuses to write where `file` is, or in it if it is a folder: it is needed for something else.
/// Neither has to be there yet.
///
/// # Errors
///
/// If that is where `path` leads.
pub fn check_other(path: &Path, file: &Path) -> io::Result<()> {
    match (place(path), place(file)) {
        (Some(path), Some(file)) if path.starts_with(&file) => Err(io::Error::other(format!(
            "{} is needed for something else: name another",
            file.display()
        ))),
        _ => Ok(()),
    }
}

/// Where a path leads; if nothing is there yet, where it would be.
fn place(path: &Path) -> Option<PathBuf> {
    path.canonicalize().ok().or_else(|| {
        let path = std::path::absolute(path).ok()?;
        Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?))
    })
}
