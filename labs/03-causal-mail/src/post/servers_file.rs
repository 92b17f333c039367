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
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Servers, ServersError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Servers::read(file.path())
    }

    #[test]
    fn ranks_do_not_depend_on_the_order_of_lines() {
        let servers = read("127.0.0.1:7002:b.org # second\n\n[::1]:7001:A.org\n").unwrap();
        assert_eq!(servers, read("[::1]:7001:a.org\n127.0.0.1:7002:b.org").unwrap());
        let ranks = ["a.org", "b.org"].map(|domain| servers.rank(domain, Path::new("f")).unwrap());
        assert_eq!(ranks, [0, 1]);
        assert_eq!(servers.domain(1), Some("b.org"));
        assert_eq!(servers.addresses("a.org").unwrap(), ["[::1]:7001".parse().unwrap()]);
        assert!(servers.addresses("c.org").is_err());
        let error = servers.rank("c.org", Path::new("f")).unwrap_err().to_string();
        assert_eq!(error, "f does not name the domain c.org: add a line for it");
    }

    #[test]
    fn lines_end_as_on_any_system_and_a_mark_is_no_name() {
        let servers =
            read("\u{feff}127.0.0.1:7001:a.org\r\n[fe80::1%eth0]:7002:b.org\r\n").unwrap();
        assert_eq!(servers.0["a.org"], ("127.0.0.1".to_owned(), 7001));
        assert_eq!(servers.0["b.org"], ("fe80::1%eth0".to_owned(), 7002));
    }

    #[test]
    fn a_wrong_line_is_named() {
        for (text, why) in [
            ("a:b", "too few parts"),
            ("h:0:a.org", "from 1 to 65535"),
            ("h:x:a.org", "from 1 to 65535"),
            (":7000:a.org", "no host"),
            ("h:7000:a/b", "no domain"),
            ("h:7000:a.org\nh:7001:a.org", "twice"),
            ("http://h:7000:a.org", "\"http://h\" is no host"),
            ("lab one:7000:a.org", "\"lab one\" is no host"),
            ("lab\u{200b}1:7000:a.org", "\"lab\\u{200b}1\" is no host"),
            ("-x:7000:a.org", "no host"),
            ("1:2:3:7000:a.org", "no host"),
            ("h:7000:a.org\u{feff}", "no domain"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains("line ") && error.contains(why), "{text:?}: {error}");
        }
    }
}
