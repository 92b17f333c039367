//! The file that names all servers: one `host:port:domain` a line, `#` begins a comment.
//!
//! All servers read the same file. The rank of a server is the place of its domain in alphabetical
//! order.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use netkit::sockets::{SocketError, resolve};

use super::address::checked_domain;
use super::maildir;

/// The servers, by their domains.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Servers(BTreeMap<String, (String, u16)>);

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ServersError {
    /// It cannot be read.
    #[error("{path}: {source}; the list of servers has a line host:port:domain for each")]
    File {
        /// The list of servers.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
    /// A line is wrong.
    #[error("{path}, line {line}: {why}; write host:port:domain")]
    Line {
        /// The list of servers.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// A server's own domain is not in it.
    #[error("{path} does not name the domain {domain}: add a line for it")]
    NotThere {
        /// The list of servers.
        path: PathBuf,
        /// The domain that is not in it.
        domain: String,
    },
}

impl Servers {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// Names the line that is wrong.
    pub fn read(path: &Path) -> Result<Self, ServersError> {
        let file = |source| ServersError::File { path: path.to_owned(), source };
        let text = maildir::read(path).map_err(file)?;
        let mut servers = BTreeMap::new();
        for (line, text) in (1..).zip(text.lines()) {
            let text = text.split('#').next().unwrap_or_default().trim();
            if text.is_empty() {
                continue;
            }
            let wrong = |why: String| ServersError::Line { path: path.to_owned(), line, why };
            let (domain, place) = parse(text).map_err(wrong)?;
            if servers.insert(domain.clone(), place).is_some() {
                return Err(wrong(format!("{domain} stands there twice")));
            }
        }
        Ok(Self(servers))
    }

    /// The rank of a domain's server.
    ///
    /// # Errors
    ///
    /// If the file, whose path is for the message, does not name it.
    pub fn rank(&self, domain: &str, path: &Path) -> Result<u32, ServersError> {
        let rank = self.0.keys().position(|other| other == domain);
        let not_there =
            || ServersError::NotThere { path: path.to_owned(), domain: domain.to_owned() };
        rank.map(|rank| rank as u32).ok_or_else(not_there)
    }

    /// The domain of the server of this rank.
    pub fn domain(&self, rank: u32) -> Option<&str> {
        self.0.keys().nth(rank as usize).map(String::as_str)
    }

    /// All domains, in the order of their ranks.
    pub fn domains(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Where the server of a domain may be now: all addresses of its host, at least one. Asks the
    /// name service if the file has a name.
    ///
    /// # Errors
    ///
    /// If it does not know the name, or the file does not name the domain.
    pub fn addresses(&self, domain: &str) -> Result<Vec<SocketAddr>, SocketError> {
        let (host, port) = self.0.get(domain).map_or(("", 0), |(host, port)| (host, *port));
        resolve(host, port)
    }
}

/// `host:port:domain`, from the right: an IPv6 address has colons of its own, and stands in
/// brackets.
fn parse(text: &str) -> Result<(String, (String, u16)), String> {
    let mut parts = text.rsplitn(3, ':').map(str::trim);
    let (Some(domain), Some(port), Some(host)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(format!("{text:?} has too few parts"));
    };
    let domain = checked_domain(domain).map_err(|error| error.to_string())?;
    let port = port.parse().ok().filter(|&port: &u16| port > 0);
    let port = port.ok_or_else(|| "a port is a number from 1 to 65535".to_owned())?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    match host {
        "" => Err("no host".to_owned()),
        host if is_host(host) => Ok((domain, (host.to_owned(), port))),
        host => Err(format!("{host:?} is no host: a name as in `ssh NAME`, or an address")),
    }
}

/// Whether this may be the name of a host, or an address of one. Whether there is such a host only
/// the name service knows.
fn is_host(host: &str) -> bool {
    let is_name = |name: &str| {
        let is_sign = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        !name.starts_with(['-', '.']) && name.chars().all(is_sign)
    };
    // Behind the address of a neighbour stands the name of an interface: `fe80::1%eth0`.
    match host.split_once('%') {
        Some((address, interface)) => address.parse::<Ipv6Addr>().is_ok() && is_name(interface),
        None => host.parse::<IpAddr>().is_ok() || is_name(host),
    }
}

#[cfg(test)]
mod tests;
