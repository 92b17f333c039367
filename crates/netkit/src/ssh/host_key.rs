//! Making sure that a machine is the one it is taken for: its host key against the known ones.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use libssh2_sys::LIBSSH2_ERROR_METHOD_NONE;
use sha2::{Digest, Sha256};
use ssh2::{ErrorCode, MethodType, Session};

use super::configuration::read_file;
use super::known_hosts::{self, Record, Verdict, filed_name, key_type, matches, records, verdict};
use super::target::Target;
use crate::launch::job::{LaunchError, LaunchOptions, Stage};
use crate::text::one_line;

/// The longest file of known hosts that is read, in bytes; a large site has some thousand lines.
const MAX_KNOWN_HOSTS: u64 = 16 << 20;

/// What is known of one machine.
#[derive(Debug)]
pub(super) struct HostKeys {
    records: Vec<Record>,
    /// What is on file under the name without the port, which counts if nothing else is.
    without_port: Vec<Record>,
    /// The file that a new key is remembered in; none without a home.
    own_file: Option<PathBuf>,
    /// The algorithms that the configuration allows; none means any.
    algorithms: Option<String>,
}

impl HostKeys {
    /// Reads what is on file for a machine.
    pub(super) fn of(target: &Target, options: &LaunchOptions) -> Result<HostKeys, LaunchError> {
        let trust = &target.settings.trust;
        let files: Vec<&PathBuf> = match &options.known_hosts {
            Some(file) => vec![file],
            None => trust.own_files.iter().chain(&trust.system_files).collect(),
        };
        let own_file = options.known_hosts.as_ref().or(trust.own_files.first()).cloned();
        let (mut known, mut without_port) = (Vec::new(), Vec::new());
        for file in files {
            let text = read(file).map_err(|error| unreadable(target, file, &error))?;
            known.extend(records(file, &text, &target.filed_name()));
            if trust.alias.is_none() {
                without_port.extend(records(file, &text, &filed_name(&target.settings.name, 22)));
            }
        }
        let algorithms = trust.algorithms.clone();
        Ok(HostKeys { records: known, without_port, own_file, algorithms })
    }

    /// Asks the server for a key that the configuration allows, and of a type that is on file, if it
    /// has one. Otherwise it would show
    /// the type that comes first in the protocol, and look like another machine.
    pub(super) fn prefer_known_types(&self, session: &Session) -> Result<(), ssh2::Error> {
        let on_file = if self.records.is_empty() { &self.without_port } else { &self.records };
        let valid = on_file.iter().filter(|record| !record.revoked);
        let types: Vec<&str> = valid.map(|record| record.key_type.as_str()).collect();
        let mut algorithms = session.supported_algs(MethodType::HostKey)?;
        algorithms.retain(|algorithm| self.is_allowed(algorithm));
        if algorithms.is_empty() {
            let what = "HostKeyAlgorithms in the SSH configuration names none that netkit knows";
            return Err(ssh2::Error::new(ErrorCode::Session(LIBSSH2_ERROR_METHOD_NONE), what));
        }
        // A stable sort: known types first, each group in the library's own order.
        algorithms.sort_by_key(|algorithm| !types.contains(&key_type_of(algorithm)));
        session.method_pref(MethodType::HostKey, &algorithms.join(","))
    }

    /// Whether the configuration allows an algorithm.
    fn is_allowed(&self, algorithm: &str) -> bool {
        let is_named = |pattern: &str| matches(pattern.as_bytes(), algorithm.as_bytes());
        self.algorithms.as_ref().is_none_or(|allowed| allowed.split(',').any(is_named))
    }

    /// Decides whether the key that the server has shown is accepted; remembers it if it is new and
    /// may be.
    pub(super) fn check(
        &self,
        target: &Target,
        key: &[u8],
        options: &LaunchOptions,
    ) -> Result<(), LaunchError> {
        match verdict(&self.records, key) {
            Verdict::Known => Ok(()),
            // As ssh does. A key that differs from this one says nothing: at another port there may
            // be another machine.
            Verdict::Unknown if verdict(&self.without_port, key) == Verdict::Known => Ok(()),
            Verdict::Unknown if options.accept_new || target.settings.trust.accept_new => {
                self.remember(target, key)
            }
            refusal => Err(self.refused(target, key, &refusal)),
        }
    }

