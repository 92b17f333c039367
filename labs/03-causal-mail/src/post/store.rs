//! What a server keeps on disk, in a form that a person can look into.
//!
//! ```text
//! STORE/lock                              held while a server uses it
//! STORE/boxes/alice/{tmp,new,cur}         her mailbox, a Maildir
//! STORE/boxes/alice/clock.json            what she knows and has read, and what she sent
//! STORE/spool/0000000042.json             accepted from a client, not yet distributed
//! STORE/queue/b.org/0000000041.json       to be forwarded to b.org, in this order
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
//! After an error of the disk in the middle of a distribution the server must not go on with what
//! it has in memory: [`StoreError::is_fatal`] says so, it stops, and the next start puts things
//! right.
//!
//! **Left out.** A disk that breaks; a person who deletes unread mail with another program, after
//! which what followed it waits for ever.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use labs::clocks::SparseMatrix;
use labs::files::{self, PrivateDisk, UNFINISHED};
use log::{info, warn};
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use super::address::{Address, checked_name};
use super::mail::Mail;
use super::maildir::{self, Maildir};
use super::since_1970;
use crate::ordering::{Envelope, Knowledge, Stamps};

/// How many sessions of one box are remembered, so that what a client sends again is recognised:
/// more than a person has clients.
const SESSIONS_MAX: usize = 64;

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
    boxes: BTreeMap<String, MailBox>,
    queues: BTreeMap<String, VecDeque<Queued>>,
    /// The number of the next file in `spool`.
    next: u64,
    /// Held as long as this lives.
    _lock: Flock<File>,
}

/// A mail that waits in a queue.
#[derive(Clone, Debug)]
pub struct Queued {
    /// Its file.
    pub path: PathBuf,
    /// Since when it is there: when it was accepted, or the server started.
    pub since: std::time::Instant,
}

/// One user's box.
#[derive(Debug)]
struct MailBox {
    maildir: Maildir,
    state: BoxState,
    /// What has come and is not read, in this order.
    unread: Vec<Unread>,
    /// How many have come since the start.
    arrivals: u64,
}

#[derive(Debug)]
struct Unread {
    arrival: u64,
    id: String,
    name: String,
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

/// A client's wish to send: it names it, so that it can send it again and is not taken to mean
/// another.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Submission {
    /// The client: random.
    pub session: u64,
    /// Which of its wishes, in order.
    pub request: u64,
}

