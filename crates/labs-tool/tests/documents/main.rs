//! The commands of all documents, run as they stand there: what they print is compared with what the
//! document says that they print. Section 2 of CONTRIBUTING.md says how a block is written and
//! marked.

mod markdown;
mod mask;
mod run;
mod session;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};
use run::Document;

/// How many blocks may be not run, or not compared, each with its reason: so many there are. A
/// larger number is a decision.
const LEFT_OUT_MAX: usize = 35;

/// Where documents are, below the root: folders, and folders of folders.
const FOLDERS: [&str; 2] = [".", "docs"];
const FOLDERS_OF_FOLDERS: [&str; 3] = ["crates", "labs", "tools"];

/// With this in the environment no test is left out, for lack of namespaces or of programs of others:
/// `.ci/run` sets it.
pub(crate) const ALL: &str = "DOCUMENTS";

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let programs = this_programs_folder();
    let mut possible = session::are_possible(&programs);
    if std::env::var_os(ALL).is_some() {
        possible = Ok(());
    }
    if let Err(reason) = &possible {
        eprintln!("commands of documents are not run: {reason}");
    } else if !arguments.list {
        build_programs(&programs);
    }
    let mut tests = unit_tests();
    tests.extend(documents().into_iter().map(|name| {
        let programs = programs.clone();
        let test = Trial::test(name.clone(), move || is_true(&name, &programs));
        test.with_ignored_flag(possible.is_err())
    }));
    libtest_mimic::run(&arguments, tests).exit_code()
}

fn unit_tests() -> Vec<Trial> {
    let unit = |name: &str, test: fn()| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    };
    vec![
        unit("blocks_and_marks_are_found", markdown::blocks_and_marks_are_found),
        unit(
            "what_differs_from_run_to_run_is_masked",
            mask::what_differs_from_run_to_run_is_masked,
        ),
        unit(
            "what_is_the_same_each_time_is_compared",
            mask::what_is_the_same_each_time_is_compared,
        ),
        unit("few_blocks_are_left_out", few_blocks_are_left_out),
    ]
}

fn is_true(name: &str, programs: &Path) -> Result<(), Failed> {
    let errors = Document::read(&repository(), name)?.errors(programs);
    if errors.is_empty() { Ok(()) } else { Err(errors.join("\n\n").into()) }
}

fn few_blocks_are_left_out() {
    let count = |name: String| {
        let document = Document::read(&repository(), &name).expect("it is understood");
        document.blocks.iter().filter(|block| block.is_left_out()).count()
    };
    let left_out: usize = documents().into_iter().map(count).sum();
    assert!(left_out <= LEFT_OUT_MAX, "{left_out} blocks are left out, of {LEFT_OUT_MAX} at most");
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("it is there")
}

/// The paths of all documents in the repository.
fn documents() -> Vec<String> {
    let root = repository();
    let entries = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).expect("the folder is there");
        entries.map(|entry| entry.expect("it can be read").path()).collect()
    };
    let folders = FOLDERS.map(|folder| root.join(folder)).into_iter();
    let deeper = FOLDERS_OF_FOLDERS.iter().flat_map(|folder| entries(&root.join(folder)));
    let folders = folders.chain(deeper.filter(|path| path.is_dir())).chain([root.join("testbed")]);
    let files = folders.flat_map(|folder| entries(&folder));
    let mut names: Vec<String> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .map(|path| path.strip_prefix(&root).expect("it is below").display().to_string())
        .collect();
    names.sort();
    names
}

/// The folder of the programs that are built with the profile of this test.
fn this_programs_folder() -> PathBuf {
    let this = std::env::current_exe().expect("a running program has a path");
    let folder = this.parent().and_then(Path::parent).expect("it lies in target/*/deps");
    folder.to_owned()
}

/// Builds all programs, which takes no time if nothing has changed: old ones would make the test
/// worthless.
fn build_programs(programs: &Path) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--workspace", "--bins"]).current_dir(repository());
    command
        .arg("--target-dir")
        .arg(programs.parent().expect("the profile's folder lies in target"));
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    let status = command.status().expect("cargo can be run");
    assert!(status.success(), "{command:?} failed");
}
