//! What a server keeps on disk, in a form that a person can look into.
//!
//! ```text
//! STORE/lock                              held while a server uses it
//! STORE/log                               what happened: a line of JSON each
//! STORE/boxes/alice/{tmp,new,cur}         her mailbox, a Maildir
//! STORE/queue/b.org/0000000041.json       has to wait until it can be forwarded to b.org
//! STORE/held/bob/                         for a box that cannot be used now
//! ```
//!
//! **One wait for the disk.** What happens in a turn of the server's event loop, whoever sent or read
//! something, is written to the end of the log and brought to the disk once, in
//! [`commit`](Store::commit). Nobody hears of it before.
//!
//! ```text
//!   a turn: requests ──► memory, entries of the log
//!                            │ commit: one write, one fdatasync
//!                            ▼
//!                        files of boxes and queues, not brought to the disk
//!                            │
//!                            ▼
//!                        answers, mails to other servers
//! ```
//!
//! **Nothing acknowledged is lost.** All files but the log follow from the log. They are written when the
//! log is on the disk, and nobody waits until they are there too: after a crash each mail of the log that
//! is not in its box, or is there in part, is delivered again. When the log becomes long, all files are
//! brought to the disk, and a snapshot takes its place: what each user knows and has read.
//!
//! **Nothing is delivered twice.** A mail has the same file name in a mailbox however often it
//! comes. One whose file is there, or that was read, is dropped.
//!
//! **Order.** Mails in a queue are numbered as they were accepted, and leave in this order.
//!
//! **Trouble in one box concerns that box.** Its folder belongs to its user, who may put anything
//! there. One that cannot be used is closed: its user is told why, what comes for it is held, and
//! all others are served. It is tried again when the user asks for it, and at the next start. A
//! file in `queue` that cannot be read is named in the log and left alone.
//!
//! After an error of the disk the server must not go on with what it has in memory:
//! [`StoreError::is_fatal`] says so, it stops, and learns from the log what is there when it is started
//! again.
//!
//! **Earlier versions** had no log, but a file `clock.json` in each box, and `spool` for what was accepted. They
//! are taken over when the store is opened (`recovery`).
//!
//! **Left out.** A disk that breaks; a person who deletes unread mail with another program, after
//! which what followed it waits for ever. A mail that was read, and that another program has deleted since
//! the last snapshot, may be back after a crash, marked as seen.

mod box_state;
mod entry;
mod held;
mod mail_box;
mod queue;
mod recovery;
mod spool;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use labs::clocks::SparseMatrix;
use labs::files::durable_log::LogError;
use labs::files::{DurableLog, Lock, PrivateDisk};
use log::{error, info};
use serde::{Deserialize, Serialize};

use self::box_state::BoxState;
use self::entry::Entry;
use self::held::Held;
use self::mail_box::MailBox;
use self::queue::Queue;
pub use self::queue::Queued;
use self::spool::Spooled;
use super::address::Address;
use super::mail::Mail;
use super::since_1970;
use crate::ordering::{Envelope, Knowledge};

/// The most recipients of one mail.
pub const RECIPIENTS_MAX: usize = 100;

/// The most bytes that one answer with mails has, unless one mail alone is larger.
const PAGE: usize = 256 << 10;

/// The box that the server itself writes from.
pub const POSTMASTER: &str = "postmaster";

/// The name that a file of a queue, or of what is held, has until it is whole.
const DRAFT: &str = "draft";

/// How long the turns in the log become, in bytes, before a snapshot takes their place: some thousand mails,
/// so that bringing their files to the disk at once is cheap for each.
const COMPACT_AT: u64 = 16 << 20;

/// All that a server keeps.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    domain: String,
    log: DurableLog<PrivateDisk>,
    boxes: BTreeMap<String, Place>,
    /// What is known of the users of boxes, those that are closed or were here once too.
    states: BTreeMap<String, BoxState>,
    queues: BTreeMap<String, Queue>,
    /// The number of the next mail that a client sends.
    next: u64,
    /// What is to be done when the log is on the disk.
    deeds: Vec<Deed>,
    /// Held as long as this lives.
    _lock: Lock,
}

