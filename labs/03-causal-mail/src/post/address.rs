//! Addresses: `name@domain`.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest name, in bytes: that of RFC 5321. A name is the name of a folder too.
pub const NAME_MAX: usize = 64;

/// The longest domain, in bytes. DNS takes 253, but the name of a mail's file has the sender's
/// address in it ([`Mail::file_name`](super::mail::Mail::file_name)), and file systems take 255
/// bytes for all of that.
pub const DOMAIN_MAX: usize = 128;

/// Whose box it is: a name, and the domain whose server keeps it. Small letters.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Address {
    /// Both, as they are written: no second copy is kept.
    text: String,
    at: usize,
}

/// Why something is no address.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AddressError {
    /// There is not one `@` in it.
    #[error("{0:?} is no address: write NAME@DOMAIN")]
    Form(String),
    /// The name cannot be the name of a box.
    #[error(
        "{0:?} is no name of a box: 1 to {NAME_MAX} letters, digits, `+`, `-`, `_` or `.`, not beginning with `.`"
    )]
    Name(String),
    /// The domain is none.
    #[error(
        "{0:?} is no domain: letters, digits and `-`, in parts with `.` between, {DOMAIN_MAX} at the most"
    )]
    Domain(String),
}

impl Address {
    /// The box of this name in this domain.
    ///
    /// # Errors
    ///
    /// Says which of the two cannot be.
    pub fn new(name: &str, domain: &str) -> Result<Self, AddressError> {
        let name = checked_name(name)?;
        let domain = checked_domain(domain)?;
        Ok(Self { text: format!("{name}@{domain}"), at: name.len() })
    }

    /// The name of the box.
    pub fn name(&self) -> &str {
        &self.text[..self.at]
    }

    /// The domain.
    pub fn domain(&self) -> &str {
        &self.text[self.at + 1..]
    }
}

/// The name in small letters, if it is one.
///
/// # Errors
///
/// If it is none.
pub fn checked_name(name: &str) -> Result<String, AddressError> {
    let is_sign = |c: char| c.is_ascii_alphanumeric() || "+-_.".contains(c);
    let is_name =
        (1..=NAME_MAX).contains(&name.len()) && !name.starts_with('.') && name.chars().all(is_sign);
    match is_name {
        true => Ok(name.to_ascii_lowercase()),
        false => Err(AddressError::Name(name.to_owned())),
    }
}

/// The domain in small letters, if it is one.
///
/// # Errors
///
/// If it is none.
pub fn checked_domain(domain: &str) -> Result<String, AddressError> {
    let is_part = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    match domain.len() <= DOMAIN_MAX && domain.split('.').all(is_part) {
        true => Ok(domain.to_ascii_lowercase()),
        false => Err(AddressError::Domain(domain.to_owned())),
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let form = || AddressError::Form(text.chars().take(NAME_MAX + DOMAIN_MAX).collect());
        let (name, domain) = text.trim().split_once('@').ok_or_else(form)?;
        if domain.contains('@') {
            return Err(form());
        }
        Self::new(name, domain)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests;
