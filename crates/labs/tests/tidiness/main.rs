//! What holds of the workspace as a whole, and of no crate by itself: rules that are easily broken by one line
//! in another place, and that no compiler looks at.

mod circles;
mod help;
mod invariants;
mod properties;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What fits a screen.
const MAIN_LINES_MAX: usize = 40;

/// The kinds of tests of a lab that has an algorithm.
const KINDS: [&str; 6] = ["broken", "check", "hunt", "script", "simulation", "smoke"];

/// The kinds of tests of a lab that is a client and a server and has no algorithm.
const KINDS_WITHOUT_ALGORITHM: [&str; 1] = ["smoke"];

/// Where every package of `Cargo.lock` comes from that is not of the workspace.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Parts of paths and host names that mean something on one machine only. They are written in two
/// parts, or this file would contain them.
const OF_ONE_MACHINE: [&str; 7] = [
    concat!("/Us", "ers/"),
    concat!("/wo", "rk/"),
    concat!("artifact", "ory"),
    concat!("index.crat", "es.io"),
    concat!("static.crat", "es.io"),
    concat!("sparse", "+http"),
    concat!(".inter", "nal/"),
];

/// Files that are read as text.
const TEXT: [&str; 10] = ["c", "json", "lock", "md", "mk", "py", "rs", "sh", "toml", "txt"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The folders in `folder`, in order; at least one, so that no rule holds of nothing.
fn folders(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<_> = entries.filter(|path| path.join("Cargo.toml").exists()).collect();
    folders.sort();
    assert!(!folders.is_empty(), "nothing in {folder}");
    folders
}

/// All files below a folder that belong to the repository.
fn files(folder: &Path) -> Vec<PathBuf> {
    const SKIPPED: [&str; 5] = [".git", "artifacts", "corpus", "coverage", "target"];
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        let kind = entry.file_type().unwrap();
        if SKIPPED.iter().any(|skipped| name == *skipped) {
            continue;
        }
        if kind.is_dir() {
            files.extend(self::files(&entry.path()));
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    files.sort();
    files
}

fn is(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|other| other == extension)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The lines of a file with what a reader of code sees, each with its number: without comments.
fn code<'a>(text: &'a str, comment: &str) -> impl Iterator<Item = (usize, &'a str)> {
    let lines = text.lines().map(move |line| line.split(comment).next().unwrap_or(""));
    (1..).zip(lines).collect::<Vec<_>>().into_iter()
}

/// Whether a line contains a word, and not only as a part of a longer one.
fn names(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(is_part) && !line[at + word.len()..].starts_with(is_part)
    })
}

fn package_name(folder: &Path) -> String {
    let manifest = read(&folder.join("Cargo.toml"));
    let line = manifest.lines().find_map(|line| line.strip_prefix("name = \""));
    line.and_then(|rest| rest.split('"').next()).expect("a package has a name").to_owned()
}

