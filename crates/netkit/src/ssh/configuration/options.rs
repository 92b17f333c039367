//! What the options that `ssh -G` prints mean for netkit, and which of them it cannot do.
//!
//! An option that decides how a machine is reached or known, and that netkit cannot do, is refused by
//! name. A source of keys that netkit cannot use is no reason to refuse: another key may do. It is
//! named if none does. What only makes `ssh` more comfortable is passed over.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::asked::Printed;
use super::tokens::Tokens;
use super::{
    AgentSocket, Family, Keys, SSH_PORT, Settings, SshFolder, Trust, Unusable, home,
    system_known_hosts,
};
use crate::hosts::Host;
use crate::text::one_line;

/// What netkit cannot do: the option, how it is printed, and what to do instead.
const CANNOT: [(&str, &str, &str); 6] = [
    ("ProxyJump", "proxyjump", "start from a machine that reaches it directly"),
    ("ProxyCommand", "proxycommand", "start from a machine that reaches it directly"),
    ("BindInterface", "bindinterface", "name an address with BindAddress instead"),
    ("RevokedHostKeys", "revokedhostkeys", "put @revoked lines into known_hosts instead"),
    (
        "RemoteCommand",
        "remotecommand",
        "take it out for this machine; ssh runs no other command then",
    ),
    ("SessionType", "sessiontype", "take it out for this machine; ssh runs no command then"),
];

/// How the files of keys begin that `ssh` tries if none are named.
const USUAL_KEYS: &str = "~/.ssh/id_";

/// What holds for a machine, from what `ssh` printed.
pub(super) fn settings(
    printed: &Printed,
    host: &Host,
    folder: &SshFolder,
) -> Result<Settings, Unusable> {
    refuse_what_netkit_cannot(printed)?;
    let missing = |what: &str| {
        let line = format!("`ssh -G {}` prints no {what}", host.name);
        Unusable::new(line, "is `ssh` OpenSSH, and newer than 2016?")
    };
    let name = printed.set("hostname").ok_or_else(|| missing("hostname"))?;
    let user = printed.set("user").ok_or_else(|| missing("user"))?;
    let port = match printed.text("port") {
        Some(port) => port.parse().ok().filter(|&port| port != 0).ok_or_else(|| missing("port"))?,
        None => SSH_PORT,
    };
    let alias = printed.set("hostkeyalias");
    let tokens = Tokens {
        given: host.name.clone(),
        name: name.clone(),
        port,
        user: user.clone(),
        alias: alias.clone(),
    };
    let trust = Trust {
        alias,
        own_files: own_known_hosts(printed, &tokens, folder)?,
        system_files: printed
            .all("globalknownhostsfile")
            .next()
            .map_or_else(system_known_hosts, |files| paths(files)),
        algorithms: printed.set("hostkeyalgorithms"),
        accept_new: accepts_new(printed),
    };
    let family = match printed.text("addressfamily").as_deref() {
        Some("inet") => Family::V4,
        Some("inet6") => Family::V6,
        _ => Family::Any,
    };
    let (bind, keys) = (printed.set("bindaddress"), keys(printed, &tokens)?);
    Ok(Settings { name, port, user, family, bind, keys, trust })
}

fn refuse_what_netkit_cannot(printed: &Printed) -> Result<(), Unusable> {
    for (option, name, hint) in CANNOT {
        if let Some(value) = printed.set(name)
            && (name, value.as_str()) != ("sessiontype", "default")
        {
            let what = format!(
                "the SSH configuration says {option} {}, which netkit cannot do",
                one_line(&value, 60)
            );
            return Err(Unusable { option, ..Unusable::new(what, hint) });
        }
    }
    let off = |value: &str| matches!(value, "no" | "false");
    let no_keys = printed.set("pubkeyauthentication").is_some_and(|value| off(&value));
    let methods = printed.set("preferredauthentications");
    if no_keys || methods.is_some_and(|all| !all.split(',').any(|one| one.trim() == "publickey")) {
        return Err(Unusable::new(
            "the SSH configuration allows no login by key, and netkit knows no other",
            "look for PubkeyAuthentication and PreferredAuthentications in it",
        ));
    }
    Ok(())
}

