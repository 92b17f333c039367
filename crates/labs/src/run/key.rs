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
mod tests;
