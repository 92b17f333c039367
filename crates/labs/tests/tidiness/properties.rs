//! Properties stand where they belong: those of one lab beside its algorithm, which they do not call, and those
//! of several in the patterns.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{assert_none, code, files, folders, is, read, root};

/// Patterns that fewer than two places use, until the labs come that want them.
const WAITING: [&str; 3] = ["never", "precedes", "agree"];

/// Functions of lab 07 that say what an indication says, and that its properties still call.
const STILL_CALLED: [(&str, &str); 2] = [("Indication", "change"), ("List", "name")];

/// The code of a file above its tests, each line with its number.
fn code_above_tests(text: &str) -> Vec<(usize, &str)> {
    code(text.split("\n#[cfg(test)]\n").next().unwrap_or_default(), "//").collect()
}

/// The files of a lab, with and without those of its properties.
fn sources(lab: &Path) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let source = lab.join("src");
    let is_property = |path: &PathBuf| {
        let first = path.strip_prefix(&source).unwrap().iter().next().unwrap();
        Path::new(first).file_stem().unwrap() == "properties"
    };
    let is_source = |path: &PathBuf| is(path, "rs") && !path.ends_with("tests.rs");
    files(&source).into_iter().filter(is_source).partition(is_property)
}

/// The types that are processes: `impl Process for TokenRing` makes one of `TokenRing`.
fn processes(text: &str) -> BTreeSet<String> {
    let of = text.lines().filter_map(|line| line.split_once(" Process for "));
    of.map(|(_, name)| name.split(|c: char| !c.is_alphanumeric()).next().unwrap().to_owned())
        .collect()
}

/// The paths that a text names behind `crate::`, but for those of properties.
fn borrowed(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    for part in text.split("crate::").skip(1) {
        let path = part.split(';').next().unwrap_or_default();
        let path = match path.split_once('{') {
            Some((before, list)) if !before.contains(char::is_whitespace) => {
                let list = list.split('}').next().unwrap_or_default();
                list.split(',').map(|name| format!("{before}{}", name.trim())).collect()
            }
            _ => vec![path.to_owned()],
        };
        let end = |c: char| !(c.is_alphanumeric() || c == '_' || c == ':');
        let paths = path.iter().map(|path| path.split(end).next().unwrap_or_default());
        all.extend(paths.filter(|p| !p.ends_with("::") && !p.is_empty()).map(str::to_owned));
    }
    all.retain(|path| !path.starts_with("properties"));
    all
}

/// The functions that types have of their own, those of traits left out: a type and a name.
fn methods(text: &str) -> BTreeSet<(String, String)> {
    let mut all = BTreeSet::new();
    let mut of: Option<String> = None;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("impl") {
            let bound = rest.strip_prefix('<').and_then(|rest| rest.split_once("> "));
            let name = bound.map_or(rest, |(_, name)| name).trim_start();
            let name = name.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
            of = (!rest.contains(" for ")).then(|| name.to_owned());
        }
        let name = line.split_once("fn ").and_then(|(before, rest)| {
            let is_method = before.starts_with("    ") && !before.contains("//");
            is_method.then(|| rest.split(|c: char| !(c.is_alphanumeric() || c == '_')).next())?
        });
        if let (Some(of), Some(name)) = (&of, name) {
            all.insert((of.clone(), name.to_owned()));
        }
        if line == "}" {
            of = None;
        }
    }
    all
}

/// The code of a lab beside its properties.
#[derive(Default)]
struct Algorithm {
    processes: BTreeSet<String>,
    methods: BTreeSet<(String, String)>,
}

impl Algorithm {
    fn read<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let mut this = Self::default();
        for text in texts {
            this.processes.extend(processes(text));
            this.methods.extend(methods(text));
        }
        this
    }
}

/// What is wrong with the code of a property: it may name messages, indications, timers, options and
/// constants of its lab's algorithm, which are data, and call nothing.
fn calls(text: &str, Algorithm { processes, methods }: &Algorithm) -> Vec<String> {
    let lines: Vec<_> = code_above_tests(text).into_iter().map(|(_, line)| line).collect();
    let text = lines.join("\n");
    let mut wrong = Vec::new();
    for path in borrowed(&text) {
        let name = path.rsplit("::").next().unwrap();
        let is_data = name.starts_with(char::is_uppercase) && !processes.contains(name);
        if !is_data {
            wrong.push(format!("it names {path}, which is code of the algorithm"));
        }
        // A variant is a value; what begins with a small letter is called.
        let prefix = format!("{name}::");
        let called = text.match_indices(&prefix).filter(|(at, found)| {
            text[at + found.len()..].starts_with(char::is_lowercase) && is_data
        });
        wrong.extend(called.map(|_| format!("it calls a function of {path}")));
        let is_known = |(of, method): &&(String, String)| {
            STILL_CALLED.contains(&(of.as_str(), method.as_str()))
        };
        let own = methods.iter().filter(|own| own.0 == name && !is_known(own));
        let called = own.filter(|(_, method)| text.contains(&format!(".{method}(")));
        wrong.extend(called.map(|(_, method)| format!("it may call {path}::{method}")));
    }
    wrong
}

