//! `hosts.txt`: the machines of the lab room, and which process runs on which of them.
//!
//! One machine a line:
//!
//! ```text
//! # the room on the ground floor
//! localhost
//! student@lab[01-03] slots=4      # lab01, lab02 and lab03: a range keeps its width
//! lab[7,9-10]:2222
//! [2001:db8::7]:22                # an IPv6 address stands in brackets
//! ```
//!
//! That is `[user@]host[:port] [slots=N]`. A `#` starts a comment, at the start of a line or behind
//! something; blank lines are skipped. What cannot be read is refused with the number of its line:
//! a typing error that silently left a machine out would show as a wrong number of participants
//! half an hour later.
//!
//! `localhost` is special: processes on it are started directly, without SSH ([`Host::is_local`]).
//!
//! **Placement.** Processes fill the slots of the machines in the order of the file, and start
//! again at the first machine when all slots are taken ([`Hosts::place`]): more processes than
//! slots is what one does on a laptop, not an error.
//!
//! Groups, variables and includes of other tools' inventories are left out.

use std::fmt;
use std::io;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::files;
use crate::text::{is_invisible, one_line};

#[cfg(test)]
mod tests;

/// The longest `hosts.txt` that is read, in bytes: a thousand lines of a thousand characters. A
/// file beyond it is not a list of machines but the wrong file.
pub const MAX_FILE: u64 = 1 << 20;

/// The most machines that a file may name, ranges counted out. `lab[1-999999999]` is a typing
/// error, and would otherwise fill memory.
pub const MAX_HOSTS: usize = 4096;

/// The most slots of one machine; beyond it a machine runs out of processes before we do.
pub const MAX_SLOTS: u32 = 100_000;

/// The longest name of a host, in bytes (RFC 1035, section 2.3.4).
pub const MAX_NAME: usize = 255;

/// One machine, as `hosts.txt` names it.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Host {
    /// The user to log in as; without it `~/.ssh/config` decides, then the name of the user here.
    pub user: Option<String>,
    /// The name or address to reach it at, without brackets; it may be an alias of `~/.ssh/config`.
    pub name: String,
    /// The port of its SSH server; without it `~/.ssh/config` decides, then 22.
    pub port: Option<u16>,
    /// How many processes it takes before the next machine has its turn.
    pub slots: u32,
    /// The line of the file that names it, from 1; 0 if no file does.
    pub line: u32,
}

impl Host {
    /// A machine of the given name with one slot, from no file.
    pub fn new(name: &str) -> Host {
        Host { user: None, name: name.to_owned(), port: None, slots: 1, line: 0 }
    }

    /// Whether processes on it are started directly: exactly for the name `localhost` with neither
    /// user nor port. `127.0.0.1`, and `localhost` with a user or a port, go through SSH.
    pub fn is_local(&self) -> bool {
        self.user.is_none() && self.port.is_none() && self.name.eq_ignore_ascii_case("localhost")
    }
}

/// As in the file: what it prints, [`Hosts::parse`] reads back as the same machine.
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        if self.name.contains(':') {
            write!(f, "[{}]", self.name)?;
        } else {
            f.write_str(&self.name)?;
        }
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        if self.slots != 1 {
            write!(f, " slots={}", self.slots)?;
        }
        Ok(())
    }
}

/// The machines of a run, in the order of the file; at least one.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Hosts(Vec<Host>);

impl Hosts {
    /// Reads the text of a `hosts.txt`.
    ///
    /// # Errors
    ///
    /// The first line that cannot be read, with what is wrong in it; or that the text names no
    /// machine, or more than [`MAX_HOSTS`].
    pub fn parse(text: &str) -> Result<Hosts, HostsError> {
        // Some editors write this mark before the first line; nobody sees it.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut hosts = Vec::new();
        for (line, text) in (1..).zip(text.lines()) {
            let text = text.split('#').next().unwrap_or_default().trim();
            if let Some(c) = text.chars().find(|&c| is_invisible(c)) {
                let problem = Problem::Invisible(shown(text), c.escape_unicode().to_string());
                return Err(HostsError::Line { line, problem });
            }
            if text.is_empty() {
                continue;
            }
            let room = MAX_HOSTS - hosts.len();
            let parsed = parse_line(text, line, room);
            hosts.extend(parsed.map_err(|problem| HostsError::Line { line, problem })?);
        }
        if hosts.is_empty() { Err(HostsError::Empty) } else { Ok(Hosts(hosts)) }
    }

    /// Reads a `hosts.txt`.
    ///
    /// # Errors
    ///
    /// As [`Hosts::parse`], or that the file cannot be read, is a pipe, or is longer than
    /// [`MAX_FILE`]; each names the file.
    pub fn read(path: &Path) -> Result<Hosts, HostsError> {
        let unreadable = |source| HostsError::Unreadable { path: path.to_owned(), source };
        let text = files::read_text(path, MAX_FILE).map_err(|error| match error.kind() {
            io::ErrorKind::FileTooLarge => HostsError::TooLong { path: path.to_owned() },
            _ => unreadable(error),
        })?;
        Hosts::parse(&text)
            .map_err(|source| HostsError::In { path: path.to_owned(), source: Box::new(source) })
    }

