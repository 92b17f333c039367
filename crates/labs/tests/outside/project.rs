//! A cargo project in a temporary folder, which is no part of this workspace.
//!
//! The folder is cargo's own for tests, and the same each time: what is built of the project takes
//! the place of what was built before. It has a lock file of its own, a copy of the workspace's, and
//! the profiles of the workspace. So all libraries that the workspace was built with are used again,
//! from the same target folder; only the two crates of the workspace are built once more.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use labs::testing::Program;

/// The feature that the tests of a lab need. Its program is built with it too, and thus from the
/// same library.
const FEATURES: &str = "--features labs/testing";

/// A project whose package, library and program have one name.
pub(crate) struct Project {
    name: &'static str,
    folder: PathBuf,
}

impl Project {
    /// A project of these files, in which the library that the workspace has at `library` is found
    /// where it is.
    pub(crate) fn new(
        name: &'static str,
        library: &str,
        files: &BTreeMap<String, String>,
    ) -> Project {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        let project = Self { name, folder };
        for (path, text) in files {
            project.write(path, text);
        }
        let manifest = &files["Cargo.toml"];
        assert!(manifest.contains(library), "{manifest}");
        // Without SSH: it is not what is tested here, and OpenSSL would be built once more.
        let path = format!("path = {library:?}");
        let here = format!("path = {:?}, default-features = false", env!("CARGO_MANIFEST_DIR"));
        assert!(manifest.contains(&path), "the manifest names {library}");
        // The folder lies below that of the workspace: the project is one of its own.
        let manifest = format!("{}\n[workspace]\n", manifest.replace(&path, &here));
        project.write("Cargo.toml", &manifest);
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        project.write("Cargo.lock", &fs::read_to_string(root.join("Cargo.lock")).unwrap());
        let workspace = fs::read_to_string(root.join("Cargo.toml")).unwrap();
        let profiles = workspace.find("[profile.").expect("the workspace has profiles");
        project.write(".cargo/config.toml", &workspace[profiles..]);
        project
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A file as it is now.
    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.folder.join(path)).unwrap()
    }

    /// A path in its folder.
    pub(crate) fn path(&self, path: &str) -> String {
        self.folder.join(path).to_str().unwrap().to_owned()
    }

    /// Runs a line of a shell in the folder, and returns what it prints. It fails if the program
    /// says something else by its exit status than `violated`.
    pub(crate) fn run(&self, line: &str, violated: bool) -> String {
        let line = line.replace("cargo run", &format!("cargo run {FEATURES}"));
        let mut command = Command::new("sh");
        command.args(["-c", &line]).current_dir(&self.folder).env_remove("RUST_LOG");
        command.env_remove("UPDATE_GOLDENFILES").env("CARGO_INCREMENTAL", "0");
        command.env("CARGO_TARGET_DIR", target());
        command.env("CARGO_NET_OFFLINE", "true").env("CARGO_TERM_QUIET", "true");
        let output = command.output().unwrap();
        let (printed, said) = (String::from_utf8(output.stdout), String::from_utf8(output.stderr));
        let (printed, said) = (printed.unwrap(), said.unwrap());
        assert_eq!(output.status.code(), Some(i32::from(violated)), "{line}: {printed}{said}");
        printed
    }

    /// Builds its program.
    pub(crate) fn program(&self) -> Program {
        self.run(&format!("cargo build {FEATURES}"), false);
        let program = target().join("debug").join(self.name);
        Program(program.to_str().unwrap().to_owned().leak())
    }
}

/// The target folder of the workspace: this test is a file in it, two folders down.
fn target() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned()
}
