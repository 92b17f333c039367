//! One user's box: a Maildir, and what the user knows and has read.
//!
//! The folder belongs to the user, and other programs work in it: they move mails, mark them, and
//! give them other names; a person may put anything there. So a mail is known by what stands in it
//! and not by its name. What is no mail of this post, or cannot be read, is named in the log and
//! left alone.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use labs::files::{self, PrivateDisk};
use log::{error, info, warn};
use serde::{Deserialize, Serialize};

use super::spool::Spooled;
use super::{StoreError, Submission, at};
use crate::ordering::{Knowledge, Stamps};
use crate::post::address::{Address, checked_name};
use crate::post::mail::Mail;
use crate::post::maildir::{self, Maildir};
use crate::post::since_1970;

/// How many sessions of one box are remembered, so that what a client sends again is recognised:
/// more than a person has clients.
const SESSIONS_MAX: usize = 64;

/// The file of a box's state.
const CLOCK: &str = "clock.json";

/// The times of folders are coarse: one that was changed less than this ago may be changed again
/// and keep its time.
const COARSE: Duration = Duration::from_secs(1);

/// One user's box.
#[derive(Debug)]
pub(super) struct MailBox {
    me: Address,
    maildir: Maildir,
    state: BoxState,
    /// What has come and is not read, by the number of its arrival.
    unread: BTreeMap<u64, Unread>,
    /// The same by what the mails are called.
    by_id: BTreeMap<String, u64>,
    /// How many have come since the start.
    arrivals: u64,
    /// When the folder was last changed before somebody looked where all mails are, if it may not
    /// have been changed since.
    looked: Option<[SystemTime; 2]>,
}

/// A mail that is not read.
#[derive(Debug)]
struct Unread {
    id: String,
    /// Where it was last.
    path: PathBuf,
    /// The log has said that it is not there.
    is_missed: bool,
}

/// What stands in `clock.json`.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct BoxState {
    knowledge: Knowledge<Address>,
    /// How many mails were sent from this box.
    sent: u64,
    /// Of the last clients, what each sent last.
    sessions: VecDeque<Sent>,
}

/// What a client sent last.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Sent {
    session: u64,
    request: u64,
    /// The mail that it became.
    n: u64,
}

impl MailBox {
    pub(super) fn open(folder: &Path, name: &str, domain: &str) -> Result<Self, StoreError> {
        let me = checked_name(name).and_then(|name| Address::new(&name, domain));
        let me = me.map_err(|error| StoreError::Refused(error.to_string()))?;
        let maildir = Maildir::open(folder.to_owned()).map_err(at(folder))?;
        let state = BoxState::load(&folder.join(CLOCK), &me)?;
        let mut mail_box = Self {
            me,
            maildir,
            state,
            unread: BTreeMap::new(),
            by_id: BTreeMap::new(),
            arrivals: 0,
            looked: None,
        };
        mail_box.find_unread()?;
        Ok(mail_box)
    }

    pub(super) fn knowledge(&self) -> &Knowledge<Address> {
        &self.state.knowledge
    }

    /// How many mails were sent from here.
    pub(super) fn sent(&self) -> u64 {
        self.state.sent
    }

