//! The file that all processes write to, each in its critical section only: a proof of mutual exclusion
//! that needs no trace.
//!
//! ```text
//! begin p3 lab02/4711 1
//! end p3 lab02/4711 1
//! ```
//!
//! The number counts the entries of the process. If no two sections overlapped, each `end` stands right
//! behind its `begin`. Lines are appended with one write each, so that they never mix within a line, on
//! local disks; over NFS two writers at once may overwrite each other, which then shows as a missing line.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use labs::lab::{Application, Place, Remains};
use labs::process::Never;
use labs::shared_file;
use labs::verdict::{Judgement, PropertyKind, Verdict};

use crate::token_ring::Indication;

/// One process's writer.
pub struct SharedFile {
    file: Option<File>,
    name: String,
    entries: u64,
}

impl SharedFile {
    /// Opens the file to append to; `path` is nothing where no file is asked for.
    ///
    /// # Errors
    ///
    /// If it cannot be opened.
    pub fn open(path: Option<&Path>, place: &Place) -> io::Result<Self> {
        let file = match path {
            Some(path) => Some(shared_file::open(path)?),
            None => None,
        };
        Ok(Self { file, name: format!("{} {}", place.me, place.name()), entries: 0 })
    }

    fn write(&mut self, word: &str) -> io::Result<()> {
        match &mut self.file {
            Some(file) => {
                file.write_all(format!("{word} {} {}\n", self.name, self.entries).as_bytes())
            }
            None => Ok(()),
        }
    }
}

impl Application<Indication, Never> for SharedFile {
    fn on_indication(&mut self, indication: &Indication) -> io::Result<Vec<Never>> {
        match indication {
            Indication::Entered => {
                self.entries += 1;
                self.write("begin")?;
            }
            Indication::Left => self.write("end")?,
            _ => {}
        }
        Ok(Vec::new())
    }
}

/// Judges the file after a run in which `expected` sections had to be written. Where not all processes
/// were on this machine, lines that are missing here may be elsewhere.
pub fn judge(path: &Path, expected: u64, remains: Remains) -> Verdict {
    let place = path.display();
    let pairs = |sections| format!("{sections} of {expected} begin/end pairs");
    let judgement = match read(path) {
        Err(error) => Judgement::Unknown(format!("cannot read {place}: {error}")),
        Ok(Err(what)) => Judgement::violated(what),
        Ok(Ok(sections)) if sections == expected => {
            Judgement::Holds(format!("{sections} begin/end pairs in {place}, none interleaved"))
        }
        Ok(Ok(sections)) if !remains.complete => {
            Judgement::Unknown(format!("not yet: {}, none interleaved", pairs(sections)))
        }
        Ok(Ok(sections)) if remains.one_machine => {
            Judgement::violated(format!("{sections} begin/end pairs instead of {expected}"))
        }
        Ok(Ok(sections)) => Judgement::Unknown(format!(
            "{} are in the file of this machine: give --file a path that all machines share",
            pairs(sections)
        )),
    };
    let name = "mutual exclusion in the shared file".to_owned();
    Verdict { name, kind: PropertyKind::Safety, tested: expected > 1, judgement }
}

/// How many sections the file shows, or where they interleave.
fn read(path: &Path) -> io::Result<Result<u64, String>> {
    let mut inside: Option<String> = None;
    let mut sections = 0;
    let read = shared_file::read(path, |line| match (line.split_once(' '), inside.take()) {
        (Some(("begin", who)), None) => {
            inside = Some(who.to_owned());
            Ok(())
        }
        (Some(("begin", who)), Some(other)) => {
            Err(format!("{who} begins inside the section of {other}"))
        }
        (Some(("end", who)), Some(other)) if who == other => {
            sections += 1;
            Ok(())
        }
        (Some(("end", who)), other) => {
            let other = other.map_or("nobody".to_owned(), |other| other);
            Err(format!("{who} ends a section, but {other} is inside"))
        }
        _ => Err("neither begin nor end".to_owned()),
    })?;
    Ok(read.map(|()| sections))
}

#[cfg(test)]
mod tests;
