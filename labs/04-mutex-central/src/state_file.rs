//! The coordinator's stable storage: its book in a file that survives kills and power cuts.
//!
//! The file is a [`DurableLog`]: a snapshot of the book, and behind it what each turn has changed in it. A person
//! can look into it, for all its entries are JSON:
//!
//! ```text
//! labs-log 1 4ddfc0…
//! 0000000000000000 00000066 1b6c…                            the snapshot
//! {"token":6,"inside":null,"line":[],"wishes":{"1":2,"3":2}}
//! 0000000000000001 00000087 92e0…                            a turn: p1 has asked, and is let in
//! {"token":7,"inside":{"client":1,"ask":3},"wishes":{"1":3}}
//! 0000000000000002 00000011 c3a1…                            p1 has left
//! {"token":7,"inside":null}
//! ```
//!
//! What the coordinator is told in one turn of its event loop is one block and one wait for the disk, however many
//! clients have asked; GRANT leaves when the block is on the disk ([`Application::commit`]). When the
//! turns are longer than 1 MiB, and than the snapshot, a new snapshot takes their place.
//!
//! A file of an earlier version holds the book alone, as JSON. It is read, and a log takes its place when the book
//! changes.

mod change;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

use labs::files::durable_log::{self, Contents, is_log};
use labs::files::{self, DurableLog, LocalDisk, Lock};
use labs::lab::Application;

use self::change::Change;
use crate::book::Book;
use crate::messages::{Indication, Request};

/// The largest file that is read, in bytes. The book of a hundred thousand clients has a twentieth of that, and a log
/// is no longer than twice its book and a turn.
const FILE_MAX: u64 = 64 << 20;

/// How long the turns become, in bytes, before a snapshot takes their place: some ten thousand of them, so that the two
/// waits for the disk that this costs are not felt.
const COMPACT_AT: u64 = 1 << 20;

/// The file, for the coordinator to store its book in. It is this coordinator's alone: two that
/// store in one file would both let somebody in.
pub struct StateFile(Option<Own>);

/// A file, and the lock on it.
struct Own {
    path: PathBuf,
    /// None until something is stored, where there is no log yet.
    log: Option<DurableLog>,
    /// The book on the disk.
    stored: Book,
    /// The book that is to be there.
    told: Option<Book>,
    _lock: Lock,
}

impl StateFile {
    /// A book that is stored there, or nowhere.
    ///
    /// # Errors
    ///
    /// If another coordinator has the file, the lock beside it cannot be made, or the file holds something else.
    pub fn open(path: Option<&Path>) -> io::Result<Self> {
        let Some(path) = path else { return Ok(Self(None)) };
        let lock = lock(path)?;
        let (log, stored) = match read(path).map_err(io::Error::other)? {
            Some(File { book, is_log: true }) => {
                let opened = DurableLog::open(LocalDisk, path, FILE_MAX);
                let opened = opened.map_err(|error| io::Error::other(unreadable(path, &error)))?;
                (opened.map(|(log, _)| log), book)
            }
            Some(File { book, is_log: false }) => (None, book),
            None => (None, Book::default()),
        };
        Ok(Self(Some(Own { path: path.to_owned(), log, stored, told: None, _lock: lock })))
    }
}

fn lock(path: &Path) -> io::Result<Lock> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lock");
    let failed = |error: io::Error| {
        let (path, lock) = (path.display(), Path::new(&beside).display());
        let what = format!("cannot lock the state in {path}: {lock}: {error}");
        io::Error::new(error.kind(), what)
    };
    let lock = files::lock(Path::new(&beside)).map_err(failed)?;
    lock.ok_or_else(|| {
        io::Error::other(format!(
            "another coordinator uses the state in {}: stop that one, or name another file with --state",
            path.display()
        ))
    })
}

impl Application<Indication, Request> for StateFile {
    fn on_indication(&mut self, indication: &Indication) -> io::Result<Vec<Request>> {
        if let (Indication::Stored(book), Some(own)) = (indication, &mut self.0) {
            own.told = Some(book.clone());
        }
        Ok(Vec::new())
    }

    fn commit(&mut self) -> io::Result<()> {
        let Some(own) = &mut self.0 else { return Ok(()) };
        own.commit().map_err(|error| {
            let what = format!("cannot store the state in {}: {error}", own.path.display());
            io::Error::new(error.kind(), what)
        })
    }
}

impl Own {
    fn commit(&mut self) -> io::Result<()> {
        let Some(book) = self.told.take().filter(|book| *book != self.stored) else {
            return Ok(());
        };
        match &mut self.log {
            Some(log) if !log.is_long(COMPACT_AT) => {
                log.append(&serde_json::to_string(&Change::between(&self.stored, &book))?);
                log.commit()?;
            }
            log => {
                let snapshot = serde_json::to_string(&book)?;
                *log = Some(DurableLog::create(LocalDisk, &self.path, [snapshot])?);
            }
        }
        self.stored = book;
        Ok(())
    }
}

/// What was stored; nothing if nothing was.
///
/// # Errors
///
/// Says what is wrong, and what to do.
pub fn load(path: &Path) -> Result<Option<Book>, String> {
    Ok(read(path)?.map(|file| file.book))
}

/// What a file holds.
struct File {
    book: Book,
    /// It is a log, and none of an earlier version.
    is_log: bool,
}

fn read(path: &Path) -> Result<Option<File>, String> {
    let name = path.display();
    let bytes = files::read_if_there(path, FILE_MAX).map_err(|error| unreadable(path, &error))?;
    let Some(bytes) = bytes else { return Ok(None) };
    if bytes.is_empty() {
        return Err(format!(
            "{name} is empty, which no coordinator leaves it: put a copy of it back, or remove it to begin anew"
        ));
    }
    let foreign = |error: serde_json::Error| {
        format!("{name} does not hold the state of a coordinator ({error}): name another file")
    };
    if !is_log(&bytes) {
        let book = serde_json::from_slice(&bytes).map_err(foreign)?;
        return Ok(Some(File { book, is_log: false }));
    }
    let contents = durable_log::parse(&bytes).map_err(|error| unreadable(path, &error))?;
    let book = book_of(&contents).map_err(foreign)?;
    Ok(Some(File { book, is_log: true }))
}

fn unreadable(path: &Path, error: &impl std::fmt::Display) -> String {
    format!("cannot read the state in {}: {error}", path.display())
}

/// The book that a log holds: the snapshot, and each change in turn.
fn book_of(contents: &Contents) -> serde_json::Result<Book> {
    let mut book = serde_json::from_str(&contents.snapshot.concat())?;
    for change in &contents.turns {
        serde_json::from_str::<Change>(change)?.apply(&mut book);
    }
    Ok(book)
}
