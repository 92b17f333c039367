//! Mailboxes made of files that are either whole or not there ([`labs::files`]): the Maildir of D.
//! J. Bernstein (cr.yp.to/proto/maildir.html).
//!
//! A mail is written to `tmp` and renamed into `new`. A program that reads it renames it into `cur`, with
//! flags behind `:2,`; `S` is "seen". Any reader, `mutt` or `ls`, sees whole mails only, without
//! locks. That a mail survives a power cut is not seen to here: it stands in the log of the
//! [`store`](super::store) until it is on the disk.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use labs::files::{self, Disk as _, PrivateDisk};
use log::warn;

use super::mail;

/// The largest file of a store that is read: a mail with its clock is below a frame, and text takes
/// more room than binary numbers.
const FILE_MAX: u64 = 64 << 20;

/// A folder in Maildir form.
#[derive(Clone, Debug)]
pub struct Maildir {
    path: PathBuf,
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
        for draft in fs::read_dir(path.join("tmp"))? {
            let draft = draft?;
            // The server that was writing it has died: only one server writes here. What other
            // programs are writing is theirs.
            if mail::is_file_name(&draft.file_name())
                && let Err(error) = fs::remove_file(draft.path())
            {
                warn!("{} is left alone: {error}", draft.path().display());
            }
        }
        Ok(Self { path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where a mail of this name is put.
    pub fn place(&self, name: &str) -> PathBuf {
        self.path.join("new").join(name)
    }

    /// Puts a mail into `new`. It is not on the disk yet.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn deliver(&self, name: &str, text: &str) -> io::Result<()> {
        put(&self.path.join("tmp").join(name), &self.place(name), text.as_bytes())
    }

    /// Moves a mail to `cur` and marks it as seen; what other programs have marked it with stays.
    /// One that is not there any more was moved by somebody else.
    ///
    /// # Errors
    ///
    /// If it cannot be moved.
    pub fn mark_seen(&self, path: &Path) -> io::Result<()> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let (name, flags) = name.split_once(FLAGS).unwrap_or((&name, ""));
        let mut flags: BTreeSet<char> = flags.chars().collect();
        flags.insert('S');
        let flags: String = flags.into_iter().collect();
        match fs::rename(path, self.path.join("cur").join(format!("{name}{FLAGS}{flags}"))) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    /// All that has a name like a mail's, in the order in which it came. It may be anything: a
    /// folder, a link to nothing, a mail of another post.
    ///
    /// # Errors
    ///
    /// If the folders cannot be read.
    pub fn files(&self) -> io::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for folder in ["new", "cur"] {
            for entry in fs::read_dir(self.path.join(folder))? {
                let entry = entry?;
                if entry.file_name().as_encoded_bytes().starts_with(b".") {
                    continue;
                }
                // One that has gone meanwhile is not there, or is found in the other folder.
                let Ok(about) = entry.metadata() else { continue };
                files.push((about.modified()?, entry.path()));
            }
        }
        files.sort();
        Ok(files.into_iter().map(|(_, path)| path).collect())
    }

    /// When something last came into the box, left it or got another name.
    ///
    /// # Errors
    ///
    /// If the folders cannot be looked at.
    pub fn changed(&self) -> io::Result<[SystemTime; 2]> {
        let changed = |folder| fs::metadata(self.path.join(folder))?.modified();
        Ok([changed("new")?, changed("cur")?])
    }
}

/// What stands between the name of a mail and its flags.
const FLAGS: &str = ":2,";

/// Makes a folder that only its owner looks into, and those above it.
///
/// # Errors
///
/// If it cannot be made.
pub fn make_folder(path: &Path) -> io::Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
            io::Error::new(error.kind(), "a file or a link to nothing is in the place of a folder")
        }
        _ => error,
    })
}

/// Brings a file to its place, whole, by way of another name. It is not on the disk yet.
///
/// # Errors
///
/// If it cannot be written.
pub fn put(draft: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = PrivateDisk.create(draft)?;
    PrivateDisk.write(&mut file, bytes)?;
    PrivateDisk.rename(draft, path)
}

/// Reads a file of a store.
///
/// # Errors
///
/// If it cannot be read, is too large, or is no UTF-8.
pub fn read(path: &Path) -> io::Result<String> {
    files::read_text(path, FILE_MAX)
}
