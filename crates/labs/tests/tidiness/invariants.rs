//! What ARCHITECTURE.md says that holds, is looked after: each sentence there has its test, or a reason why only
//! a reader can see it.

use std::path::{Path, PathBuf};

use super::{assert_none, code, files, folders, is, names, read, root};

/// What looks after a sentence.
enum Kept {
    /// Tests: each a file or folder and the name of a test there.
    By(&'static [(&'static str, &'static str)]),
    /// Whoever reads a change. No program can see it, for this reason.
    ByReaders(&'static str),
}

use Kept::{By, ByReaders};

/// The tests of these rules.
const HERE: &str = "crates/labs/tests/tidiness";

/// How each sentence of the section begins, and what looks after it.
const INVARIANTS: [(&str, Kept); 19] = [
    ("netkit does not know any algorithm", By(&[(HERE, "dependencies_point_one_way")])),
    (
        "No bytes from the network make netkit panic",
        By(&[
            ("crates/netkit/tests/allocation.rs", "decoding_random_bytes_takes_little_memory"),
            ("crates/netkit/tests/allocation.rs", "splitting_random_bytes_takes_what_arrived"),
            ("crates/netkit/tests/allocation.rs", "a_handshake_takes_little_memory"),
        ]),
    ),
    ("The event loop has one thread", By(&[(HERE, "the_event_loop_has_one_thread")])),
    ("`unsafe` stands in netkit", By(&[(HERE, "every_crate_but_netkit_forbids_unsafe_code")])),
    ("Algorithms do no I/O", By(&[(HERE, "clippy_forbids_algorithms_what_they_may_not_do")])),
    (
        "Only `run` and `cli` name netkit",
        By(&[(HERE, "only_run_and_cli_name_netkit"), (HERE, "all_else_is_pure")]),
    ),
    ("Handlers are called in one place", By(&[(HERE, "no_driver_calls_a_handler")])),
    (
        "All that a handler can depend on",
        By(&[(
            "crates/labs/src/replay/tests.rs",
            "a_simulated_run_happens_again_and_ends_in_the_same_states",
        )]),
    ),
    (
        "A property is written once",
        By(&[
            (HERE, "verdicts_know_no_driver_and_no_clock"),
            (HERE, "no_pattern_is_for_one_lab"),
            (HERE, "no_property_calls_its_algorithm"),
        ]),
    ),
    ("No verdict looks at a clock", By(&[(HERE, "verdicts_know_no_driver_and_no_clock")])),
    (
        "A page asks the network for nothing",
        By(&[
            (
                "crates/labs-tool/tests/view.rs",
                "a_page_lies_beside_its_trace_or_where_it_is_told_to",
            ),
            ("crates/labs/src/view/page/tests.rs", "no_text_of_a_trace_leaves_its_block"),
        ]),
    ),
    (
        "An observer cannot change a run",
        ByReaders(
            "an observer is given references only: the compiler sees that, and a reader the rest",
        ),
    ),
    (
        "No query of lab 02",
        By(&[("labs/02-fingerd/tests/smoke.rs", "what_is_no_login_is_refused_and_nothing_runs")]),
    ),
    ("The real client of lab 03", By(&[(HERE, "real_mail_is_ordered_as_it_is_checked")])),
    ("Labs do not depend on each other", By(&[(HERE, "labs_do_not_depend_on_each_other")])),
    ("No circle of imports", By(&[(HERE, "there_is_no_circle_of_imports")])),
    (
        "The secret of a run is on no command line",
        ByReaders("a secret may be written down in more ways than a test can look for"),
    ),
    (
        "A daemon does not outlive its launcher",
        By(&[(
            "labs/05-token-ring/tests/smoke.rs",
            "a_killed_launcher_leaves_nobody_not_even_who_is_stopped",
        )]),
    ),
    (
        "Every stage of a run has a deadline",
        By(&[
            ("testbed/tests/launching.rs", "a_machine_that_never_says_a_word_is_named"),
            ("testbed/tests/launching.rs", "a_machine_behind_a_pulled_cable_is_named"),
        ]),
    ),
];

/// The sentences of the section, each on one line.
fn sentences() -> Vec<String> {
    let text = read(&root().join("ARCHITECTURE.md"));
    let (_, section) = text.split_once("\n## What holds\n").expect("the section is there");
    let section = section.split("\n## ").next().unwrap_or_default();
    let items = section.split("\n- ").skip(1);
    items.map(|item| item.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn every_invariant_is_looked_after() {
    let sentences = sentences();
    let is_kept =
        |sentence: &String| INVARIANTS.iter().any(|(begin, _)| sentence.starts_with(begin));
    let is_said = |begin: &str| sentences.iter().any(|sentence| sentence.starts_with(begin));
    let mut wrong: Vec<_> =
        sentences.iter().filter(|sentence| !is_kept(sentence)).cloned().collect();
    for (begin, kept) in INVARIANTS {
        if !is_said(begin) {
            wrong.push(format!("ARCHITECTURE.md does not say it any more: {begin}"));
        }
        let tests = match kept {
            By(tests) => tests,
            ByReaders(why) => {
                assert!(!why.is_empty());
                continue;
            }
        };
        for (path, name) in tests {
            let path = root().join(path);
            let all = if path.is_dir() { files(&path) } else { vec![path] };
            if !all.iter().any(|path| read(path).contains(&format!("fn {name}("))) {
                wrong.push(format!("there is no test {name} in {all:?}: {begin}"));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn the_architecture_is_two_screens_and_names_every_lab_in_order() {
    let text = read(&root().join("ARCHITECTURE.md"));
    assert!(text.lines().count() <= 118, "{} lines", text.lines().count());
    let mut rest = text.as_str();
    for lab in folders("labs") {
        let name = format!("labs/{}", lab.file_name().unwrap().to_string_lossy());
        // Lab 05 stands in the picture above too.
        let map = rest.find("| lab |").unwrap_or(0);
        let at = rest[map..].find(&name).unwrap_or_else(|| panic!("{name} is not named, or late"));
        rest = &rest[map + at..];
    }
}

// -----------------------------------------------------------------------------------------------
// The tests of single sentences

/// The modules of `crates/labs` that name netkit.
const NAME_NETKIT: [&str; 2] = ["cli", "run"];

/// The modules of `crates/labs` that are not pure, beside these, and with what.
const IMPURE: [(&str, &[&str]); 6] = [
    ("check", &["std::net", "std::thread", "std::time::Instant"]),
    ("misstep", &["std::thread", "std::time::Instant"]),
    ("plot", &["std::fs"]),
    ("shared_file", &["std::fs"]),
    ("script", &["std::fs"]),
    ("testing", &["std::fs", "std::thread", "std::process", "std::time::Instant"]),
];

/// What is not pure.
const DOORS: [&str; 6] = [
    "std::net",
    "std::fs",
    "std::thread",
    "std::process",
    "std::time::Instant",
    "std::time::SystemTime",
];

/// The files of `crates/labs` without tests, each with its topmost module.
fn sources() -> Vec<(String, PathBuf)> {
    let source = root().join("crates/labs/src");
    let module = |path: &Path| {
        let first = path.strip_prefix(&source).unwrap().iter().next().unwrap();
        Path::new(first).file_stem().unwrap().to_string_lossy().into_owned()
    };
    let is_test = |path: &Path| path.iter().any(|part| part == "tests" || part == "tests.rs");
    let sources = files(&source).into_iter().filter(|path| is(path, "rs") && !is_test(path));
    sources.map(|path| (module(&path), path)).collect()
}

/// The code of a file above its tests.
fn code_of(path: &Path) -> Vec<(usize, String)> {
    let text = read(path);
    let above = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    code(above, "//").map(|(number, line)| (number, line.to_owned())).collect()
}

/// Which of these words stand in a line. A list of imports counts for each: `std::time::{Duration, Instant}`.
fn doors(line: &str) -> Vec<&'static str> {
    let is_there = |door: &&&str| {
        let (folder, name) = door.rsplit_once("::").unwrap();
        let listed = line.split_once(&format!("{folder}::{{"));
        names(line, door) || listed.is_some_and(|(_, list)| names(list, name))
    };
    DOORS.iter().filter(is_there).copied().collect()
}

/// Whether a line imports what does nothing by itself: the status with which a program ends, an address.
fn is_value(line: &str) -> bool {
    ["use std::process::ExitCode;", "use std::net::SocketAddr;"].contains(&line)
}

#[test]
fn only_run_and_cli_name_netkit() {
    let mut wrong = Vec::new();
    for (module, path) in sources() {
        if NAME_NETKIT.contains(&module.as_str()) {
            continue;
        }
        let is_files = |line: &str| module == "lib" && line == "pub use netkit::files;";
        let lines = code_of(&path).into_iter();
        let lines = lines.filter(|(_, line)| names(line, "netkit") && !is_files(line));
        wrong.extend(lines.map(|(number, line)| format!("{}:{number}: {line}", path.display())));
    }
    assert_none(&wrong);
}

#[test]
fn all_else_is_pure() {
    let (mut wrong, mut used) = (Vec::new(), Vec::new());
    let mut pure = 0;
    for (module, path) in sources() {
        if NAME_NETKIT.contains(&module.as_str()) {
            continue;
        }
        pure += 1;
        let allowed = IMPURE.iter().find(|(name, _)| *name == module).map_or(&[][..], |(_, d)| d);
        for (number, line) in code_of(&path) {
            for door in doors(&line) {
                match allowed.contains(&door) || is_value(&line) {
                    true => used.push((module.clone(), door)),
                    false => wrong.push(format!("{}:{number}: {line}", path.display())),
                }
            }
        }
    }
    assert!(pure > 60, "only {pure} files were looked at");
    for (module, allowed) in IMPURE {
        let unused = allowed.iter().filter(|d| !used.contains(&(module.to_owned(), *d)));
        wrong.extend(unused.map(|door| format!("{module} needs no {door} any more")));
    }
    assert_none(&wrong);
}

#[test]
fn what_is_not_pure_is_seen() {
    assert_eq!(doors("use std::time::{Duration, Instant};"), ["std::time::Instant"]);
    assert_eq!(doors("use std::{fs, io};"), ["std::fs"]);
    assert_eq!(doors("    std::thread::spawn(work);"), ["std::thread"]);
    assert_eq!(doors("use std::time::Duration;"), [""; 0]);
}

#[test]
fn no_driver_calls_a_handler() {
    const HANDLERS: [&str; 4] = [".on_init(", ".on_request(", ".on_message(", ".on_timeout("];
    let mut wrong = Vec::new();
    let mut calls = 0;
    for (module, path) in sources() {
        for (number, line) in code_of(&path) {
            // A handler gets its context; other methods may have such a name too.
            let is_call = |handler| {
                line.split_once(handler).is_some_and(|(_, given)| given.starts_with("ctx"))
            };
            if !HANDLERS.into_iter().any(is_call) {
                continue;
            }
            match module.as_str() {
                "process" => calls += 1,
                // A layer has handlers of its own.
                "run" | "simulate" | "check" | "script" | "replay" | "cli" => {
                    wrong.push(format!("{}:{number}: {line}", path.display()));
                }
                _ => {}
            }
        }
    }
    assert_eq!(calls, HANDLERS.len(), "each handler is called once");
    assert_none(&wrong);
}

#[test]
fn verdicts_know_no_driver_and_no_clock() {
    const UNKNOWN: [&str; 5] = ["run::", "simulate::", "check::", "script::", "at_us"];
    let mut wrong = Vec::new();
    for (_, path) in sources().into_iter().filter(|(module, _)| module == "verdict") {
        for (number, line) in code_of(&path) {
            if UNKNOWN.iter().any(|word| line.contains(word)) {
                wrong.push(format!("{}:{number}: {line}", path.display()));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn clippy_forbids_algorithms_what_they_may_not_do() {
    let forbidden = |folder: &Path| {
        let text = read(&folder.join("clippy.toml"));
        let paths = text.lines().filter_map(|line| line.split("path = \"").nth(1));
        let mut paths: Vec<_> =
            paths.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())).collect();
        paths.sort();
        paths
    };
    let ours = forbidden(&root().join("crates/labs"));
    for path in ["std::time::Instant::now", "std::thread::sleep", "std::collections::HashMap"] {
        assert!(ours.iter().any(|other| other == path), "{path} is not forbidden");
    }
    for lab in folders("labs") {
        if read(&lab.join("src/main.rs")).contains("labs::cli::main") {
            let theirs = forbidden(&lab);
            let missing: Vec<_> = ours.iter().filter(|path| !theirs.contains(path)).collect();
            assert!(missing.is_empty(), "{} lacks {missing:?}", lab.display());
        }
    }
}

/// `thread::spawn` panics where an account has no more processes; `netkit::threads` says so.
#[test]
fn threads_are_started_where_they_may_be_refused() {
    let is_test = |path: &Path| {
        path.iter().any(|part| part == "tests" || part == "tests.rs" || part == "testing")
    };
    let crates = ["crates/netkit", "crates/labs", "crates/labs-tool"].map(|name| root().join(name));
    let mut wrong = Vec::new();
    for folder in folders("labs").into_iter().chain(crates) {
        let sources = files(&folder.join("src")).into_iter();
        for path in sources.filter(|path| is(path, "rs") && !is_test(path)) {
            for (number, line) in code_of(&path) {
                if line.contains("thread::spawn(") || line.contains("scope.spawn(") {
                    wrong.push(format!("{}:{number}: {line}", path.display()));
                }
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn the_event_loop_has_one_thread() {
    let net = root().join("crates/netkit/src");
    let mut wrong = Vec::new();
    for path in [vec![net.join("net.rs")], files(&net.join("net"))].concat() {
        for (number, line) in code_of(&path) {
            if line.contains("thread::") || line.contains("::sleep") {
                wrong.push(format!("{}:{number}: {line}", path.display()));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn real_mail_is_ordered_as_it_is_checked() {
    let source = root().join("labs/03-causal-mail/src");
    for path in ["causal_mail.rs", "post/client.rs"] {
        let code = code_of(&source.join(path));
        assert!(code.iter().any(|(_, line)| line.contains("crate::ordering")), "{path}");
    }
}
