//! Configurations as people have them: what `ssh` makes of each, and that the reading without `ssh`
//! says the same or refuses. The files are in `tests/ssh-config`; the testbed logs in with them.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::*;

/// A case in a folder of its own: in the file, `KEY` stands for a key, and `DIR` for the folder.
fn case(name: &str) -> TempDir {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ssh-config").join(name);
    let folder = tempfile::tempdir().unwrap();
    fill(&from, folder.path(), folder.path());
    folder
}

fn fill(from: &Path, to: &Path, folder: &Path) {
    for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()) {
        let to = to.join(entry.file_name().unwrap());
        if entry.is_dir() {
            fs::create_dir(&to).unwrap();
            fill(&entry, &to, folder);
            // `Include` with a star meets folders too.
            fs::create_dir(to.join("a folder")).unwrap();
        } else {
            let text = replaced(&fs::read(&entry).unwrap(), b"KEY", folder.join("key").as_os_str());
            fs::write(to, replaced(&text, b"DIR", folder.as_os_str())).unwrap();
        }
    }
}

fn replaced(text: &[u8], word: &[u8], by: &std::ffi::OsStr) -> Vec<u8> {
    let mut new = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.windows(word.len()).position(|window| window == word) {
        new.extend_from_slice(&rest[..at]);
        new.extend_from_slice(by.as_bytes());
        rest = &rest[at + word.len()..];
    }
    new.extend_from_slice(rest);
    new
}

/// What a case is to come to: its user, its key, and what else differs.
type Expected = (&'static str, &'static str, &'static str);

const CASES: [(&str, Expected); 27] = [
    ("c00-base", ("bashu", "KEY", "")),
    ("c01-addkeys-confirm", ("bashu", "KEY", "")),
    ("c02-addkeys-time", ("bashu", "KEY", "")),
    ("c03-forwardagent-path", ("bashu", "KEY", "")),
    ("c04-alive-1m", ("bashu", "KEY", "")),
    ("c05-timeout-10s", ("bashu", "KEY", "")),
    ("c07-latin1-comment", ("bashu", "KEY", "")),
    ("c09-include-folder", ("bashu", "KEY", "")),
    ("c10-identity-percent-d", ("bashu", "HOME/.ssh/labkey", "")),
    ("c11-hash-in-path", ("bashu", "DIR/key#1", "")),
    ("c12-port-twice", ("bashu", "KEY", "")),
    ("c13-two-quoted-hosts", ("bashu", "KEY", "")),
    ("c15-crlf", ("bashu", "KEY", "")),
    ("c16-tabs-equals", ("bashu", "KEY", "")),
    ("c17-match-host", ("bashu", "KEY", "")),
    ("c18-match-all", ("bashu", "KEY", "")),
    ("c19-jump-none-first", ("bashu", "KEY", "")),
    ("c20-single-quotes", ("bashu", "KEY", "")),
    ("c21-port-name", ("bashu", "KEY", "")),
    ("c23-negated", ("bashu", "KEY", "")),
    ("c24-comment-behind", ("bashu", "KEY", "")),
    ("c25-hostkeyalias", ("bashu", "KEY", "machine-seven")),
    ("c27-env-identity", ("bashu", "HOME/.ssh/labkey", "")),
    ("c30-knownhosts-elsewhere", ("bashu", "KEY", "DIR/kh2")),
    ("c35-match-in-include-wrong-user", ("bashu", "KEY", "")),
    ("c36-identity-missing", ("bashu", "DIR/no-such-key", "")),
    ("c37-match-first-in-include-wrong-user", ("bashu", "KEY", "")),
];

/// The settings that a case is to come to.
fn expected(folder: &Path, ssh_folder: &SshFolder, (user, key, other): Expected) -> Settings {
    let whole = |path: &str| {
        let home = if key == "HOME/.ssh/labkey" && path.starts_with("HOME") {
            home().unwrap()
        } else {
            PathBuf::new()
        };
        let path = path.replace("KEY", "DIR/key").replace("HOME", home.to_str().unwrap());
        PathBuf::from(path.replace("DIR", folder.to_str().unwrap()))
    };
    let own_files = match other {
        "DIR/kh2" => vec![whole(other)],
        _ => ssh_folder.known_hosts(),
    };
    let alias = (other == "machine-seven").then(|| other.to_owned());
    Settings {
        name: "127.0.0.1".to_owned(),
        port: 22222,
        user: user.to_owned(),
        family: Family::Any,
        bind: None,
        keys: Keys { named: vec![whole(key)], ..Keys::default() },
        trust: Trust { alias, own_files, system_files: system_known_hosts(), ..Trust::default() },
    }
}

fn options(folder: &Path) -> LaunchOptions {
    LaunchOptions { ssh_folder: Some(folder.to_owned()), ..LaunchOptions::default() }
}

fn ssh_is_here() -> bool {
    let ssh = Command::new("ssh").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if ssh.is_err() {
        eprintln!("SKIPPED: no ssh on this machine");
    }
    ssh.is_ok()
}

/// What `ssh` makes of a file for the machine `lab`.
fn asked(text: &str) -> Result<Settings, Unusable> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config"), text).unwrap();
    let options = options(folder.path());
    Settings::of(&Host::new("lab"), &SshFolder::new(&options), &options)
}

