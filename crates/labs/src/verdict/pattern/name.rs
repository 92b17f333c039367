//! The kind that a monitor waits for.

use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use crate::trace::Noted;

/// The kind of a message or an indication that a monitor waits for.
///
/// The checker copies and hashes monitors a million times a second. A name is copied without its text,
/// and adds nothing to a hash: the monitors of one search all wait for the same kinds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Name(Arc<str>);

impl Name {
    /// Whether this is of that kind.
    pub(super) fn is(&self, noted: &dyn Noted) -> bool {
        *self.0 == *noted.kind()
    }
}

impl From<&str> for Name {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}
