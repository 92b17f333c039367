//! What a server knows of the user of a box: it stands in the log, and not in the folder of the box.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::spool::Spooled;
use super::{StoreError, Submission, at};
use crate::ordering::{Knowledge, Stamps};
use crate::post::address::Address;
use crate::post::maildir;

/// How many sessions of one box are remembered, so that what a client sends again is recognised:
/// more than a person has clients.
const SESSIONS_MAX: usize = 64;

/// What a user knows and has read, and what was sent.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct BoxState {
    pub(super) knowledge: Knowledge<Address>,
    /// How many mails were sent from this box.
    pub(super) sent: u64,
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

impl BoxState {
    /// That of a user who has read and sent nothing.
    pub(super) fn new(me: Address) -> Self {
        let knowledge = Knowledge::new(me, Stamps::Full);
        Self { knowledge, sent: 0, sessions: VecDeque::new() }
    }

    /// What a server of an earlier version wrote into this file; none if there is none.
    pub(super) fn of_file(path: &Path) -> Result<Option<Self>, StoreError> {
        // A link to nothing is no absence: what it led to is lost.
        if fs::symlink_metadata(path).is_err_and(|e| e.kind() == io::ErrorKind::NotFound) {
            return Ok(None);
        }
        let text = maildir::read(path).map_err(at(path))?;
        serde_json::from_str(&text).map(Some).map_err(|_| StoreError::Damaged(path.to_owned()))
    }

    /// The mail that this submission became, if it was sent before.
    pub(super) fn already_sent(&self, submission: Submission) -> Result<Option<u64>, StoreError> {
        let Submission { session, request } = submission;
        match self.sessions.iter().find(|sent| sent.session == session) {
            Some(sent) if sent.request == request => Ok(Some(sent.n)),
            Some(sent) if sent.request > request => {
                Err(StoreError::Refused(format!("request {request} is older than the last one")))
            }
            _ => Ok(None),
        }
    }

    /// The user of this box has sent a mail. To say so again changes nothing.
    pub(super) fn has_sent(&mut self, spooled: &Spooled) {
        let Spooled { submission: Submission { session, request }, mail } = spooled;
        self.knowledge.know(&mail.envelope);
        self.sent = self.sent.max(mail.n);
        let is_known = |sent: &Sent| sent.session == *session && sent.request >= *request;
        if self.sessions.iter().any(is_known) {
            return;
        }
        self.sessions.retain(|sent| sent.session != *session);
        self.sessions.push_back(Sent { session: *session, request: *request, n: mail.n });
        while self.sessions.len() > SESSIONS_MAX {
            self.sessions.pop_front();
        }
    }
}