/// What is made of it without `ssh`.
fn parsed(text: &[u8]) -> Result<Settings, Unusable> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config"), text).unwrap();
    let options = options(folder.path());
    parsed::settings(&Host::new("lab"), &SshFolder::new(&options), &options)
}

#[test]
fn every_case_comes_to_what_ssh_says() {
    if !ssh_is_here() {
        return;
    }
    for (name, wanted) in CASES {
        let folder = case(name);
        let options = options(folder.path());
        let ssh_folder = SshFolder::new(&options);
        let mut found = Settings::of(&Host::new("lab"), &ssh_folder, &options)
            .unwrap_or_else(|error| panic!("{name}: {error:?}"));
        // The lists of all algorithms differ from version to version.
        found.keys.accepted = None;
        found.trust.algorithms = None;
        assert_eq!(found, expected(folder.path(), &ssh_folder, wanted), "{name}");
    }
    let folder = case("c14-bom");
    let options = options(folder.path());
    let error = Settings::of(&Host::new("lab"), &SshFolder::new(&options), &options).unwrap_err();
    assert!(error.what.contains("/config: line 1: Bad configuration option"), "{error:?}");
    assert_eq!(error.hint, "mend it until `ssh -G lab` works");
}

#[test]
fn without_ssh_every_case_comes_to_the_same_or_is_refused() {
    let mut refused = Vec::new();
    for (name, wanted) in CASES {
        let folder = case(name);
        let options = options(folder.path());
        let ssh_folder = SshFolder::new(&options);
        match parsed::settings(&Host::new("lab"), &ssh_folder, &options) {
            Ok(found) => {
                assert_eq!(found, expected(folder.path(), &ssh_folder, wanted), "{name}");
            }
            Err(error) => {
                assert!(error.what.contains("/config:"), "{name}: {error:?}");
                assert!(error.hint.contains("install OpenSSH"), "{name}: {error:?}");
                refused.push(&name[..3]);
            }
        }
    }
    let hard = ["c09", "c11", "c13", "c16", "c17", "c18", "c19", "c20", "c21", "c24", "c25", "c30"];
    assert_eq!(refused, [&hard[..], &["c35", "c37"]].concat());
}

#[test]
fn without_ssh_a_line_that_is_not_understood_is_named() {
    let table = [
        ("Host lab\n User x\nMatch all\n User y\n", "config:3: netkit cannot evaluate `Match`"),
        ("\u{feff}Host lab\n", "config:1: netkit cannot evaluate `\\u{feff}Host`"),
        ("HostName %h.org\n", "config:1: netkit cannot evaluate `HostName %h.org`"),
        ("User \"x\"\n", "config:1: netkit cannot evaluate `User \"x\"`"),
        ("StrictHostKeyChecking no\n", "config:1: netkit cannot evaluate `StrictHostKeyChecking`"),
    ];
    for (text, wanted) in table {
        let error = parsed(text.as_bytes()).unwrap_err();
        assert!(error.what.ends_with(wanted), "{text}: {error:?}");
    }
}

