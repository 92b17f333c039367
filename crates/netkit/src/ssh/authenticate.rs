//! Logging in by key: which keys are offered, in which order, and how often one may try.
//!
//! A server hangs up after a few refused keys (`MaxAuthTries`, 6 in OpenSSH), so an agent with many
//! keys can keep the right one from ever being offered. Two things help: keys that something names
//! are offered before those that merely happen to be in the agent, and when the server hangs up,
//! the next connection goes on with the next key.
//!
//! The order is: what the agent holds of the keys named by `-i`, the configuration or the usual
//! names (no passphrase needed); the files that `-i` and the configuration name; the agent's other
//! keys; the usual files; and last the files that need a passphrase, so that one is asked for only
//! if nothing else helps.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ssh2::{Agent, ErrorCode, PublicKey, Session};

use super::configuration::{AgentSocket, Keys, Settings};
use super::key_file::KeyFile;
use super::known_hosts;
use super::target::Target;
use crate::launch::job::{LaunchError, LaunchOptions, Stage};
use crate::text::one_line;

/// The files that are tried if nothing names another, as `ssh` does.
const USUAL_FILES: [&str; 3] = ["id_ed25519", "id_ecdsa", "id_rsa"];

/// The most keys that are offered to one server; beyond it, someone is guessing.
const MAX_OFFERS: usize = 30;

/// The most keys offered in one connection: one below the usual `MaxAuthTries`, so that the server
/// still answers the last one instead of hanging up.
const OFFERS_PER_CONNECTION: usize = 5;

/// How long the agent may take to say which keys it holds. To sign with one may take longer: it may
/// ask its user.
const AGENT_TIMEOUT: Duration = Duration::from_secs(2);

/// How often a passphrase is asked for, as `ssh` does.
const PASSPHRASE_TRIES: usize = 3;

/// The keys to offer to a server, and how far that has got. It outlives a connection that the
/// server has hung up on.
#[derive(Debug)]
pub(super) struct Offers {
    offers: Vec<Offer>,
    next: usize,
    /// Keys that could not be offered, and why.
    skipped: Vec<String>,
    /// The socket of the agent.
    socket: Option<PathBuf>,
}

/// A key to offer.
#[derive(Debug)]
enum Offer {
    Agent { key: Vec<u8>, comment: String },
    File(KeyFile),
}

/// How offering went.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    LoggedIn,
    /// The server takes no more on this connection; another one may go on.
    Reconnect,
    /// All were refused.
    Refused,
}

impl Offers {
    /// Collects the keys. The session is only used to talk to the agent.
    pub(super) fn collect(
        session: &Session,
        target: &Target,
        options: &LaunchOptions,
    ) -> Result<Offers, LaunchError> {
        let mut skipped = Vec::new();
        let mut named = Vec::new();
        if let Some(path) = &options.identity {
            let file = KeyFile::read(path).map_err(|error| {
                let what = format!("cannot read the key {}: {error}", path.display());
                LaunchError::new(&target.label, Stage::Authenticate, what, "name another with -i")
            })?;
            named.push(file);
        }
        let keys = &target.settings.keys;
        named.extend(keys.named.iter().filter_map(|path| look_at_named(path, &mut skipped)));
        let usual = USUAL_FILES.iter().filter_map(|name| target.folder.file(name));
        let usual: Vec<KeyFile> = if keys.usual {
            usual.filter_map(|path| look_at(&path, &mut skipped)).collect()
        } else {
            Vec::new()
        };
        let socket = agent_socket(target, options);
        let agent = agent_keys(session, socket.as_deref(), &mut skipped);
        let mut offers = arrange(named, usual, agent, keys.named_only);
        offers.retain(|offer| is_accepted(keys, offer, &mut skipped));
        skipped.extend(keys.unusable.iter().cloned());
        offers.truncate(MAX_OFFERS);
        Ok(Offers { offers, next: 0, skipped, socket })
    }

