//! The file with the server's process number, and the lock on it.
//!
//! A number in a file proves nothing: the process may be gone, and the number given to another. So
//! the file is *locked* (flock(2)) while the server lives, and the kernel lets go of the lock
//! however the server ends. A process that gets the lock becomes the server, whatever an old file
//! says. A process that does not get it reads the number of the server that has it.
//!
//! A file that holds something else than the number of a process is somebody's, and not touched.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use thiserror::Error;

use crate::log_file::{FileError, open_own};

/// How often the file may vanish between opening and locking it before we give up: another server
/// ends just then, and that happens once.
const TRIES: usize = 10;

/// The file, locked. Dropping it removes it.
#[derive(Debug)]
pub(crate) struct PidFile {
    path: PathBuf,
    file: Flock<File>,
}

/// Why there is no pid file.
#[derive(Debug, Error)]
pub(crate) enum PidFileError {
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// Another server lives.
    #[error(
        "another server, process {}, holds {}; stop it with `kill {}`, or name another --pid-file",
        pid, path.display(), pid
    )]
    Held { path: PathBuf, pid: String },
    /// It is the log, which a number would destroy.
    #[error("{} is the log too; name another file with --pid-file, or with --log-file", .0.display())]
    IsLog(PathBuf),
    /// Something else stands in it.
    #[error(
        "{} holds something else than a process number; remove it, or name another file with --pid-file",
        .0.display()
    )]
    NoPid(PathBuf),
    /// The system refuses.
    #[error("cannot lock or write {}: {}", path.display(), netkit::sockets::reason(error))]
    System { path: PathBuf, error: io::Error },
}

impl PidFile {
    /// Creates the file and locks it. It is given to the user `owner`, so that this user can remove
    /// it. It must not be the file `log`, under any name.
    pub(crate) fn claim(
        path: &Path,
        owner: Option<u32>,
        log: &File,
    ) -> Result<PidFile, PidFileError> {
        let failed = |error| PidFileError::System { path: path.to_owned(), error };
        for _ in 0..TRIES {
            let mut options = OpenOptions::new();
            options.read(true).write(true);
            let owners: Vec<u32> = owner.into_iter().collect();
            let file = open_own(path, "--pid-file", &mut options, 0o644, &owners)?;
            if is_same(&file.metadata().map_err(failed)?, &log.metadata().map_err(failed)?) {
                return Err(PidFileError::IsLog(path.to_owned()));
            }
            let mut file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(file) => file,
                Err((mut file, Errno::EWOULDBLOCK)) => {
                    let pid = holder(&mut file);
                    return Err(PidFileError::Held { path: path.to_owned(), pid });
                }
                Err((_, errno)) => return Err(failed(errno.into())),
            };
            // The server that held it may have removed it meanwhile; then this is a lock on
            // nothing.
            let own = file.metadata().map_err(failed)?;
            let is_there = fs::metadata(path).is_ok_and(|found| is_same(&found, &own));
            if is_there {
                if !may_hold_pid(&mut file).map_err(failed)? {
                    return Err(PidFileError::NoPid(path.to_owned()));
                }
                fchown(&*file, owner, None).map_err(failed)?;
                file.set_len(0).map_err(failed)?;
                let path = fs::canonicalize(path).map_err(failed)?;
                return Ok(PidFile { path, file });
            }
        }
        Err(failed(Errno::EBUSY.into()))
    }

    /// The file itself, which must stay open in a daemon.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Writes the number of this process, which may be another than the one that claimed the file.
    pub(crate) fn write(&mut self) -> Result<(), PidFileError> {
        let line = format!("{}\n", std::process::id());
        let written = self
            .file
            .set_len(0)
            .and_then(|()| self.file.seek(SeekFrom::Start(0)))
            .and_then(|_| self.file.write_all(line.as_bytes()));
        written.map_err(|error| PidFileError::System { path: self.path.clone(), error })
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // While it is locked: afterwards it could be another's. Where we may not remove it, for it
        // stands in a folder of root's, an empty file is what we can leave. What somebody has put
        // in its place is not ours.
        let own = self.file.metadata();
        let found = fs::symlink_metadata(&self.path);
        let is_there = own.is_ok_and(|own| found.is_ok_and(|found| is_same(&found, &own)));
        if !is_there || fs::remove_file(&self.path).is_err() {
            let _ = self.file.set_len(0);
        }
    }
}

/// Whether it is one file, whatever it is called.
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// What the file says, if that is a number: it may be about to be written.
fn holder(file: &mut File) -> String {
    match content(file) {
        Ok(Some(pid)) if !pid.is_empty() => pid,
        _ => "unknown".to_owned(),
    }
}

/// Whether a server may have left the file: it holds a number, or nothing.
fn may_hold_pid(file: &mut File) -> io::Result<bool> {
    Ok(content(file)?.is_some())
}

/// The number in the file, or nothing; none if it holds something else.
fn content(file: &mut File) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    file.take(CONTENT_MAX).read_to_end(&mut bytes)?;
    let text = String::from_utf8(bytes).unwrap_or_else(|_| "no text".to_owned());
    let pid = text.trim();
    let may_be_pid = pid.is_empty() || pid.parse().is_ok_and(|pid: u32| pid <= PID_MAX);
    let is_digits = pid.bytes().all(|c| c.is_ascii_digit());
    let is_pid = text.len() < CONTENT_MAX as usize && may_be_pid && is_digits;
    Ok(is_pid.then(|| pid.to_owned()))
}

/// More bytes than a number has.
const CONTENT_MAX: u64 = 32;

/// The greatest number of a process that Linux knows, 2^22. A greater one is somebody's number of another
/// kind.
const PID_MAX: u32 = 1 << 22;

#[cfg(test)]
mod tests;
