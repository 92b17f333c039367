//! A process that outlives the server by a moment, and ends what it leaves behind.
//!
//! A server that is killed with `kill -9` can end nobody. So it starts a *keeper*, which does
//! nothing until the server is gone: then a pipe closes, by whatever the server died. Which children
//! were running stands in a piece of memory that both share, a file without a name: writing there
//! wakes nobody, so that a request costs no more than before.
//!
//! The keeper is this same program. It has a process group of its own, so that Ctrl-C does not
//! reach it, and the rights of the user that the server becomes.

use std::env;
use std::fs::File;
use std::io::{self, PipeWriter, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::{Pid, User};

use crate::family;

/// The name of the keeper's role, which is hidden: nobody starts it by hand.
pub(crate) const ROLE: &str = "keep";

/// The bytes of a process number in the notes.
const NOTE: usize = size_of::<i32>();

/// The most bytes of notes that are read: a quarter of a million children.
const NOTES_MAX: u64 = 1 << 20;

/// The server's end.
#[derive(Debug)]
pub(crate) struct Keeper {
    process: Child,
    /// It closes with this process.
    _pipe: PipeWriter,
    notes: Notes,
}

impl Keeper {
    /// Starts it, as this user.
    ///
    /// # Errors
    ///
    /// If the system refuses, or the user may not run this program.
    pub(crate) fn start(user: Option<&User>) -> io::Result<Keeper> {
        let notes = Notes::new()?;
        let (its_end, pipe) = io::pipe()?;
        let mut command = Command::new(env::current_exe()?);
        command
            .arg(ROLE)
            .env_clear()
            .current_dir("/")
            .process_group(0)
            .stdin(its_end)
            .stdout(notes.file.try_clone()?)
            .stderr(Stdio::null());
        if let Some(user) = user {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        Ok(Keeper { process: command.spawn()?, _pipe: pipe, notes })
    }

    /// Its number.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.process.id().cast_signed())
    }

    /// Whether it has ended, and so keeps nothing.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.process.try_wait(), Ok(None))
    }

    /// Notes that a child was started.
    ///
    /// # Errors
    ///
    /// If the system has no memory left.
    pub(crate) fn note_start(&mut self, child: Pid) -> io::Result<()> {
        self.notes.add(child)
    }

    /// Notes that a child was buried: its number may be another's by now.
    ///
    /// # Errors
    ///
    /// As [`note_start`](Self::note_start).
    pub(crate) fn note_end(&mut self, child: Pid) -> io::Result<()> {
        self.notes.remove(child)
    }
}

/// The numbers of the children that run, each in a place of its own; 0 where there is none.
#[derive(Debug)]
struct Notes {
    file: File,
    /// What stands there.
    places: Vec<Option<Pid>>,
}

impl Notes {
    fn new() -> io::Result<Notes> {
        let file = memfd_create("children of fingerd", MFdFlags::MFD_CLOEXEC)?;
        Ok(Notes { file: File::from(file), places: Vec::new() })
    }

    fn add(&mut self, child: Pid) -> io::Result<()> {
        let free = self.places.iter().position(Option::is_none);
        let place = free.unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() - 1
        });
        self.write(place, Some(child))
    }

    fn remove(&mut self, child: Pid) -> io::Result<()> {
        match self.places.iter().position(|&other| other == Some(child)) {
            Some(place) => self.write(place, None),
            None => Ok(()),
        }
    }

    fn write(&mut self, place: usize, child: Option<Pid>) -> io::Result<()> {
        self.places[place] = child;
        let number = child.map_or(0, Pid::as_raw);
        self.file.write_all_at(&number.to_ne_bytes(), (place * NOTE) as u64)
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // The server ends by itself, and its children with it: there is nothing to keep.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What the keeper does: waits until the server is gone, and ends what is left.
pub(crate) fn keep() {
    // Nothing ever comes; the read ends when nobody can write any more.
    let _ = io::stdin().lock().read(&mut [0]);
    // By whom it was started, standard output is the notes. By hand, it is no file of numbers.
    let notes = io::stdout().as_fd().try_clone_to_owned().map(File::from);
    notes.map(|notes| noted(&notes)).unwrap_or_default().into_iter().for_each(family::end);
}

/// The children that stand in the notes.
fn noted(notes: &File) -> Vec<Pid> {
    let length = notes.metadata().map_or(0, |about| about.len()).min(NOTES_MAX);
    let mut bytes = vec![0; length as usize];
    if notes.read_exact_at(&mut bytes, 0).is_err() {
        return Vec::new();
    }
    let numbers = bytes.chunks_exact(NOTE).filter_map(|note| note.try_into().ok());
    let numbers = numbers.map(i32::from_ne_bytes).filter(|&pid| pid > 1);
    numbers.map(Pid::from_raw).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_are_left_that_were_not_buried() {
        let mut notes = Notes::new().unwrap();
        let left =
            |notes: &Notes| noted(&notes.file).into_iter().map(Pid::as_raw).collect::<Vec<_>>();
        assert_eq!(left(&notes), [0; 0]);
        for pid in [12, 13, 14] {
            notes.add(Pid::from_raw(pid)).unwrap();
        }
        notes.remove(Pid::from_raw(12)).unwrap();
        notes.remove(Pid::from_raw(99)).unwrap();
        assert_eq!(left(&notes), [13, 14]);
        notes.add(Pid::from_raw(15)).unwrap();
        assert_eq!(left(&notes), [15, 13, 14], "a place is used again");
    }
}
