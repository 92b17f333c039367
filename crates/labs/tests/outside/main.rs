//! Labs in repositories of their own, which depend on this crate by its path: nothing here knows
//! them.

mod document;
mod project;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use document::{Document, masked};
use labs::testing::{Program, Ran};
use project::Project;
use serde_json::Value;

/// The most lines of code of the smallest `lab.rs`.
const LAB_LINES_MAX: usize = 30;

/// The lab in the document is built from the document, and its commands print what stands there.
#[test]
fn the_document_is_a_lab() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/writing-a-lab.md");
    let Document { files, commands } = Document::cut(&fs::read_to_string(path).unwrap());
    let lines = code_lines(&files["src/lab.rs"]);
    assert!(lines <= LAB_LINES_MAX, "src/lab.rs has {lines} lines of code");
    let project = Project::new("hello", "../workbench/crates/labs", &files);
    assert!(commands.iter().any(|(command, _)| command == "cargo test"), "{commands:?}");
    for (command, expected) in &commands {
        let expected = expected.as_deref();
        let printed = project.run(command, expected.is_some_and(|text| text.contains("VIOLATED")));
        if let Some(expected) = expected {
            assert_eq!(masked(&printed), masked(expected), "{command}:\n{printed}");
        }
    }
    for (path, text) in files.iter().filter(|(path, _)| path.starts_with("tests/scripts/")) {
        assert_eq!(project.read(path), *text, "{path}");
    }
    the_smallest_lab_runs_in_all_worlds(project.program());
}

fn the_smallest_lab_runs_in_all_worlds(program: Program) {
    for verb in ["run", "simulate", "check"] {
        let ran = program.ran(&[verb, "--timeout", "20"]);
        assert!(ran.holds(), "{}", ran.report);
        let ran = program.ran(&[verb, "--timeout", "1", "--broken", "does-not-listen"]);
        // A real run waits in vain for p1.
        let (status, holds) = if verb == "run" { (2, Value::Null) } else { (1, false.into()) };
        assert_eq!((ran.status, ran.verdict("everyone hears once")), (status, &holds), "{verb}");
    }
}

/// Without blank lines and comments.
fn code_lines(text: &str) -> usize {
    let is_code = |line: &&str| !line.is_empty() && !line.starts_with("//");
    text.lines().map(str::trim).filter(is_code).count()
}

/// Each mistake of the second lab, and the property that is there for it.
const MISTAKES: [(&str, &str); 3] = [
    ("always-agrees", "earlier requests come first"),
    ("enters-early", "mutual exclusion"),
    ("forgets-others", "every request is served"),
];

/// A lab brings its own property, mistakes and predictions.
#[test]
fn ricart_and_agrawala_need_no_edit_here() {
    let project = Project::new("ricart-agrawala", "../../..", &ricart_agrawala());
    let program = project.program();
    for processes in [2, 3, 5_u64] {
        let n = processes.to_string();
        for verb in ["run", "simulate"] {
            let ran = program.ran(&[verb, "--entries", "3", "--processes", &n]);
            assert!(ran.holds(), "{}", ran.report);
            for kind in ["ASK", "AGREE"] {
                let counts = &ran.report["messages"][kind];
                assert_eq!(counts["measured"], 3 * processes * (processes - 1), "{verb} {kind}");
                assert_eq!(counts["predicted"], counts["measured"], "{verb} {kind}");
            }
        }
    }
    for order in [&["check", "--entries", "2"][..], &["check", "--unordered"]] {
        assert!(program.ran(order).holds(), "{order:?}");
    }
    mistakes_are_caught(program);
    messages_are_read_without_a_trace(program);
    traces_are_judged_again(program, &project);
}

fn ricart_agrawala() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/outside/ricart-agrawala");
    let names = ["main", "ricart_agrawala", "ricart_agrawala/mistake", "properties", "lab"];
    let paths = names.map(|name| format!("src/{name}.rs")).into_iter();
    let paths = paths.chain(["Cargo.toml".to_owned()]);
    paths.map(|path| (path.clone(), fs::read_to_string(folder.join(path)).unwrap())).collect()
}

fn mistakes_are_caught(program: Program) {
    for (mistake, property) in MISTAKES {
        for verb in ["check", "simulate"] {
            let ran = program.ran(&[verb, "--broken", mistake]);
            assert_eq!((ran.status, ran.verdict(property)), (1, &false.into()), "{}", ran.report);
        }
    }
}

/// A run keeps what messages say for a property that reads them, even without a trace.
fn messages_are_read_without_a_trace(program: Program) {
    for (mistake, holds) in [(&[][..], true), (&["--broken", "always-agrees"], false)] {
        let ran = program.ran(&[&["run", "--entries", "3"], mistake].concat());
        assert_eq!(ran.verdict("earlier requests come first"), holds, "{}", ran.report);
    }
}

/// The trace of a run over sockets holds all that the lab's own property reads.
fn traces_are_judged_again(program: Program, project: &Project) {
    for (mistake, holds) in [(&[][..], true), (&["--broken", "always-agrees"], false)] {
        let trace = project.path("trace.jsonl");
        let run = [&["run", "--entries", "3", "--trace", &trace], mistake].concat();
        let ran = program.ran(&run);
        assert_eq!(ran.verdict("earlier requests come first"), holds, "{}", ran.report);
        let judged = Ran::of(&program.output(&["verify", "--json", &trace]));
        assert_eq!(judged.report["properties"], ran.report["properties"]);
        assert_eq!(judged.status, i32::from(!holds));
    }
}
