//! A process that outlives the server by a moment, and ends what it leaves behind.
//!
//! A server that is killed with `kill -9` can end nobody. So it starts a *keeper*, which is told of
//! each child that is started and buried, and does nothing until the server is gone: then its end
//! of their connection closes, by whatever the server died.
//!
//! The keeper is this same program. It has a process group of its own, so that Ctrl-C does not
//! reach it, and the rights of the user that the server becomes.

use std::collections::BTreeSet;
use std::env;
use std::io::{self, BufRead, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use nix::unistd::{Pid, User};

use crate::family;

/// The name of the keeper's role, which is hidden: nobody starts it by hand.
pub(crate) const ROLE: &str = "keep";

/// The server's end.
#[derive(Debug)]
pub(crate) struct Keeper {
    process: Child,
    to_it: UnixStream,
}

impl Keeper {
    /// Starts it, as this user.
    ///
    /// # Errors
    ///
    /// If the system refuses, or the user may not run this program.
    pub(crate) fn start(user: Option<&User>) -> io::Result<Keeper> {
        let (to_it, its_end) = UnixStream::pair()?;
        // A keeper that is stopped must not stop the server.
        to_it.set_nonblocking(true)?;
        let mut command = Command::new(env::current_exe()?);
        command
            .arg(ROLE)
            .env_clear()
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::from(OwnedFd::from(its_end)))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Some(user) = user {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        Ok(Keeper { process: command.spawn()?, to_it })
    }

    /// Its number.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.process.id().cast_signed())
    }

    /// Tells it that a child was started.
    ///
    /// # Errors
    ///
    /// If it is gone, or does not listen.
    pub(crate) fn note_start(&mut self, child: Pid) -> io::Result<()> {
        self.to_it.write_all(format!("+{child}\n").as_bytes())
    }

    /// Tells it that a child was buried: its number may be another's by now.
    ///
    /// # Errors
    ///
    /// As [`note_start`](Self::note_start).
    pub(crate) fn note_end(&mut self, child: Pid) -> io::Result<()> {
        self.to_it.write_all(format!("-{child}\n").as_bytes())
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // The server ends by itself, and its children with it: there is nothing to keep.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What the keeper does: listens until the server is gone, and ends what is left.
pub(crate) fn keep(told: impl BufRead) {
    for child in left(told) {
        family::end(child);
    }
}

/// Those that were started, and not buried when nothing more came.
fn left(told: impl BufRead) -> BTreeSet<Pid> {
    let mut alive = BTreeSet::new();
    // What cannot be read any more has ended.
    for line in told.lines().map_while(Result::ok) {
        let Some((sign, pid)) = line.split_at_checked(1) else { continue };
        let Some(pid) = pid.parse().ok().filter(|&pid| pid > 1) else { continue };
        match sign {
            "+" => alive.insert(Pid::from_raw(pid)),
            _ => alive.remove(&Pid::from_raw(pid)),
        };
    }
    alive
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_are_left_that_were_not_buried() {
        let told = "+12\n+13\n\nnonsense\n+x\n+0\n+1\n+-5\n-12\n+14\n";
        let left: Vec<_> = left(told.as_bytes()).into_iter().map(Pid::as_raw).collect();
        assert_eq!(left, [13, 14]);
    }
}
