//! A lock that one process at a time has, on a file of its own.
//!
//! The lock is `flock`: the system ends it with the process, even with `kill -9`, so nothing is
//! left that somebody must clean up. It is not on the file that it protects, since [`replace`]
//! puts a new file in the place of that one. The empty file stays: if it were removed, two
//! processes could lock two files of the same name.
//!
//! [`replace`]: super::replace

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::check_regular;

/// A lock that this process has. It ends when this is dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Locks a file, which is made if it is not there. None if another process has the lock.
///
/// # Errors
///
/// If it is no ordinary file: a pipe would hang, and everybody would have the lock of a device.
/// [`io::ErrorKind::Unsupported`] on a network disk without locks. Else as the system says.
pub fn lock(path: &Path) -> io::Result<Option<Lock>> {
    check_regular(path)?;
    let mut options = OpenOptions::new();
    options.create(true).append(true).custom_flags(libc::O_NONBLOCK);
    let file = options.open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Lock { _file: file })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_the_lock_until_it_lets_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = lock(&path).unwrap();
        assert!(held.is_some());
        assert!(lock(&path).unwrap().is_none());
        drop(held);
        assert!(lock(&path).unwrap().is_some());
    }

    #[test]
    fn what_is_no_file_is_no_lock() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        for path in [pipe.as_path(), folder.path(), Path::new("/dev/null")] {
            let error = lock(path).unwrap_err().to_string();
            assert!(error.contains("it is not an ordinary file"), "{error}");
        }
    }
}