    /// This machine alone, without SSH: what a run uses when no file is given.
    pub fn localhost() -> Hosts {
        Hosts(vec![Host::new("localhost")])
    }

    /// The machine of each process: element `r` is the index (see [`Hosts::iter`]) of the machine
    /// of rank `r`. Slots are filled in order, then round again.
    pub fn place(&self, processes: u32) -> Vec<usize> {
        let slots = (0..self.0.len()).map(|host| (host, self.0[host].slots.max(1) as usize));
        let round = slots.flat_map(|(host, slots)| std::iter::repeat_n(host, slots));
        round.cycle().take(processes as usize).collect()
    }

    /// How many machines there are.
    #[expect(clippy::len_without_is_empty, reason = "a list of machines is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The machines, in the order of the file.
    pub fn iter(&self) -> std::slice::Iter<'_, Host> {
        self.0.iter()
    }

    /// The machine of an index that [`Hosts::place`] gave.
    pub fn get(&self, index: usize) -> Option<&Host> {
        self.0.get(index)
    }
}

/// The machine of an index that [`Hosts::place`] gave.
///
/// Panics if there is no such machine.
impl std::ops::Index<usize> for Hosts {
    type Output = Host;

    fn index(&self, index: usize) -> &Host {
        &self.0[index]
    }
}

impl<'a> IntoIterator for &'a Hosts {
    type Item = &'a Host;
    type IntoIter = std::slice::Iter<'a, Host>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl FromStr for Hosts {
    type Err = HostsError;

    fn from_str(text: &str) -> Result<Hosts, HostsError> {
        Hosts::parse(text)
    }
}

/// Why a list of machines cannot be used.
#[derive(Debug, Error)]
pub enum HostsError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file that was to be read.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is longer than [`MAX_FILE`].
    #[error("{} is longer than {MAX_FILE} bytes; is it a list of machines?", path.display())]
    TooLong {
        /// The file that is too long.
        path: PathBuf,
    },
    /// What is in the file cannot be used.
    #[error("{}: {source}", path.display())]
    In {
        /// The file that was read.
        path: PathBuf,
        /// What is wrong in it.
        source: Box<HostsError>,
    },
    /// A line cannot be read.
    #[error("line {line}: {problem}")]
    Line {
        /// The number of the line, from 1.
        line: u32,
        /// What is wrong in it.
        problem: Problem,
    },
    /// No machine is named.
    #[error("no machine is named; write one a line: [user@]host[:port] [slots=N]")]
    Empty,
}

/// What is wrong in a line of `hosts.txt`.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum Problem {
    /// The user before the `@` is empty or has characters that no user name has.
    #[error("`{0}` is no user name; before the @ stand letters, digits and . _ -")]
    User(String),
    /// The name of the host is empty or has characters that no host name has.
    #[error("`{0}` is no host name or address; an IPv6 address stands in brackets: [::1]")]
    Name(String),
    /// The port is no number from 1 to 65535.
    #[error("`{0}` is no port; it is a number from 1 to 65535")]
    Port(String),
    /// A character that nobody sees is in the line.
    #[error("`{0}` has an invisible character, {1}; delete the line and type it anew")]
    Invisible(String, String),
    /// The range in brackets is malformed.
    #[error("`[{0}]` is no range; write [01-16] or [1-3,8]")]
    Range(String),
    /// A bracket has no partner.
    #[error("a bracket is not closed in `{0}`")]
    Bracket(String),
    /// Something behind the host is not `slots=N`.
    #[error("`{0}` is not understood; behind the host stands slots=N or nothing")]
    Unknown(String),
    /// The slots are no number in range.
    #[error("`{0}` is no number of slots; it is a number from 1 to {MAX_SLOTS}")]
    Slots(String),
    /// `slots=` twice in a line.
    #[error("slots= stands twice")]
    SlotsTwice,
    /// The list of machines becomes longer than [`MAX_HOSTS`].
    #[error("more than {MAX_HOSTS} machines")]
    TooMany,
}

/// The machines of one line that has something in it; at most `room` of them.
fn parse_line(text: &str, line: u32, room: usize) -> Result<Vec<Host>, Problem> {
    let mut words = text.split_whitespace();
    let (user, rest) = split_user(words.next().unwrap_or_default())?;
    let slots = parse_slots(words)?;
    let (names, port) = match rest.strip_prefix('[') {
        Some(rest) if is_address(rest) => parse_address(rest)?,
        _ => parse_names(rest, room)?,
    };
    if names.len() > room {
        return Err(Problem::TooMany);
    }
    let host = |name| Host { user: user.clone(), name, port, slots, line };
    Ok(names.into_iter().map(host).collect())
}

/// Splits `user@rest`.
fn split_user(word: &str) -> Result<(Option<String>, &str), Problem> {
    let Some((user, rest)) = word.rsplit_once('@') else { return Ok((None, word)) };
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if user.is_empty() || user.starts_with('-') || user.len() > MAX_NAME || !user.chars().all(fits)
    {
        return Err(Problem::User(shown(user)));
    }
    Ok((Some(user.to_owned()), rest))
}