/// `no` trusts even a key that has changed; netkit never does.
fn accepts_new(printed: &Printed) -> bool {
    let checking = printed.text("stricthostkeychecking");
    matches!(checking.as_deref(), Some("accept-new" | "no" | "off" | "false"))
}

fn own_known_hosts(
    printed: &Printed,
    tokens: &Tokens,
    folder: &SshFolder,
) -> Result<Vec<PathBuf>, Unusable> {
    let Some(value) = printed.all("userknownhostsfile").next() else {
        return Ok(folder.known_hosts());
    };
    let home = home().unwrap_or_default();
    let usual = ["known_hosts", "known_hosts2"].map(|name| home.join(".ssh").join(name));
    let files = paths(value);
    if files == usual {
        return Ok(folder.known_hosts());
    }
    // Old versions print the tilde as it was written; new ones have replaced all there is.
    files
        .into_iter()
        .map(|file| match file.as_os_str().as_encoded_bytes().first() {
            Some(b'~') => expanded(tokens, "UserKnownHostsFile", file.as_os_str()),
            _ => Ok(file),
        })
        .collect()
}

fn keys(printed: &Printed, tokens: &Tokens) -> Result<Keys, Unusable> {
    let is_none = |value: &OsStr| value.eq_ignore_ascii_case("none");
    let files: Vec<&OsStr> = printed.all("identityfile").map(AsRef::as_ref).collect();
    let is_usual = |value: &&OsStr| value.as_encoded_bytes().starts_with(USUAL_KEYS.as_bytes());
    // Several, since the usual ones are; a single one was named.
    let usual = files.len() > 1 && files.iter().all(is_usual);
    let files = files.into_iter().filter(|value| !usual && !is_none(value));
    let named = files.map(|value| expanded(tokens, "IdentityFile", value));
    let mut unusable = Vec::new();
    for (option, name) in
        [("CertificateFile", "certificatefile"), ("PKCS11Provider", "pkcs11provider")]
    {
        if let Some(value) = printed.set(name) {
            unusable.push(format!("netkit cannot use {option} {}", one_line(&value, 100)));
        }
    }
    Ok(Keys {
        named: named.collect::<Result<_, _>>()?,
        usual,
        named_only: printed.text("identitiesonly").is_some_and(|value| value == "yes"),
        agent: agent(printed),
        accepted: printed.set("pubkeyacceptedalgorithms"),
        unusable,
    })
}

fn agent(printed: &Printed) -> AgentSocket {
    let Some(value) = printed.all("identityagent").next() else { return AgentSocket::Usual };
    match value.to_str() {
        Some("SSH_AUTH_SOCK") => AgentSocket::Usual,
        Some(text) if text.eq_ignore_ascii_case("none") => AgentSocket::Nowhere,
        Some(text) if text.starts_with('$') => {
            let name = text.trim_start_matches('$').trim_matches(['{', '}']);
            AgentSocket::Variable(name.into())
        }
        _ => AgentSocket::Path(value.into()),
    }
}

fn expanded(tokens: &Tokens, option: &str, value: &OsStr) -> Result<PathBuf, Unusable> {
    tokens.path(value).map_err(|why| {
        let what = format!("cannot tell which file {option} {} means: {why}", value.display());
        Unusable::new(what, "write the whole path in the SSH configuration")
    })
}

/// The files in one value. `ssh` prints them with spaces between and no quotes, also where a name
/// has a space. So what stands between two absolute paths is one name if there is such a file, else
/// each word is.
fn paths(value: &OsStr) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = Vec::new();
    let mut words: Vec<&[u8]> = Vec::new();
    let mut close = |words: &mut Vec<&[u8]>| {
        let path = |bytes: &[u8]| PathBuf::from(OsStr::from_bytes(bytes));
        let whole = path(&words.join(&b' '));
        match words.len() > 1 && whole.exists() {
            true => files.push(whole),
            false => files.extend(words.iter().map(|word| path(word))),
        }
        words.clear();
    };
    for word in value.as_bytes().split(|&byte| byte == b' ').filter(|word| !word.is_empty()) {
        if word.starts_with(b"/") {
            close(&mut words);
        }
        words.push(word);
    }
    close(&mut words);
    files.retain(|file| file != Path::new("none"));
    files
}
