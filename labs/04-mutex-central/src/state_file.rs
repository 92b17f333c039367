//! The coordinator's stable storage: its book in a file, as JSON, so that a person can look into it.
//!
//! ```text
//! {"token":7,"inside":{"client":3,"ask":2},"line":[{"client":1,"ask":3}],"wishes":{"1":3,"3":2}}
//! ```
//!
//! A new book takes the place of the old one by [`labs::files::replace`]: whenever the machine stops, one of the two is
//! there, whole.

use std::io;
use std::path::{Path, PathBuf};

use labs::files::{self, LocalDisk, Lock};
use labs::lab::Application;

use crate::book::Book;
use crate::messages::{Indication, Request};

/// The largest file that is read, in bytes: the wishes of a hundred thousand clients.
const BOOK_MAX: u64 = 8 << 20;

/// The file, for the coordinator to store its book in. It is this coordinator's alone: two that
/// store in one file would both let somebody in.
pub struct StateFile(Option<Own>);

/// A file, and the lock on it.
struct Own {
    path: PathBuf,
    _lock: Lock,
}

impl StateFile {
    /// A book that is stored there, or nowhere.
    ///
    /// # Errors
    ///
    /// If another coordinator has the file, or the lock beside it cannot be made.
    pub fn open(path: Option<&Path>) -> io::Result<Self> {
        let Some(path) = path else { return Ok(Self(None)) };
        let mut beside = path.as_os_str().to_owned();
        beside.push(".lock");
        let failed = |error: io::Error| {
            let (path, lock) = (path.display(), Path::new(&beside).display());
            let what = format!("cannot lock the state in {path}: {lock}: {error}");
            io::Error::new(error.kind(), what)
        };
        let lock = files::lock(Path::new(&beside)).map_err(failed)?;
        let lock = lock.ok_or_else(|| {
            io::Error::other(format!(
                "another coordinator uses the state in {}: stop that one, or name another file with --state",
                path.display()
            ))
        })?;
        Ok(Self(Some(Own { path: path.to_owned(), _lock: lock })))
    }
}

impl Application<Indication, Request> for StateFile {
    fn on_indication(&mut self, indication: &Indication) -> io::Result<Vec<Request>> {
        if let (Indication::Stored(book), Some(Own { path, .. })) = (indication, &self.0) {
            store(path, book).map_err(|error| {
                let what = format!("cannot store the state in {}: {error}", path.display());
                io::Error::new(error.kind(), what)
            })?;
        }
        Ok(Vec::new())
    }
}

fn store(path: &Path, book: &Book) -> io::Result<()> {
    let mut text = serde_json::to_vec(book)?;
    text.push(b'\n');
    files::replace(&mut LocalDisk, path, &text)
}

/// What was stored; nothing if nothing was.
///
/// # Errors
///
/// Says what is wrong, and what to do.
pub fn load(path: &Path) -> Result<Option<Book>, String> {
    let name = path.display();
    let text = files::read_if_there(path, BOOK_MAX)
        .map_err(|error| format!("cannot read the state in {name}: {error}"))?;
    let Some(text) = text else { return Ok(None) };
    if text.is_empty() {
        return Err(format!(
            "{name} is empty, which no coordinator leaves it: put a copy of it back, or remove it to begin anew"
        ));
    }
    serde_json::from_slice(&text).map(Some).map_err(|error| {
        format!("{name} does not hold the state of a coordinator ({error}): name another file")
    })
}

#[cfg(test)]
mod tests;
