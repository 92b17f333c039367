//! Giving up root.
//!
//! Port 79 is for root, and nothing else here is. So a server that was started as root binds the
//! port, opens its files, and then becomes another user, for good, before it reads a byte from
//! anybody. If a client makes it do harm, it can do so only with the rights of that user. The same
//! holds for its children.

use std::ffi::CString;

use nix::errno::Errno;
use nix::sys::prctl::set_no_new_privs;
use nix::unistd::{Gid, Uid, User, geteuid, initgroups, setgid, setuid};
use thiserror::Error;

/// The user that a server becomes if it was started as root and no other user was named.
const NOBODY: &str = "nobody";

/// Why a server cannot become that user.
#[derive(Debug, Error)]
pub enum UserError {
    /// There is no such user.
    #[error("there is no user {0}; name one of those that `getent passwd` lists with --user")]
    Unknown(String),
    /// Only root can become somebody else.
    #[error("only root can become {0}; start it as root, or leave --user out")]
    NotRoot(String),
    /// The system refuses.
    #[error("cannot become {name}: {}", errno.desc())]
    System {
        /// The name of the user to become.
        name: String,
        /// The error of the system.
        errno: Errno,
    },
    /// It did not last: then it must not go on.
    #[error("became {0}, but could become root again")]
    NotForGood(String),
}

/// The user to become, if this process is to become one: with root's rights, the one named or else
/// `nobody`.
///
/// # Errors
///
/// If there is none of that name, or this is not root and would have to be.
pub fn user_to_become(name: Option<&str>) -> Result<Option<User>, UserError> {
    let own = geteuid();
    let name = match name {
        None if own.is_root() => NOBODY,
        None => return Ok(None),
        Some(name) => name,
    };
    let user = User::from_name(name).ok().flatten();
    let user = user.ok_or_else(|| UserError::Unknown(name.escape_debug().collect()))?;
    match (user.uid == own, own.is_root()) {
        (true, _) => Ok(None),
        (false, true) => Ok(Some(user)),
        (false, false) => Err(UserError::NotRoot(user.name)),
    }
}

/// Becomes that user for good. From then on no program that it starts gains rights by being
/// set-user-id, whichever user it is.
///
/// # Errors
///
/// If the system refuses, or the change could be undone.
pub fn drop_to(user: Option<&User>) -> Result<(), UserError> {
    if let Some(User { name, uid, gid, .. }) = user {
        become_user(name, *uid, *gid)
            .map_err(|errno| UserError::System { name: name.clone(), errno })?;
        if setuid(Uid::from_raw(0)).is_ok() {
            return Err(UserError::NotForGood(name.clone()));
        }
    }
    let name = || user.map_or("a user without new rights", |user| &user.name).to_owned();
    set_no_new_privs().map_err(|errno| UserError::System { name: name(), errno })
}

/// Groups first: afterwards there are no rights to do so.
fn become_user(name: &str, uid: Uid, gid: Gid) -> Result<(), Errno> {
    let name = CString::new(name).map_err(|_| Errno::EINVAL)?;
    initgroups(&name, gid)?;
    setgid(gid)?;
    setuid(uid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_root_becomes_somebody_else() {
        let own = User::from_uid(geteuid()).unwrap().expect("tests are run by somebody");
        assert!(user_to_become(Some(&own.name)).unwrap().is_none());
        match geteuid().is_root() {
            true => assert_eq!(user_to_become(None).unwrap().unwrap().name, NOBODY),
            false => {
                assert!(user_to_become(None).unwrap().is_none());
                assert!(matches!(user_to_become(Some("root")), Err(UserError::NotRoot(_))));
            }
        }
        assert!(matches!(user_to_become(Some("no such user")), Err(UserError::Unknown(_))));
    }
}