    /// Offers the keys that were not offered yet, until one is accepted.
    pub(super) fn offer_to(
        &mut self,
        session: &Session,
        target: &Target,
        options: &LaunchOptions,
    ) -> Result<Outcome, LaunchError> {
        let mut agent = None;
        for _ in 0..OFFERS_PER_CONNECTION {
            let Some(offer) = self.offers.get(self.next) else { return Ok(Outcome::Refused) };
            let result = match offer {
                Offer::Agent { key, .. } => {
                    offer_from_agent(session, &mut agent, key, target, self.socket.as_deref())
                }
                Offer::File(file) => offer_file(session, file, target, options, &mut self.skipped),
            };
            match result {
                Ok(()) => return Ok(Outcome::LoggedIn),
                Err(error) if is_hang_up(&error) => {
                    // The key that makes the server hang up was looked at and refused.
                    self.next += 1;
                    return Ok(self.go_on());
                }
                Err(error) if is_timeout(&error) => {
                    let seconds = options.connect_timeout.as_secs_f32();
                    let what = format!("no answer to a key within {seconds} s");
                    return Err(LaunchError::new(
                        &target.label,
                        Stage::Authenticate,
                        what,
                        "try again; the machine may be overloaded",
                    ));
                }
                Err(_) => self.next += 1,
            }
        }
        Ok(self.go_on())
    }

    /// Whether another connection is worth it.
    fn go_on(&self) -> Outcome {
        if self.next < self.offers.len() { Outcome::Reconnect } else { Outcome::Refused }
    }

    /// What to say when no key was accepted.
    pub(super) fn refusal(&self, target: &Target) -> LaunchError {
        let skipped = match self.skipped.as_slice() {
            [] => String::new(),
            skipped => format!(" ({})", skipped.join(", ")),
        };
        let Target { label, settings, .. } = target;
        let Settings { user, name, port, .. } = settings;
        let copy = |key: &str| format!("ssh-copy-id{key} -p {port} {user}@{name}");
        let (what, hint) = if self.offers.is_empty() {
            let what = format!("there is no key to offer to {user}{skipped}");
            (
                what,
                format!(
                    "make one with ssh-keygen -t ed25519 and put it there with {}, \
                     or name one with -i",
                    copy("")
                ),
            )
        } else {
            let offered = self.offers.iter().take(self.next);
            let offered: Vec<String> = offered.map(Offer::to_string).collect();
            let what = format!("{user} may not log in with any of {}{skipped}", offered.join(", "));
            let file = self.offers.iter().find_map(|offer| match offer {
                Offer::File(file) => Some(format!(" -i {}", file.path.display())),
                Offer::Agent { .. } => None,
            });
            (
                what,
                format!(
                    "put a key there with {}, or name another with -i",
                    copy(&file.unwrap_or_default())
                ),
            )
        };
        LaunchError::new(label, Stage::Authenticate, what, hint)
    }
}

impl std::fmt::Display for Offer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Offer::Agent { comment, .. } => write!(f, "agent key {}", one_line(comment, 60)),
            Offer::File(file) => write!(f, "{}", file.path.display()),
        }
    }
}

/// Brings keys into the order in which they are offered, each once.
fn arrange(
    named: Vec<KeyFile>,
    usual: Vec<KeyFile>,
    agent: Vec<PublicKey>,
    named_only: bool,
) -> Vec<Offer> {
    let is_file =
        |key: &[u8]| named.iter().chain(&usual).any(|file| file.public.as_deref() == Some(key));
    let from_agent = |key: &PublicKey| Offer::Agent {
        key: key.blob().to_owned(),
        comment: key.comment().to_owned(),
    };
    let (first, other): (Vec<&PublicKey>, _) = agent.iter().partition(|key| is_file(key.blob()));
    let mut offers: Vec<Offer> = first.into_iter().map(from_agent).collect();
    let in_agent =
        |file: &KeyFile| agent.iter().any(|key| file.public.as_deref() == Some(key.blob()));
    let mut seen: Vec<PathBuf> = Vec::new();
    let mut files = |files: Vec<KeyFile>| -> (Vec<KeyFile>, Vec<KeyFile>) {
        let mut fresh = files;
        fresh.retain(|file| {
            let new = file.is_private && !in_agent(file) && !seen.contains(&file.path);
            seen.push(file.path.clone());
            new
        });
        fresh.into_iter().partition(|file| file.protected)
    };
    let (named_protected, named) = files(named);
    let (usual_protected, usual) = files(usual);
    offers.extend(named.into_iter().map(Offer::File));
    offers.extend(other.into_iter().filter(|_| !named_only).map(from_agent));
    offers.extend(usual.into_iter().chain(named_protected).chain(usual_protected).map(Offer::File));
    offers
}

