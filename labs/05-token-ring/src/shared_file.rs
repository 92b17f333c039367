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
    Verdict { name, kind: PropertyKind::Safety, judgement }
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
mod tests {
    use super::*;

    fn judged(text: &str, expected: u64) -> (Option<bool>, String) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let remains = Remains { complete: true, one_machine: true };
        let verdict = judge(file.path(), expected, remains);
        (verdict.holds(), verdict.detail().to_owned())
    }

    #[test]
    fn pairs_one_after_the_other_hold() {
        let (holds, detail) =
            judged("begin p0 a/1 1\nend p0 a/1 1\nbegin p1 a/2 1\nend p1 a/2 1\n", 2);
        assert_eq!(holds, Some(true));
        assert!(detail.starts_with("2 begin/end pairs"), "{detail}");
    }

    #[test]
    fn interleaved_pairs_are_a_violation() {
        let (holds, detail) =
            judged("begin p0 a/1 1\nbegin p1 a/2 1\nend p0 a/1 1\nend p1 a/2 1\n", 2);
        assert_eq!(holds, Some(false));
        assert!(detail.contains("p1 a/2 1 begins inside the section of p0 a/1 1"), "{detail}");
    }

    #[test]
    fn a_missing_pair_is_a_violation_on_one_machine_only() {
        assert_eq!(judged("begin p0 a/1 1\nend p0 a/1 1\n", 2).0, Some(false));
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(
            judge(file.path(), 2, Remains { complete: true, one_machine: false }).holds(),
            None
        );
        assert_eq!(
            judge(file.path(), 2, Remains { complete: false, one_machine: true }).holds(),
            None
        );
    }

    #[test]
    fn a_line_that_a_full_disk_cut_off_breaks_nothing() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "begin p0 a/1 1\nend p0 a/1 1\nbegin p1 a/2 1\nen").unwrap();
        let remains = Remains { complete: false, one_machine: true };
        let verdict = judge(file.path(), 2, remains);
        assert_eq!(verdict.holds(), None, "{}", verdict.detail());
    }

    #[test]
    fn what_is_no_such_file_is_said_so() {
        assert_eq!(judged("hello\n", 1).0, Some(false));
        assert_eq!(
            judge(Path::new("/nowhere/at/all"), 1, Remains { complete: true, one_machine: true })
                .holds(),
            None
        );
    }
}
