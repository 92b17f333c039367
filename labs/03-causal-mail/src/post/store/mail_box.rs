//! One user's box: a Maildir.
//!
//! The folder belongs to the user, and other programs work in it: they move mails, mark them, and
//! give them other names; a person may put anything there. So a mail is known by what stands in it
//! and not by its name. What is no mail of this post, or cannot be read, is named in the log and
//! left alone.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use log::{error, warn};

use super::{StoreError, at};
use crate::ordering::Knowledge;
use crate::post::address::Address;
use crate::post::mail::Mail;
use crate::post::maildir::{self, Maildir};
use crate::post::since_1970;

/// The times of folders are coarse: one that was changed less than this ago may be changed again
/// and keep its time.
const COARSE: Duration = Duration::from_secs(1);

/// One user's box.
#[derive(Debug)]
pub(super) struct MailBox {
    me: Address,
    maildir: Maildir,
    /// What has come and is not read, by the number of its arrival.
    unread: BTreeMap<u64, Unread>,
    /// The same by what the mails are called.
    by_id: BTreeMap<String, u64>,
    /// How many have come since the start.
    arrivals: u64,
    /// When the folder was last changed before somebody looked where all mails are, if it may not
    /// have been changed since.
    looked: Option<[SystemTime; 2]>,
    /// What was there when the box was opened, read or not, until what a crash left is put right.
    found: BTreeMap<String, PathBuf>,
}

/// A mail that is not read.
#[derive(Debug)]
struct Unread {
    id: String,
    /// Where it was last.
    path: PathBuf,
    /// The mail, until it is in its file.
    coming: Option<Arc<Mail>>,
    /// The log has said that it is not there.
    is_missed: bool,
}

impl MailBox {
    /// Opens the box of a user who knows this.
    pub(super) fn open(
        folder: &Path,
        me: Address,
        knowledge: &Knowledge<Address>,
    ) -> Result<Self, StoreError> {
        let mut mail_box = Self {
            me,
            maildir: Maildir::open(folder.to_owned()).map_err(at(folder))?,
            unread: BTreeMap::new(),
            by_id: BTreeMap::new(),
            arrivals: 0,
            looked: None,
            found: BTreeMap::new(),
        };
        mail_box.find_mails(knowledge)?;
        Ok(mail_box)
    }

    pub(super) fn path(&self) -> &Path {
        self.maildir.path()
    }

    /// Looks for what is there, and not read. What is read, but was not moved to `cur` before a crash,
    /// is moved now.
    fn find_mails(&mut self, knowledge: &Knowledge<Address>) -> Result<(), StoreError> {
        let new = self.maildir.path().join("new");
        for path in self.maildir.files().map_err(at(self.maildir.path()))? {
            let mail = match self.read(&path) {
                Ok(mail) => mail,
                Err(why) => {
                    warn!("{} is left alone: {why}", path.display());
                    continue;
                }
            };
            if !knowledge.has_read(&mail.envelope) {
                self.found.insert(mail.id(), path.clone());
                self.count(&mail, path);
            } else if path.parent() == Some(&new) {
                self.mark_seen(&path);
            } else {
                self.found.insert(mail.id(), path);
            }
        }
        Ok(())
    }

    /// The mail in a file, or why it is none for this box.
    fn read(&self, path: &Path) -> Result<Mail, String> {
        let text = maildir::read(path).map_err(|error| error.to_string())?;
        let mail = Mail::from_text(&text).ok_or("it is no mail of this post")?;
        match mail.envelope.to.contains(&self.me) {
            true => Ok(mail),
            false => Err(format!("it is no mail to {}", self.me)),
        }
    }

    fn count(&mut self, mail: &Mail, path: PathBuf) -> u64 {
        let id = mail.id();
        // Other programs make copies.
        if let Some(&arrival) = self.by_id.get(&id) {
            return arrival;
        }
        self.arrivals += 1;
        self.by_id.insert(id.clone(), self.arrivals);
        let unread = Unread { id, path, coming: None, is_missed: false };
        self.unread.insert(self.arrivals, unread);
        self.arrivals
    }

    /// Whether a mail is here, and not read.
    pub(super) fn has_unread(&self, id: &str) -> bool {
        self.by_id.contains_key(id)
    }

    /// A mail has come, and can be read; [`put`](Self::put) brings it to its file.
    pub(super) fn expect(&mut self, mail: &Arc<Mail>) -> u64 {
        let arrival = self.count(mail, self.maildir.place(&mail.file_name()));
        if let Some(unread) = self.unread.get_mut(&arrival) {
            unread.coming = Some(Arc::clone(mail));
        }
        arrival
    }

