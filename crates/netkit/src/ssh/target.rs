//! Which machine a line of the host file means: its address, its port, the user to log in as, with
//! which keys. What the line leaves open, `~/.ssh/config` says, then the defaults.

use std::fs;
use std::io::{self, BufReader};
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::unistd::{User, geteuid};
use ssh2_config::{DefaultAlgorithms, HostParams, ParseRule, SshConfig};

use crate::files;
use crate::hosts::Host;
use crate::launch::job::{LaunchError, LaunchOptions, Stage};
use crate::text::one_line;

/// The longest SSH configuration that is read, in bytes.
const MAX_CONFIG: u64 = 1 << 20;

/// The port of an SSH server, if nothing names another.
const SSH_PORT: u16 = 22;

/// One SSH server, and how to log in to it.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// The machine as messages name it: as in the host file, without slots.
    pub(super) label: String,
    /// The name that its host key is filed under.
    pub(super) name: String,
    pub(super) port: u16,
    pub(super) user: String,
    /// At least one, in the order in which they are tried.
    pub(super) addresses: Vec<SocketAddr>,
    /// The keys that the configuration names; none means the usual ones.
    pub(super) identities: Vec<PathBuf>,
    /// Where keys and known hosts are.
    pub(super) folder: SshFolder,
}

impl Target {
    /// Finds out all about a line of the host file that can be known without asking the machine.
    pub(crate) fn resolve(host: &Host, options: &LaunchOptions) -> Result<Target, LaunchError> {
        let label = label(host);
        let failed =
            |what: String, hint: &str| LaunchError::new(&label, Stage::Resolve, what, hint);
        let folder = SshFolder::new(options);
        let params = configured(&host.name, &folder, options)
            .map_err(|what| failed(what, "mend it, or name another configuration"))?;
        if let Some(option) = params.as_ref().and_then(proxy) {
            let what =
                format!("the SSH configuration reaches it by {option}, which netkit cannot do");
            return Err(failed(what, "start from a machine that reaches it directly"));
        }
        let params = params.unwrap_or_else(|| HostParams::new(&DefaultAlgorithms::empty()));
        let name = params.host_name.unwrap_or_else(|| host.name.clone());
        // `%h` stands for the name as given; it is the one token that is common here.
        let name = name.replace("%h", &host.name);
        let port = host.port.or(params.port).unwrap_or(SSH_PORT);
        let user = host.user.clone().or(params.user).or_else(local_user);
        let user = user.ok_or_else(|| {
            failed("cannot tell whom to log in as".to_owned(), "write user@ before the host")
        })?;
        let addresses = look_up(&name, port, options.connect_timeout)
            .map_err(|what| failed(what, "check the name in the host file"))?;
        let identities = params.identity_file.unwrap_or_default();
        Ok(Target { label, name, port, user, addresses, identities, folder })
    }

    /// The address tried first; it stands for the server where connections are counted.
    pub(crate) fn first_address(&self) -> SocketAddr {
        self.addresses[0]
    }
}

/// Where the user's SSH files are: `~/.ssh`, unless an option names another folder.
#[derive(Clone, Debug)]
pub(super) struct SshFolder(Option<PathBuf>);

impl SshFolder {
    fn new(options: &LaunchOptions) -> SshFolder {
        let home = || std::env::home_dir().filter(|home| home.is_absolute());
        SshFolder(options.ssh_folder.clone().or_else(|| home().map(|home| home.join(".ssh"))))
    }

    /// A file in it; none if there is no home.
    pub(super) fn file(&self, name: &str) -> Option<PathBuf> {
        self.0.as_ref().map(|folder| folder.join(name))
    }
}

/// The machine as messages name it.
pub(super) fn label(host: &Host) -> String {
    Host { slots: 1, ..host.clone() }.to_string()
}

/// Reads one of SSH's files; none if it is missing. A device counts as an empty file: people name
/// `/dev/null`, or link to it, where nothing is to be read.
pub(super) fn settings(path: &Path, max: u64) -> io::Result<Option<Vec<u8>>> {
    match fs::metadata(path) {
        Ok(about) if about.file_type().is_char_device() => Ok(Some(Vec::new())),
        _ => files::read_if_there(path, max),
    }
}

/// What the SSH configuration says of a host; none if there is no configuration.
fn configured(
    name: &str,
    folder: &SshFolder,
    options: &LaunchOptions,
) -> Result<Option<HostParams>, String> {
    let path = match options.config.clone().or_else(|| folder.file("config")) {
        Some(path) => path,
        None => return Ok(None),
    };
    let unreadable = |error: String| format!("cannot read {}: {error}", path.display());
    let read = settings(&path, MAX_CONFIG).and_then(|read| read.map(files::into_text).transpose());
    let text = match read.map_err(|error| unreadable(error.to_string()))? {
        Some(text) => text,
        None if options.config.is_none() => return Ok(None),
        None => return Err(unreadable("there is no such file".to_owned())),
    };
    let mut config = SshConfig::default().default_algorithms(DefaultAlgorithms::empty());
    if let Some(home) = folder.0.as_deref().and_then(Path::parent) {
        config = config.home_dir(home);
    }
    let rules = ParseRule::ALLOW_UNKNOWN_FIELDS | ParseRule::ALLOW_UNSUPPORTED_FIELDS;
    let parsed = config.parse(&mut BufReader::new(without_match(&text).as_bytes()), rules);
    let config = parsed.map_err(|error| unreadable(one_line(&error.to_string(), 200)))?;
    Ok(Some(config.query(name)))
}