#[test]
fn no_property_calls_its_algorithm() {
    let (mut wrong, mut looked_at) = (Vec::new(), 0);
    for lab in folders("labs") {
        let (properties, others) = sources(&lab);
        let others: Vec<_> = others.iter().map(|path| read(path)).collect();
        let algorithm = Algorithm::read(others.iter().map(String::as_str));
        for path in properties {
            looked_at += 1;
            let found = calls(&read(&path), &algorithm).into_iter();
            wrong.extend(found.map(|what| format!("{}: {what}", path.display())));
        }
    }
    assert!(looked_at > 0, "no lab has a property of its own");
    assert_none(&wrong);
}

#[test]
fn a_property_that_calls_its_algorithm_is_found() {
    let ring =
        "impl Process for Ring {\n}\n\nimpl<N: Ord> Elect<N> {\n    pub fn prefers(self) {}\n}\n";
    let algorithm = Algorithm::read([ring].into_iter());
    let found = |text: &str| calls(text, &algorithm).len();
    assert_eq!(found("use crate::ring::Elect;\nfn f(elect: Elect) { elect.prefers() }"), 1);
    assert_eq!(found("use crate::ring::Elect;\nfn f(elect: Elect) { elect.other() }"), 0);
    assert_eq!(found("use crate::ring::Order;\nfn f(order: Order) { order.prefers() }"), 0);
    assert_eq!(found("use crate::ring::{Indication, TOKEN};\nuse labs::text::counted;\n"), 0);
    assert_eq!(found("use crate::ring::Indication;\nfn f() { Indication::Entered; }"), 0);
    assert_eq!(found("use crate::ring::{Indication, watcher};"), 1);
    assert_eq!(found("fn f() { crate::ring::watcher(1) }"), 1);
    assert_eq!(found("use crate::ring::Ring;"), 1);
    assert_eq!(found("use crate::ring::Indication;\nfn f() { Indication::of(1); }"), 1);
    assert_eq!(found("use crate::properties::book::first_of;"), 0);
    assert_eq!(found("// crate::ring::watcher\n\n#[cfg(test)]\nmod t { crate::ring::f() }"), 0);
}

/// The names of the constructors of patterns.
fn patterns() -> Vec<String> {
    let text = read(&root().join("crates/labs/src/verdict/property/general.rs"));
    let names = text.split("    pub fn ").skip(1).map(|rest| rest.split('(').next().unwrap());
    let names: Vec<_> = names.map(str::to_owned).collect();
    assert!(names.len() > 9, "{names:?}");
    names
}

/// Where patterns are used, each place once: labs, the example, the description, tests of several crates.
fn places() -> Vec<String> {
    let mut places: Vec<_> = folders("labs");
    let others = ["crates/labs/examples", "crates/labs/tests", "crates/labs/benches", "testbed"];
    places.extend(others.map(|place| root().join(place)));
    let sources = |place: &PathBuf| {
        let sources = files(place).into_iter().filter(|path| is(path, "rs"));
        sources.map(|path| read(&path)).collect()
    };
    let description = read(&root().join("docs/writing-a-lab.md"));
    places.iter().map(sources).chain([description]).collect()
}

#[test]
fn no_pattern_is_for_one_lab() {
    let places = places();
    let mut wrong = Vec::new();
    for name in patterns() {
        let call = format!("Property::{name}(");
        let users = places.iter().filter(|text| text.contains(&call)).count();
        match (users > 1, WAITING.contains(&name.as_str())) {
            (false, false) => wrong.push(format!("{call}) is used in {users} places")),
            (true, true) => wrong.push(format!("{call}) is used: take it off the list")),
            _ => {}
        }
    }
    assert_none(&wrong);
}

/// What the smallest lab says of itself, beside its algorithm and its options.
const LAB_LINES_MAX: usize = 30;

#[test]
fn the_smallest_lab_is_small() {
    let text = read(&root().join("crates/labs/examples/greet.rs"));
    let (_, lab) = text.split_once("impl Lab for ").expect("it is a lab");
    let lab = lab.split("\n}").next().unwrap_or_default();
    let lines = lab.lines().filter(|line| !line.trim().is_empty()).count() + 1;
    assert!((10..=LAB_LINES_MAX).contains(&lines), "{lines} lines");
}