/// Looks at a key file that need not exist.
fn look_at(path: &Path, skipped: &mut Vec<String>) -> Option<KeyFile> {
    match KeyFile::read(path) {
        Ok(file) => Some(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            skipped.push(format!("skipped {}: {error}", path.display()));
            None
        }
    }
}

/// Looks at a key file that the configuration names: one that is missing is said. Its public half is
/// enough where the agent holds the other.
fn look_at_named(path: &Path, skipped: &mut Vec<String>) -> Option<KeyFile> {
    let file = look_at(path, skipped).or_else(|| KeyFile::public_only(path));
    if file.is_none() && !path.exists() {
        skipped.push(format!("there is no key {}", path.display()));
    }
    file
}

/// Whether the configuration lets a key of this type be offered.
fn is_accepted(keys: &Keys, offer: &Offer, skipped: &mut Vec<String>) -> bool {
    let key = match offer {
        Offer::Agent { key, .. } => Some(key),
        Offer::File(file) => file.public.as_ref(),
    };
    let (Some(accepted), Some(of)) =
        (&keys.accepted, key.and_then(|key| known_hosts::key_type(key)))
    else {
        return true;
    };
    // An RSA key signs by any of three algorithms.
    let algorithms = match of {
        "ssh-rsa" => &["ssh-rsa", "rsa-sha2-256", "rsa-sha2-512"][..],
        other => &[other],
    };
    let matches = |pattern: &str| {
        algorithms.iter().any(|name| known_hosts::matches(pattern.as_bytes(), name.as_bytes()))
    };
    let is_accepted = accepted.split(',').any(matches);
    if !is_accepted {
        skipped.push(format!("skipped {offer}: PubkeyAcceptedAlgorithms leaves {of} out"));
    }
    is_accepted
}

/// The socket of the agent; none if there is no agent.
fn agent_socket(target: &Target, options: &LaunchOptions) -> Option<PathBuf> {
    let variable = |name: &OsStr| std::env::var_os(name).filter(|path| !path.is_empty());
    options.agent.clone().or_else(|| match &target.settings.keys.agent {
        AgentSocket::Usual => variable(OsStr::new("SSH_AUTH_SOCK")).map(PathBuf::from),
        AgentSocket::Variable(name) => variable(name).map(PathBuf::from),
        AgentSocket::Path(path) => Some(path.clone()),
        AgentSocket::Nowhere => None,
    })
}

/// The keys that the agent holds; none if there is no agent.
fn agent_keys(
    session: &Session,
    socket: Option<&Path>,
    skipped: &mut Vec<String>,
) -> Vec<PublicKey> {
    let Some(socket) = socket else { return Vec::new() };
    let keys = answers(socket)
        .map_err(|error| error.to_string())
        .and_then(|()| {
            connect_agent(session, Some(socket)).map_err(|error| error.message().to_owned())
        })
        .and_then(|agent| agent.identities().map_err(|error| error.message().to_owned()));
    keys.unwrap_or_else(|reason| {
        skipped.push(format!("skipped the agent: {}", one_line(&reason, 100)));
        Vec::new()
    })
}

/// Makes sure that the agent answers at all. The library would wait for it for ever, and one that
/// was forwarded over a connection that has died since never answers.
fn answers(socket: &Path) -> io::Result<()> {
    let mut agent = UnixStream::connect(socket)?;
    agent.set_read_timeout(Some(AGENT_TIMEOUT))?;
    agent.set_write_timeout(Some(AGENT_TIMEOUT))?;
    // One byte follows, and it asks which keys there are (draft-ietf-sshm-ssh-agent, section 3.5).
    agent.write_all(&[0, 0, 0, 1, 11])?;
    match agent.read_exact(&mut [0; 5]) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            Err(io::Error::new(io::ErrorKind::TimedOut, "it does not answer"))
        }
        result => result,
    }
}

fn connect_agent(session: &Session, socket: Option<&Path>) -> Result<Agent, ssh2::Error> {
    let mut agent = session.agent()?;
    if let Some(path) = socket {
        agent.set_identity_path(path)?;
    }
    agent.connect()?;
    agent.list_identities()?;
    Ok(agent)
}

