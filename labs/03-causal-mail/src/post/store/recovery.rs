//! How a store is opened: what a crash left is put right, and what an earlier version left is taken
//! over.
//!
//! 1. The log is read: it says what each user knows and has read.
//! 2. The boxes and the queues are opened, with the mails that are in them.
//! 3. Each mail of the log that is not where it belongs, or is there in part, is put there.
//! 4. If there was an earlier version, all files are brought to the disk, and a snapshot takes the place of
//!    the log.
//!
//! Interrupted at any moment, all of this is done again. The log goes on where it was.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use labs::files::{self, DurableLog, Lock, PrivateDisk};
use log::{error, info, warn};

use super::box_state::BoxState;
use super::entry::Entry;
use super::held::Held;
use super::mail_box::MailBox;
use super::queue::{self, Queue};
use super::spool::{Spooled, json_files, number};
use super::{DRAFT, Deed, POSTMASTER, Place, Store, StoreError, at};
use crate::post::address::{Address, checked_name};
use crate::post::mail::Mail;
use crate::post::maildir;

/// The log of a store.
pub(super) const LOG: &str = "log";

/// The longest log that is read, in bytes: far more than the mails of a course, and less than the memory of a machine.
const LOG_MAX: u64 = 1 << 30;

/// What a server of an earlier version knew of a box, in its folder; and what becomes of that when
/// the log has it.
const CLOCK: &str = "clock.json";
const TAKEN_OVER: &str = "clock.json.old";

