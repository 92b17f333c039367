//! Mailboxes made of files that are either whole or not there ([`labs::files`]): the Maildir of D.
//! J. Bernstein (cr.yp.to/proto/maildir.html).
//!
//! A mail is written to `tmp`, forced to disk, and renamed into `new`; then `new` is forced to disk
//! too. Who reads it renames it into `cur`, with flags behind `:2,`; `S` is "seen". Any reader,
//! `mutt` or `ls`, sees whole mails only, without locks.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use labs::files::{self, PrivateDisk};

/// The largest file of a store that is read: a mail with its clock is below a frame, and text takes
/// more room than binary numbers.
const FILE_MAX: u64 = 64 << 20;

/// A folder in Maildir form.
#[derive(Clone, Debug)]
pub struct Maildir {
    path: PathBuf,
}

/// A file of a mailbox.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Entry {
    /// When it came, in nanoseconds since 1970.
    pub arrived: i128,
    /// Its name without flags.
    pub name: String,
    /// Where it is now.
    pub path: PathBuf,
}

impl Maildir {
    /// Opens the mailbox in this folder, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// If it cannot be made.
    pub fn open(path: PathBuf) -> io::Result<Self> {
        for part in ["tmp", "new", "cur"] {
            make_folder(&path.join(part))?;
        }
        sync_folder(&path)?;
        for leftover in fs::read_dir(path.join("tmp"))? {
            // The server that was writing it has died: only one server writes here.
            fs::remove_file(leftover?.path())?;
        }
        Ok(Self { path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts a mail into `new`, on disk when this returns.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn deliver(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        let (draft, path) = (self.path.join("tmp").join(name), self.path.join("new").join(name));
        files::replace_by_way_of(&mut PrivateDisk, &draft, &path, text.as_bytes())?;
        Ok(path)
    }

    /// Moves a mail to `cur` and marks it as seen. One that is not there any more was moved by
    /// somebody else.
    ///
    /// # Errors
    ///
    /// If it cannot be moved.
    pub fn mark_seen(&self, path: &Path, name: &str) -> io::Result<()> {
        match fs::rename(path, self.path.join("cur").join(format!("{name}:2,S"))) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    /// All mails, in the order in which they came.
    ///
    /// # Errors
    ///
    /// If the folders cannot be read.
    pub fn entries(&self) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for folder in ["new", "cur"] {
            for entry in fs::read_dir(self.path.join(folder))? {
                let entry = entry?;
                let Ok(file_name) = entry.file_name().into_string() else { continue };
                let arrived = entry.metadata()?.modified()?;
                let arrived = arrived.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
                let name = file_name.split(':').next().unwrap_or_default().to_owned();
                if !name.starts_with('.') {
                    let arrived = arrived.as_nanos() as i128;
                    entries.push(Entry { arrived, name, path: entry.path() });
                }
            }
        }
        entries.sort();
        Ok(entries)
    }

    /// Where a mail is now: somebody else may have moved it.
    ///
    /// # Errors
    ///
    /// If the folders cannot be read.
    pub fn find(&self, name: &str) -> io::Result<Option<PathBuf>> {
        let new = self.path.join("new").join(name);
        if new.exists() {
            return Ok(Some(new));
        }
        let entries = self.entries()?;
        Ok(entries.into_iter().find(|entry| entry.name == name).map(|entry| entry.path))
    }
}

/// Makes a folder that only its owner looks into, and those above it.
///
/// # Errors
///
/// If it cannot be made.
pub fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Forces the names in a folder to disk.
///
/// # Errors
///
/// If the system refuses.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Reads a file of a store.
///
/// # Errors
///
/// If it cannot be read, is too large, or is no UTF-8.
pub fn read(path: &Path) -> io::Result<String> {
    files::read_text(path, FILE_MAX)
}
