//! What comes for a box that is closed: it waits in a folder of its own, as it would stand in the
//! box, and is delivered when the box can be opened again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use log::error;

use super::{DRAFT, StoreError, at};
use crate::post::mail::{self, Mail};
use crate::post::maildir;

/// The folder of mails that are held for one box.
pub(super) struct Held {
    folder: PathBuf,
    /// The name that a file has until it is whole.
    draft: PathBuf,
}

impl Held {
    /// That of this user's box.
    pub(super) fn of(root: &Path, user: &str) -> Self {
        Self { folder: root.join("held").join(user), draft: root.join(DRAFT) }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Holds a mail. It is not on the disk yet. To hold it again changes nothing.
    pub(super) fn keep(&self, mail: &Mail) -> Result<(), StoreError> {
        let text = mail.to_text().map_err(|error| StoreError::Refused(error.to_string()))?;
        maildir::make_folder(&self.folder).map_err(at(&self.folder))?;
        let path = self.folder.join(mail.file_name());
        maildir::put(&self.draft, &path, text.as_bytes()).map_err(at(&path))
    }

    /// What is held, each mail with its file. What is no mail of ours is named and left alone.
    pub(super) fn mails(&self) -> Result<Vec<(PathBuf, Arc<Mail>)>, StoreError> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(at(&self.folder))?,
        };
        let paths: Result<Vec<_>, _> = entries.map(|entry| Ok(entry?.path())).collect();
        let mut paths = paths.map_err(at(&self.folder))?;
        paths.retain(|path| path.file_name().is_some_and(mail::is_file_name));
        // Their names begin with the time.
        paths.sort();
        let mut mails = Vec::new();
        for path in paths {
            let text = maildir::read(&path).map_err(|error| error.to_string());
            let mail = text.and_then(|text| Mail::from_text(&text).ok_or("no mail".to_owned()));
            match mail {
                Ok(mail) => mails.push((path, Arc::new(mail))),
                Err(why) => error!("{} is left alone: {why}", path.display()),
            }
        }
        Ok(mails)
    }
}