    /// Looks for what is not read. What is read, but was not moved to `cur` before a crash, is
    /// moved now.
    fn find_unread(&mut self) -> Result<(), StoreError> {
        let new = self.maildir.path().join("new");
        for path in self.maildir.files().map_err(at(self.maildir.path()))? {
            let mail = match self.read(&path) {
                Ok(mail) => mail,
                Err(why) => {
                    warn!("{} is left alone: {why}", path.display());
                    continue;
                }
            };
            if !self.state.knowledge.has_read(&mail.envelope) {
                self.count(&mail, path);
            } else if path.parent() == Some(&new)
                && let Err(error) = self.maildir.mark_seen(&path)
            {
                warn!("{} is left alone: {error}", path.display());
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

    fn count(&mut self, mail: &Mail, path: PathBuf) {
        let id = mail.id();
        // Other programs make copies.
        if !self.by_id.contains_key(&id) {
            self.arrivals += 1;
            self.by_id.insert(id.clone(), self.arrivals);
            self.unread.insert(self.arrivals, Unread { id, path, is_missed: false });
        }
    }

    /// A mail comes, for the first time or again.
    pub(super) fn deliver(&mut self, mail: &Mail) -> Result<(), StoreError> {
        let id = mail.id();
        if self.by_id.contains_key(&id) || self.state.knowledge.has_read(&mail.envelope) {
            info!("{id} came again: dropped");
            return Ok(());
        }
        let text = mail.to_text().map_err(|error| StoreError::Refused(error.to_string()))?;
        let folder = self.maildir.path();
        let path = self.maildir.deliver(&mail.file_name(), &text).map_err(at(folder))?;
        self.count(mail, path);
        Ok(())
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
        let Unread { id, path, .. } = self.unread.get(&arrival)?;
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
        let unread = self.unread.get(&arrival);
        let about = unread.and_then(|unread| fs::metadata(&unread.path).ok());
        about.map_or(0, |about| usize::try_from(about.len()).unwrap_or(usize::MAX))
    }

    /// The user has read a mail.
    pub(super) fn confirm(&mut self, id: &str) -> Result<(), StoreError> {
        let Some(&arrival) = self.by_id.get(id) else {
            return Ok(()); // It was read already.
        };
        if let Some(mail) = self.load(arrival) {
            self.state.knowledge.read(&mail.envelope);
            self.save()?;
        }
        self.by_id.remove(id);
        let Some(Unread { path, .. }) = self.unread.remove(&arrival) else { return Ok(()) };
        self.maildir.mark_seen(&path).map_err(at(&path))
    }

    /// The mail that this submission became, if it was sent before.
    pub(super) fn already_sent(&self, submission: Submission) -> Result<Option<u64>, StoreError> {
        let Submission { session, request } = submission;
        match self.state.sessions.iter().find(|sent| sent.session == session) {
            Some(sent) if sent.request == request => Ok(Some(sent.n)),
            Some(sent) if sent.request > request => {
                Err(StoreError::Refused(format!("request {request} is older than the last one")))
            }
            _ => Ok(None),
        }
    }

    /// The user of this box has sent a mail. To say so again changes nothing.
    pub(super) fn has_sent(&mut self, spooled: &Spooled) -> Result<(), StoreError> {
        let Spooled { submission: Submission { session, request }, mail } = spooled;
        self.state.knowledge.know(&mail.envelope);
        self.state.sent = self.state.sent.max(mail.n);
        self.state.sessions.retain(|sent| sent.session != *session);
        self.state.sessions.push_back(Sent { session: *session, request: *request, n: mail.n });
        while self.state.sessions.len() > SESSIONS_MAX {
            self.state.sessions.pop_front();
        }
        self.save()
    }

    fn save(&self) -> Result<(), StoreError> {
        let path = self.maildir.path().join(CLOCK);
        let json = serde_json::to_vec_pretty(&self.state).map_err(|error| {
            StoreError::Refused(format!("the clock cannot be written: {error}"))
        })?;
        files::replace(&mut PrivateDisk, &path, &json).map_err(at(&path))
    }
}

impl BoxState {
    /// Of a user who has read and sent nothing, if there is no file.
    fn load(path: &Path, me: &Address) -> Result<Self, StoreError> {
        // A link to nothing is no absence: what it led to is lost.
        if fs::symlink_metadata(path).is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound) {
            let knowledge = Knowledge::new(me.clone(), Stamps::Full);
            return Ok(Self { knowledge, sent: 0, sessions: VecDeque::new() });
        }
        let text = maildir::read(path).map_err(at(path))?;
        serde_json::from_str(&text).map_err(|_| StoreError::Damaged(path.to_owned()))
    }
}
