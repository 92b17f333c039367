//! The secret of a group of stand-alone processes, in a file.
//!
//! A run has a secret of its own, which lives no longer than the run and stands in no file.
//! Programs that people start one by one need one that they can hand on: a file for its owner
//! alone, made by the first that needs it, and copied to the other machines by whoever may log in
//! there.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use netkit::files::{self, PrivateDisk};
use netkit::membership::Secret;

/// What the members of a group prove to each other that they know.
#[derive(Clone, Debug)]
pub struct Key(Secret);

/// A file of mode 0600 can be read and written by its owner alone.
const FOR_OWNER_ALONE: u32 = 0o600;

/// 64 hexadecimal digits and the end of a line, with room for an editor's.
const LENGTH_MAX: u64 = 80;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or made.
    #[error("the secret in {path} cannot be used: {error}")]
    Io {
        /// The file.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// Others can read the file.
    #[error("the secret in {path} can be read by others (mode {mode:o}): chmod 600 {path}")]
    Open {
        /// The file.
        path: String,
        /// Its mode.
        mode: u32,
    },
    /// The file holds something else.
    #[error(
        "{path} does not hold a secret, which is 64 hexadecimal digits: name another file, copy the \
         coordinator's, or remove it and let a coordinator make one"
    )]
    Malformed {
        /// The file.
        path: String,
    },
}

impl Key {
    /// Reads a key.
    ///
    /// # Errors
    ///
    /// If the file is not there, or others can read it, or it holds no key.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let name = || path.display().to_string();
        let io = |error| KeyError::Io { path: name(), error };
        let file = files::open(path).map_err(io)?;
        let about = file.metadata().map_err(io)?;
        let mode = about.permissions().mode() & 0o777;
        if mode & !FOR_OWNER_ALONE != 0 {
            return Err(KeyError::Open { path: name(), mode });
        }
        let malformed = || KeyError::Malformed { path: name() };
        let text = files::read_whole(file, LENGTH_MAX).and_then(files::into_text);
        let text = text.map_err(|_| malformed())?;
        Secret::from_hex(text.trim_end()).map(Self).ok_or_else(malformed)
    }

    /// Reads a key; makes one, if there is no such file.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), or if the file cannot be made.
    pub fn read_or_create(path: &Path) -> Result<Self, KeyError> {
        let io = |error| KeyError::Io { path: path.display().to_string(), error };
        let secret = Secret::random().map_err(io)?;
        let text = format!("{}\n", secret.to_hex());
        // Whole or not at all: an empty file, as a full disk would leave it, holds no key.
        match files::create(&mut PrivateDisk, path, text.as_bytes()) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Self::read(path),
            created => created.map(|()| Self(secret)).map_err(io),
        }
    }

    pub(super) fn secret(&self) -> Secret {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        assert!(Key::read(&path).unwrap_err().to_string().contains("No such file"));
        let made = Key::read_or_create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        for read in [Key::read_or_create(&path).unwrap(), Key::read(&path).unwrap()] {
            assert_eq!(read.0.to_hex(), made.0.to_hex());
        }
        assert!(!format!("{made:?}").contains(&made.0.to_hex()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    /// Whoever comes second reads what the first has written whole.
    #[test]
    fn those_that_make_a_key_at_once_have_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let keys: Vec<_> = std::thread::scope(|scope| {
            let make = || Key::read_or_create(&path).unwrap().0.to_hex();
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        Key::read_or_create(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = Key::read(&path).unwrap_err().to_string();
        assert!(error.contains("mode 640") && error.contains("chmod 600"), "{error}");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        for text in [&b""[..], b"hello\n", &[0xff; 64], &[b'a'; 65]] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            assert!(matches!(Key::read(&path), Err(KeyError::Malformed { .. })), "{text:?}");
        }
    }
}
