//! No circle of imports between files: whoever reads a file can read what it needs first, and then stop.
//!
//! A file imports another if it names something that stands there: by `use`, or by a path that begins with
//! `crate`, `self` or `super`. A name that a module only hands on is looked up where it stands. A module may
//! name the modules within it, and is named by them, without being on a circle for that.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{assert_none, code, files, folders, is, package_name, read, root};

/// The place of a module: `["run", "plan"]`; of the crate itself, nothing.
type Module = Vec<String>;

/// The files of a crate, by module.
struct Sources(BTreeMap<Module, Source>);

#[derive(Default)]
struct Source {
    /// The paths that are named there, from the crate on.
    named: Vec<Vec<String>>,
    /// What a name that was imported, or is handed on, means.
    imported: BTreeMap<String, Vec<String>>,
}

impl Sources {
    fn new<'a>(texts: impl IntoIterator<Item = (Module, &'a str)>) -> Self {
        Self(texts.into_iter().map(|(at, text)| (at.clone(), Source::read(&at, text))).collect())
    }

    /// The crate with this root file.
    fn of_crate(root: &Path) -> Self {
        let folder = root.parent().unwrap();
        let is_root = |path: &Path| {
            ["lib.rs", "main.rs"].iter().any(|name| path == folder.join(name)) && path != root
        };
        let sources = files(folder).into_iter().filter(|path| is(path, "rs") && !is_root(path));
        let texts: Vec<_> = sources.map(|path| (module(folder, &path), read(&path))).collect();
        Self::new(texts.iter().map(|(at, text)| (at.clone(), text.as_str())))
    }

    /// In which file what a path names stands.
    fn file_of(&self, path: &[String]) -> Module {
        let mut path = path.to_vec();
        // A name may be handed on a few times, and not for ever.
        for _ in 0..8 {
            let length = (0..=path.len()).rev().find(|&n| self.0.contains_key(&path[..n]));
            let (module, rest) = path.split_at(length.unwrap_or(0));
            let meant = rest.first().and_then(|name| self.0.get(module)?.imported.get(name));
            match meant {
                Some(meant) => path = [meant, &rest[1..]].concat(),
                None => return module.to_vec(),
            }
        }
        Vec::new()
    }

    /// Which other files each imports. What stands around it is no other.
    fn imports(&self) -> BTreeMap<&Module, BTreeSet<Module>> {
        let others = |at: &Module, source: &Source| {
            let others = source.named.iter().map(|path| self.file_of(path));
            others.filter(|other| !at.starts_with(other)).collect()
        };
        self.0.iter().map(|(at, source)| (at, others(at, source))).collect()
    }

    /// The circles: sets of modules each of which leads to each other.
    fn circles(&self) -> BTreeSet<BTreeSet<String>> {
        let imports = self.imports();
        let reached: BTreeMap<_, _> =
            imports.keys().map(|&from| (from, reached_from(from, &imports))).collect();
        let circle = |from: &Module| -> BTreeSet<String> {
            let back = reached[from].iter().filter(|to| reached[to].contains(from));
            back.map(|module| module.join("::")).collect()
        };
        reached.keys().map(|from| circle(from)).filter(|circle| !circle.is_empty()).collect()
    }
}

fn reached_from(from: &Module, imports: &BTreeMap<&Module, BTreeSet<Module>>) -> BTreeSet<Module> {
    let mut reached = BTreeSet::new();
    let mut waiting = vec![from.clone()];
    while let Some(at) = waiting.pop() {
        for to in imports.get(&at).into_iter().flatten() {
            if reached.insert(to.clone()) {
                waiting.push(to.clone());
            }
        }
    }
    reached
}

/// The module of a file: `run/plan.rs` and `run/plan/mod.rs` are the same.
fn module(folder: &Path, file: &Path) -> Module {
    let path = file.strip_prefix(folder).unwrap().with_extension("");
    let mut parts: Module = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if ["mod", "lib", "main"].contains(&parts.last().unwrap().as_str()) {
        parts.pop();
    }
    parts
}

// -----------------------------------------------------------------------------------------------
// Reading

impl Source {
    fn read(at: &Module, text: &str) -> Self {
        let mut source = Self::default();
        let text = without_tests(text);
        let mut rest = text.as_str();
        while let Some(word) = next_word(&mut rest) {
            let path = match word {
                "use" => {
                    let (tree, after) = rest.split_once(';').unwrap_or((rest, ""));
                    rest = after;
                    source.read_tree(at, &[], tree);
                    continue;
                }
                "crate" | "self" | "super" => path_from(word, &mut rest),
                _ => continue,
            };
            if path.len() > 1 {
                source.named.extend(absolute(at, &path));
            }
        }
        source
    }

    /// Reads what stands behind `use`: `super::{a, b::{self, C as D}}`.
    fn read_tree(&mut self, at: &Module, before: &[String], tree: &str) {
        let tree = tree.trim();
        let (path, group) = match tree.split_once('{') {
            Some((path, group)) => (path, group.trim_end().strip_suffix('}')),
            None => (tree, None),
        };
        let (path, name) = path.split_once(" as ").map_or((path, None), |(p, n)| (p, Some(n)));
        let parts = path.split("::").map(str::trim).filter(|part| !part.is_empty());
        let mut path: Vec<_> = before.iter().cloned().chain(parts.map(str::to_owned)).collect();
        if let Some(group) = group {
            branches(group).iter().for_each(|branch| self.read_tree(at, &path, branch));
            return;
        }
        if !before.is_empty() && path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        let Some(name) = name.map(str::trim).or(path.last().map(String::as_str)) else { return };
        if let Some(absolute) = absolute(at, &path) {
            self.imported.insert(name.to_owned(), absolute.clone());
            self.named.push(absolute);
        }
    }
}

