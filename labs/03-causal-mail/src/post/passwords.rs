//! The users and their passwords: a file of names and hashed passwords.
//!
//! ```text
//! alice:$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$...
//! ```
//!
//! A password is never stored, only what Argon2id (RFC 9106) makes of it with a random salt: slow
//! on purpose, so that a thief of the file cannot try many. What it makes of an attempt is
//! compared in constant time. An attempt for a name that does not exist takes as long as one for a
//! name that does.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Argon2, Params};
use labs::files::{self, PrivateDisk};

use super::address::{AddressError, checked_name};
use super::maildir;

/// The longest password, in bytes.
pub const PASSWORD_MAX: usize = 1_024;

/// The most memory that one attempt may take, in KiB: a file must not make the server use more.
const MEMORY_MAX_KIB: u32 = 1 << 20;

/// The names and hashes of a file.
#[derive(Clone, Debug)]
pub struct Passwords {
    hashes: BTreeMap<String, String>,
    /// Of a password that nobody has.
    nobody: String,
}

/// Why passwords cannot be read or made.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// The file cannot be used.
    #[error("{path}: {source}")]
    File {
        /// The file with the passwords.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
    /// A line of it.
    #[error("{path}, line {line}: {why}; `causal-mail passwd` writes such a file")]
    Line {
        /// The file with the passwords.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// The name of a user is not allowed.
    #[error(transparent)]
    Name(#[from] AddressError),
    /// The password is not allowed.
    #[error("a password has 1 to {PASSWORD_MAX} bytes")]
    Length,
    /// The system has no randomness.
    #[error("the password cannot be hashed: {0}")]
    Hash(argon2::password_hash::Error),
}

impl Passwords {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// Names the line that is wrong.
    pub fn read(path: &Path) -> Result<Self, PasswordError> {
        let file = |source| PasswordError::File { path: path.to_owned(), source };
        let text = maildir::read(path).map_err(file)?;
        let mut hashes = BTreeMap::new();
        let entries = text.lines().map(str::trim_end);
        for (line, entry) in (1..).zip(entries).filter(|(_, entry)| !entry.is_empty()) {
            let wrong = |why: String| PasswordError::Line { path: path.to_owned(), line, why };
            let (name, hash) =
                entry.split_once(':').ok_or_else(|| wrong("no `name:hash`".to_owned()))?;
            let name = checked_name(name).map_err(|error| wrong(error.to_string()))?;
            check_hash(hash).map_err(wrong)?;
            hashes.insert(name, hash.to_owned());
        }
        Ok(Self { hashes, nobody: hash("nobody")? })
    }

    /// The names that have a password.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.hashes.keys().map(String::as_str)
    }

    /// What an attempt has to be compared with: see [`matches()`].
    pub fn hash_of(&self, name: &str) -> (String, bool) {
        match self.hashes.get(name) {
            Some(hash) => (hash.clone(), true),
            None => (self.nobody.clone(), false),
        }
    }
}

/// Whether a password is the one of this hash. Takes some hundredths of a second, on purpose.
pub fn matches(password: &str, hash: &str) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else { return false };
    password.len() <= PASSWORD_MAX
        && Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()
}

/// The hash of a password, with a new salt.
///
/// # Errors
///
/// If it is empty or too long, or the system has no randomness.
pub fn hash(password: &str) -> Result<String, PasswordError> {
    if !(1..=PASSWORD_MAX).contains(&password.len()) {
        return Err(PasswordError::Length);
    }
    let hash = Argon2::default().hash_password(password.as_bytes());
    Ok(hash.map_err(PasswordError::Hash)?.to_string())
}

/// Gives a name a password, in a file that is made if it is not there.
///
/// # Errors
///
/// If the name or the password cannot be, or the file not be written.
pub fn set(path: &Path, name: &str, password: &str) -> Result<(), PasswordError> {
    let name = checked_name(name)?;
    let hash = hash(password)?;
    let file = |source| PasswordError::File { path: path.to_owned(), source };
    let before = match maildir::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        read => read.map_err(file)?,
    };
    let others = before.lines().filter(|line| line.split(':').next() != Some(name.as_str()));
    let mut lines: Vec<_> = others.map(str::to_owned).collect();
    lines.push(format!("{name}:{hash}"));
    let file = |source| PasswordError::File { path: path.to_owned(), source };
    let text = format!("{}\n", lines.join("\n"));
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    files::replace(&mut PrivateDisk, &target, text.as_bytes()).map_err(file)
}

fn check_hash(hash: &str) -> Result<(), String> {
    let parsed = PasswordHash::new(hash).map_err(|error| format!("no hash: {error}"))?;
    let params = Params::try_from(&parsed).map_err(|error| format!("no Argon2 hash: {error}"))?;
    match params.m_cost() <= MEMORY_MAX_KIB {
        true => Ok(()),
        false => Err(format!("{} KiB of memory: {MEMORY_MAX_KIB} at the most", params.m_cost())),
    }
}

#[cfg(test)]
mod tests;