/// Where an earlier version had what was accepted and not distributed.
const SPOOL: &str = "spool";

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
        let (log, entries) = read_log(root)?;
        let mut store = Self {
            root: root.to_owned(),
            domain: domain.to_owned(),
            log,
            boxes: BTreeMap::new(),
            states: BTreeMap::new(),
            queues: BTreeMap::new(),
            next: 1,
            deeds: Vec::new(),
            _lock: lock,
        };
        for other in others {
            let queue = Queue::open(root.join("queue").join(other), root.join(DRAFT))?;
            store.queues.insert(other.to_owned(), queue);
        }
        let users: BTreeSet<_> = users.chain([POSTMASTER]).collect();
        store.recover(entries, &users)?;
        Ok(store)
    }

    fn recover(
        &mut self,
        mut entries: Vec<Entry>,
        users: &BTreeSet<&str>,
    ) -> Result<(), StoreError> {
        let spool = self.root.join(SPOOL);
        let (accepted, spooled) = accepted_before(&spool)?;
        entries.extend(accepted);
        // Greater than all that are there, so that what comes later stands later.
        let queued = self.queues.values().filter_map(Queue::last);
        self.next = queued.chain(spooled).max().unwrap_or(0) + 1;
        for user in users {
            self.take_over(user);
        }
        for entry in &entries {
            self.learn(entry);
        }
        for user in users {
            self.open_box(user)?;
        }
        for entry in entries {
            self.put_right(entry)?;
        }
        for user in users {
            if let Some(Place::Open(mail_box)) = self.boxes.get_mut(*user) {
                mail_box.is_restored();
            }
            self.release(user)?;
        }
        self.commit()?;
        if self.has_earlier_version(&spool) {
            self.compact()?;
            self.forget_earlier_version(&spool);
        }
        Ok(())
    }

    /// Whether something is to be taken over into the log.
    fn has_earlier_version(&self, spool: &Path) -> bool {
        let has_clock = |name: &String| self.box_folder(name).join(CLOCK).exists();
        self.boxes.keys().any(has_clock) || json_files(spool).is_ok_and(|files| !files.is_empty())
    }

    /// What is known of a user in a box of an earlier version. What the log says about the same user
    /// is newer.
    fn take_over(&mut self, name: &str) {
        // If it cannot be read, opening the box says so.
        if let Ok(Some(state)) = self.earlier_state(name) {
            self.states.insert(name.to_owned(), state);
        }
    }

    /// What an earlier version knew of a user; none if it knew nothing. What it had accepted and not
    /// distributed was sent, too.
    fn earlier_state(&self, name: &str) -> Result<Option<BoxState>, StoreError> {
        let Some(mut state) = BoxState::of_file(&self.box_folder(name).join(CLOCK))? else {
            return Ok(None);
        };
        for path in json_files(&self.root.join(SPOOL)).unwrap_or_default() {
            if let Ok(spooled) = Spooled::load(&path)
                && spooled.mail.envelope.from.name() == name
            {
                state.has_sent(&spooled);
            }
        }
        Ok(Some(state))
    }

    /// What users have learnt.
    fn learn(&mut self, entry: &Entry) {
        match entry {
            Entry::State { name, state } => {
                self.states.insert(name.clone(), state.clone());
            }
            Entry::Next(next) => self.next = self.next.max(*next),
            Entry::Accepted { number, spooled } => {
                self.next = self.next.max(number + 1);
                let from = &spooled.mail.envelope.from;
                if let Some(state) = self.state_or_new(from.name()) {
                    state.has_sent(spooled);
                }
            }
            Entry::Read { name, envelope } => {
                if let Some(state) = self.state_or_new(name) {
                    state.knowledge.read(envelope);
                }
            }
            Entry::Received(_) | Entry::Forwarded { .. } => {}
        }
    }

    /// None if there is no such name, or an earlier version knew something that cannot be read.
    fn state_or_new(&mut self, name: &str) -> Option<&mut BoxState> {
        let is_unread = !self.states.contains_key(name)
            && fs::symlink_metadata(self.box_folder(name).join(CLOCK)).is_ok();
        if is_unread {
            return None;
        }
        let me = checked_name(name).and_then(|name| Address::new(&name, &self.domain)).ok()?;
        Some(self.states.entry(name.to_owned()).or_insert_with(|| BoxState::new(me)))
    }

    /// Opens a user's box, or closes it if it cannot be used.
    pub(super) fn open_box(&mut self, name: &str) -> Result<(), StoreError> {
        match self.opened(name) {
            Ok(mail_box) => {
                self.boxes.insert(name.to_owned(), Place::Open(Box::new(mail_box)));
            }
            Err(why) => self.close_box(name, &why),
        }
        Ok(())
    }

    fn opened(&mut self, name: &str) -> Result<MailBox, StoreError> {
        let me = checked_name(name).and_then(|name| Address::new(&name, &self.domain));
        let me = me.map_err(|error| StoreError::Refused(error.to_string()))?;
        let folder = self.box_folder(name);
        let state = match self.states.remove(name) {
            Some(state) => state,
            None => self.earlier_state(name)?.unwrap_or_else(|| BoxState::new(me.clone())),
        };
        let opened = MailBox::open(&folder, me, &state.knowledge);
        if opened.is_ok() && folder.join(CLOCK).exists() {
            self.note(&Entry::State { name: name.to_owned(), state: state.clone() })?;
        }
        self.states.insert(name.to_owned(), state);
        opened
    }

    fn box_folder(&self, name: &str) -> PathBuf {
        self.root.join("boxes").join(name)
    }

    /// Puts what happened before a crash where it belongs.
    fn put_right(&mut self, entry: Entry) -> Result<(), StoreError> {
        match entry {
            Entry::Accepted { number, spooled } => {
                let to = &spooled.mail.envelope.to;
                for domain in to.iter().map(Address::domain).collect::<BTreeSet<_>>() {
                    match self.queues.get_mut(domain) {
                        Some(queue) => queue.restore(number, &spooled),
                        None if domain == self.domain => {}
                        None => {
                            let id = spooled.mail.id();
                            warn!("{id} is for {domain}, which is no domain any more: it is lost");
                        }
                    }
                }
                self.restore(&spooled.mail)
            }
            Entry::Received(mail) => self.restore(&mail),
            Entry::Forwarded { domain, number } => {
                self.queues.get_mut(&domain).into_iter().for_each(|queue| queue.forget(number));
                Ok(())
            }
            Entry::State { .. } | Entry::Next(_) | Entry::Read { .. } => Ok(()),
        }
    }

    /// Sees to it that a mail is in the boxes of its recipients here.
    fn restore(&mut self, mail: &Arc<Mail>) -> Result<(), StoreError> {
        let own = self.domain.clone();
        for to in mail.envelope.to.iter().filter(|to| to.domain() == own) {
            if self.boxes.contains_key(to.name()) {
                self.restore_in(to.name(), mail)?;
            }
        }
        Ok(())
    }

    fn restore_in(&mut self, name: &str, mail: &Mail) -> Result<(), StoreError> {
        let state = self.states.get(name);
        let is_read = state.is_some_and(|state| state.knowledge.has_read(&mail.envelope));
        if let Some(Place::Open(mail_box)) = self.boxes.get_mut(name) {
            match mail_box.restore(mail, is_read) {
                Ok(()) => return Ok(()),
                Err(why) => self.close_box(name, &why),
            }
        }
        Held::of(&self.root, name).keep(mail)
    }

    /// Delivers what was held for a box that can be used again.
    pub(super) fn release(&mut self, name: &str) -> Result<(), StoreError> {
        let Some(Place::Open(_)) = self.boxes.get(name) else { return Ok(()) };
        for (path, mail) in Held::of(&self.root, name).mails()? {
            info!("{} was held, and is delivered", mail.id());
            self.note(&Entry::Received(Arc::clone(&mail)))?;
            self.restore_in(name, &mail)?;
            if let Some(Place::Open(_)) = self.boxes.get(name) {
                self.deeds.push(Deed::Remove(path));
            }
        }
        Ok(())
    }

    /// The log has all that an earlier version had in other files.
    fn forget_earlier_version(&self, spool: &Path) {
        for (name, place) in &self.boxes {
            let path = self.box_folder(name).join(CLOCK);
            if matches!(place, Place::Open(_)) && path.exists() {
                info!("{} is taken over into the log", path.display());
                let _ = fs::rename(&path, path.with_file_name(TAKEN_OVER));
            }
        }
        for path in json_files(spool).unwrap_or_default() {
            // If the box of its sender cannot be used, the file stays until it can.
            if let Ok(spooled) = Spooled::load(&path)
                && let from = spooled.mail.envelope.from.name()
                && (self.states.contains_key(from) || !self.boxes.contains_key(from))
            {
                queue::remove(&path);
            }
        }
    }
}