#[test]
fn what_netkit_cannot_do_is_refused_by_name() {
    if !ssh_is_here() {
        return;
    }
    let table = [
        ("ProxyJump gate", "ProxyJump gate"),
        ("ProxyCommand nc gate 22", "ProxyCommand nc gate 22"),
        ("BindInterface eth0", "BindInterface eth0"),
        ("RevokedHostKeys ~/revoked", "RevokedHostKeys"),
        ("RemoteCommand tmux", "RemoteCommand tmux"),
        ("PubkeyAuthentication no", "no login by key"),
        ("PreferredAuthentications password", "no login by key"),
        ("IdentityFile %j/key", "which file IdentityFile %j/key means"),
        ("IdentityFile ${NO_SUCH}/key", "the variable NO_SUCH is not set"),
    ];
    for (line, named) in table {
        let error = asked(line).unwrap_err();
        assert!(error.what.contains(named), "{line}: {error:?}");
        assert_eq!(error.what.contains("/config:1)"), !error.option.is_empty(), "{error:?}");
    }
    for line in ["ProxyJump none", "ProxyCommand none", "SessionType default"] {
        asked(line).unwrap_or_else(|error| panic!("{line}: {error:?}"));
    }
}

#[test]
fn options_of_keys_and_known_hosts_are_honoured() {
    if !ssh_is_here() {
        return;
    }
    let settings = asked(
        "IdentitiesOnly yes\nIdentityAgent $MY_AGENT\nAddressFamily inet6\nBindAddress ::1\n\
         StrictHostKeyChecking accept-new\nUserKnownHostsFile none\nGlobalKnownHostsFile /a /b\n\
         CertificateFile ~/cert\nPKCS11Provider /p.so\nIdentityFile none\n",
    )
    .unwrap();
    let Settings { keys, trust, family, bind, .. } = settings;
    assert_eq!((keys.named_only, keys.usual, keys.named.len()), (true, false, 0));
    assert_eq!(keys.agent, AgentSocket::Variable("MY_AGENT".into()));
    assert_eq!((family, bind.as_deref()), (Family::V6, Some("::1")));
    assert!(trust.accept_new && trust.own_files.is_empty(), "{trust:?}");
    assert_eq!(trust.system_files, [Path::new("/a"), Path::new("/b")]);
    let unusable = keys.unusable.join(", ");
    assert!(unusable.contains("CertificateFile") && unusable.contains("PKCS11Provider /p.so"));

    let settings = asked("").unwrap();
    assert!(settings.keys.usual && settings.keys.named.is_empty(), "{settings:?}");
    assert_eq!(settings.keys.agent, AgentSocket::Usual);
    assert!(!asked("IdentityFile ~/.ssh/id_rsa").unwrap().keys.usual, "one that is named");
}

#[test]
fn a_line_of_the_host_file_comes_before_the_configuration() {
    let text = b"Host lab*\n HostName 127.0.0.9\n User student\n Port 2222\n IdentityFile /k1\n\
                 Host *\n User nobody\n IdentityFile /k2\n";
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config"), text).unwrap();
    let options = options(folder.path());
    let host = &crate::hosts::Hosts::parse("me@lab07:23 slots=4").unwrap()[0];
    let ssh_folder = SshFolder::new(&options);
    for settings in [Settings::of, parsed::settings] {
        let found = settings(host, &ssh_folder, &options).unwrap();
        assert_eq!((found.user.as_str(), found.port), ("me", 23));
        assert_eq!(found.name, "127.0.0.9");
        assert_eq!(found.keys.named, [Path::new("/k1"), Path::new("/k2")]);
    }
}

#[test]
fn no_configuration_is_fine_unless_it_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none");
    let mut options = options(&missing);
    let host = Host::new("127.0.0.1");
    let ssh_folder = SshFolder::new(&options);
    for settings in [Settings::of, parsed::settings] {
        let found = settings(&host, &ssh_folder, &options).unwrap();
        assert_eq!((found.port, found.user), (22, this_user().unwrap().name));
        assert_eq!(found.trust.own_files, ssh_folder.known_hosts());
    }
    options.config = Some(missing);
    assert!(Settings::of(&host, &ssh_folder, &options).is_err());
    let error = parsed::settings(&host, &ssh_folder, &options).unwrap_err();
    assert!(error.what.starts_with("cannot read"), "{error:?}");
}

#[test]
fn a_configuration_that_is_a_pipe_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    nix::unistd::mkfifo(&folder.path().join("config"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let options = options(folder.path());
    let error = Settings::of(&Host::new("lab"), &SshFolder::new(&options), &options).unwrap_err();
    assert!(error.what.contains("not an ordinary file"), "{error:?}");
}
