//! What the members of a run know and nobody else does.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What the members of a run know and nobody else does: 256 random bits.
///
/// It is printed nowhere: its `Debug` shows none of it. Serde writes it as 64 hexadecimal digits;
/// hand it to a process on its standard input, never on a command line, in the environment or in a
/// file.
#[derive(Clone)]
pub struct Secret(pub(crate) [u8; 32]);

impl Secret {
    /// A new secret from the system's source of randomness.
    ///
    /// # Errors
    ///
    /// If the system has no randomness to give, which on Linux means a very old kernel or a strict
    /// sandbox.
    pub fn random() -> std::io::Result<Self> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Secret(bytes))
    }

    /// Its bytes. They must not be shown.
    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The secret written as 64 hexadecimal digits, or `None` if the text is anything else.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let mut secret = [0; 32];
        for (byte, pair) in secret.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).ok()?;
        }
        Some(Secret(secret))
    }

    /// The secret as 64 hexadecimal digits. Everybody who can read them is a member of the run.
    #[must_use]
    pub fn to_hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_hex())
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Secret::from_hex(&text)
            .ok_or_else(|| serde::de::Error::custom("a secret is 64 hexadecimal digits"))
    }
}
