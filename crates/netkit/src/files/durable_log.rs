//! A log that survives kills and power cuts: what is committed is there when the program starts
//! again, whole and in order.
//!
//! **The idea.** A program writes down what happens before anybody hears of it. To wait for the
//! disk once for each event is slow, so all that happens in one *turn* of an event loop is one
//! block at the end of the file, brought to the disk by one wait (`fdatasync`): *group commit*. Ten
//! clients that ask in the same turn share the wait.
//!
//! ```text
//!  append(entry) ──► memory ── commit() ──► write ──► fdatasync ──► now it may be acknowledged
//!
//!  labs-log 1 <salt>        one line: the version, and a random number of this file
//!  ┌─ block 0 ────────┐     the snapshot: all that was to be known when the file was made
//!  │ 0 length checksum│
//!  │ entry            │     an entry is a line of text
//!  │ entry            │
//!  ├─ block 1 ────────┤     the first turn after it
//!  │ 1 length checksum│
//!  │ entry            │
//!  ├─ block 2 ────────┤     and so on
//!  ┆                  ┆
//! ```
//!
//! The numbers of a block are hexadecimal, with leading zeros: 16 digits which block it is, 8 how
//! many bytes its entries have, 16 the checksum. The checksum is SipHash-2-4 under the salt, over the
//! two other numbers and the entries. Nobody who gets a text into a log can know the salt, so no
//! text can look like a block.
//!
//! **Recovery.** A block is written when the block before it is on the disk. So a crash can spoil
//! the last block alone, whatever part of it the disk has kept; and nobody has heard of it. It is
//! cut off, and kept in `FILE.torn` for a person that wants to look. If a whole block comes behind a
//! spoilt one, no crash did that: the log is [`Damaged`](LogError::Damaged), and is left as it is.
//!
//! **Compaction.** The file would grow for ever. [`compact`](DurableLog::compact) puts a new file,
//! with a snapshot alone, in the place of the old one by [`replace`]: whenever the machine stops, one of
//! the two is there, whole.
//!
//! **Cost.** A commit is one write and one `fdatasync`; a compaction is two waits for the disk.
//!
//! **What is not done here.** One program at a time may have the log: see [`lock`](super::lock). If
//! the last block was whole once and the disk has spoilt it since, that looks like a crash.

mod format;
#[cfg(test)]
mod tests;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use self::format::{Block, Salt};
pub use self::format::{Contents, LogError, is_log, parse};
use super::replace::{Disk, LocalDisk, replace};

/// What is behind the name of a log, in the name of the file that keeps what was cut off.
const TORN: &str = ".torn";

/// A log that is open.
#[derive(Debug)]
pub struct DurableLog<D = LocalDisk> {
    path: PathBuf,
    disk: D,
    file: File,
    salt: Salt,
    /// The number of the next block.
    next: u64,
    /// What was appended since the last commit.
    block: Block,
    /// How many bytes the snapshot has, and the blocks behind it.
    snapshot: u64,
    turns: u64,
    /// The disk has failed: nobody knows what is on it.
    is_broken: bool,
}