/// A user's box.
#[derive(Debug)]
enum Place {
    Open(Box<MailBox>),
    /// It cannot be used now, for this reason.
    Closed(String),
}

/// What is to be done with files when the log says why.
#[derive(Debug)]
enum Deed {
    /// Puts a mail into a box.
    Deliver { name: String, arrival: u64, mail: Arc<Mail> },
    /// Holds a mail for a box that is closed.
    Hold { name: String, mail: Arc<Mail> },
    /// Moves a mail that was read.
    MarkSeen { name: String, path: PathBuf },
    /// Removes a file that is of no more use.
    Remove(PathBuf),
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
    /// The log cannot be used.
    #[error("{path}: {source}")]
    Log {
        /// Its file.
        path: PathBuf,
        /// What is wrong.
        source: LogError,
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
            self.open_box(name)?;
            self.release(name)?;
        }
        self.knowledge(name)
    }

    /// What the user of a box knows, and has read.
    ///
    /// # Errors
    ///
    /// If there is no such box, or it cannot be used.
    pub fn knowledge(&self, name: &str) -> Result<&Knowledge<Address>, StoreError> {
        Ok(&self.state(name)?.knowledge)
    }

    /// Accepts a mail, for all its recipients. Sent again, it is the same mail. Its identity may leave
    /// after [`commit`](Self::commit).
    ///
    /// Returns its identity, and the domains that have to be told.
    ///
    /// # Errors
    ///
    /// If it cannot be sent as it is: nothing of it is stored.
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
        let state = self.state(name)?;
        if let Some(n) = state.already_sent(submission)? {
            return Ok((format!("{n}.{from}"), Vec::new()));
        }
        self.check_recipients(&to)?;
        let clock: Arc<SparseMatrix<Address>> = Arc::new(state.knowledge.clock().clone());
        let envelope = Envelope { from, to, clock };
        let sent_us = u64::try_from(since_1970().as_micros()).unwrap_or(u64::MAX);
        let mail = Mail { n: state.sent + 1, sent_us, envelope, body };
        check_size(&mail, frame_max)?;
        let spooled = Spooled { submission, mail: Arc::new(mail) };
        let number = self.next;
        self.note(&Entry::Accepted { number, spooled: spooled.clone() })?;
        self.next += 1;
        Ok((spooled.mail.id(), self.distribute(number, &spooled)))
    }

    /// Puts an accepted mail wherever it has to be. Returns the domains that have to be told.
    fn distribute(&mut self, number: u64, spooled: &Spooled) -> Vec<String> {
        let envelope = &spooled.mail.envelope;
        let domains: BTreeSet<_> = envelope.to.iter().map(Address::domain).collect();
        let mut told = Vec::new();
        for domain in domains {
            if let Some(queue) = self.queues.get_mut(domain) {
                queue.push(number, spooled.clone());
                told.push(domain.to_owned());
            }
        }
        for to in
            envelope.to.iter().filter(|to| to.domain() == self.domain).cloned().collect::<Vec<_>>()
        {
            self.deliver(to.name(), &spooled.mail);
        }
        if let Some(state) = self.states.get_mut(envelope.from.name()) {
            state.has_sent(spooled);
        }
        told
    }

    /// Takes a mail that another server forwards, into the boxes of those of its recipients who are
    /// here. Returns whom it is for now, and who of this domain has no box; both may leave after
    /// [`commit`](Self::commit).
    ///
    /// # Errors
    ///
    /// If it cannot be written down.
    pub fn receive(&mut self, mail: Mail) -> Result<(Vec<String>, Vec<Address>), StoreError> {
        let mail = Arc::new(mail);
        let (mut here, mut unknown, mut is_news) = (Vec::new(), Vec::new(), false);
        let own = self.domain.clone();
        for to in mail.envelope.to.iter().filter(|to| to.domain() == own) {
            match self.deliver(to.name(), &mail) {
                Some(is_new) => {
                    is_news |= is_new;
                    here.push(to.name().to_owned());
                }
                None => unknown.push(to.clone()),
            }
        }
        if is_news {
            self.note(&Entry::Received(mail))?;
        }
        Ok((here, unknown))
    }

    /// Puts a mail into a box, or holds it if the box cannot be used. Returns whether it is news
    /// there; nothing if there is no such box.
    fn deliver(&mut self, name: &str, mail: &Arc<Mail>) -> Option<bool> {
        let place = self.boxes.get_mut(name)?;
        let is_read = |state: &BoxState| state.knowledge.has_read(&mail.envelope);
        let is_read = self.states.get(name).is_some_and(is_read);
        let name = name.to_owned();
        match place {
            Place::Open(mail_box) if is_read || mail_box.has_unread(&mail.id()) => {
                info!("{} came again: dropped", mail.id());
                return Some(false);
            }
            Place::Open(mail_box) => {
                let arrival = mail_box.expect(mail);
                self.deeds.push(Deed::Deliver { name, arrival, mail: Arc::clone(mail) });
            }
            Place::Closed(_) => self.deeds.push(Deed::Hold { name, mail: Arc::clone(mail) }),
        }
        Some(true)
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

    /// A user has read a mail. To say so again changes nothing. It may be confirmed after
    /// [`commit`](Self::commit).
    ///
    /// # Errors
    ///
    /// If there is no such box, or it cannot be used.
    pub fn confirm(&mut self, name: &str, id: &str) -> Result<(), StoreError> {
        let mail_box = self.mail_box_mut(name)?;
        let Some(arrival) = mail_box.arrival(id) else {
            return Ok(()); // It was read already.
        };
        if let Some(mail) = mail_box.load(arrival) {
            let envelope = mail.envelope;
            self.note(&Entry::Read { name: name.to_owned(), envelope: envelope.clone() })?;
            if let Some(state) = self.states.get_mut(name) {
                state.knowledge.read(&envelope);
            }
        }
        if let Some(path) = self.mail_box_mut(name)?.forget(arrival) {
            self.deeds.push(Deed::MarkSeen { name: name.to_owned(), path });
        }
        Ok(())
    }

    /// The queue to a domain.
    pub fn queue(&self, domain: &str) -> Option<&VecDeque<Queued>> {
        self.queues.get(domain).map(Queue::mails)
    }

    /// The mail of a place in a queue.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn queued(&self, domain: &str, place: usize) -> Result<Option<Arc<Mail>>, StoreError> {
        self.queues.get(domain).map_or(Ok(None), |queue| queue.get(place))
    }

    /// Leaves out the mail of a place in a queue, which cannot be read. Its file stays.
    pub fn leave_out(&mut self, domain: &str, place: usize) {
        self.queues.get_mut(domain).and_then(|queue| queue.leave_out(place));
    }

    /// The mails of a queue do not leave soon.
    pub fn rest(&mut self, domain: &str) {
        self.queues.get_mut(domain).into_iter().for_each(Queue::rest);
    }

    /// The other server has the first mail of its queue.
    ///
    /// # Errors
    ///
    /// If that cannot be written down.
    pub fn forwarded(&mut self, domain: &str) -> Result<(), StoreError> {
        let first = self.queues.get_mut(domain).and_then(Queue::pop);
        let Some((number, path)) = first else { return Ok(()) };
        // Should this not survive a crash, the mail is sent again, and recognised.
        self.deeds.extend(path.map(Deed::Remove));
        self.note(&Entry::Forwarded { domain: domain.to_owned(), number })
    }

    /// How many mails wait to be forwarded.
    pub fn waiting(&self) -> usize {
        self.queues.values().map(|queue| queue.mails().len()).sum()
    }

    /// Brings what happened since the last time to the disk, with one wait for all of it. Nobody may
    /// hear of it before this returns.
    ///
    /// # Errors
    ///
    /// If the disk fails: the server must stop, and nobody may hear of it.
    pub fn commit(&mut self) -> Result<(), StoreError> {
        let path = self.log_path();
        self.log.commit().map_err(at(&path)).map_err(fatal)?;
        self.do_deeds().map_err(fatal)?;
        if self.log.is_long(COMPACT_AT) {
            self.compact()?;
        }
        Ok(())
    }

    /// Brings everything to the disk, so that a server that starts again finds it in order: the last
    /// thing that a server does.
    ///
    /// # Errors
    ///
    /// If the disk fails.
    pub fn close(mut self) -> Result<(), StoreError> {
        self.commit()?;
        self.compact()
    }

    /// Does what follows from the log.
    fn do_deeds(&mut self) -> Result<(), StoreError> {
        for deed in std::mem::take(&mut self.deeds) {
            match deed {
                Deed::Deliver { name, arrival, mail } => self.put(&name, arrival, &mail)?,
                Deed::Hold { name, mail } => Held::of(&self.root, &name).keep(&mail)?,
                Deed::MarkSeen { name, path } => {
                    if let Some(Place::Open(mail_box)) = self.boxes.get(&name) {
                        mail_box.mark_seen(&path);
                    }
                }
                Deed::Remove(path) => queue::remove(&path),
            }
        }
        self.queues.values_mut().try_for_each(Queue::settle)
    }

    /// Puts a mail into its file in a box. If it cannot be put there, the box is closed, and it is held.
    fn put(&mut self, name: &str, arrival: u64, mail: &Mail) -> Result<(), StoreError> {
        if let Some(Place::Open(mail_box)) = self.boxes.get_mut(name) {
            match mail_box.put(arrival, mail) {
                Ok(()) => return Ok(()),
                Err(why) => self.close_box(name, &why),
            }
        }
        Held::of(&self.root, name).keep(mail)
    }

    /// Brings all files to the disk, and puts a snapshot in the place of the log.
    fn compact(&mut self) -> Result<(), StoreError> {
        self.queues.values_mut().try_for_each(Queue::put_into_files).map_err(fatal)?;
        recovery::sync_files(self).map_err(fatal)?;
        let states = self.states.iter();
        let states =
            states.map(|(name, state)| Entry::State { name: name.clone(), state: state.clone() });
        let snapshot = states.chain([Entry::Next(self.next)]).map(|entry| entry.to_line());
        let snapshot = snapshot.collect::<Result<Vec<_>, _>>().map_err(fatal)?;
        let path = self.log_path();
        self.log.compact(snapshot).map_err(at(&path)).map_err(fatal)
    }

    /// Adds an entry to the log. Nothing has happened yet if this fails.
    fn note(&mut self, entry: &Entry) -> Result<(), StoreError> {
        self.log.append(&entry.to_line()?);
        Ok(())
    }

    fn log_path(&self) -> PathBuf {
        self.root.join(recovery::LOG)
    }

    fn close_box(&mut self, name: &str, why: &StoreError) {
        let held = Held::of(&self.root, name);
        let held = held.folder().display();
        error!("the box of {name} is closed, and mail for it waits in {held}: {why}");
        self.boxes.insert(name.to_owned(), Place::Closed(why.to_string()));
    }

    /// What is known of the user of a box that can be used.
    fn state(&self, name: &str) -> Result<&BoxState, StoreError> {
        match self.boxes.get(name) {
            Some(Place::Open(_)) => {
                self.states.get(name).ok_or_else(|| StoreError::NoBox(name.to_owned()))
            }
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
}

fn closed(name: &str, why: &str) -> StoreError {
    StoreError::Closed { name: name.to_owned(), why: why.to_owned() }
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
