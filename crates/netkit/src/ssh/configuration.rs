//! What the SSH configuration says of a machine: which name, port, user, keys and known hosts.
//!
//! OpenSSH's configuration is a small language: blocks for patterns, `Match` with conditions and
//! even programs, includes, tokens, quotes. Only OpenSSH reads it as OpenSSH does. So where `ssh`
//! is installed, it is asked ([`asked`]): `ssh -G HOST` prints the options that hold for a machine.
//! Where it is not installed, the file is read here ([`parsed`]), and what only `ssh` could
//! evaluate is refused with its line.
//!
//! `ssh` finds its files in the home folder of the password database, and so does netkit: `HOME`
//! has no say.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use nix::unistd::{User, geteuid};

use crate::files;
use crate::hosts::Host;
use crate::launch::job::LaunchOptions;

mod asked;
mod options;
mod parsed;
#[cfg(test)]
mod tests;
mod tokens;

/// The port of an SSH server, if nothing names another.
const SSH_PORT: u16 = 22;

/// The longest SSH configuration that is read or printed, in bytes.
const MAX_CONFIG: u64 = 1 << 20;

/// The known hosts of all users of this machine, if the configuration names no others.
const SYSTEM_KNOWN_HOSTS: [&str; 2] = ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"];

/// What holds for one machine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Settings {
    /// The name or address to connect to.
    pub(super) name: String,
    pub(super) port: u16,
    pub(super) user: String,
    /// Which addresses of the name are used.
    pub(super) family: Family,
    /// The address of this machine to connect from.
    pub(super) bind: Option<String>,
    pub(super) keys: Keys,
    pub(super) trust: Trust,
}

/// Which addresses of a name are used.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Family {
    #[default]
    Any,
    V4,
    V6,
}

/// Which keys are offered.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Keys {
    /// The files that the configuration names; none of them need be there.
    pub(super) named: Vec<PathBuf>,
    /// Whether the usual files are tried: the configuration names no others.
    pub(super) usual: bool,
    /// Whether the agent's other keys stay out.
    pub(super) named_only: bool,
    pub(super) agent: AgentSocket,
    /// The algorithms that a key must be of, as patterns with commas between; none means any.
    pub(super) accepted: Option<String>,
    /// What `ssh` would offer too and netkit cannot; said when no key was accepted.
    pub(super) unusable: Vec<String>,
}

/// Where the agent is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) enum AgentSocket {
    /// In this variable of the environment.
    Variable(OsString),
    Path(PathBuf),
    /// None is to be asked.
    Nowhere,
    /// In `SSH_AUTH_SOCK`.
    #[default]
    Usual,
}

/// How a machine is known.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Trust {
    /// The name that its key is filed under, instead of its own with the port.
    pub(super) alias: Option<String>,
    /// The user's files. A new key is written to the first.
    pub(super) own_files: Vec<PathBuf>,
    pub(super) system_files: Vec<PathBuf>,
    /// The algorithms that its key may be shown with, as patterns with commas between; none means any.
    pub(super) algorithms: Option<String>,
    /// Whether a machine that is not known is trusted.
    pub(super) accept_new: bool,
}

/// Why the configuration cannot be used, and what to do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Unusable {
    pub(super) what: String,
    pub(super) hint: String,
    /// The option that stands in the way; empty if it is none.
    option: &'static str,
}

impl Unusable {
    fn new(what: impl Into<String>, hint: impl Into<String>) -> Unusable {
        Unusable { what: what.into(), hint: hint.into(), option: "" }
    }
}

impl Unusable {
    /// The same with the lines of files that it may come from.
    fn at(self, places: &[String]) -> Unusable {
        match places {
            [] => self,
            places => Unusable { what: format!("{} ({})", self.what, places.join(", ")), ..self },
        }
    }
}

impl Settings {
    /// What holds for a line of the host file.
    pub(super) fn of(
        host: &Host,
        folder: &SshFolder,
        options: &LaunchOptions,
    ) -> Result<Settings, Unusable> {
        match asked::ask(host, folder, options)? {
            Some(printed) => options::settings(&printed, host, folder).map_err(|unusable| {
                let places = asked::places(unusable.option, host, folder, options);
                unusable.at(&places)
            }),
            None => parsed::settings(host, folder, options),
        }
    }
}

/// Where the user's SSH files are: `.ssh` in the home folder, unless an option names another.
#[derive(Clone, Debug)]
pub(super) struct SshFolder {
    path: Option<PathBuf>,
    /// Whether an option names it. Then nothing of the user's own is used.
    is_named: bool,
}

impl SshFolder {
    pub(super) fn new(options: &LaunchOptions) -> SshFolder {
        match &options.ssh_folder {
            Some(path) => SshFolder { path: Some(path.clone()), is_named: true },
            None => SshFolder { path: home().map(|home| home.join(".ssh")), is_named: false },
        }
    }

    /// A file in it; none if there is no home.
    pub(super) fn file(&self, name: &str) -> Option<PathBuf> {
        self.path.as_ref().map(|folder| folder.join(name))
    }

    /// The user's files of known hosts, if the configuration names no others.
    fn known_hosts(&self) -> Vec<PathBuf> {
        ["known_hosts", "known_hosts2"].iter().filter_map(|name| self.file(name)).collect()
    }
}

/// The user whom this process belongs to, as the password database knows it.
fn this_user() -> Option<User> {
    User::from_uid(geteuid()).ok().flatten()
}

fn home() -> Option<PathBuf> {
    this_user().map(|user| user.dir).filter(|home| home.is_absolute())
}

fn system_known_hosts() -> Vec<PathBuf> {
    SYSTEM_KNOWN_HOSTS.iter().map(PathBuf::from).collect()
}

/// Reads one of SSH's files; none if it is missing. A device counts as an empty file: people name
/// `/dev/null`, or link to it, where nothing is to be read.
pub(super) fn read_file(path: &Path, max: u64) -> io::Result<Option<Vec<u8>>> {
    match fs::metadata(path) {
        Ok(about) if about.file_type().is_char_device() => Ok(Some(Vec::new())),
        _ => files::read_if_there(path, max),
    }
}

/// Refuses a configuration that cannot be read without waiting: `ssh` would hang on a pipe. A
/// device is an empty file: people name `/dev/null`.
fn check_file(path: &Path) -> Result<(), Unusable> {
    read_file(path, MAX_CONFIG).map(drop).map_err(|error| unreadable(path, &error.to_string()))
}

fn unreadable(path: &Path, why: &str) -> Unusable {
    Unusable::new(
        format!("cannot read {}: {why}", path.display()),
        "mend it, or name another configuration",
    )
}