impl<D: Disk> DurableLog<D> {
    /// Makes a new log with this snapshot, in place of any file that is there.
    ///
    /// # Errors
    ///
    /// If the disk fails; then the old file is there, or the new one.
    pub fn create(
        mut disk: D,
        path: &Path,
        snapshot: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> io::Result<Self> {
        let salt = Salt::random()?;
        let snapshot = put_snapshot(&mut disk, path, &salt, snapshot)?;
        Ok(Self {
            file: open_to_append(path)?,
            path: path.to_owned(),
            disk,
            salt,
            next: 1,
            block: Block::default(),
            snapshot,
            turns: 0,
            is_broken: false,
        })
    }

    /// Opens a log, and cuts off what a crash left of its last block. Returns what is in it; none if
    /// there is no such file.
    ///
    /// # Errors
    ///
    /// If it is longer than `max` bytes, cannot be read or mended, or is damaged. Then it is as it was.
    pub fn open(mut disk: D, path: &Path, max: u64) -> Result<Option<(Self, Contents)>, LogError> {
        let Some(bytes) = super::read_if_there(path, max)? else { return Ok(None) };
        let contents = parse(&bytes)?;
        let file = open_to_append(path)?;
        if let Some(torn) = bytes.get(contents.whole..).filter(|torn| !torn.is_empty()) {
            let mut kept = path.as_os_str().to_owned();
            kept.push(TORN);
            let kept = Path::new(&kept);
            log::warn!(
                "{}: the last {} bytes are of a turn that a crash interrupted, and nobody has heard of: \
                 they are cut off, and kept in {}",
                path.display(),
                torn.len(),
                kept.display()
            );
            replace(&mut disk, kept, torn)?;
            disk.cut(&file, contents.whole as u64)?;
        }
        let log = Self {
            path: path.to_owned(),
            disk,
            file,
            salt: contents.salt.clone(),
            next: contents.blocks,
            block: Block::default(),
            snapshot: contents.snapshot_end as u64,
            turns: (contents.whole - contents.snapshot_end) as u64,
            is_broken: false,
        };
        Ok(Some((log, contents)))
    }

    /// Adds an entry to the turn: a line of text, without its end. It is not on the disk yet.
    pub fn append(&mut self, entry: &str) {
        self.block.push(entry);
    }

    /// Whether something was appended and is not committed.
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        !self.block.is_empty()
    }

    /// Brings the turn to the disk: what was appended is there when this returns. Without anything
    /// to bring, this costs nothing.
    ///
    /// # Errors
    ///
    /// If the disk fails. Then nobody knows what is on it: nothing of the turn may be acknowledged,
    /// and each further commit fails. Open the log again to learn what is there.
    pub fn commit(&mut self) -> io::Result<()> {
        if self.is_broken {
            return Err(io::Error::other("the disk has failed before: start again"));
        }
        if self.block.is_empty() {
            return Ok(());
        }
        let bytes = self.block.finish(self.next, &self.salt)?;
        // Should one of these fail, this stays.
        self.is_broken = true;
        self.disk.write(&mut self.file, bytes)?;
        self.disk.sync_data(&self.file)?;
        self.is_broken = false;
        self.turns += bytes.len() as u64;
        self.next += 1;
        self.block.clear();
        Ok(())
    }

    /// Whether it is worth while to compact: the blocks of turns are longer than this, and than the
    /// snapshot, so that what is written for compaction is no more than what is written anyway.
    #[must_use]
    pub fn is_long(&self, bytes: u64) -> bool {
        self.turns > bytes.max(self.snapshot)
    }

    /// Puts a log with this snapshot, and without any turns, in the place of this one. What was
    /// appended and not committed must be a part of the snapshot; it is on the disk then.
    ///
    /// # Errors
    ///
    /// If the disk fails: as [`commit`](Self::commit).
    pub fn compact(
        &mut self,
        snapshot: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> io::Result<()> {
        // Should a step fail, nobody knows which of the two files has the name.
        self.is_broken = true;
        let salt = Salt::random()?;
        self.snapshot = put_snapshot(&mut self.disk, &self.path, &salt, snapshot)?;
        self.file = open_to_append(&self.path)?;
        (self.salt, self.next, self.turns) = (salt, 1, 0);
        self.block.clear();
        self.is_broken = false;
        Ok(())
    }
}

/// Brings a log to its place that holds a snapshot alone. Returns its length.
fn put_snapshot(
    disk: &mut impl Disk,
    path: &Path,
    salt: &Salt,
    snapshot: impl IntoIterator<Item = impl AsRef<str>>,
) -> io::Result<u64> {
    let mut block = Block::default();
    snapshot.into_iter().for_each(|entry| block.push(entry.as_ref()));
    let mut bytes = salt.first_line().into_bytes();
    bytes.extend_from_slice(block.finish(0, salt)?);
    replace(disk, path, &bytes)?;
    Ok(bytes.len() as u64)
}

fn open_to_append(path: &Path) -> io::Result<File> {
    super::check_regular(path)?;
    OpenOptions::new().append(true).custom_flags(libc::O_NONBLOCK).open(path)
}