    /// Appends the key to the user's file, unless another thread or process was faster.
    fn remember(&self, target: &Target, key: &[u8]) -> Result<(), LaunchError> {
        let failed = |what: String| {
            LaunchError::new(&target.label, Stage::HostKey, what, "name a file with known_hosts")
        };
        let line = known_hosts::line(&target.filed_name(), key);
        let line = line.ok_or_else(|| failed("the server's host key is malformed".to_owned()))?;
        let Some(path) = &self.own_file else {
            // Neither does ssh trust anybody whom it cannot remember (`UserKnownHostsFile none`).
            return Err(failed("there is no file to remember the host key in".to_owned()));
        };
        let unwritable = |error: io::Error| {
            failed(format!("cannot remember the host key in {}: {error}", path.display()))
        };
        let mut file = open_to_append(path).map_err(unwritable)?;
        // Held until the file is closed; other threads have opened it anew, so it excludes them
        // too.
        file.lock().map_err(unwritable)?;
        let text = read(path).map_err(unwritable)?;
        let meanwhile = records(path, &text, &target.filed_name());
        match verdict(&meanwhile, key) {
            Verdict::Known => Ok(()),
            Verdict::Unknown => {
                let start = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
                file.write_all(format!("{start}{line}").as_bytes()).map_err(unwritable)
            }
            refusal => Err(self.refused(target, key, &refusal)),
        }
    }

    /// Why a key is not accepted, and what to do.
    fn refused(&self, target: &Target, key: &[u8], verdict: &Verdict<'_>) -> LaunchError {
        let shown = format!("{} {}", key_type(key).unwrap_or("malformed"), fingerprint(key));
        let filed = target.filed_name();
        let (what, hint) = match verdict {
            Verdict::Changed(record) => {
                let (file, line) = (record.file.display(), record.line);
                let on_file = format!("{} {}", record.key_type, fingerprint(&record.key));
                (
                    format!(
                        "the host key has CHANGED: it is {shown}, but {file}:{line} has {on_file}"
                    ),
                    format!(
                        "someone may be listening in; ask who runs the machine, and only if they \
                         changed it: ssh-keygen -R '{filed}' -f {file}"
                    ),
                )
            }
            Verdict::Revoked(record) => {
                let (file, line) = (record.file.display(), record.line);
                (
                    format!("the host key {shown} is revoked in {file}:{line}"),
                    "ask who runs the machine for a new one".to_owned(),
                )
            }
            Verdict::Known | Verdict::Unknown => {
                let file = self.own_file.as_deref().unwrap_or(Path::new("~/.ssh/known_hosts"));
                (
                    format!("the host key {shown} is not known"),
                    format!(
                        "compare it with what who runs the machine says, then use --accept-new, \
                         or ssh-keyscan -p {} {} >> {}",
                        target.settings.port,
                        target.settings.name,
                        file.display()
                    ),
                )
            }
        };
        LaunchError::new(&target.label, Stage::HostKey, what, hint)
    }
}

/// The fingerprint of a key, as `ssh-keygen -l` shows it.
pub(super) fn fingerprint(key: &[u8]) -> String {
    format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(key)))
}

/// The type of key that a signature algorithm needs.
fn key_type_of(algorithm: &str) -> &str {
    match algorithm {
        "rsa-sha2-256" | "rsa-sha2-512" => "ssh-rsa",
        other => other,
    }
}

fn unreadable(target: &Target, file: &Path, error: &io::Error) -> LaunchError {
    let what = format!("cannot read {}: {}", file.display(), one_line(&error.to_string(), 200));
    LaunchError::new(&target.label, Stage::HostKey, what, "mend it, or name another file")
}

/// The text of a file of known hosts; a missing one is empty. Bytes that are no UTF-8 spoil only
/// their own line.
fn read(path: &Path) -> io::Result<String> {
    let bytes = read_file(path, MAX_KNOWN_HOSTS)?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Opens the user's file, creating it and its folder as `ssh` does: for the user alone.
fn open_to_append(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent()
        && !folder.as_os_str().is_empty()
        && !fs::exists(folder)?
    {
        let created = DirBuilder::new().mode(0o700).create(folder);
        // Another thread may have been faster.
        created.or_else(|error| if folder.is_dir() { Ok(()) } else { Err(error) })?;
    }
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_the_one_that_ssh_keygen_shows() {
        // ssh-keygen -l of a key file with this key.
        use base64::engine::general_purpose::STANDARD;
        let key = "AAAAC3NzaC1lZDI1NTE5AAAAIEBwwoq1LRYZL00szyIzDBwF1MbSQAKepI9br0zcDR7A";
        assert_eq!(
            fingerprint(&STANDARD.decode(key).unwrap()),
            "SHA256:3vmAj2Rz5P01Fs90GNNhH058eOzfl7q7QFAx9+Wr21k"
        );
    }

    #[test]
    fn the_file_and_its_folder_are_made_for_the_user_alone() {
        use std::os::unix::fs::MetadataExt;
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("ssh/known_hosts");
        open_to_append(&path).unwrap().write_all(b"x").unwrap();
        open_to_append(&path).unwrap().write_all(b"y").unwrap();
        assert_eq!(read(&path).unwrap(), "xy");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().mode() & 0o777, 0o700);
        assert_eq!(read(&base.path().join("none")).unwrap(), "");
    }
}
