//! The system's `finger`, run for one query.
//!
//! There is no shell: the program is started by its whole path with its arguments one by one, the
//! login last and behind `--`, so that it could not be taken for an option even if it looked like
//! one. The environment holds a `PATH` and a language and nothing of ours. Standard output and
//! standard error are one pipe, for `finger` complains of unknown users on the latter.
//!
//! The child leads a process group of its own, so that what it starts can be ended with it; who
//! leaves the group is found by its parents ([`family`]).

use std::io::{self, pipe};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use mio::unix::pipe::Receiver;
use nix::unistd::Pid;

use crate::family;
use crate::query::Query;

/// Where `finger` is looked for.
const FOLDERS: [&str; 3] = ["/usr/bin", "/bin", "/usr/local/bin"];

/// Where this machine has its `finger`.
pub(crate) fn find() -> Option<PathBuf> {
    FOLDERS.iter().map(|folder| Path::new(folder).join("finger")).find(|path| path.is_file())
}

/// A `finger` that runs, or has run and is not yet buried.
#[derive(Debug)]
pub(crate) struct Finger {
    child: Child,
    is_buried: bool,
}

impl Finger {
    /// Starts it. What it prints comes out of the pipe, which does not block.
    ///
    /// # Errors
    ///
    /// If the system cannot start it.
    pub(crate) fn start(program: &Path, query: &Query) -> io::Result<(Finger, Receiver)> {
        let (reader, writer) = pipe()?;
        let mut command = Command::new(program);
        command
            .args(query.verbose.then_some("-l"))
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LC_ALL", "C")
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer);
        if let Some(login) = &query.login {
            command.arg("--").arg(login.as_str());
        }
        let child = command.spawn()?;
        // With `command` our copies of the writing end close; only the child's are left.
        drop(command);
        let receiver = Receiver::from(ChildStdout::from(OwnedFd::from(reader)));
        let finger = Finger { child, is_buried: false };
        receiver.set_nonblocking(true)?;
        Ok((finger, receiver))
    }

    /// Its number, which is that of its group too.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// Ends it and what it has started, at once.
    pub(crate) fn kill(&mut self) {
        if !self.is_buried {
            // Its number is its own until it is buried, and so is that of its group.
            family::end(self.pid());
        }
    }

    /// Whether it has ended; if so, it is buried.
    pub(crate) fn has_ended(&mut self) -> bool {
        // Waiting for it fails only if it was buried before.
        self.is_buried = self.is_buried || !matches!(self.child.try_wait(), Ok(None));
        self.is_buried
    }
}

impl Drop for Finger {
    fn drop(&mut self) {
        self.kill();
    }
}
