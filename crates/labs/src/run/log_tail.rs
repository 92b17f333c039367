//! A participant's own log, read back: who shows the run as it goes on shows the lines with its
//! events.
//!
//! The file is the buffer: nothing is kept in memory, and a reader that is slow loses nothing.

use std::fs::File;
use std::io;
use std::path::Path;

use log::debug;
use netkit::files::read_part;

/// How much is handed over at once, in bytes: it shares the connection with the journal.
const PART: u64 = 64 << 10;

/// What has been read of a log.
#[derive(Debug, Default)]
pub(super) struct LogTail {
    /// None if nobody wants it, or it cannot be read.
    file: Option<File>,
    offset: u64,
}

impl LogTail {
    /// A log from its beginning.
    pub(super) fn open(path: &Path) -> Self {
        let file = File::open(path);
        let file = file.inspect_err(|error| debug!("the log is not shown: {error}"));
        Self { file: file.ok(), offset: 0 }
    }

    /// Whole lines that were not read before, as many as are handed over at once; nothing if there
    /// are none.
    pub(super) fn more(&mut self) -> String {
        self.read().unwrap_or_else(|error| {
            debug!("the log is shown no further: {error}");
            self.file = None;
            String::new()
        })
    }

    fn read(&mut self) -> io::Result<String> {
        let Some(file) = &mut self.file else { return Ok(String::new()) };
        let mut bytes = read_part(file, self.offset, PART)?;
        match bytes.iter().rposition(|&byte| byte == b'\n') {
            Some(end) => bytes.truncate(end + 1),
            // A longer line comes in pieces.
            None if bytes.len() as u64 == PART => {}
            None => bytes.clear(),
        }
        self.offset += bytes.len() as u64;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

#[cfg(test)]
mod tests;
