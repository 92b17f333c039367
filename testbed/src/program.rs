//! The program under test: `token-ring`, built with the profile of the test itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// The program of most tests: its package and its name.
pub const NAME: &str = "token-ring";

/// The package of the tool `labs`; every other program has its package's name.
const TOOL: (&str, &str) = ("labs", "labs-tool");

/// Where the program of this name is. The first call builds it, which takes no time if nothing has changed: an
/// old one would make the tests worthless.
///
/// # Panics
///
/// If it cannot be built.
pub fn path(name: &str) -> PathBuf {
    static PATHS: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut paths = PATHS.lock().unwrap_or_else(PoisonError::into_inner);
    paths.entry(name.to_owned()).or_insert_with(|| build(name)).clone()
}

/// Runs a program and returns what it printed. Its exit status must be this one.
///
/// # Panics
///
/// If it cannot be run, or has another exit status.
pub fn run(name: &str, arguments: &[&str], folder: &Path, status: i32) -> Vec<u8> {
    let mut command = Command::new(path(name));
    let output = command.args(arguments).current_dir(folder).output().expect("it can be run");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{command:?}: {said}");
    output.stdout
}

fn build(name: &str) -> PathBuf {
    let package = if name == TOOL.0 { TOOL.1 } else { name };
    // Tests and benches are in target/<profile>/deps.
    let this = std::env::current_exe().expect("a running program has a path");
    let folder = this.parent().and_then(|deps| deps.parent()).expect("it lies in target/*/deps");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["build", "--quiet", "--package", package])
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    command.arg("--target-dir").arg(folder.parent().expect("the profile's folder lies in target"));
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    let status = command.status().expect("cargo can be run");
    assert!(status.success(), "{command:?} failed");
    let path = folder.join(name);
    assert!(path.is_file(), "there is no {} though it was built", path.display());
    path
}
