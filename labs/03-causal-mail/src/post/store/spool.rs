//! The files of `queue`, and of `spool` in the store of an earlier version: a mail in each, as JSON, named
//! by a number.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use labs::files::UNFINISHED;
use log::warn;
use serde::{Deserialize, Serialize};

use super::{StoreError, Submission, at};
use crate::post::mail::Mail;
use crate::post::maildir;

/// A mail that a client has sent, as it stands in a file of `queue`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Spooled {
    pub(super) submission: Submission,
    pub(super) mail: Arc<Mail>,
}

impl Spooled {
    pub(super) fn load(path: &Path) -> Result<Self, StoreError> {
        let text = maildir::read(path).map_err(at(path))?;
        serde_json::from_str(&text).map_err(|_| StoreError::Damaged(path.to_owned()))
    }
}

/// The files of a queue, in their order. Drafts that a crash left are removed.
pub(super) fn json_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if number(&path).is_some() && path.extension().is_some_and(|json| json == "json") {
            files.push(path);
        } else if path.as_os_str().as_encoded_bytes().ends_with(UNFINISHED.as_bytes())
            && let Err(error) = fs::remove_file(&path)
        {
            warn!("{} is left alone: {error}", path.display());
        }
    }
    files.sort();
    Ok(files)
}

pub(super) fn number(path: &Path) -> Option<u64> {
    path.file_stem()?.to_str()?.parse().ok()
}
