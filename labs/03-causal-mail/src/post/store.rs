//! What a server keeps on disk, in a form that a person can look into.
//!
//! ```text
//! STORE/lock                              held while a server uses it
//! STORE/boxes/alice/{tmp,new,cur}         her mailbox, a Maildir
//! STORE/boxes/alice/clock.json            what she knows and has read, and what she sent
//! STORE/spool/0000000042.json             accepted from a client, not yet distributed
//! STORE/queue/b.org/0000000041.json       to be forwarded to b.org, in this order
//! STORE/held/bob/                         for a box that cannot be used now
//! ```
//!
//! **Nothing acknowledged is lost.** A mail is accepted by one rename, of its file into `spool`.
//! All else follows from that file: copies in the mailboxes of this server and in the queues to
//! others, and what its writer now knows. Each of these can be done again without harm, so after a
//! crash all that is in `spool` is distributed again, and only then is its file removed.
//!
//! **Nothing is delivered twice.** A mail has the same file name in a mailbox however often it
//! comes. One whose file is there, or that was read, is dropped.
//!
//! **Order.** Files in a queue are numbered as they were accepted, and leave in this order.
//!
//! **Trouble in one box concerns that box.** Its folder belongs to its user, who may put anything
//! there. One that cannot be used is closed: its user is told why, what comes for it is held, and
//! all others are served. It is tried again when the user asks for it, and at the next start. A
//! file in `spool` or `queue` that cannot be read is named in the log and left alone.
//!
//! After an error of the disk in the middle of a distribution the server must not go on with what
//! it has in memory: [`StoreError::is_fatal`] says so, it stops, and distributes again when it is
//! started again.
//!
//! **Left out.** A disk that breaks; a person who deletes unread mail with another program, after
//! which what followed it waits for ever.

mod held;
mod mail_box;
mod spool;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use labs::clocks::SparseMatrix;
use labs::files::{self, Lock, PrivateDisk};
use log::{error, info, warn};
use serde::{Deserialize, Serialize};

use self::held::Held;
use self::mail_box::MailBox;
use self::spool::{Spooled, json_files, number};
use super::address::Address;
use super::mail::Mail;
use super::maildir;
use super::since_1970;
use crate::ordering::{Envelope, Knowledge};

/// The most recipients of one mail.
pub const RECIPIENTS_MAX: usize = 100;

/// The most bytes that one answer with mails has, unless one mail alone is larger.
const PAGE: usize = 256 << 10;

/// The box that the server itself writes from.
pub const POSTMASTER: &str = "postmaster";

/// All that a server keeps.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    domain: String,
    boxes: BTreeMap<String, Place>,
    queues: BTreeMap<String, VecDeque<Queued>>,
    /// The number of the next file in `spool`.
    next: u64,
    /// Held as long as this lives.
    _lock: Lock,
}

/// A mail that waits in a queue.
#[derive(Clone, Debug)]
pub struct Queued {
    /// Its file.
    pub path: PathBuf,
    /// Since when it is there: when it was accepted, or the server started.
    pub since: std::time::Instant,
}

/// A user's box.
#[derive(Debug)]
enum Place {
    Open(Box<MailBox>),
    /// It cannot be used now, for this reason.
    Closed(String),
}

/// A client's wish to send: it names it, so that it can send it again and is not taken to mean
/// another.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Submission {
    /// The client: random.
    pub session: u64,
    /// Which of its wishes, in order.
    pub request: u64,
}

/// Why something could not be stored.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another server has it.
    #[error("{0} is in use by another server: stop that one, or name another folder with --store")]
    InUse(PathBuf),
    /// The disk failed.
    #[error("{path}: {source}")]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// A file that is none of ours.
    #[error("{0} is damaged, or of another version: put a copy of it back, or move it away")]
    Damaged(PathBuf),
    /// The disk failed when the mail was already accepted.
    #[error("the store must be opened again: {0}")]
    Fatal(#[source] Box<StoreError>),
    /// There is no such box.
    #[error("{0} has no box here")]
    NoBox(String),
    /// There is something odd in a box.
    #[error("the box of {name} cannot be used now: {why}; mail for it is held")]
    Closed {
        /// Its user.
        name: String,
        /// What is odd.
        why: String,
    },
    /// The mail cannot be sent as it is.
    #[error("{0}")]
    Refused(String),
}

