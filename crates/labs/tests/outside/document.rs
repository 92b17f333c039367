//! A document that holds the files of a project, and commands with what they print.
//!
//! A block below a line such as "`src/main.rs`:" is a file. A block of `sh` holds commands; a
//! block of `text` right after it is what they print.

use std::collections::BTreeMap;

/// What a document holds.
#[derive(Debug, Default)]
pub(crate) struct Document {
    /// The files, by their paths.
    pub(crate) files: BTreeMap<String, String>,
    /// Commands, and what they print where the document says it.
    pub(crate) commands: Vec<(String, Option<String>)>,
}

impl Document {
    pub(crate) fn cut(text: &str) -> Self {
        let mut document = Self::default();
        let mut lines = text.lines();
        let mut above = "";
        while let Some(line) = lines.next() {
            match line.strip_prefix("```") {
                Some(language) => {
                    let block = lines.by_ref().take_while(|line| *line != "```");
                    document.add(above, language, block.map(|line| format!("{line}\n")).collect());
                    above = line;
                }
                None if line.is_empty() => {}
                None => above = line,
            }
        }
        document
    }

    /// Adds a block below a line of text, or below another block in its language.
    fn add(&mut self, above: &str, language: &str, block: String) {
        let path = above.strip_prefix('`').and_then(|rest| rest.strip_suffix("`:"));
        match (path, language) {
            (Some(path), _) => {
                assert_eq!(self.files.insert(path.to_owned(), block), None, "{path} stands twice");
            }
            (None, "sh") => self.commands.extend(block.lines().map(|line| (line.to_owned(), None))),
            (None, "text") if above == "```sh" => {
                self.commands.last_mut().expect("a block of commands is not empty").1 = Some(block);
            }
            _ => {}
        }
    }
}

/// What a report prints, without what differs from run to run: times, seeds, names, pids, paths.
/// Columns may be wider.
pub(crate) fn masked(printed: &str) -> Vec<String> {
    printed.lines().map(masked_line).filter(|line| !line.is_empty()).collect()
}

fn masked_line(line: &str) -> String {
    let mut words: Vec<&str> = line.split_whitespace().collect();
    for i in 0..words.len() {
        let is_seconds = words.get(i + 1).is_some_and(|next| next.trim_end_matches(',') == "s");
        let is_masked = match i.checked_sub(1).map(|before| words[before]) {
            Some("seed" | "run" | "localhost") => true,
            _ => is_seconds || words[i].contains(":/"),
        };
        if is_masked && words[i].contains(|c: char| c.is_ascii_digit()) {
            words[i] = "#";
        }
    }
    words.join(" ")
}

#[test]
fn files_and_commands_are_found() {
    let file = "a\n\n`b`:\n\n```rust\nc\n\nd\n```\n\n```rust\ne\n```\n";
    let commands = "```sh\nf\ng\n```\n\n```text\nh\n```\n";
    let Document { files, commands } = Document::cut(&format!("{file}{commands}"));
    assert_eq!(files, BTreeMap::from([("b".to_owned(), "c\n\nd\n".to_owned())]));
    let printed = Some("h\n".to_owned());
    assert_eq!(commands, [("f".to_owned(), None), ("g".to_owned(), printed)]);
}

#[test]
fn what_differs_from_run_to_run_is_masked() {
    let line = "hello run, 5 processes, seed 17, 0.029 s";
    assert_eq!(masked(line), ["hello run, 5 processes, seed # # s"]);
    assert_eq!(masked("p0   localhost  205\n\n"), ["p0 localhost #"]);
    assert_eq!(masked("holds  4 states"), ["holds 4 states"]);
}