/// Reads what stands behind the host.
fn parse_slots<'a>(words: impl Iterator<Item = &'a str>) -> Result<u32, Problem> {
    let mut slots = None;
    for word in words {
        let number = word.strip_prefix("slots=").ok_or_else(|| Problem::Unknown(shown(word)))?;
        let parsed = parse_number(number).filter(|n| (1..=MAX_SLOTS).contains(n));
        let parsed = parsed.ok_or_else(|| Problem::Slots(shown(number)))?;
        if slots.replace(parsed).is_some() {
            return Err(Problem::SlotsTwice);
        }
    }
    Ok(slots.unwrap_or(1))
}

/// Whether what follows a bracket is an IPv6 address and not a range: only the former has a colon
/// before the bracket ends.
fn is_address(rest: &str) -> bool {
    rest.split(']').next().is_some_and(|inside| inside.contains(':'))
}

/// Reads `ADDRESS]` or `ADDRESS]:PORT`.
fn parse_address(rest: &str) -> Result<(Vec<String>, Option<u16>), Problem> {
    let (address, rest) =
        rest.split_once(']').ok_or_else(|| Problem::Bracket(shown(&format!("[{rest}"))))?;
    // A link-local address needs the interface it is meant on: fe80::1%eth0.
    let (number, zone) = address.split_once('%').unwrap_or((address, "0"));
    let zone_fits = !zone.is_empty() && zone.len() <= 15 && is_label(zone);
    if number.parse::<Ipv6Addr>().is_err() || !zone_fits {
        return Err(Problem::Name(shown(address)));
    }
    let port = match rest.strip_prefix(':') {
        Some(port) => Some(parse_port(port)?),
        None if rest.is_empty() => None,
        None => return Err(Problem::Name(shown(rest))),
    };
    Ok((vec![address.to_owned()], port))
}

/// Reads `NAME`, `NAME:PORT`, and the same with a range in the name.
fn parse_names(text: &str, room: usize) -> Result<(Vec<String>, Option<u16>), Problem> {
    // A colon inside brackets belongs to a range that is malformed, and not to a port.
    let range = text.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    if let Some((range, _)) = range.filter(|(range, _)| range.contains(':')) {
        return Err(Problem::Range(shown(range)));
    }
    let (name, port) = match text.rsplit_once(':') {
        Some((name, _)) if name.contains(':') => return Err(Problem::Name(shown(text))),
        Some((name, port)) => (name, Some(parse_port(port)?)),
        None => (text, None),
    };
    let names = match name.split_once('[') {
        None if name.contains(']') => return Err(Problem::Bracket(shown(name))),
        None => vec![name.to_owned()],
        Some((before, rest)) => {
            let (range, after) =
                rest.split_once(']').ok_or_else(|| Problem::Bracket(shown(name)))?;
            if range.contains('[') || after.contains(['[', ']']) {
                return Err(Problem::Bracket(shown(name)));
            }
            // Checked before counting the range out: a name that is too long is so in every one.
            if before.len() + after.len() > MAX_NAME {
                return Err(Problem::Name(shown(name)));
            }
            let numbers = expand(range, room)?;
            numbers.into_iter().map(|number| format!("{before}{number}{after}")).collect()
        }
    };
    match names.iter().find(|name| !is_name(name)) {
        Some(name) => Err(Problem::Name(shown(name))),
        None => Ok((names, port)),
    }
}

/// Counts out `01-03,7`; the width of a number is that of the range's first one.
fn expand(range: &str, room: usize) -> Result<Vec<String>, Problem> {
    let malformed = || Problem::Range(shown(range));
    let mut numbers = Vec::new();
    for part in range.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let from = parse_number(first).ok_or_else(malformed)?;
        let to = parse_number(last).ok_or_else(malformed)?;
        if to < from || first.len() > MAX_DIGITS || last.len() > MAX_DIGITS {
            return Err(malformed());
        }
        if (to - from) as usize >= room.saturating_sub(numbers.len()) {
            return Err(Problem::TooMany);
        }
        let width = first.len();
        numbers.extend((from..=to).map(|number| format!("{number:0width$}")));
    }
    Ok(numbers)
}

/// The longest number in a range, in digits; wider ones are no names of machines.
const MAX_DIGITS: usize = 9;

fn parse_port(text: &str) -> Result<u16, Problem> {
    let port = parse_number(text).and_then(|port| u16::try_from(port).ok());
    port.filter(|&port| port != 0).ok_or_else(|| Problem::Port(shown(text)))
}

/// A number of decimal digits only: `str::parse` alone would also take a sign.
fn parse_number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// A name of labels separated by dots, or an IPv4 address. No leading `-`: it would be an option
/// wherever the name is passed on to a program.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_NAME && !name.starts_with(['-', '.']) && is_label(name)
}

fn is_label(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

/// What a message shows of a word: its start, in one line.
fn shown(word: &str) -> String {
    one_line(word, 60)
}
