//! Tokens in the paths of a configuration: `~`, `%d`, `${HOME}` (`ssh_config(5)`, *TOKENS*).
//!
//! `ssh -G` prints the files of keys as they were written. They are expanded here in the same order
//! as `ssh` does: first the tilde, then tokens and variables. What `ssh` refuses is refused.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use nix::unistd::{User, gethostname, getuid};

use super::this_user;

/// What the tokens stand for.
#[derive(Clone, Debug)]
pub(super) struct Tokens {
    /// `%n`: the machine as the host file names it.
    pub(super) given: String,
    /// `%h`: the name to connect to.
    pub(super) name: String,
    /// `%p`
    pub(super) port: u16,
    /// `%r`: whom to log in as there.
    pub(super) user: String,
    /// `%k`: the name that the host key is filed under.
    pub(super) alias: Option<String>,
}

impl Tokens {
    /// The path that a value means.
    ///
    /// # Errors
    ///
    /// The token, variable or user that stands for nothing.
    pub(super) fn path(&self, value: &OsStr) -> Result<PathBuf, String> {
        let value = with_home(value.as_bytes())?;
        let mut path = Vec::with_capacity(value.len());
        let mut rest = &value[..];
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            match byte {
                b'%' => {
                    let (&token, after) = rest.split_first().ok_or("a % stands at its end")?;
                    path.extend(self.token(token)?);
                    rest = after;
                }
                b'$' if rest.starts_with(b"{") => {
                    let end = rest.iter().position(|&byte| byte == b'}');
                    let end = end.ok_or("a ${ is not closed in it")?;
                    path.extend(variable(&rest[1..end])?);
                    rest = &rest[end + 1..];
                }
                _ => path.push(byte),
            }
        }
        Ok(PathBuf::from(OsString::from_vec(path)))
    }

    fn token(&self, token: u8) -> Result<Vec<u8>, String> {
        let host = || gethostname().map_err(|error| format!("this machine has no name: {error}"));
        let me = || this_user().ok_or("this user has no entry in the password database");
        Ok(match token {
            b'%' => b"%".to_vec(),
            b'd' => me()?.dir.into_os_string().into_vec(),
            b'h' => self.name.clone().into_bytes(),
            b'i' => getuid().to_string().into_bytes(),
            b'k' => self.alias.as_ref().unwrap_or(&self.given).clone().into_bytes(),
            b'L' => {
                host()?.as_bytes().split(|&byte| byte == b'.').next().unwrap_or_default().to_vec()
            }
            b'l' => host()?.into_vec(),
            b'n' => self.given.clone().into_bytes(),
            b'p' => self.port.to_string().into_bytes(),
            b'r' => self.user.clone().into_bytes(),
            b'u' => me()?.name.into_bytes(),
            other => return Err(format!("netkit knows no %{}", other.escape_ascii())),
        })
    }
}

/// `~/` is the home folder, and `~NAME/` that of a user.
fn with_home(value: &[u8]) -> Result<Vec<u8>, String> {
    let Some(rest) = value.strip_prefix(b"~") else { return Ok(value.to_vec()) };
    let end = rest.iter().position(|&byte| byte == b'/').unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    let user = match str::from_utf8(name) {
        Ok("") => this_user(),
        Ok(name) => User::from_name(name).ok().flatten(),
        Err(_) => None,
    };
    let user = user.ok_or_else(|| format!("there is no user ~{}", name.escape_ascii()))?;
    let mut path = user.dir.into_os_string().into_vec();
    path.extend(rest);
    Ok(path)
}

fn variable(name: &[u8]) -> Result<Vec<u8>, String> {
    let value = std::env::var_os(OsStr::from_bytes(name));
    let missing = || format!("the variable {} is not set", name.escape_ascii());
    value.map(OsString::into_vec).ok_or_else(missing)
}

#[cfg(test)]
mod tests;