/// The parts of a group that stand between its own commas.
fn branches(group: &str) -> Vec<&str> {
    let (mut depth, mut begin, mut parts) = (0, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&group[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&group[begin..]);
    parts.into_iter().filter(|part| !part.trim().is_empty()).collect()
}

/// A path from the crate on; none if it leads to another crate.
fn absolute(at: &Module, path: &[String]) -> Option<Vec<String>> {
    let mut place = match path.first()?.as_str() {
        "crate" => Vec::new(),
        "self" | "super" => at.clone(),
        _ => return None,
    };
    for part in path {
        match part.as_str() {
            "crate" | "self" | "*" => {}
            "super" => drop(place.pop()),
            part => place.push(part.to_owned()),
        }
    }
    Some(place)
}

/// The next word of a text, and what follows.
fn next_word<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let begin = rest.find(is_part)?;
    let text = &rest[begin..];
    let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
    *rest = &text[end..];
    Some(&text[..end])
}

/// The rest of a path that begins with this word.
fn path_from(word: &str, rest: &mut &str) -> Vec<String> {
    let mut path = vec![word.to_owned()];
    while let Some(after) = rest.strip_prefix("::") {
        let Some(word) = after.starts_with(char::is_alphabetic).then(|| {
            *rest = after;
            next_word(rest)
        }) else {
            break;
        };
        path.extend(word.map(str::to_owned));
    }
    path
}

/// The code of a file without comments, and without the module of its tests.
fn without_tests(text: &str) -> String {
    let mut kept = String::new();
    let mut is_test = false;
    let mut before = "";
    for (_, line) in code(text, "//") {
        is_test |= before == "#[cfg(test)]" && line.starts_with("mod ") && line.ends_with('{');
        if !is_test {
            kept.push_str(line);
            kept.push('\n');
        }
        is_test &= line != "}";
        before = line.trim_end();
    }
    kept
}

// -----------------------------------------------------------------------------------------------
// Tests

#[test]
fn there_is_no_circle_of_imports() {
    let mut found = Vec::new();
    for folder in [folders("crates"), folders("labs"), vec![root().join("testbed")]].concat() {
        for name in ["src/lib.rs", "src/main.rs"] {
            let root = folder.join(name);
            // A program beside a library has all its modules there.
            if root.exists() && (name == "src/lib.rs" || !folder.join("src/lib.rs").exists()) {
                let name = package_name(&folder);
                found.extend(
                    Sources::of_crate(&root).circles().into_iter().map(|c| (name.clone(), c)),
                );
            }
        }
    }
    let found = found.iter().map(|circle| format!("a circle of imports: {circle:?}"));
    assert_none(&found.collect::<Vec<_>>());
}

fn circles(texts: &[(&str, &str)]) -> Vec<String> {
    let module =
        |path: &str| path.split("::").filter(|p| !p.is_empty()).map(str::to_owned).collect();
    let sources = Sources::new(texts.iter().map(|(at, text)| (module(at), *text)));
    sources.circles().into_iter().map(|circle| Vec::from_iter(circle).join(", ")).collect()
}

#[test]
fn a_circle_is_found() {
    let two = [("a", "use crate::b::B;"), ("b", "fn f() { crate::a::g() }"), ("c", "")];
    assert_eq!(circles(&two), ["a, b"]);
    let three = [
        ("x::a", "use super::b::{self, B};"),
        ("x::b", "use crate::{x::c::C, y};"),
        ("x::c", "pub use super::a::A as Z;"),
        ("y", ""),
    ];
    assert_eq!(circles(&three), ["x::a, x::b, x::c"]);
    let through_what_is_within =
        [("a", "use crate::b::B;"), ("b", "mod c;\nuse self::c::C;"), ("b::c", "use crate::a::A;")];
    assert_eq!(circles(&through_what_is_within), ["a, b, b::c"]);
}

#[test]
fn a_name_that_is_handed_on_leads_to_where_it_stands() {
    let sources = [
        ("lab", "use crate::run::Launch;"),
        ("run", "mod plan;\npub use self::plan::{Launch, Plan};"),
        ("run::plan", "use crate::lab::Lab;"),
    ];
    assert_eq!(circles(&sources), ["lab, run::plan"]);
}

#[test]
fn what_is_no_circle_is_none() {
    let family = [("a", "mod b;\nuse self::b::B;"), ("a::b", "use super::A;\nuse crate::a::f;")];
    let one_way = [("a", "use crate::b::B;"), ("b", "use std::fs;\nuse other::a::A;")];
    let comment = [("a", "use crate::b::B;"), ("b", "/// As [`crate::a::A`].\nfn f() {}")];
    let tests =
        [("a", "use crate::b::B;"), ("b", "#[cfg(test)]\nmod tests {\n    use crate::a::A;\n}\n")];
    for sources in [family, one_way, comment, tests] {
        assert_eq!(circles(&sources), [""; 0], "{sources:?}");
    }
}
