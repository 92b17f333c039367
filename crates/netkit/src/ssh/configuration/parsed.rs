//! Reading the configuration where `ssh` is not installed.
//!
//! The crate `ssh2-config` evaluates blocks of `Host`. It is given only what it reads as `ssh` does:
//! five options with plain values. What only makes `ssh` more comfortable is left out before. All
//! else is refused with its line: a guess could log in as another user, or trust another machine.

use std::collections::BTreeSet;
use std::path::Path;

use ssh2_config::{DefaultAlgorithms, HostParams, ParseRule, SshConfig};

use super::tokens::Tokens;
use super::{
    Family, Keys, MAX_CONFIG, SSH_PORT, Settings, SshFolder, Trust, Unusable, home, read_file,
    system_known_hosts, this_user, unreadable,
};
use crate::hosts::Host;
use crate::launch::job::LaunchOptions;
use crate::text::one_line;

/// The options that are evaluated here.
const EVALUATED: [&str; 5] = ["host", "hostname", "identityfile", "port", "user"];

/// Options that change nothing about which machine is reached, as whom and with which key.
const PASSED_OVER: [&str; 35] = [
    "addkeystoagent",
    "batchmode",
    "checkhostip",
    "compression",
    "connectionattempts",
    "connecttimeout",
    "controlmaster",
    "controlpath",
    "controlpersist",
    "dynamicforward",
    "escapechar",
    "exitonforwardfailure",
    "forwardagent",
    "forwardx11",
    "forwardx11timeout",
    "forwardx11trusted",
    "gssapiauthentication",
    "gssapidelegatecredentials",
    "hashknownhosts",
    "ipqos",
    "localforward",
    "loglevel",
    "nohostauthenticationforlocalhost",
    "numberofpasswordprompts",
    "passwordauthentication",
    "permitlocalcommand",
    "rekeylimit",
    "remoteforward",
    "requesttty",
    "sendenv",
    "serveralivecountmax",
    "serveraliveinterval",
    "tcpkeepalive",
    "updatehostkeys",
    "visualhostkey",
];

/// What holds for a line of the host file.
pub(super) fn settings(
    host: &Host,
    folder: &SshFolder,
    options: &LaunchOptions,
) -> Result<Settings, Unusable> {
    let params = match options.config.clone().or_else(|| folder.file("config")) {
        Some(path) => read(&path, options.config.is_some(), &host.name)?,
        None => HostParams::new(&DefaultAlgorithms::empty()),
    };
    let user = host.user.clone().or(params.user).or_else(|| this_user().map(|user| user.name));
    let user = user.ok_or_else(|| {
        Unusable::new("cannot tell whom to log in as", "write user@ before the host")
    })?;
    let name = params.host_name.unwrap_or_else(|| host.name.clone());
    let port = host.port.or(params.port).unwrap_or(SSH_PORT);
    let tokens = Tokens {
        given: host.name.clone(),
        name: name.clone(),
        port,
        user: user.clone(),
        alias: None,
    };
    let files = params.identity_file.unwrap_or_default();
    let named = files.iter().map(|file| {
        tokens.path(file.as_os_str()).map_err(|why| {
            let what =
                format!("cannot tell which key IdentityFile {} means: {why}", file.display());
            Unusable::new(what, "write the whole path in the SSH configuration")
        })
    });
    let keys = Keys {
        named: named.collect::<Result<_, _>>()?,
        usual: files.is_empty(),
        ..Keys::default()
    };
    let trust = Trust {
        own_files: folder.known_hosts(),
        system_files: system_known_hosts(),
        ..Trust::default()
    };
    Ok(Settings { name, port, user, family: Family::Any, bind: None, keys, trust })
}

/// What a file says of a machine; nothing if it is missing and nobody has named it.
fn read(path: &Path, is_named: bool, name: &str) -> Result<HostParams, Unusable> {
    let read = read_file(path, MAX_CONFIG);
    let bytes = match read.map_err(|error| unreadable(path, &error.to_string()))? {
        Some(bytes) => bytes,
        None if is_named => return Err(unreadable(path, "there is no such file")),
        None => Vec::new(),
    };
    let text = evaluated(&bytes).map_err(|(line, what)| {
        let what = format!("{}:{line}: netkit cannot evaluate {what}", path.display());
        Unusable::new(what, "install OpenSSH's `ssh`, which netkit asks then")
    })?;
    let mut config = SshConfig::default().default_algorithms(DefaultAlgorithms::empty());
    if let Some(home) = home() {
        config = config.home_dir(home);
    }
    let parsed = config.parse(&mut text.as_bytes(), ParseRule::STRICT);
    let config = parsed.map_err(|error| unreadable(path, &one_line(&error.to_string(), 200)))?;
    Ok(config.query(name))
}

/// The lines that are evaluated, in their plainest form.
///
/// # Errors
///
/// The number of the first line that cannot be evaluated, and what stands there.
fn evaluated(bytes: &[u8]) -> Result<String, (usize, String)> {
    let mut kept = String::new();
    // In one block the first value holds.
    let mut set = BTreeSet::new();
    for (number, line) in (1..).zip(bytes.split(|&byte| byte == b'\n')) {
        let line = String::from_utf8_lossy(line.trim_ascii()).into_owned();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (keyword, value) = split(&line);
        let option = keyword.to_ascii_lowercase();
        let is_off = matches!(option.as_str(), "proxyjump" | "proxycommand" | "identityagent")
            && value.eq_ignore_ascii_case("none");
        if is_off || PASSED_OVER.contains(&option.as_str()) {
            continue;
        }
        if !EVALUATED.contains(&option.as_str()) {
            return Err((number, format!("`{}`", one_line(keyword, 40))));
        }
        if !is_plain(&option, value) {
            return Err((number, format!("`{}`", one_line(&line, 100))));
        }
        if option == "host" {
            set.clear();
        } else if option != "identityfile" && !set.insert(option.clone()) {
            continue;
        }
        kept.push_str(&format!("{option} {value}\n"));
    }
    Ok(kept)
}

/// The keyword of a line, and what stands behind it. Between them is space, or `=`.
fn split(line: &str) -> (&str, &str) {
    let is_space = |c: char| matches!(c, ' ' | '\t');
    let end = line.find(|c| is_space(c) || c == '=').unwrap_or(line.len());
    let (keyword, rest) = line.split_at(end);
    let rest = rest.trim_start_matches(is_space);
    (keyword, rest.strip_prefix('=').unwrap_or(rest).trim_matches(is_space))
}

/// Whether a value means what it says: no quotes, comments or escapes, and tokens only where they are
/// expanded here.
fn is_plain(option: &str, value: &str) -> bool {
    let special = |c: char| matches!(c, '"' | '\'' | '\\' | '#' | char::REPLACEMENT_CHARACTER);
    let has_tokens = value.contains(['%', '$']);
    let one_word = !value.contains([' ', '\t']);
    !value.is_empty()
        && !value.contains(special)
        && match option {
            "host" => true,
            "identityfile" => one_word && !value.eq_ignore_ascii_case("none"),
            "port" => value.bytes().all(|byte| byte.is_ascii_digit()),
            _ => one_word && !has_tokens,
        }
}
