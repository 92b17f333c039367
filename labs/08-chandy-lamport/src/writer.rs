//! The application's side of a process of a real run: it stores what the process recorded.
//!
//! A process tells that its part of a wave is complete, and what it asks for after that is carried out
//! only when the file is on the disk: a blocked process goes on when its state is safe. A file that cannot
//! be written ends the run, and so does a folder that is not this run's any more ([`crate::claim`]).

use std::io;
use std::path::PathBuf;

use labs::lab::{Application, Place};
use labs::process::ProcessId;

use crate::checkpoint::{Checkpoint, Folder};
use crate::claim::Owner;
use crate::snapshot::{Indication, Request};
use crate::work::Work;
use labs::files::LocalDisk;

/// Writes the files of one process.
#[derive(Debug)]
pub struct Writer {
    folder: PathBuf,
    place: Place,
    execution: String,
    /// Waves with smaller numbers that are not complete are discarded.
    first: u32,
}

impl Writer {
    /// Writes into a folder for this execution.
    ///
    /// # Errors
    ///
    /// If it cannot be made, or holds what another execution recorded.
    pub fn open(folder: PathBuf, place: Place, owner: Owner) -> io::Result<Self> {
        let execution = owner.execution.clone();
        let made = std::fs::create_dir_all(&folder);
        made.and_then(|()| owner.take(&folder, place.me)).map_err(|error| {
            let what = format!("cannot use the folder {}: {error}", folder.display());
            io::Error::new(error.kind(), what)
        })?;
        Ok(Self { folder, place, execution, first: 0 })
    }

    /// The same, going on from a wave: the first process discards what is left of earlier ones that are not
    /// complete, once the run has begun. Until then everything stays as it was.
    #[must_use]
    pub fn going_on_with(self, first: u32) -> Self {
        Self { first, ..self }
    }

    fn discard_incomplete(&self) -> io::Result<()> {
        let folder = Folder::open(&self.folder).map_err(io::Error::other)?;
        folder.discard_incomplete(self.first).map_err(io::Error::other)
    }

    fn write(&self, checkpoint: &Checkpoint) -> io::Result<()> {
        let owner = Owner::of(&self.folder)?;
        if owner.is_none_or(|owner| owner.execution != self.execution) {
            return Err(io::Error::other("another run has taken the folder"));
        }
        checkpoint.write(&mut LocalDisk, &self.folder)
    }
}

impl<R> Application<Indication<Work>, Request<R>> for Writer {
    fn on_indication(&mut self, indication: &Indication<Work>) -> io::Result<Vec<Request<R>>> {
        match indication {
            Indication::Restored(_) if self.first > 0 && self.place.me == ProcessId(0) => {
                self.discard_incomplete()?;
            }
            Indication::Recorded(part) => {
                let nothing = || io::Error::other("there is nothing to store");
                let recording = part.recording.as_ref().ok_or_else(nothing)?;
                let Place { me, processes, .. } = self.place;
                let checkpoint = Checkpoint::new(recording, me, processes, self.execution.clone());
                self.write(&checkpoint).map_err(|error| {
                    let what =
                        format!("cannot write a checkpoint to {}: {error}", self.folder.display());
                    io::Error::new(error.kind(), what)
                })?;
            }
            _ => {}
        }
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests;
