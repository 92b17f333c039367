//! Whose a folder of checkpoints is: one run's at a time.
//!
//! Two runs that write into one folder would lose each other's files, or make a state of files of
//! both. So the launcher of a run makes three things sure before anything starts, and the processes a
//! fourth:
//!
//! 1. **The lock.** It holds an `flock` on the file `lock` in the folder until the run ends. Whoever
//!    wants to run in it, or go on from it, meanwhile is refused. The system ends the lock with the
//!    launcher, even with `kill -9`.
//! 2. **The owner.** The file `execution` names the execution that writes here. A process that finds
//!    another name there writes nothing: it is left over from a run that was killed, or its machine
//!    does not share the disk and has checkpoints of an earlier run.
//! 3. **The numbers.** The same file says up to which number waves are named, before the first of
//!    them begins. The next execution begins behind it, whatever became of the files. So no number is
//!    used twice.
//! 4. On a machine that does not share the disk nobody has written the name; then its processes do.
//!
//! What a claim has made and nobody used goes away with it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use labs::files::{self, LocalDisk, Lock};
use labs::process::ProcessId;
use serde::{Deserialize, Serialize};

use crate::checkpoint::Folder;

/// How many folders of checkpoints are made in one place before one must be named.
const FOLDERS_MAX: u32 = 10_000;

/// The file that is locked.
const LOCK: &str = "lock";

/// The file that names the execution.
const OWNER: &str = "execution";

/// What its only line begins with: what it is, and the version.
const TITLE: &str = "chandy-lamport execution 1 ";

/// The longest such file that is read, in bytes: twice as long as they are.
const OWNER_MAX: u64 = 128;

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// A run goes on in it.
    #[error("{}: a run is using this folder; wait for its end, or name another folder", .0.display())]
    InUse(PathBuf),
    /// It cannot be made, or written to.
    #[error("cannot use the folder {}: {error}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// No number is free.
    #[error("there are {FOLDERS_MAX} folders of checkpoints here: name one with --dir")]
    TooMany,
}

/// That a folder is this run's, as long as one of its copies lives.
#[derive(Clone, Debug)]
pub struct Claim(Arc<Held>);

#[derive(Debug)]
struct Held {
    folder: PathBuf,
    /// None on a disk without locks.
    _lock: Option<Lock>,
    made_folder: bool,
    made_lock: bool,
    has_owner: AtomicBool,
}

impl Claim {
    /// Claims a folder, and makes it if it is not there.
    ///
    /// # Errors
    ///
    /// If a run is using it, or it cannot be made or written to.
    pub fn of(folder: &Path) -> Result<Self, ClaimError> {
        let failed = |error| ClaimError::Folder { folder: folder.to_owned(), error };
        let made = !folder.exists();
        fs::create_dir_all(folder).map_err(failed)?;
        Self::lock(folder, made)
    }

    /// Claims a folder that is there.
    ///
    /// # Errors
    ///
    /// If a run is using it, or it cannot be written to.
    pub fn of_existing(folder: &Path) -> Result<Self, ClaimError> {
        Self::lock(folder, false)
    }

    /// Makes and claims the first of `checkpoint-1`, `checkpoint-2` and so on that is not there yet.
    ///
    /// # Errors
    ///
    /// If it cannot be made, or there are too many.
    pub fn of_new(place: &Path) -> Result<Self, ClaimError> {
        for number in 1..=FOLDERS_MAX {
            let folder = place.join(format!("checkpoint-{number}"));
            match fs::create_dir(&folder) {
                Ok(()) => return Self::lock(&folder, true),
                // Of another run, which may have begun in this moment.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(ClaimError::Folder { folder, error }),
            }
        }
        Err(ClaimError::TooMany)
    }

    fn lock(folder: &Path, made_folder: bool) -> Result<Self, ClaimError> {
        let failed = |error| ClaimError::Folder { folder: folder.to_owned(), error };
        let path = folder.join(LOCK);
        let made_lock = !path.exists();
        let lock = match files::lock(&path) {
            Ok(Some(lock)) => Some(lock),
            Ok(None) => return Err(ClaimError::InUse(folder.to_owned())),
            // Some network disks have no locks. The owner's name is still there to tell runs apart.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => None,
            Err(error) => {
                return Err(failed(io::Error::new(error.kind(), format!("{LOCK}: {error}"))));
            }
        };
        let has_owner = AtomicBool::new(false);
        let folder = folder.to_owned();
        Ok(Self(Arc::new(Held { folder, _lock: lock, made_folder, made_lock, has_owner })))
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.0.folder
    }

    /// Writes down whose it is from now on.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn give_to(&self, owner: &Owner) -> Result<(), ClaimError> {
        let folder = self.folder();
        files::replace(&mut LocalDisk, &folder.join(OWNER), owner.to_text().as_bytes())
            .map_err(|error| ClaimError::Folder { folder: folder.to_owned(), error })?;
        self.0.has_owner.store(true, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for Held {
    /// Failures leave an empty folder, which harms nobody.
    fn drop(&mut self) {
        let is_new = self.made_folder;
        if is_new && Folder::open(&self.folder).is_ok_and(|folder| folder.is_empty()) {
            let _ = fs::remove_file(self.folder.join(OWNER));
            let _ = fs::remove_file(self.folder.join(LOCK));
            let _ = fs::remove_dir(&self.folder);
        } else if self.made_lock && !*self.has_owner.get_mut() {
            let _ = fs::remove_file(self.folder.join(LOCK));
        }
    }
}

/// Which execution writes into a folder.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Owner {
    /// Its name: a random word.
    pub execution: String,
    /// The highest number that it, or one before it, may give to a wave.
    pub last_number: u32,
}

impl Owner {
    /// Whose a folder is; nobody's if it was never claimed.
    ///
    /// # Errors
    ///
    /// If that cannot be read.
    pub fn of(folder: &Path) -> io::Result<Option<Self>> {
        let path = folder.join(OWNER);
        let Some(bytes) = files::read_if_there(&path, OWNER_MAX)? else { return Ok(None) };
        let what = || io::Error::other(format!("{}: it names no execution", path.display()));
        Self::from_text(&files::into_text(bytes)?).ok_or_else(what).map(Some)
    }

    /// Makes a folder on this machine `execution`'s, unless it is already, or holds what another one recorded.
    ///
    /// # Errors
    ///
    /// If it does, or cannot be read or written.
    pub fn take(self, folder: &Path, process: ProcessId) -> io::Result<()> {
        match Self::of(folder)? {
            Some(owner) if owner.execution == self.execution => return Ok(()),
            _ => {}
        }
        if !Folder::open(folder).map_err(io::Error::other)?.is_empty() {
            return Err(io::Error::other(
                "it has checkpoints of another run, so it is not the folder of the launcher: give --dir a \
                 path on a disk that all machines share",
            ));
        }
        // Others of this run may do the same at the same time.
        let unfinished = folder.join(format!("{OWNER}.{process}.new"));
        let text = self.to_text();
        files::replace_by_way_of(&mut LocalDisk, &unfinished, &folder.join(OWNER), text.as_bytes())
    }

    fn to_text(&self) -> String {
        format!("{TITLE}{} {}\n", self.execution, self.last_number)
    }

    fn from_text(text: &str) -> Option<Self> {
        let (execution, number) = text.strip_prefix(TITLE)?.strip_suffix('\n')?.split_once(' ')?;
        Some(Self { execution: execution.to_owned(), last_number: number.parse().ok()? })
    }
}

#[cfg(test)]
mod tests;
