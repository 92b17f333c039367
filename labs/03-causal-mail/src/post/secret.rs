//! The file with the secret that all servers share.
//!
//! A program that reads it can speak as a server, so nobody but its owner may read it.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use labs::files::{self, PrivateDisk};
use netkit::Secret;

use super::maildir;

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read or made.
    #[error("{path}: {source}; `causal-mail secret FILE` writes one, copy it to all servers")]
    File {
        /// The file with the secret.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
    /// There is a file already.
    #[error("{0} is there already, and may be in use: remove it first, or name another file")]
    Exists(PathBuf),
    /// Others may read it.
    #[error("{0} can be read by others: `chmod 600` it, and make a new one if somebody has")]
    Open(PathBuf),
    /// Something else stands in it.
    #[error(
        "{0} holds no secret, which is one line of 64 hexadecimal digits: copy that of another server, or remove \
         the file and let `causal-mail secret` write a new one"
    )]
    Malformed(PathBuf),
}

/// Reads the secret.
///
/// # Errors
///
/// If there is none, or others may read it too.
pub fn read(path: &Path) -> Result<Secret, SecretError> {
    let file = |source| SecretError::File { path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(file)?.mode() & 0o077 != 0 {
        return Err(SecretError::Open(path.to_owned()));
    }
    let text = maildir::read(path).map_err(file)?;
    Secret::from_hex(text.trim()).ok_or_else(|| SecretError::Malformed(path.to_owned()))
}

/// Writes a new secret into a new file.
///
/// # Errors
///
/// If the file is there already, or cannot be written.
pub fn create(path: &Path) -> Result<(), SecretError> {
    let file = |source| SecretError::File { path: path.to_owned(), source };
    let secret = Secret::random().map_err(file)?;
    let file = |source| SecretError::File { path: path.to_owned(), source };
    let text = format!("{}\n", secret.to_hex());
    files::create(&mut PrivateDisk, path, text.as_bytes()).map_err(|source| match source.kind() {
        ErrorKind::AlreadyExists => SecretError::Exists(path.to_owned()),
        _ => file(source),
    })
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_secret_is_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        assert!(read(&path).unwrap_err().to_string().contains("writes one"));
        create(&path).unwrap();
        let error = create(&path).unwrap_err().to_string();
        assert!(error.contains("is there already"), "an old one is not overwritten: {error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(read(&path).unwrap().to_hex().len(), 64);
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("can be read by others"));
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "no secret").unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("64 hexadecimal digits"));
    }
}