impl StoreError {
    /// Whether the server must stop.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::Fatal(_))
    }
}

/// Says where a disk failed.
fn at(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Disk { path, source }
}

fn fatal(error: StoreError) -> StoreError {
    StoreError::Fatal(Box::new(error))
}

impl Store {
    /// Opens the store in this folder, which is made if it is not there, with a box for each of
    /// these users and a queue for each other domain. What a crash left is put right.
    ///
    /// # Errors
    ///
    /// If another server uses it, or something in it cannot be read or written.
    pub fn open<'a>(
        root: &Path,
        domain: &str,
        users: impl Iterator<Item = &'a str>,
        others: impl Iterator<Item = &'a str>,
    ) -> Result<Self, StoreError> {
        maildir::make_folder(root).map_err(at(root))?;
        let lock = lock(root)?;
        let mut store = Self {
            root: root.to_owned(),
            domain: domain.to_owned(),
            boxes: BTreeMap::new(),
            queues: BTreeMap::new(),
            next: 1,
            _lock: lock,
        };
        let users: BTreeSet<_> = users.chain([POSTMASTER]).collect();
        users.into_iter().for_each(|user| store.open_box(user));
        for other in others {
            let queue = store.open_queue(other)?;
            store.queues.insert(other.to_owned(), queue);
        }
        store.recover()?;
        Ok(store)
    }

    /// Opens a user's box, and delivers what was held for it.
    fn open_box(&mut self, name: &str) {
        let held = Held::of(&self.root, name);
        let folder = self.root.join("boxes").join(name);
        let opened = MailBox::open(&folder, name, &self.domain).and_then(|mut mail_box| {
            held.release(&mut mail_box)?;
            Ok(mail_box)
        });
        match opened {
            Ok(mail_box) => {
                self.boxes.insert(name.to_owned(), Place::Open(Box::new(mail_box)));
            }
            Err(why) => self.close_box(name, &why),
        }
    }

    fn close_box(&mut self, name: &str, why: &StoreError) {
        let held = Held::of(&self.root, name);
        let held = held.folder().display();
        error!("the box of {name} is closed, and mail for it waits in {held}: {why}");
        self.boxes.insert(name.to_owned(), Place::Closed(why.to_string()));
    }

    /// Whether there is a box of this name.
    pub fn has_box(&self, name: &str) -> bool {
        self.boxes.contains_key(name)
    }

    /// What the user of a box knows, and has read. The user is there: a box that is closed is tried
    /// again.
    ///
    /// # Errors
    ///
    /// If there is no such box, or it cannot be used.
    pub fn enter(&mut self, name: &str) -> Result<&Knowledge<Address>, StoreError> {
        if let Some(Place::Closed(_)) = self.boxes.get(name) {
            self.open_box(name);
            self.catch_up(name)?;
        }
        self.knowledge(name)
    }

    /// What the user of a box knows, and has read.
    ///
    /// # Errors
    ///
    /// If there is no such box, or it cannot be used.
    pub fn knowledge(&self, name: &str) -> Result<&Knowledge<Address>, StoreError> {
        Ok(self.mail_box(name)?.knowledge())
    }

    /// Accepts a mail. It is on disk when this returns, for all its recipients. Sent again, it is
    /// the same mail.
    ///
    /// Returns its identity, and the domains that have to be told.
    ///
    /// # Errors
    ///
    /// If it cannot be sent as it is, for which nothing was stored, or the disk fails.
    pub fn submit(
        &mut self,
        name: &str,
        submission: Submission,
        to: BTreeSet<Address>,
        body: String,
        frame_max: usize,
    ) -> Result<(String, Vec<String>), StoreError> {
        let from =
            Address::new(name, &self.domain).map_err(|e| StoreError::Refused(e.to_string()))?;
        if let Some(n) = self.mail_box(name)?.already_sent(submission)? {
            return Ok((format!("{n}.{from}"), Vec::new()));
        }
        self.check_recipients(&to)?;
        let mail_box = self.mail_box(name)?;
        let clock: Arc<SparseMatrix<Address>> = Arc::new(mail_box.knowledge().clock().clone());
        let envelope = Envelope { from, to, clock };
        let sent_us = u64::try_from(since_1970().as_micros()).unwrap_or(u64::MAX);
        let mail = Mail { n: mail_box.sent() + 1, sent_us, envelope, body };
        check_size(&mail, frame_max)?;
        let id = mail.id();
        let spooled = Spooled { submission, mail };
        let path = self.spool(&spooled)?;
        let domains = self.distribute(&spooled, &path).map_err(fatal)?;
        Ok((id, domains))
    }

    /// Takes a mail that another server forwards, into the boxes of those of its recipients who are
    /// here. It is on disk when this returns. Returns whom it is for now, and who of this domain
    /// has no box.
    ///
    /// # Errors
    ///
    /// If the disk fails.
    pub fn receive(&mut self, mail: &Mail) -> Result<(Vec<String>, Vec<Address>), StoreError> {
        let (mut here, mut unknown) = (Vec::new(), Vec::new());
        let own = self.domain.clone();
        for to in mail.envelope.to.iter().filter(|to| to.domain() == own) {
            match self.deliver(to.name(), mail)? {
                true => here.push(to.name().to_owned()),
                false => unknown.push(to.clone()),
            }
        }
        Ok((here, unknown))
    }

    /// Puts a mail into a box, or holds it if the box cannot be used. Returns whether there is such
    /// a box.
    fn deliver(&mut self, name: &str, mail: &Mail) -> Result<bool, StoreError> {
        match self.boxes.get_mut(name) {
            None => return Ok(false),
            Some(Place::Open(mail_box)) => match mail_box.deliver(mail) {
                Ok(()) => return Ok(true),
                Err(why) => self.close_box(name, &why),
            },
            Some(Place::Closed(_)) => {}
        }
        Held::of(&self.root, name).keep(mail)?;
        Ok(true)
    }

    /// Unread mails of a box, of those that came after the one of this number as many as make a
    /// page; the number of the last of them, and whether there are more.
    ///
    /// # Errors
    ///
    /// If there is no such box, or the disk fails.
    pub fn unread(&mut self, name: &str, after: u64) -> Result<(Vec<Mail>, u64, bool), StoreError> {
        let mail_box = self.mail_box_mut(name)?;
        let (mut mails, mut last, mut bytes) = (Vec::new(), after, 0);
        let mut next = mail_box.next_after(after);
        while let Some(arrival) = next {
            last = arrival;
            next = mail_box.next_after(arrival);
            let Some(mail) = mail_box.load(arrival) else { continue };
            mails.push(mail);
            bytes += mail_box.size(arrival);
            let beyond = next.map_or(0, |next| mail_box.size(next));
            if bytes + beyond > PAGE {
                break;
            }
        }
        Ok((mails, last, next.is_some()))
    }

    /// A user has read a mail. On disk when this returns. To say so again changes nothing.
    ///
    /// # Errors
    ///
    /// If there is no such box, or it cannot be used.
    pub fn confirm(&mut self, name: &str, id: &str) -> Result<(), StoreError> {
        let confirmed = self.mail_box_mut(name)?.confirm(id);
        // What is in memory may not be what is on the disk.
        confirmed.inspect_err(|why| self.close_box(name, why))
    }

    /// The queue to a domain.
    pub fn queue(&self, domain: &str) -> Option<&VecDeque<Queued>> {
        self.queues.get(domain)
    }

    /// The mail of a place in a queue.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn queued(&self, domain: &str, place: usize) -> Result<Option<Mail>, StoreError> {
        let queued = self.queues.get(domain).and_then(|queue| queue.get(place));
        queued.map(|queued| Ok(Spooled::load(&queued.path)?.mail)).transpose()
    }

    /// Leaves out the mail of a place in a queue, which cannot be read. Its file stays.
    pub fn leave_out(&mut self, domain: &str, place: usize) {
        if let Some(queue) = self.queues.get_mut(domain) {
            queue.remove(place);
        }
    }

    /// The other server has the first mail of its queue.
    pub fn forwarded(&mut self, domain: &str) {
        let first = self.queues.get_mut(domain).and_then(VecDeque::pop_front);
        // Should the removal fail, or not survive a crash, the mail is sent again, and recognised.
        if let Some(Queued { path, .. }) = first
            && let Err(error) = fs::remove_file(&path)
        {
            warn!("{} was forwarded, and is left alone: {error}", path.display());
        }
    }

    /// How many mails wait to be forwarded.
    pub fn waiting(&self) -> usize {
        self.queues.values().map(VecDeque::len).sum()
    }

    fn mail_box(&self, name: &str) -> Result<&MailBox, StoreError> {
        match self.boxes.get(name) {
            Some(Place::Open(mail_box)) => Ok(mail_box),
            Some(Place::Closed(why)) => Err(closed(name, why)),
            None => Err(StoreError::NoBox(name.to_owned())),
        }
    }

    fn mail_box_mut(&mut self, name: &str) -> Result<&mut MailBox, StoreError> {
        match self.boxes.get_mut(name) {
            Some(Place::Open(mail_box)) => Ok(mail_box),
            Some(Place::Closed(why)) => Err(closed(name, why)),
            None => Err(StoreError::NoBox(name.to_owned())),
        }
    }

    /// Whether a mail may be sent to these.
    ///
    /// # Errors
    ///
    /// Says to which of them it may not, and why.
    pub fn check_recipients(&self, to: &BTreeSet<Address>) -> Result<(), StoreError> {
        let refuse = |why: String| Err(StoreError::Refused(why));
        if !(1..=RECIPIENTS_MAX).contains(&to.len()) {
            return refuse(format!("{} recipients: a mail has 1 to {RECIPIENTS_MAX}", to.len()));
        }
        for to in to {
            let domain = to.domain();
            if domain == self.domain && !self.boxes.contains_key(to.name()) {
                return refuse(format!("{to}: {domain} has no such user"));
            }
            if domain != self.domain && !self.queues.contains_key(domain) {
                let known: Vec<_> = self.queues.keys().map(String::as_str).collect();
                return refuse(format!(
                    "{to}: there is no domain {domain}; there are {} and {}",
                    self.domain,
                    known.join(", ")
                ));
            }
        }
        Ok(())
    }

    /// Writes an accepted mail down. From now on it will be delivered.
    fn spool(&mut self, spooled: &Spooled) -> Result<PathBuf, StoreError> {
        let path = self.root.join("spool").join(format!("{:010}.json", self.next));
        let json = serde_json::to_vec(spooled)
            .map_err(|error| StoreError::Refused(format!("the mail cannot be written: {error}")))?;
        files::replace(&mut PrivateDisk, &path, &json).map_err(at(&path)).map_err(|error| {
            match path.exists() {
                true => fatal(error), // It may be accepted, and may be not.
                false => error,
            }
        })?;
        self.next += 1;
        Ok(path)
    }

    /// Puts an accepted mail wherever it has to be. To do it again changes nothing.
    fn distribute(&mut self, spooled: &Spooled, path: &Path) -> Result<Vec<String>, StoreError> {
        let mail = &spooled.mail;
        let domains: BTreeSet<_> = mail.envelope.to.iter().map(Address::domain).collect();
        let own = self.domain.clone();
        let mut told = Vec::new();
        for domain in domains.into_iter().filter(|domain| *domain != own) {
            self.enqueue(domain, path)?;
            told.push(domain.to_owned());
        }
        self.receive(mail)?;
        self.note_sent(spooled, path)?;
        Ok(told)
    }

    /// Notes in the box of its sender that a mail was sent, and removes its file: it is wherever it
    /// has to be. If the box cannot be used, the file stays until it can.
    fn note_sent(&mut self, spooled: &Spooled, path: &Path) -> Result<(), StoreError> {
        let name = spooled.mail.envelope.from.name();
        match self.boxes.get_mut(name) {
            Some(Place::Closed(_)) => return Ok(()),
            Some(Place::Open(mail_box)) => {
                if let Err(why) = mail_box.has_sent(spooled) {
                    self.close_box(name, &why);
                    return Ok(());
                }
            }
            None => {} // No user of this server any more.
        }
        fs::remove_file(path).map_err(at(path))
    }

    /// Notes in a box that was closed what its user had sent by then.
    fn catch_up(&mut self, name: &str) -> Result<(), StoreError> {
        let folder = self.root.join("spool");
        for path in json_files(&folder).map_err(at(&folder))? {
            let spooled = Spooled::load(&path);
            if let Ok(spooled) = spooled.inspect_err(left_alone)
                && spooled.mail.envelope.from.name() == name
            {
                self.note_sent(&spooled, &path)?;
            }
        }
        Ok(())
    }

    fn enqueue(&mut self, domain: &str, path: &Path) -> Result<(), StoreError> {
        let Some(queue) = self.queues.get_mut(domain) else {
            warn!("{} is for {domain}, which is no domain any more: it is lost", path.display());
            return Ok(());
        };
        let folder = self.root.join("queue").join(domain);
        let link = folder.join(path.file_name().unwrap_or_default());
        match fs::hard_link(path, &link) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
            result => result.map_err(at(&link))?,
        }
        maildir::sync_folder(&folder).map_err(at(&folder))?;
        queue.push_back(Queued { path: link, since: super::now() });
        Ok(())
    }

    fn open_queue(&self, domain: &str) -> Result<VecDeque<Queued>, StoreError> {
        let folder = self.root.join("queue").join(domain);
        maildir::make_folder(&folder).map_err(at(&folder))?;
        let since = super::now();
        let paths = json_files(&folder).map_err(at(&folder))?;
        Ok(paths.into_iter().map(|path| Queued { path, since }).collect())
    }

    /// Distributes what was accepted before a crash.
    fn recover(&mut self) -> Result<(), StoreError> {
        let folder = self.root.join("spool");
        maildir::make_folder(&folder).map_err(at(&folder))?;
        let spooled = json_files(&folder).map_err(at(&folder))?;
        let queued = self.queues.values().flatten().map(|queued| &queued.path);
        // Greater than all that are there, so that what comes later stands later.
        let last = spooled.iter().chain(queued).filter_map(|path| number(path)).max();
        self.next = last.unwrap_or(0) + 1;
        for path in &spooled {
            info!("distributing {} again", path.display());
            if let Ok(spooled) = Spooled::load(path).inspect_err(left_alone) {
                self.distribute(&spooled, path)?;
            }
        }
        // What was queued again may stand behind what was accepted later.
        for queue in self.queues.values_mut() {
            queue.make_contiguous().sort_by(|a, b| a.path.cmp(&b.path));
        }
        Ok(())
    }
}

fn closed(name: &str, why: &str) -> StoreError {
    StoreError::Closed { name: name.to_owned(), why: why.to_owned() }
}

/// Says that a file was not used, and why.
fn left_alone(why: &StoreError) {
    error!("left alone, and its mail is not delivered: {why}");
}

fn lock(root: &Path) -> Result<Lock, StoreError> {
    let path = root.join("lock");
    let lock = files::lock(&path).map_err(at(&path))?;
    lock.ok_or_else(|| StoreError::InUse(root.to_owned()))
}

/// What must fit into a frame, with room for what stands round it.
fn check_size(mail: &Mail, frame_max: usize) -> Result<(), StoreError> {
    /// Names of variants, lengths, numbers.
    const FRAME_ROOM: usize = 256;
    let mut encoded = Vec::new();
    let written = netkit::codec::encode(mail, &mut encoded);
    if written.is_err() || encoded.len() + FRAME_ROOM > frame_max {
        let (body, all) = (mail.body.len(), encoded.len());
        return Err(StoreError::Refused(format!(
            "the mail has {all} bytes, {body} of them text and most of the others its clock: a frame \
             holds {frame_max}"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
