//! The programs under test, built with the profile of the test itself.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;

/// The program of most tests: its package and its name.
pub const NAME: &str = "token-ring";

/// Where a program is, by the name of its package. The first call builds it, which takes no time if nothing has
/// changed: an old one would make the tests worthless.
///
/// # Panics
///
/// If it cannot be built.
pub fn path(name: &str) -> PathBuf {
    static PATHS: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut paths = PATHS.lock().expect("nobody panicked while holding it");
    paths.entry(name.to_owned()).or_insert_with(|| build(name)).clone()
}

fn build(name: &str) -> PathBuf {
    // Tests and benches are in target/<profile>/deps.
    let this = std::env::current_exe().expect("a running program has a path");
    let folder = this.parent().and_then(|deps| deps.parent()).expect("it lies in target/*/deps");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--package", name]).current_dir(env!("CARGO_MANIFEST_DIR"));
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
