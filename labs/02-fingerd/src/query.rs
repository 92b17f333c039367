//! What a client may ask: the grammar of RFC 1288, section 2.3.
//!
//! ```text
//! {Q1}  ::= [{W}|{W}{S}{U}]{C}          who is logged in, or about one user
//! {Q2}  ::= [{W}{S}][{U}]{H}{C}         the same, asked of another machine: refused
//! {U}   ::= username
//! {H}   ::= @hostname | @hostname{H}
//! {W}   ::= /W                          "verbose"
//! {S}   ::= <SP> | <SP>{S}
//! {C}   ::= <CRLF>
//! ```
//!
//! Taken by its letters, {Q1} would not allow a user without `/W`; but all examples in the RFC do,
//! and so do all servers. Beyond that this parser accepts what real clients send: a line that ends
//! with LF alone, `/w`, and spaces around (Debian's `finger -l @host` sends `/W` and a space).
//!
//! A *login* is a name of the portable alphabet (POSIX, section 3.282) that does not begin with a
//! hyphen: letters, digits, `.`, `_`, `-`. Such a name means nothing to a shell, in a path or as an
//! option, except `.` and `..`, which are refused too.

use std::fmt;

use thiserror::Error;

/// The longest login, in bytes: what `useradd` allows.
const MAX_LOGIN: usize = 32;

/// What is asked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Query {
    /// `/W`: more than usual.
    pub verbose: bool,
    /// The user that the query is about; `None` asks who is logged in.
    pub login: Option<Login>,
}

/// A name that a user could have. It can be passed to a program and be part of a path.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Login(String);

/// Why a query is not answered. The text is what the client is told.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum Refused {
    /// It is to be passed on to another machine. The words are those of RFC 1288, section 3.2.1.
    #[error("Finger forwarding service denied")]
    Forwarding,
    /// This server does not tell who is logged in. The words are those of RFC 1288, section 3.2.2.
    #[error("Finger online user list denied")]
    List,
    /// It is not of the grammar, or names nobody that there could be.
    #[error(
        "fingerd: not a login: 1 to {MAX_LOGIN} letters, digits, '.', '_', '-', and no '-' in front"
    )]
    NotALogin,
}

impl Query {
    /// Understands a line, without the LF that ends it.
    ///
    /// # Errors
    ///
    /// If it is not answered here, or is no query.
    pub fn parse(line: &[u8]) -> Result<Query, Refused> {
        let line = trim(line.strip_suffix(b"\r").unwrap_or(line));
        let (verbose, rest) = match line {
            [b'/', b'W' | b'w'] => (true, &b""[..]),
            [b'/', b'W' | b'w', b' ', rest @ ..] => (true, trim(rest)),
            rest => (false, rest),
        };
        if rest.contains(&b'@') {
            return Err(Refused::Forwarding);
        }
        let login = if rest.is_empty() { None } else { Some(Login::parse(rest)?) };
        Ok(Query { verbose, login })
    }
}

impl Login {
    fn parse(bytes: &[u8]) -> Result<Login, Refused> {
        let is_portable =
            |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let is_login = (1..=MAX_LOGIN).contains(&bytes.len())
            && bytes.iter().all(is_portable)
            && bytes[0] != b'-'
            && bytes.iter().any(|&byte| byte != b'.');
        match std::str::from_utf8(bytes) {
            Ok(text) if is_login => Ok(Login(text.to_owned())),
            _ => Err(Refused::NotALogin),
        }
    }

    /// The login as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text without spaces around it; other white space is no part of the grammar.
fn trim(mut line: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] | [rest @ .., b' '] = line {
        line = rest;
    }
    line
}

#[cfg(test)]
mod tests;
