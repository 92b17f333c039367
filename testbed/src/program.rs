//! The program under test: `token-ring`, built with the profile of the test itself.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The name of the package and of its program.
pub const NAME: &str = "token-ring";

/// Where the program is. The first call builds it, which takes no time if nothing has changed: an old one
/// would make the tests worthless.
///
/// # Panics
///
/// If it cannot be built.
pub fn path() -> PathBuf {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(build).clone()
}

fn build() -> PathBuf {
    // Tests and benches are in target/<profile>/deps.
    let this = std::env::current_exe().expect("a running program has a path");
    let folder = this.parent().and_then(|deps| deps.parent()).expect("it lies in target/*/deps");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--package", NAME]).current_dir(env!("CARGO_MANIFEST_DIR"));
    command.arg("--target-dir").arg(folder.parent().expect("the profile's folder lies in target"));
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    let status = command.status().expect("cargo can be run");
    assert!(status.success(), "{command:?} failed");
    let path = folder.join(NAME);
    assert!(path.is_file(), "there is no {} though it was built", path.display());
    path
}
