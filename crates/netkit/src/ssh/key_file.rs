//! What can be learned of a private key file without its passphrase: whether it has one, and which
//! public key it belongs to.
//!
//! libssh2 says the same of a protected file as of a damaged one ("unsupported format"), so whether
//! to ask for a passphrase is found out here. The format of OpenSSH (PROTOCOL.key in its sources)
//! begins with the name of the cipher, `none` for an open one, and has the public key in the clear.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nix::unistd::getuid;

use crate::files::read_text;

/// The longest key file that is read, in bytes; an RSA key of 16384 bits takes 13 kB.
const MAX_KEY_FILE: u64 = 64 << 10;

/// A private key in a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct KeyFile {
    pub(super) path: PathBuf,
    /// Whether it needs a passphrase.
    pub(super) protected: bool,
    /// Whether the private key is there, and not only the public one for the agent.
    pub(super) is_private: bool,
    /// The public key, if it is known.
    pub(super) public: Option<Vec<u8>>,
}

impl KeyFile {
    /// Looks at a key file.
    pub(super) fn read(path: &Path) -> io::Result<KeyFile> {
        let text = read_text(path, MAX_KEY_FILE)?;
        let wrong = || io::Error::new(io::ErrorKind::InvalidData, "not a private key");
        let start = text.find("-----BEGIN ").ok_or_else(wrong)?;
        let (header, body) = text[start..].split_once('\n').ok_or_else(wrong)?;
        if !header.contains("PRIVATE KEY-----") {
            return Err(wrong());
        }
        let (protected, public) = if header.contains("OPENSSH") {
            let (protected, public) = open_part(body).ok_or_else(wrong)?;
            (protected, Some(public))
        } else {
            (header.contains("ENCRYPTED") || body.contains("Proc-Type: 4,ENCRYPTED"), None)
        };
        check_mode(path)?;
        let public = public.or_else(|| public_beside(path));
        Ok(KeyFile { path: path.to_owned(), protected, is_private: true, public })
    }

    /// The public half alone, as the file itself or beside it; none if there is none. It tells which
    /// key of the agent is meant.
    pub(super) fn public_only(path: &Path) -> Option<KeyFile> {
        let public = public_in(path).or_else(|| public_beside(path))?;
        Some(KeyFile {
            path: path.to_owned(),
            protected: false,
            is_private: false,
            public: Some(public),
        })
    }
}

/// Refuses one's own key that others may read, as `ssh` does: it is a secret no longer.
fn check_mode(path: &Path) -> io::Result<()> {
    let about = fs::metadata(path)?;
    let mode = about.mode() & 0o777;
    if about.uid() == getuid().as_raw() && mode & 0o077 != 0 {
        let what = format!("others may read it (mode {mode:03o}): chmod 600 it");
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
    }
    Ok(())
}

/// The public key in the file of the same name with `.pub`.
fn public_beside(path: &Path) -> Option<Vec<u8>> {
    let mut name = path.as_os_str().to_owned();
    name.push(".pub");
    public_in(Path::new(&name))
}

fn public_in(path: &Path) -> Option<Vec<u8>> {
    let text = read_text(path, MAX_KEY_FILE).ok()?;
    STANDARD.decode(text.split_ascii_whitespace().nth(1)?).ok()
}

/// Whether a key in the format of OpenSSH is protected, and its public key.
fn open_part(body: &str) -> Option<(bool, Vec<u8>)> {
    let base64: String =
        body.split("-----END").next()?.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let bytes = STANDARD.decode(base64).ok()?;
    let mut rest = bytes.strip_prefix(b"openssh-key-v1\0")?;
    let cipher = string(&mut rest)?;
    let _derivation = string(&mut rest)?;
    let _derivation_options = string(&mut rest)?;
    let (count, after) = rest.split_first_chunk::<4>()?;
    rest = after;
    if u32::from_be_bytes(*count) != 1 {
        return None;
    }
    Some((cipher != b"none", string(&mut rest)?.to_owned()))
}

/// Takes a string with its length before it (RFC 4251, section 5).
fn string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let (string, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    *rest = after;
    Some(string)
}

#[cfg(test)]
mod tests;
