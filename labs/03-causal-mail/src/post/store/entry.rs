//! What stands in the log of a store: what happened, a line of JSON each.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::StoreError;
use super::box_state::BoxState;
use super::spool::Spooled;
use crate::ordering::Envelope;
use crate::post::address::Address;
use crate::post::mail::Mail;

/// What happened.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) enum Entry {
    /// What the user of a box knew, had read and had sent by now: in a snapshot, and of a box of an
    /// earlier version.
    State { name: String, state: BoxState },
    /// The number of the next mail that a client sends: in a snapshot.
    Next(u64),
    /// A client has sent this mail.
    Accepted { number: u64, spooled: Spooled },
    /// Another server has forwarded this mail, or it was held for a box.
    Received(Arc<Mail>),
    /// The user of a box has read the mail with this envelope.
    Read { name: String, envelope: Envelope<Address> },
    /// The server of this domain has the mail of this number.
    Forwarded { domain: String, number: u64 },
}

impl Entry {
    pub(super) fn to_line(&self) -> Result<String, StoreError> {
        serde_json::to_string(self)
            .map_err(|error| StoreError::Refused(format!("it cannot be written down: {error}")))
    }

    pub(super) fn of_line(line: &str) -> serde_json::Result<Self> {
        serde_json::from_str(line)
    }
}