/// What stands in a file of `spool` and `queue`.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Spooled {
    submission: Submission,
    mail: Mail,
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
    #[error("{0} cannot be read: it is damaged, or of another version; move it away")]
    Damaged(PathBuf),
    /// The disk failed when the mail was already accepted.
    #[error("the store must be opened again: {0}")]
    Fatal(#[source] Box<StoreError>),
    /// There is no such box.
    #[error("{0} has no box here")]
    NoBox(String),
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
        for user in users {
            let opened = MailBox::open(&store.root.join("boxes").join(user), user, domain)?;
            store.boxes.insert(user.to_owned(), opened);
        }
        for other in others {
            let queue = store.open_queue(other)?;
            store.queues.insert(other.to_owned(), queue);
        }
        store.recover()?;
        Ok(store)
    }

    /// Whether there is a box of this name.
    pub fn has_box(&self, name: &str) -> bool {
        self.boxes.contains_key(name)
    }

    /// What the user of a box knows, and has read.
    ///
    /// # Errors
    ///
    /// If there is no such box.
    pub fn knowledge(&self, name: &str) -> Result<&Knowledge<Address>, StoreError> {
        Ok(&self.mail_box(name)?.state.knowledge)
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
        let state = &self.mail_box(name)?.state;
        let clock: Arc<SparseMatrix<Address>> = Arc::new(state.knowledge.clock().clone());
        let envelope = Envelope { from, to, clock };
        let sent_us = u64::try_from(since_1970().as_micros()).unwrap_or(u64::MAX);
        let mail = Mail { n: state.sent + 1, sent_us, envelope, body };
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
        let recipients = mail.envelope.to.iter().filter(|to| to.domain() == self.domain);
        for to in recipients {
            match self.boxes.get_mut(to.name()) {
                Some(mail_box) => {
                    mail_box.deliver(mail)?;
                    here.push(to.name().to_owned());
                }
                None => unknown.push(to.clone()),
            }
        }
        Ok((here, unknown))
    }

    /// Unread mails of a box, of those that came after the one of this number as many as make a
    /// page; the number of the last of them, and whether there are more.
    ///
    /// # Errors
    ///
    /// If there is no such box, or the disk fails.
    pub fn unread(&self, name: &str, after: u64) -> Result<(Vec<Mail>, u64, bool), StoreError> {
        let mail_box = self.mail_box(name)?;
        let (mut mails, mut last, mut bytes) = (Vec::new(), after, 0);
        let mut unread = mail_box.unread.iter().filter(|unread| unread.arrival > after).peekable();
        while let Some(Unread { arrival, name, .. }) = unread.next() {
            last = *arrival;
            let Some((mail, size)) = mail_box.load(name)? else {
                warn!("{name} was deleted from {} unread", mail_box.maildir.path().display());
                continue;
            };
            mails.push(mail);
            bytes += size;
            let next = unread.peek().map(|next| mail_box.size(&next.name)).unwrap_or(0);
            if bytes + next > PAGE {
                break;
            }
        }
        Ok((mails, last, unread.peek().is_some()))
    }

    /// A user has read a mail. On disk when this returns. To say so again changes nothing.
    ///
    /// # Errors
    ///
    /// If there is no such box, or the disk fails.
    pub fn confirm(&mut self, name: &str, id: &str) -> Result<(), StoreError> {
        let no_box = || StoreError::NoBox(name.to_owned());
        let mail_box = self.boxes.get_mut(name).ok_or_else(no_box)?;
        mail_box.confirm(id)
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
        queued.map(|queued| Ok(load_spooled(&queued.path)?.mail)).transpose()
    }

    /// The other server has the first mail of its queue.
    ///
    /// # Errors
    ///
    /// If the disk fails.
    pub fn forwarded(&mut self, domain: &str) -> Result<(), StoreError> {
        let first = self.queues.get_mut(domain).and_then(VecDeque::pop_front);
        match first {
            // Should the removal not survive a crash, the mail is sent again, and recognised.
            Some(first) => match fs::remove_file(&first.path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                result => result.map_err(at(&first.path)),
            },
            None => Ok(()),
        }
    }

    /// How many mails wait to be forwarded.
    pub fn waiting(&self) -> usize {
        self.queues.values().map(VecDeque::len).sum()
    }

    fn mail_box(&self, name: &str) -> Result<&MailBox, StoreError> {
        self.boxes.get(name).ok_or_else(|| StoreError::NoBox(name.to_owned()))
    }

    fn check_recipients(&self, to: &BTreeSet<Address>) -> Result<(), StoreError> {
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
        if let Some(sender) = self.boxes.get_mut(mail.envelope.from.name()) {
            sender.has_sent(spooled)?;
        }
        fs::remove_file(path).map_err(at(path))?;
        Ok(told)
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
            let spooled = load_spooled(path)?;
            self.distribute(&spooled, path)?;
        }
        // What was queued again may stand behind what was accepted later.
        for queue in self.queues.values_mut() {
            queue.make_contiguous().sort_by(|a, b| a.path.cmp(&b.path));
        }
        Ok(())
    }
}

impl MailBox {
    fn open(folder: &Path, name: &str, domain: &str) -> Result<Self, StoreError> {
        let maildir = Maildir::open(folder.to_owned()).map_err(at(folder))?;
        let path = folder.join(CLOCK);
        let state = match path.exists() {
            true => {
                let text = maildir::read(&path).map_err(at(&path))?;
                serde_json::from_str(&text).map_err(|_| StoreError::Damaged(path))?
            }
            false => {
                let me = checked_name(name).and_then(|name| Address::new(&name, domain));
                let me = me.map_err(|error| StoreError::Refused(error.to_string()))?;
                let knowledge = Knowledge::new(me, Stamps::Full);
                BoxState { knowledge, sent: 0, sessions: VecDeque::new() }
            }
        };
        let mut mail_box = Self { maildir, state, unread: Vec::new(), arrivals: 0 };
        mail_box.find_unread()?;
        Ok(mail_box)
    }