/// All that breaks a rule is told at once.
fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn labs_do_not_depend_on_each_other() {
    let labs: BTreeMap<_, _> =
        folders("labs").into_iter().map(|folder| (package_name(&folder), folder)).collect();
    let mut wrong = Vec::new();
    for (own, folder) in &labs {
        let path = folder.join("Cargo.toml");
        let manifest = read(&path);
        for (number, line) in code(&manifest, "#") {
            let other = labs.keys().find(|other| *other != own && names(line, other));
            if other.is_some() || (line.contains("path") && line.contains("../")) {
                wrong.push(format!("{}:{number}: {line}", path.display()));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn dependencies_point_one_way() {
    let manifest = read(&root().join("crates/netkit/Cargo.toml"));
    let up = code(&manifest, "#").filter(|(_, line)| names(line, "labs"));
    assert_none(&up.map(|(number, line)| format!("netkit:{number}: {line}")).collect::<Vec<_>>());
}

#[test]
fn labs_are_made_alike() {
    let mut wrong = Vec::new();
    for folder in folders("labs") {
        let main = folder.join("src/main.rs");
        let text = read(&main);
        let lines = text.lines().count();
        if lines > MAIN_LINES_MAX {
            wrong.push(format!("{}: {lines} lines are more than a screen", main.display()));
        }
        let kinds = match text.contains("labs::cli::main") {
            true => &KINDS[..],
            false => &KINDS_WITHOUT_ALGORITHM,
        };
        let mut wanted = vec![(folder.join("README.md"), "## ")];
        wanted.extend(kinds.iter().map(|k| (folder.join(format!("tests/{k}.rs")), "#[test]")));
        for (path, content) in wanted {
            match fs::read_to_string(&path) {
                Err(error) => wrong.push(format!("{}: {error}", path.display())),
                Ok(text) if !text.contains(content) => {
                    wrong.push(format!("{}: there is no {content:?} in it", path.display()));
                }
                Ok(_) => {}
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn every_crate_but_netkit_forbids_unsafe_code() {
    let mut wrong = Vec::new();
    let all = [folders("crates"), folders("labs"), vec![root().join("testbed")]];
    for folder in all.into_iter().flatten() {
        if package_name(&folder) == "netkit" {
            continue;
        }
        let source = folder.join("src");
        let mut roots = vec![source.join("lib.rs"), source.join("main.rs")];
        if source.join("bin").exists() {
            roots.extend(files(&source.join("bin")));
        }
        roots.retain(|root| root.exists());
        assert!(!roots.is_empty(), "{} has neither lib.rs nor main.rs", source.display());
        roots.retain(|root| !read(root).lines().any(|line| line == "#![forbid(unsafe_code)]"));
        wrong.extend(roots.iter().map(|root| root.display().to_string()));
    }
    assert_none(&wrong);
}

#[test]
fn nothing_names_one_machine() {
    let root = root();
    // Where this checkout is, and the home of who looks at it. A folder right below `/` has a name that
    // other paths contain.
    let own: Vec<_> = [Some(root.clone()), std::env::home_dir()]
        .into_iter()
        .flatten()
        .filter(|folder| folder.components().count() > 2)
        .map(|folder| folder.display().to_string())
        .collect();
    let mut wrong = Vec::new();
    for path in files(&root) {
        let is_text = TEXT.iter().any(|text| is(&path, text));
        if !is_text && path.extension().is_some() {
            continue;
        }
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for (number, line) in (1..).zip(text.lines()) {
            let mut parts = own.iter().map(String::as_str).chain(OF_ONE_MACHINE);
            if parts.any(|part| line.contains(part)) {
                wrong.push(format!("{}:{number}: {line}", path.display()));
            }
            let source = line.strip_prefix("source = \"").filter(|_| is(&path, "lock"));
            if source.is_some_and(|source| source.trim_end_matches('"') != REGISTRY) {
                wrong.push(format!("{}:{number}: {line}", path.display()));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn relative_links_lead_somewhere() {
    let root = root();
    let mut links = 0;
    let mut wrong = Vec::new();
    for path in files(&root).iter().filter(|path| is(path, "md")) {
        for (number, target) in relative_links(&read(path)) {
            links += 1;
            let file = target.split('#').next().unwrap_or("");
            if !path.parent().unwrap().join(file).exists() {
                wrong.push(format!("{}:{number}: {target}", path.display()));
            }
        }
    }
    assert!(links > 0, "no document links to another");
    assert_none(&wrong);
}

/// The links of a text to other files, with the numbers of their lines; code blocks have none.
fn relative_links(text: &str) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    let mut is_code = false;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        }
        for part in line.split("](").skip(1).filter(|_| !is_code) {
            let target = part.split([')', ' ']).next().unwrap_or("");
            if !target.contains("://") && !target.starts_with(['#', '<']) && !target.is_empty() {
                links.push((number, target.to_owned()));
            }
        }
    }
    links
}

#[test]
fn links_are_found() {
    let text =
        "[a](b.md) and [c](d/e.md#f)\n[g](https://h) [i](#j)\n```\n[k](l.md)\n```\n[m](n \"o\")\n";
    let links = relative_links(text);
    let expected = [(1, "b.md"), (1, "d/e.md#f"), (6, "n")];
    assert_eq!(links, expected.map(|(number, target)| (number, target.to_owned())));
}