    /// Puts a mail that has come into its file. It is not on the disk yet.
    pub(super) fn put(&mut self, arrival: u64, mail: &Mail) -> Result<(), StoreError> {
        self.deliver(mail)?;
        if let Some(unread) = self.unread.get_mut(&arrival) {
            unread.coming = None;
        }
        Ok(())
    }

    fn deliver(&self, mail: &Mail) -> Result<(), StoreError> {
        let text = text_of(mail)?;
        self.maildir.deliver(&mail.file_name(), &text).map_err(at(self.path()))
    }

    /// A mail that was delivered before a crash: it may be there, in part, or not at all.
    pub(super) fn restore(&mut self, mail: &Mail, is_read: bool) -> Result<(), StoreError> {
        if let Some(path) = self.found.get(&mail.id()) {
            if self.read(path).is_ok_and(|found| found == *mail) {
                return Ok(());
            }
            let draft = self.path().join("tmp").join(mail.file_name());
            return maildir::put(&draft, path, text_of(mail)?.as_bytes()).map_err(at(path));
        }
        self.deliver(mail)?;
        let path = self.maildir.place(&mail.file_name());
        match is_read {
            true => self.mark_seen(&path),
            false => drop(self.count(mail, path)),
        }
        Ok(())
    }

    /// What a crash left is put right.
    pub(super) fn is_restored(&mut self) {
        self.found.clear();
    }

    /// The number of the first unread mail that came after the one of this number.
    pub(super) fn next_after(&self, arrival: u64) -> Option<u64> {
        let later = (Bound::Excluded(arrival), Bound::Unbounded);
        self.unread.range(later).next().map(|(arrival, _)| *arrival)
    }

    /// An unread mail; none if it is not to be found, or cannot be read any more.
    pub(super) fn load(&mut self, arrival: u64) -> Option<Mail> {
        let mail = self.load_from(arrival).or_else(|| {
            self.look_again();
            self.load_from(arrival)
        });
        let unread = self.unread.get_mut(&arrival)?;
        if mail.is_none() && !std::mem::replace(&mut unread.is_missed, true) {
            let (id, path) = (&unread.id, unread.path.display());
            error!("{id} was at {path}, and is gone or damaged: mail that follows it waits");
        }
        mail
    }

    fn load_from(&self, arrival: u64) -> Option<Mail> {
        let Unread { id, path, coming, .. } = self.unread.get(&arrival)?;
        if let Some(mail) = coming {
            return Some(Mail::clone(mail));
        }
        self.read(path).ok().filter(|mail| mail.id() == *id)
    }

    /// Looks where the unread mails are now: another program has moved one, or has given it
    /// another name.
    fn look_again(&mut self) {
        let changed = self.maildir.changed().ok();
        if changed.is_some() && changed == self.looked {
            return;
        }
        let files = self.maildir.files().unwrap_or_default();
        let found = files.into_iter().filter_map(|path| Some((self.read(&path).ok()?.id(), path)));
        let found: BTreeMap<_, _> = found.collect();
        for unread in self.unread.values_mut() {
            if let Some(path) = found.get(&unread.id) {
                path.clone_into(&mut unread.path);
            }
        }
        let is_settled = |time: &SystemTime| {
            let changed = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            changed + COARSE < since_1970()
        };
        self.looked = changed.filter(|times| times.iter().all(is_settled));
    }

    /// The size of an unread mail's file.
    pub(super) fn size(&self, arrival: u64) -> usize {
        let Some(unread) = self.unread.get(&arrival) else { return 0 };
        match (&unread.coming, fs::metadata(&unread.path)) {
            (Some(mail), _) => mail.body.len(),
            (None, Ok(about)) => usize::try_from(about.len()).unwrap_or(usize::MAX),
            (None, Err(_)) => 0,
        }
    }

    /// The number of a mail that is not read.
    pub(super) fn arrival(&self, id: &str) -> Option<u64> {
        self.by_id.get(id).copied()
    }

    /// The user has read a mail. Returns where it is.
    pub(super) fn forget(&mut self, arrival: u64) -> Option<PathBuf> {
        let Unread { id, path, .. } = self.unread.remove(&arrival)?;
        self.by_id.remove(&id);
        Some(path)
    }

    /// Moves a mail that was read to where such mails are. It is read, wherever it is.
    pub(super) fn mark_seen(&self, path: &Path) {
        if let Err(error) = self.maildir.mark_seen(path) {
            warn!("{} is left alone: {error}", path.display());
        }
    }
}

fn text_of(mail: &Mail) -> Result<String, StoreError> {
    mail.to_text().map_err(|error| StoreError::Refused(error.to_string()))
}
