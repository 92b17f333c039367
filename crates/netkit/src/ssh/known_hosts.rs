//! Which host keys are known: the file format of OpenSSH (`sshd(8)`, *SSH_KNOWN_HOSTS FILE
//! FORMAT*).
//!
//! A line is `names type key [comment]`: the names are patterns separated by commas, or one name as
//! a hash; the key is base64.
//!
//! ```text
//! lab01,10.0.0.1 ssh-ed25519 AAAAC3Nza…
//! [lab02]:2222 ssh-rsa AAAAB3Nza…                        # a port other than 22
//! lab*,!lab09 ssh-ed25519 AAAAC3Nza…                     # patterns, and exceptions from them
//! |1|salt|hash ssh-ed25519 AAAAC3Nza…                    # HMAC-SHA1 of the name under the salt
//! @revoked * ssh-ed25519 AAAAC3Nza…                      # never to be accepted
//! @cert-authority *.example.org ssh-ed25519 AAAAC3Nza…   # skipped: netkit knows no certificates
//! ```
//!
//! libssh2 reads this format too, but ignores `@revoked`, patterns and exceptions, stops at a line
//! that it does not understand, and calls a machine changed whose key is on file in another type
//! only. So the file is read here. A line that cannot be read is skipped, as OpenSSH does: it can
//! only lead to a refusal.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

#[cfg(test)]
mod tests;

/// A line that is about the host in question.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Record {
    pub(super) file: PathBuf,
    /// From 1.
    pub(super) line: usize,
    pub(super) revoked: bool,
    /// Such as `ssh-ed25519`.
    pub(super) key_type: String,
    pub(super) key: Vec<u8>,
}

/// What the records say of the key that a server has shown.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Verdict<'a> {
    /// It is the one on file.
    Known,
    /// Nothing is on file for the host.
    Unknown,
    /// Another key is on file, in this record.
    Changed(&'a Record),
    /// It must not be accepted, says this record.
    Revoked(&'a Record),
}

/// The records of a file that are about a host.
pub(super) fn records(file: &Path, text: &str, filed: &str) -> Vec<Record> {
    let lines = (1..).zip(text.lines());
    lines.filter_map(|(line, text)| record(file, line, text, filed)).collect()
}

/// What the records say of a key.
pub(super) fn verdict<'a>(records: &'a [Record], key: &[u8]) -> Verdict<'a> {
    if let Some(record) = records.iter().find(|record| record.revoked && record.key == key) {
        return Verdict::Revoked(record);
    }
    let mut valid = records.iter().filter(|record| !record.revoked).peekable();
    let first = valid.peek().copied();
    match (valid.any(|record| record.key == key), first) {
        (true, _) => Verdict::Known,
        (false, Some(record)) => Verdict::Changed(record),
        (false, None) => Verdict::Unknown,
    }
}

/// The line that files a key, with its end.
pub(super) fn line(filed: &str, key: &[u8]) -> Option<String> {
    let key_type = key_type(key)?;
    Some(format!("{filed} {key_type} {}\n", STANDARD.encode(key)))
}

/// The name that a host is filed under: in small letters, and with its port unless that is 22.
pub(super) fn filed_name(name: &str, port: u16) -> String {
    let name = name.to_ascii_lowercase();
    if port == 22 { name } else { format!("[{name}]:{port}") }
}

/// The type of a key, which stands at its start (RFC 4253, section 6.6).
pub(super) fn key_type(key: &[u8]) -> Option<&str> {
    let (length, rest) = key.split_first_chunk::<4>()?;
    let name = rest.get(..u32::from_be_bytes(*length) as usize)?;
    let fits = |byte: &u8| byte.is_ascii_graphic();
    std::str::from_utf8(name).ok().filter(|name| !name.is_empty() && name.bytes().all(|b| fits(&b)))
}

/// Reads one line; none if it is not about the host.
fn record(file: &Path, line: usize, text: &str, name: &str) -> Option<Record> {
    let mut words = text.split_ascii_whitespace();
    let mut names = words.next()?;
    let revoked = match names {
        "@revoked" => true,
        _ if names.starts_with(['@', '#']) => return None,
        _ => false,
    };
    if revoked {
        names = words.next()?;
    }
    let stated_type = words.next()?;
    let key = STANDARD.decode(words.next()?).ok()?;
    // A line whose key is of another type than it says is damaged.
    let key_type = key_type(&key).filter(|key_type| *key_type == stated_type)?.to_owned();
    names_host(names, name).then(|| Record { file: file.to_owned(), line, revoked, key_type, key })
}

/// Whether the first field of a line names the host.
fn names_host(names: &str, name: &str) -> bool {
    if let Some(hashed) = names.strip_prefix("|1|") {
        return is_hash_of(hashed, name);
    }
    let mut named = false;
    for pattern in names.split(',') {
        match pattern.strip_prefix('!') {
            Some(exception) if matches(exception.as_bytes(), name.as_bytes()) => return false,
            Some(_) => {}
            None => named |= matches(pattern.as_bytes(), name.as_bytes()),
        }
    }
    named
}

/// Whether `salt|hash` is a name hashed.
fn is_hash_of(hashed: &str, name: &str) -> bool {
    let parts = hashed.split_once('|');
    let decoded = parts
        .and_then(|(salt, hash)| Some((STANDARD.decode(salt).ok()?, STANDARD.decode(hash).ok()?)));
    let Some((salt, hash)) = decoded else { return false };
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(&salt) else { return false };
    mac.update(name.as_bytes());
    mac.verify_slice(&hash).is_ok()
}

/// Whether a pattern with `*` and `?` matches a name, whatever the case of letters. Takes at most
/// pattern times name steps: after a mismatch only the last `*` is tried anew.
pub(super) fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(&c) if c == b'?' || c.eq_ignore_ascii_case(&name[n]) => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    n = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == b'*')
}
