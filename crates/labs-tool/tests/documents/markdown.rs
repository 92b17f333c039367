//! Finds the blocks of a document, and what its marks say about them.
//!
//! A mark is a comment of its own line above a block, which readers of the page do not see:
//! `<!-- test: not run: needs other machines -->`.

/// A block between two fences.
#[derive(Debug)]
pub(crate) struct Block {
    /// The number of the line of its first fence.
    pub(crate) line: usize,
    /// What stands behind the first fence: `sh`, `console`, `text`, `rust`.
    pub(crate) language: String,
    pub(crate) lines: Vec<String>,
    /// The last line of text above it.
    pub(crate) above: String,
    /// No text stands between the block before and this one.
    pub(crate) follows: bool,
    pub(crate) marks: Vec<Mark>,
}

/// What a test must know about a block.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Mark {
    /// Not run, for this reason.
    NotRun(String),
    /// Run, but chance decides what is printed, for this reason.
    OutputDiffers(String),
    /// Numbers are not compared: chance decides them.
    NumbersDiffer,
    /// It must run while the block above runs.
    BesideTheBlockAbove,
    /// It must run while so many blocks below run.
    BesideBlocksBelow(usize),
    /// A command that must run beside so many blocks, which the reader started before.
    Beside(usize, String),
    /// Lines are printed in any order.
    AnyOrder,
    /// Lines with one of these words are not compared: chance decides whether they are printed.
    NotCompared(Vec<String>),
    /// What is printed behind `> ` and `. ` is not printed, but typed.
    Typed,
    /// A command to run first, which the reader need not see.
    First(String),
    /// Programs without which the block cannot be run.
    Needs(Vec<String>),
    /// What the block of commands above prints, though text stands between.
    OutputOfTheBlockAbove,
    /// Lines of this file of the repository, in its order.
    From(String),
}

/// The comment that all marks begin with.
const BEGIN: &str = "<!-- test: ";
const END: &str = " -->";

/// The blocks of a document, in order.
///
/// # Errors
///
/// One line that names the line of the document that cannot be understood.
pub(crate) fn blocks(text: &str) -> Result<Vec<Block>, String> {
    let mut blocks = Vec::new();
    let mut marks = Vec::new();
    let mut above = String::new();
    let mut follows = false;
    let mut lines = text.lines().zip(1..);
    while let Some((line, number)) = lines.next() {
        let (indent, content) = line.split_at(line.len() - line.trim_start().len());
        if let Some(mark) = content.strip_prefix(BEGIN) {
            marks.push(Mark::read(mark).ok_or(format!("line {number}: what is {line:?}?"))?);
        } else if let Some(language) = content.strip_prefix("```") {
            let within = lines.by_ref().map(|(line, _)| line);
            let within = within.map(|line| line.strip_prefix(indent).unwrap_or(line));
            let lines = within.take_while(|line| *line != "```").map(str::to_owned).collect();
            let marks = std::mem::take(&mut marks);
            let (language, above) = (language.to_owned(), above.clone());
            blocks.push(Block { line: number, language, lines, above, follows, marks });
            follows = true;
        } else if !content.is_empty() {
            if !marks.is_empty() {
                return Err(format!(
                    "line {number}: a mark stands above it, but it begins no block"
                ));
            }
            line.clone_into(&mut above);
            follows = false;
        }
    }
    Ok(blocks)
}

impl Mark {
    fn read(text: &str) -> Option<Self> {
        let text = text.strip_suffix(END)?;
        let (name, rest) = text.split_once(": ").unwrap_or((text, ""));
        let rest_of = |mark: fn(String) -> Self| (!rest.is_empty()).then(|| mark(rest.to_owned()));
        match name {
            "not run" => rest_of(Self::NotRun),
            "output differs" => rest_of(Self::OutputDiffers),
            "beside" => Some(Self::Beside(1, rest.to_owned())),
            "not compared" => Some(Self::NotCompared(words(rest))),
            "any order" => Some(Self::AnyOrder),
            "typed" => Some(Self::Typed),
            "first" => rest_of(Self::First),
            "from" => rest_of(Self::From),
            "needs" => Some(Self::Needs(words(rest))),
            "numbers differ" => Some(Self::NumbersDiffer),
            "beside the block above" => Some(Self::BesideTheBlockAbove),
            "beside the block below" => Some(Self::BesideBlocksBelow(1)),
            "output of the block above" => Some(Self::OutputOfTheBlockAbove),
            _ => {
                let name = name.strip_prefix("beside ")?;
                if let Some(blocks) = name.strip_suffix(" blocks") {
                    return Some(Self::Beside(blocks.parse().ok()?, rest.to_owned()));
                }
                let blocks = name.strip_prefix("the ")?.strip_suffix(" blocks below")?;
                blocks.parse().ok().map(Self::BesideBlocksBelow)
            }
        }
    }
}

fn words(text: &str) -> Vec<String> {
    text.split(", ").map(str::to_owned).collect()
}

impl Block {
    pub(crate) fn has(&self, mark: &Mark) -> bool {
        self.marks.contains(mark)
    }

    /// Why it is not run.
    pub(crate) fn not_run(&self) -> Option<&str> {
        self.marks.iter().find_map(|mark| match mark {
            Mark::NotRun(reason) => Some(reason.as_str()),
            _ => None,
        })
    }

    /// Whether what it prints is not known to be true.
    pub(crate) fn is_left_out(&self) -> bool {
        self.not_run().is_some()
            || self.marks.iter().any(|mark| matches!(mark, Mark::OutputDiffers(_)))
    }

    /// What the reasons name that should be in the repository.
    pub(crate) fn paths_in_reasons(&self) -> impl Iterator<Item = &str> {
        let reasons = self.marks.iter().filter_map(|mark| match mark {
            Mark::NotRun(reason) | Mark::OutputDiffers(reason) => Some(reason),
            _ => None,
        });
        let words = reasons.flat_map(|reason| reason.split([' ', ',', ';']));
        words.filter(|word| word.contains('/'))
    }

    /// The commands of a block of `console`, each with the number of its line and what it prints.
    pub(crate) fn commands(&self) -> Vec<Command> {
        let mut commands: Vec<Command> = Vec::new();
        let mut goes_on = false;
        for (line, number) in self.lines.iter().zip(self.line + 1..) {
            match (line.strip_prefix("$ "), commands.last_mut()) {
                (Some(text), _) => {
                    commands.push(Command { line: number, text: text.to_owned(), prints: vec![] });
                }
                (None, Some(command)) if goes_on => {
                    command.text.push('\n');
                    command.text.push_str(line);
                }
                (None, Some(command)) => command.prints.push(line.clone()),
                (None, None) => {}
            }
            let is_command = goes_on || line.starts_with("$ ");
            goes_on = is_command && (line.ends_with('\\') || line.ends_with('|'));
        }
        commands
    }
}

/// What a person types, and what the document says that it prints.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Command {
    pub(crate) line: usize,
    pub(crate) text: String,
    pub(crate) prints: Vec<String>,
}

/// What is read of a page.
pub(crate) fn blocks_and_marks_are_found() {
    let text = "# a\n\n<!-- test: first: b -->\n<!-- test: numbers differ -->\n  ```sh\n  c\n   d\n  ```\n";
    let found = blocks(text).unwrap();
    assert_eq!((found.len(), found[0].line, found[0].above.as_str()), (1, 5, "# a"));
    assert_eq!(found[0].lines, ["c", " d"]);
    assert_eq!(found[0].marks, [Mark::First("b".to_owned()), Mark::NumbersDiffer]);
}