/// The configuration without its `Match` blocks. The parser does not know them, and would take what
/// stands in them for part of the block before.
fn without_match(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut inside = false;
    for line in text.lines() {
        let keyword = line.trim_start().split([' ', '\t', '=']).next().unwrap_or_default();
        if keyword.eq_ignore_ascii_case("match") {
            inside = true;
        } else if keyword.eq_ignore_ascii_case("host") {
            inside = false;
        }
        if !inside {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// The option, if any, that makes a machine reachable only by way of another.
fn proxy(params: &HostParams) -> Option<&'static str> {
    let jump = params.proxy_jump.as_ref();
    if jump.is_some_and(|jumps| jumps.iter().any(|jump| !jump.eq_ignore_ascii_case("none"))) {
        return Some("ProxyJump");
    }
    let fields = params.unsupported_fields.iter().chain(&params.ignored_fields);
    let mut commands = fields.filter(|(name, _)| name.eq_ignore_ascii_case("ProxyCommand"));
    let used = |values: &[String]| values.first().is_some_and(|v| !v.eq_ignore_ascii_case("none"));
    commands.any(|(_, values)| used(values)).then_some("ProxyCommand")
}

fn local_user() -> Option<String> {
    User::from_uid(geteuid()).ok().flatten().map(|user| user.name)
}

/// The addresses of a name. The system's look-up knows no deadline, so it runs in a thread of its
/// own, which is left to end by itself when it takes too long.
fn look_up(name: &str, port: u16, timeout: Duration) -> Result<Vec<SocketAddr>, String> {
    let (answer, answered) = mpsc::channel();
    let asked = name.to_owned();
    let asking = thread::Builder::new().name("look-up".to_owned()).spawn(move || {
        let addresses = (asked.as_str(), port).to_socket_addrs().map(Iterator::collect);
        // Nobody waits any more: then nobody wants to know.
        let _ = answer.send(addresses);
    });
    asking.map_err(|error| format!("cannot start a thread: {error}"))?;
    match answered.recv_timeout(timeout) {
        Ok(Ok(addresses)) => {
            let addresses: Vec<SocketAddr> = addresses;
            if addresses.is_empty() { Err(format!("{name} has no address")) } else { Ok(addresses) }
        }
        Ok(Err(error)) => Err(format!("{name} has no address: {error}")),
        Err(_) => Err(format!(
            "the name service did not answer for {name} within {} s",
            timeout.as_secs_f32()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a configuration makes of a host; addresses are numbers, so nothing is looked up.
    fn resolve(config: &str, host: &str) -> Result<Target, LaunchError> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("config"), config).unwrap();
        let options = LaunchOptions {
            ssh_folder: Some(folder.path().to_owned()),
            ..LaunchOptions::default()
        };
        let hosts = crate::hosts::Hosts::parse(host).unwrap();
        Target::resolve(&hosts[0], &options)
    }

    #[test]
    fn the_configuration_fills_in_what_the_line_leaves_open() {
        let config = "Host lab*\n HostName 127.0.0.9\n User student\n Port 2222\n IdentityFile /k1\n\
                      Host *\n User nobody\n IdentityFile /k2\n";
        let target = resolve(config, "lab07").unwrap();
        assert_eq!((target.name.as_str(), target.user.as_str()), ("127.0.0.9", "student"));
        assert_eq!(target.addresses, ["127.0.0.9:2222".parse().unwrap()]);
        assert_eq!(target.identities, [Path::new("/k1"), Path::new("/k2")]);
        assert_eq!(target.label, "lab07");

        let target = resolve(config, "me@lab07:23 slots=4").unwrap();
        assert_eq!((target.user.as_str(), target.port), ("me", 23));
        assert_eq!(target.label, "me@lab07:23");
    }

    #[test]
    fn what_stands_in_a_match_block_is_not_taken_for_the_host_before() {
        let config = "Host 127.0.0.1\n Port 2222\n\
                      Match exec \"true\"\n User wrong\n Port 1\nHost *\n User right\n";
        let target = resolve(config, "127.0.0.1").unwrap();
        assert_eq!((target.user.as_str(), target.port), ("right", 2222));
    }

    #[test]
    fn a_machine_behind_another_is_refused_rather_than_tried() {
        for option in ["ProxyJump gate", "ProxyCommand nc gate 22"] {
            let error = resolve(&format!("Host *\n {option}\n"), "127.0.0.1").unwrap_err();
            assert_eq!(error.stage, Stage::Resolve);
            assert!(error.what.contains(&option[..9]), "{error}");
        }
        for option in ["ProxyJump none", "ProxyCommand none"] {
            resolve(&format!("Host *\n {option}\n"), "127.0.0.1").unwrap();
        }
    }

    #[test]
    fn no_configuration_is_fine_unless_it_was_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("none");
        let host = Host::new("127.0.0.1");
        let mut options =
            LaunchOptions { ssh_folder: Some(missing.clone()), ..LaunchOptions::default() };
        let target = Target::resolve(&host, &options).unwrap();
        assert_eq!((target.port, Some(target.user)), (22, local_user()));
        options.config = Some(missing);
        let error = Target::resolve(&host, &options).unwrap_err();
        assert!(error.what.starts_with("cannot read"), "{error}");
    }
}