/// The log, which is made if it is not there, and what is in it.
fn read_log(root: &Path) -> Result<(DurableLog<PrivateDisk>, Vec<Entry>), StoreError> {
    let path = root.join(LOG);
    let opened = DurableLog::open(PrivateDisk, &path, LOG_MAX);
    let opened = opened.map_err(|source| StoreError::Log { path: path.clone(), source })?;
    let Some((log, contents)) = opened else {
        let log = DurableLog::create(PrivateDisk, &path, [""; 0]).map_err(at(&path))?;
        return Ok((log, Vec::new()));
    };
    let lines = contents.snapshot.iter().chain(&contents.turns);
    let entries = lines.map(|line| Entry::of_line(line)).collect::<Result<_, _>>();
    Ok((log, entries.map_err(|_| StoreError::Damaged(path))?))
}

/// What a server of an earlier version had accepted, and not distributed; and the numbers of all
/// files there, whatever is in them.
fn accepted_before(spool: &Path) -> Result<(Vec<Entry>, Vec<u64>), StoreError> {
    if !spool.exists() {
        return Ok((Vec::new(), Vec::new()));
    }
    let files = json_files(spool).map_err(at(spool))?;
    let numbers: Vec<_> = files.iter().filter_map(|path| number(path)).collect();
    let mut accepted = Vec::new();
    for (path, &number) in files.iter().zip(&numbers) {
        match Spooled::load(path) {
            Ok(spooled) => {
                info!("distributing {} again", path.display());
                accepted.push(Entry::Accepted { number, spooled });
            }
            Err(why) => error!("left alone, and its mail is not delivered: {why}"),
        }
    }
    Ok((accepted, numbers))
}

fn lock(root: &Path) -> Result<Lock, StoreError> {
    let path = root.join("lock");
    let lock = files::lock(&path).map_err(at(&path))?;
    lock.ok_or_else(|| StoreError::InUse(root.to_owned()))
}

/// Brings all files of a store to the disk, those of boxes on other file systems too.
pub(super) fn sync_files(store: &Store) -> Result<(), StoreError> {
    let mut disks = BTreeMap::from([(device(&store.root), store.root.clone())]);
    for place in store.boxes.values() {
        let Place::Open(mail_box) = place else { continue };
        for part in ["new", "cur"] {
            let folder = mail_box.path().join(part);
            disks.entry(device(&folder)).or_insert(folder);
        }
    }
    // A folder that is gone has no files.
    disks.remove(&None);
    disks.into_values().try_for_each(|folder| files::sync_disk_of(&folder).map_err(at(&folder)))
}

/// The file system of a folder.
fn device(folder: &Path) -> Option<u64> {
    fs::metadata(folder).ok().map(|about| about.dev())
}