    /// Looks for what is not read. What is read, but was not moved to `cur` before a crash, is
    /// moved now.
    fn find_unread(&mut self) -> Result<(), StoreError> {
        let folder = self.maildir.path().to_owned();
        for entry in self.maildir.entries().map_err(at(&folder))? {
            let text = maildir::read(&entry.path).map_err(at(&entry.path))?;
            let Some(mail) = Mail::from_text(&text) else {
                warn!("{} is no mail of this post: left alone", entry.path.display());
                continue;
            };
            if !self.state.knowledge.has_read(&mail.envelope) {
                self.count(&mail);
            } else if entry.path.parent() == Some(&folder.join("new")) {
                self.maildir.mark_seen(&entry.path, &entry.name).map_err(at(&entry.path))?;
            }
        }
        Ok(())
    }

    fn count(&mut self, mail: &Mail) {
        self.arrivals += 1;
        let (arrival, id, name) = (self.arrivals, mail.id(), mail.file_name());
        self.unread.push(Unread { arrival, id, name });
    }

    /// A mail comes, for the first time or again.
    fn deliver(&mut self, mail: &Mail) -> Result<(), StoreError> {
        let id = mail.id();
        let is_here = self.unread.iter().any(|unread| unread.id == id);
        if is_here || self.state.knowledge.has_read(&mail.envelope) {
            info!("{id} came again: dropped");
            return Ok(());
        }
        let text = mail.to_text().map_err(|error| StoreError::Refused(error.to_string()))?;
        let folder = self.maildir.path();
        self.maildir.deliver(&mail.file_name(), &text).map_err(at(folder))?;
        self.count(mail);
        Ok(())
    }

    fn load(&self, name: &str) -> Result<Option<(Mail, usize)>, StoreError> {
        let folder = self.maildir.path();
        let Some(path) = self.maildir.find(name).map_err(at(folder))? else { return Ok(None) };
        let text = maildir::read(&path).map_err(at(&path))?;
        let mail = Mail::from_text(&text).ok_or(StoreError::Damaged(path))?;
        Ok(Some((mail, text.len())))
    }

    /// The size of a mail's file, if it is where it was delivered.
    fn size(&self, name: &str) -> usize {
        let path = self.maildir.path().join("new").join(name);
        fs::metadata(path).map_or(0, |data| usize::try_from(data.len()).unwrap_or(usize::MAX))
    }

    fn confirm(&mut self, id: &str) -> Result<(), StoreError> {
        let Some(place) = self.unread.iter().position(|unread| unread.id == id) else {
            return Ok(()); // It was read already.
        };
        let name = self.unread[place].name.clone();
        let folder = self.maildir.path().to_owned();
        if let Some((mail, _)) = self.load(&name)? {
            self.state.knowledge.read(&mail.envelope);
            self.save().map_err(fatal)?;
        }
        self.unread.remove(place);
        if let Some(path) = self.maildir.find(&name).map_err(at(&folder))? {
            self.maildir.mark_seen(&path, &name).map_err(at(&path))?;
        }
        Ok(())
    }

    /// The mail that this submission became, if it was sent before.
    fn already_sent(&self, submission: Submission) -> Result<Option<u64>, StoreError> {
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
    fn has_sent(&mut self, spooled: &Spooled) -> Result<(), StoreError> {
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

/// The file of a box's state.
const CLOCK: &str = "clock.json";

fn lock(root: &Path) -> Result<Flock<File>, StoreError> {
    let path = root.join("lock");
    let file = OpenOptions::new().create(true).append(true).open(&path).map_err(at(&path))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
        nix::errno::Errno::EWOULDBLOCK => StoreError::InUse(root.to_owned()),
        errno => StoreError::Disk { path, source: errno.into() },
    })
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

fn load_spooled(path: &Path) -> Result<Spooled, StoreError> {
    let text = maildir::read(path).map_err(at(path))?;
    serde_json::from_str(&text).map_err(|_| StoreError::Damaged(path.to_owned()))
}

/// The files of a queue, in their order. Drafts that a crash left are removed.
fn json_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if number(&path).is_some() && path.extension().is_some_and(|json| json == "json") {
            files.push(path);
        } else if path.as_os_str().as_encoded_bytes().ends_with(UNFINISHED.as_bytes()) {
            fs::remove_file(path)?;
        }
    }
    files.sort();
    Ok(files)
}

fn number(path: &Path) -> Option<u64> {
    path.file_stem()?.to_str()?.parse().ok()
}

#[cfg(test)]
mod tests;
