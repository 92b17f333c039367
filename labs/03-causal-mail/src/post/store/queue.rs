//! The mails that wait to be forwarded to one domain, in the order in which they were accepted.
//!
//! A mail that leaves soon stays in memory. If it has to wait it is put into a file, so that a server
//! that is down for a week costs no memory. Until the next snapshot it stands in the log as well.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use log::warn;

use super::spool::{Spooled, json_files, number};
use super::{StoreError, at};
use crate::post::mail::Mail;
use crate::post::maildir;

/// How many mails of one queue stay in memory, if they leave soon: more than are sent ahead of an
/// acknowledgement.
const IN_MEMORY_MAX: usize = 64;

/// The queue to a domain.
#[derive(Debug)]
pub(super) struct Queue {
    folder: PathBuf,
    /// The name that a file has until it is whole.
    draft: PathBuf,
    mails: VecDeque<Queued>,
    /// What stays in memory has to wait.
    must_rest: bool,
    in_memory: usize,
}

/// A mail that waits in a queue.
#[derive(Clone, Debug)]
pub struct Queued {
    number: u64,
    /// Since when it is there: when it was accepted, or the server started.
    pub since: Instant,
    /// Nothing if it is in its file.
    spooled: Option<Spooled>,
}

impl Queue {
    /// The queue in this folder, which is made if it is not there.
    pub(super) fn open(folder: PathBuf, draft: PathBuf) -> Result<Self, StoreError> {
        maildir::make_folder(&folder).map_err(at(&folder))?;
        let since = super::super::now();
        let paths = json_files(&folder).map_err(at(&folder))?;
        let numbers = paths.iter().filter_map(|path| number(path));
        let mails = numbers.map(|number| Queued { number, since, spooled: None }).collect();
        Ok(Self { folder, draft, mails, must_rest: false, in_memory: 0 })
    }

    pub(super) fn mails(&self) -> &VecDeque<Queued> {
        &self.mails
    }

    /// The greatest number that is there.
    pub(super) fn last(&self) -> Option<u64> {
        self.mails.iter().map(|queued| queued.number).max()
    }

    pub(super) fn push(&mut self, number: u64, spooled: Spooled) {
        self.in_memory += 1;
        let since = super::super::now();
        self.mails.push_back(Queued { number, since, spooled: Some(spooled) });
    }

    /// The same after a crash: its file may be there already, in part.
    pub(super) fn restore(&mut self, number: u64, spooled: &Spooled) {
        let place = self.mails.partition_point(|queued| queued.number < number);
        if self.mails.get(place).is_some_and(|queued| queued.number == number) {
            self.leave_out(place);
        }
        self.in_memory += 1;
        let since = super::super::now();
        self.mails.insert(place, Queued { number, since, spooled: Some(spooled.clone()) });
    }

    /// The mail of a place.
    pub(super) fn get(&self, place: usize) -> Result<Option<Arc<Mail>>, StoreError> {
        let Some(queued) = self.mails.get(place) else { return Ok(None) };
        Ok(Some(match &queued.spooled {
            Some(spooled) => Arc::clone(&spooled.mail),
            None => Spooled::load(&self.path(queued.number))?.mail,
        }))
    }

    /// Takes out the mail of a place. Its file stays. Returns its number.
    pub(super) fn leave_out(&mut self, place: usize) -> Option<u64> {
        let queued = self.mails.remove(place)?;
        self.in_memory -= usize::from(queued.spooled.is_some());
        Some(queued.number)
    }

    /// The other server has the first mail. Returns its number, and its file if it has one.
    pub(super) fn pop(&mut self) -> Option<(u64, Option<PathBuf>)> {
        let is_in_file = self.mails.front()?.spooled.is_none();
        let number = self.leave_out(0)?;
        Some((number, is_in_file.then(|| self.path(number))))
    }

    /// Takes out the mail of this number, and removes its file: it was forwarded before a crash.
    pub(super) fn forget(&mut self, number: u64) {
        let place = self.mails.iter().position(|queued| queued.number == number);
        if place.and_then(|place| self.leave_out(place)).is_some() {
            remove(&self.path(number));
        }
    }

    /// What is in memory does not leave soon.
    pub(super) fn rest(&mut self) {
        self.must_rest = self.in_memory > 0;
    }

    /// Puts what is in memory into files, if it is too much, or has to wait.
    pub(super) fn settle(&mut self) -> Result<(), StoreError> {
        if self.must_rest || self.in_memory > IN_MEMORY_MAX {
            self.put_into_files()?;
        }
        Ok(())
    }

    /// Puts all that is in memory into files. They are not on the disk yet.
    pub(super) fn put_into_files(&mut self) -> Result<(), StoreError> {
        for place in 0..self.mails.len() {
            let Some(spooled) = self.mails[place].spooled.take() else { continue };
            let path = self.path(self.mails[place].number);
            let json = serde_json::to_vec(&spooled).map_err(io::Error::other).map_err(at(&path))?;
            maildir::put(&self.draft, &path, &json).map_err(at(&path))?;
        }
        (self.in_memory, self.must_rest) = (0, false);
        Ok(())
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:010}.json"))
    }
}

/// Removes a file that is of no more use.
pub(super) fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            warn!("{} is of no more use, and is left alone: {error}", path.display());
        }
        _ => {}
    }
}
