//! Texts below the options of a `--help`. clap fits a paragraph into the width of the terminal line by line: one
//! that has line breaks of its own is broken twice.

use std::fs;

use super::{files, root};

/// The names of such texts.
const NAMES: [&str; 2] = ["ABOUT", "AFTER_HELP"];

/// The longest line of a list, which is not to be broken: it fits half a screen.
const LIST_LINE_MAX: usize = 60;

#[test]
fn paragraphs_of_help_have_no_line_breaks() {
    let sources = ["crates", "labs"].iter().flat_map(|folder| files(&root().join(folder)));
    let sources = sources.filter(|path| path.to_string_lossy().contains("/src/"));
    let mut texts = 0;
    for path in sources.filter(|path| path.extension().is_some_and(|end| end == "rs")) {
        let source = fs::read_to_string(&path).unwrap();
        for words in source.split("after_help").skip(1) {
            let name = words.trim_start_matches([' ', '=', '(']).split([')', ']']).next();
            let name = name.and_then(|name| name.rsplit("::").next()).unwrap_or_default();
            assert!(NAMES.contains(&name), "{}: {name} is not looked at here", path.display());
        }
        for text in NAMES.iter().filter_map(|name| text_of(&source, name)) {
            texts += 1;
            assert_eq!(broken(&text), None, "{}", path.display());
        }
    }
    assert!(texts >= 8, "{texts} texts: where are the others?");
}

/// What stands in a constant.
fn text_of(source: &str, name: &str) -> Option<String> {
    let (_, literal) = source.split_once(&format!("const {name}: &str = \""))?;
    let (literal, _) = literal.split_once("\";")?;
    let mut text = String::new();
    for line in literal.lines() {
        text += line.trim_start().trim_end_matches('\\');
        if !line.ends_with('\\') {
            text.push('\n');
        }
    }
    Some(text.replace("\\n", "\n").replace("\\x20", " "))
}

/// A line that is broken within its paragraph, or too long for a list.
fn broken(text: &str) -> Option<&str> {
    let is_prose = |line: &str| !line.is_empty() && !line.starts_with(' ');
    let lines: Vec<_> = text.trim_end().lines().collect();
    let within = lines.windows(2).find(|pair| pair.iter().all(|line| is_prose(line)));
    let long = lines.iter().find(|line| line.starts_with(' ') && line.len() > LIST_LINE_MAX);
    within.map(|pair| pair[0]).or(long.copied())
}

#[test]
fn a_line_break_within_a_paragraph_is_seen() {
    let source =
        "const ABOUT: &str = \"\\\n    One \\\n    paragraph.\\n\\\n    \\n\\\n    Two.\";";
    assert_eq!(text_of(source, "ABOUT").unwrap().trim_end(), "One paragraph.\n\nTwo.");
    assert_eq!(broken("One paragraph.\n\n  a\n  b\n\nTwo."), None);
    assert_eq!(broken("One\nparagraph."), Some("One"));
    assert_eq!(broken("const:\n\n\n  a"), None);
    assert!(broken(&format!("  {}", "a".repeat(60))).is_some());
}
