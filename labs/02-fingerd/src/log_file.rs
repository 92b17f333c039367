//! The log: one line a request.
//!
//! ```text
//! 2026-11-22T14:31:07.104233Z 127.0.0.1:40312 "alice" answered, 162 bytes, 2.1 ms
//! ```
//!
//! The query is escaped and cut, so that nobody can forge a line, or fill the disk faster than by
//! one line a request.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use nix::unistd::geteuid;
use thiserror::Error;

/// A log that is open.
#[derive(Debug)]
pub(crate) struct Log {
    /// From whatever folder it is looked at.
    path: PathBuf,
    file: File,
}

/// Why a file is not used.
#[derive(Debug, Error)]
pub(crate) enum FileError {
    /// The system refuses.
    #[error("cannot open {}: {}; name another file with {option}", path.display(), netkit::sockets::reason(error))]
    System { path: PathBuf, option: &'static str, error: io::Error },
    /// In a folder like /tmp anybody can put something where our file should be.
    #[error(
        "{} is not a file of ours; remove it, or name another with {option}",
        path.display()
    )]
    Foreign { path: PathBuf, option: &'static str },
    /// A file of ours that has another name elsewhere: somebody may have made this one.
    #[error(
        "{} has other names too, and what is written to it would stand there as well; remove it, or name \
         another with {option}",
        path.display()
    )]
    Linked { path: PathBuf, option: &'static str },
}

impl Log {
    /// Opens a log to append to, creating it if need be.
    pub(crate) fn open(path: &Path) -> Result<Log, FileError> {
        // A daemon works in another folder. What has no such path cannot be opened either.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Ok(Log { file: open_log(&path)?, path })
    }

    /// Opens it anew under its name, for somebody has given the old file another one.
    pub(crate) fn reopen(&mut self) {
        match open_log(&self.path) {
            Ok(file) => {
                self.file = file;
                self.line("SIGHUP: this log was opened anew");
            }
            Err(error) => self.line(&format!("SIGHUP: this log stays as it is: {error}")),
        }
    }

    /// Its file, which must stay open in a daemon.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Adds a line. A disk that is full costs lines, not service.
    pub(crate) fn line(&mut self, line: &str) {
        let _ = writeln!(self.file, "{:.6} {line}", Timestamp::now());
    }
}

fn open_log(path: &Path) -> Result<File, FileError> {
    let mut options = OpenOptions::new();
    options.append(true);
    open_own(path, "--log-file", &mut options, 0o640, &[])
}

/// Opens a file, or creates it, without following a link; it must be a regular file of one name that
/// belongs to this process's user or to one of `others`.
pub(crate) fn open_own(
    path: &Path,
    option: &'static str,
    options: &mut OpenOptions,
    mode: u32,
    others: &[u32],
) -> Result<File, FileError> {
    let failed = |error: io::Error| match error.raw_os_error() {
        Some(libc::ELOOP) => FileError::Foreign { path: path.to_owned(), option },
        _ => FileError::System { path: path.to_owned(), option, error },
    };
    options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY).mode(mode);
    // First without creating it: in a sticky folder the system refuses to "create" a file that is
    // there and belongs to another user, even to root (fs.protected_regular).
    let file = match options.open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            options.clone().create_new(true).open(path)
        }
        result => result,
    };
    let file = file.map_err(failed)?;
    let about = file.metadata().map_err(failed)?;
    let is_ours = about.uid() == geteuid().as_raw() || others.contains(&about.uid());
    match about.is_file() && is_ours {
        true if about.nlink() > 1 => Err(FileError::Linked { path: path.to_owned(), option }),
        true => Ok(file),
        false => Err(FileError::Foreign { path: path.to_owned(), option }),
    }
}

#[cfg(test)]
mod tests;
