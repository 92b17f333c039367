//! The application's side of a process of a real run: it stores what the process recorded.
//!
//! A process tells that its part of a wave is complete, and what it asks for after that is carried out
//! only when the file is on the disk: a blocked process goes on when its state is safe. A file that cannot
//! be written ends the run.

use std::io;
use std::path::PathBuf;

use labs::lab::{Application, Place};

use crate::checkpoint::Checkpoint;
use crate::disk::LocalDisk;
use crate::snapshot::{Indication, Request};
use crate::work::Work;

/// Writes the files of one process.
#[derive(Debug)]
pub struct Writer {
    folder: PathBuf,
    place: Place,
    execution: String,
}

impl Writer {
    /// Writes into a folder, which it makes if it is not there.
    ///
    /// # Errors
    ///
    /// If it is not there and cannot be made.
    pub fn open(folder: PathBuf, place: Place, execution: String) -> io::Result<Self> {
        std::fs::create_dir_all(&folder).map_err(|error| {
            let what = format!("cannot make the folder {}: {error}", folder.display());
            io::Error::new(error.kind(), what)
        })?;
        Ok(Self { folder, place, execution })
    }
}

impl<R> Application<Indication<Work>, Request<R>> for Writer {
    fn on_indication(&mut self, indication: &Indication<Work>) -> io::Result<Vec<Request<R>>> {
        if let Indication::Recorded(recording) = indication {
            let Place { me, processes, .. } = self.place;
            let checkpoint = Checkpoint::new(recording, me, processes, self.execution.clone());
            checkpoint.write(&mut LocalDisk, &self.folder).map_err(|error| {
                let what =
                    format!("cannot write a checkpoint to {}: {error}", self.folder.display());
                io::Error::new(error.kind(), what)
            })?;
        }
        Ok(Vec::new())
    }
}