/// Offers a key of the agent, connecting to it for the first one.
fn offer_from_agent(
    session: &Session,
    agent: &mut Option<Agent>,
    key: &[u8],
    target: &Target,
    socket: Option<&Path>,
) -> Result<(), ssh2::Error> {
    let agent = match agent {
        Some(agent) => agent,
        None => agent.insert(connect_agent(session, socket)?),
    };
    let identities = agent.identities()?;
    let identity = identities.iter().find(|identity| identity.blob() == key);
    let gone = || ssh2::Error::new(ErrorCode::Session(REFUSED), "no longer in the agent");
    agent.userauth(&target.settings.user, identity.ok_or_else(gone)?)
}

/// Offers a key from a file, asking for its passphrase if it has one.
fn offer_file(
    session: &Session,
    file: &KeyFile,
    target: &Target,
    options: &LaunchOptions,
    skipped: &mut Vec<String>,
) -> Result<(), ssh2::Error> {
    let offer = |passphrase: Option<&str>| {
        session.userauth_pubkey_file(&target.settings.user, None, &file.path, passphrase)
    };
    if !file.protected {
        return offer(None);
    }
    let mut skip = |reason: &str| {
        skipped.push(format!("{} needs a passphrase{reason}; ssh-add it", file.path.display()));
        Err(ssh2::Error::new(ErrorCode::Session(REFUSED), "no passphrase"))
    };
    // A thread that asks holds the lock until there is an answer, so a person is not asked twice.
    // Threads that must not ask use what was entered before.
    let mut passphrases = PASSPHRASES.lock().unwrap_or_else(PoisonError::into_inner);
    match passphrases.get(&file.path) {
        Some(Some(passphrase)) => return offer(Some(passphrase)),
        Some(None) => return skip(", and those entered were wrong"),
        None if !options.ask => return skip(""),
        None => {}
    }
    for _ in 0..PASSPHRASE_TRIES {
        let prompt = format!("passphrase of {}: ", file.path.display());
        let Ok(passphrase) = rpassword::prompt_password(prompt) else {
            return skip(", and there is no terminal to ask on");
        };
        let result = offer(Some(&passphrase));
        if !result.as_ref().is_err_and(is_wrong_passphrase) {
            passphrases.insert(file.path.clone(), Some(passphrase));
            return result;
        }
    }
    passphrases.insert(file.path.clone(), None);
    skip(", and those entered were wrong")
}

/// The passphrases entered so far; none where all that were entered were wrong. It belongs to the
/// process: all machines are reached from it, by several threads, and one passphrase is asked for
/// once, by one of them.
static PASSPHRASES: Mutex<BTreeMap<PathBuf, Option<String>>> = Mutex::new(BTreeMap::new());

/// The server refuses a key.
const REFUSED: i32 = libssh2_sys::LIBSSH2_ERROR_AUTHENTICATION_FAILED;

/// Whether the server has closed the connection. A refused signature is reported in the same way as
/// a connection that ends while waiting for the answer to one.
fn is_hang_up(error: &ssh2::Error) -> bool {
    use libssh2_sys::{
        LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED, LIBSSH2_ERROR_SOCKET_DISCONNECT,
        LIBSSH2_ERROR_SOCKET_RECV, LIBSSH2_ERROR_SOCKET_SEND,
    };
    let hang_ups = [
        LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED,
        LIBSSH2_ERROR_SOCKET_DISCONNECT,
        LIBSSH2_ERROR_SOCKET_RECV,
        LIBSSH2_ERROR_SOCKET_SEND,
    ];
    matches!(error.code(), ErrorCode::Session(code) if hang_ups.contains(&code))
}

fn is_timeout(error: &ssh2::Error) -> bool {
    error.code() == ErrorCode::Session(libssh2_sys::LIBSSH2_ERROR_TIMEOUT)
}

/// Whether a key file could not be opened with the passphrase; nothing was sent to the server then.
fn is_wrong_passphrase(error: &ssh2::Error) -> bool {
    use libssh2_sys::{LIBSSH2_ERROR_FILE, LIBSSH2_ERROR_KEYFILE_AUTH_FAILED};
    let wrong = [LIBSSH2_ERROR_FILE, LIBSSH2_ERROR_KEYFILE_AUTH_FAILED];
    matches!(error.code(), ErrorCode::Session(code) if wrong.contains(&code))
}
