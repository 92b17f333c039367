//! A file that all processes of a run write to, each in its critical section only: a proof of
//! mutual exclusion that needs no trace, and none of our tools.
//!
//! Lines are appended with one write each, so that they never mix within a line, on local disks;
//! over NFS two writers at once may overwrite each other, which then shows as a missing line. What
//! stands in the lines, and what they prove, is a matter of the lab.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use crate::files;

/// The longest line that is read, in bytes: a host name has 253 at the most.
pub const LINE_MAX: u64 = 1_024;

/// Makes sure that the file holds nothing yet, and has a folder. It is the participants who make
/// it: they may be another user on their machines than the launcher is on this one. Daemons work in
/// another folder, so the path becomes absolute.
///
/// # Errors
///
/// If it is no ordinary file, or holds something, or its folder cannot be read.
pub fn prepare(path: &Path) -> io::Result<PathBuf> {
    files::check_regular(path)?;
    match std::fs::metadata(path) {
        Ok(about) if about.len() > 0 => Err(io::Error::other(
            "it is not empty, and what an earlier run wrote would be judged with this one: \
             remove it, or name another",
        )),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => {
            let path = files::absolute(path)?;
            std::fs::read_dir(path.parent().unwrap_or(&path))?;
            Ok(path)
        }
    }
}

/// Opens the file to read it and to append to it; makes it if it is not there.
///
/// # Errors
///
/// If it cannot be opened; the error names it.
pub fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).read(true).append(true).open(path).map_err(|error| {
        let what = format!("cannot open the shared file {}: {error}", path.display());
        io::Error::new(error.kind(), what)
    })
}

/// Shows each line to `visit`, without the white space at its end, until `visit` finds something
/// wrong with one. A last line without an end is left out: its writer was cut off in the middle of
/// it, on a full disk or when it was killed, and what it meant to say nobody knows. What it finds is the inner error, after the number of the line (counted from 1)
/// and the name of the file. Bytes that are no UTF-8 are replaced, and of a line longer than
/// [`LINE_MAX`] each part counts as a line.
///
/// # Errors
///
/// If the file cannot be read.
pub fn read(
    path: &Path,
    mut visit: impl FnMut(&str) -> Result<(), String>,
) -> io::Result<Result<(), String>> {
    let mut lines = BufReader::new(File::open(path)?);
    for number in 1_u64.. {
        let mut line = Vec::new();
        if lines.by_ref().take(LINE_MAX).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if !line.ends_with(b"\n") && lines.fill_buf()?.is_empty() {
            break;
        }
        if let Err(what) = visit(String::from_utf8_lossy(&line).trim_end()) {
            return Ok(Err(format!("line {number} of {}: {what}", path.display())));
        }
    }
    Ok(Ok(()))
}

#[cfg(test)]
mod tests;
