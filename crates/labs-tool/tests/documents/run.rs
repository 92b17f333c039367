//! Runs the commands of a document, and compares what they print with what the document says.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::markdown::{self, Block, Command, Mark};
use crate::mask::{Comparison, Mask};
use crate::session::{self, Beside, READY_TIME, Session};

/// How many lines of what was printed an error shows.
const SHOWN_LINES: usize = 40;

/// A status that a command has if it could not be run at all: not a program, not found, ended by a
/// signal that nobody meant.
const NOT_RUN: [&str; 3] = ["126", "127", "139"];

/// The status of a command that was typed wrongly. One that fails on purpose prints why.
const WRONG: &str = "2";

/// A person needs longer to type the next command behind one that goes on in the background.
const TYPING_TIME: Duration = Duration::from_millis(500);

/// A document of the repository.
pub(crate) struct Document {
    /// Its path in the repository.
    pub(crate) name: String,
    pub(crate) blocks: Vec<Block>,
    repository: PathBuf,
}

impl Document {
    /// Reads a document.
    ///
    /// # Errors
    ///
    /// One line that says which of its lines cannot be understood.
    pub(crate) fn read(repository: &Path, name: &str) -> Result<Self, String> {
        let text = fs::read_to_string(repository.join(name))
            .map_err(|error| format!("{name}: {error}"))?;
        let blocks = markdown::blocks(&text).map_err(|error| format!("{name}: {error}"))?;
        Ok(Self { name: name.to_owned(), blocks, repository: repository.to_owned() })
    }

    /// The errors in what its blocks say, and in how they are marked.
    pub(crate) fn errors(&self, programs: &Path) -> Vec<String> {
        let mut errors: Vec<String> =
            self.blocks.iter().filter_map(|block| self.misplaced(block)).collect();
        if self.blocks.iter().any(is_run) {
            match Session::start(programs, &self.repository) {
                Ok(session) => {
                    errors.extend(Run { document: self, session, besides: vec![] }.all())
                }
                Err(error) => errors.push(format!("{}: no shell: {error}", self.name)),
            }
        }
        errors
    }

    /// Why a block cannot stand as it does.
    fn misplaced(&self, block: &Block) -> Option<String> {
        let error = |what: &str| Some(format!("{}:{}: {what}", self.name, block.line));
        let missing = block.paths_in_reasons().find(|path| !self.repository.join(path).exists());
        if let Some(path) = missing {
            return error(&format!("its reason names {path}, which does not exist"));
        }
        let begins = |with: &str| block.lines.first().is_some_and(|line| line.starts_with(with));
        match block.language.as_str() {
            "text" if begins("$ ") => error("it has commands; say ```console"),
            "console" if block.not_run().is_none() && !begins("$ ") => {
                error("it does not begin with `$ `; say ```text")
            }
            "sh" | "console" | "text" => None,
            "rust" | "toml" if is_file(block) || block.not_run().is_some() => None,
            "rust" | "toml" => self.not_from_its_file(block).and_then(|what| error(&what)),
            _ => error("no test knows this language; see CONTRIBUTING.md"),
        }
    }

    /// Code must stand in the file that its mark names.
    fn not_from_its_file(&self, block: &Block) -> Option<String> {
        let from = block.marks.iter().find_map(|mark| match mark {
            Mark::From(file) => Some(file),
            _ => None,
        });
        let Some(file) = from else {
            return Some("code needs `<!-- test: from: FILE -->` above it".to_owned());
        };
        let text = fs::read_to_string(self.repository.join(file)).unwrap_or_default();
        let comparison = Comparison { mask: Mask::Exact, is_ordered: true };
        let missing = comparison.first_missing(&block.lines, &text)?;
        Some(format!("{file} does not have the line {:?} there", block.lines[missing]))
    }
}

/// A file of the lab that docs/writing-a-lab.md writes: `crates/labs/tests/outside` builds it.
fn is_file(block: &Block) -> bool {
    block.above.starts_with('`') && block.above.ends_with("`:")
}

/// Whether a block has commands that a test runs.
fn is_run(block: &Block) -> bool {
    matches!(block.language.as_str(), "sh" | "console") && block.not_run().is_none()
}

/// A run of a document.
struct Run<'a> {
    document: &'a Document,
    session: Session,
    /// What runs beside the blocks, and for how many more.
    besides: Vec<Running>,
}

struct Running {
    command: Command,
    beside: Beside,
    comparison: Comparison,
    blocks: usize,
}

impl Run<'_> {
    fn all(mut self) -> Vec<String> {
        let document = self.document;
        let mut errors = Vec::new();
        for (i, block) in document.blocks.iter().enumerate() {
            let is_beside_above = block.has(&Mark::BesideTheBlockAbove);
            if self.session.is_over() {
                break;
            }
            if !is_run(block) || is_beside_above || !self.has_programs(block) {
                continue;
            }
            let prints = document.blocks.get(i + 1..).unwrap_or_default();
            let below = prints.first().filter(|block| block.has(&Mark::BesideTheBlockAbove));
            errors.extend(self.block(block, output_of(prints), below));
        }
        errors
    }

    /// Programs of others need not be there.
    fn has_programs(&self, block: &Block) -> bool {
        let needed = block.marks.iter().filter_map(|mark| match mark {
            Mark::Needs(programs) => Some(programs),
            _ => None,
        });
        let path = std::env::var_os("PATH").unwrap_or_default();
        let is_there =
            |name: &String| std::env::split_paths(&path).any(|dir| dir.join(name).is_file());
        let missing = needed.flatten().find(|name| !is_there(name));
        if let Some(name) = missing {
            eprintln!("{}:{}: not run, for there is no {name}", self.document.name, block.line);
        }
        missing.is_none() || std::env::var_os(crate::ALL).is_some()
    }

    /// Runs one block, with what runs beside it.
    fn block(&mut self, block: &Block, output: &[String], below: Option<&Block>) -> Vec<String> {
        let mut errors = Vec::new();
        for mark in &block.marks {
            let done = match mark {
                Mark::First(command) => self.first(command),
                Mark::Beside(blocks, command) => {
                    self.start_beside(block, command.clone(), vec![], blocks - 1)
                }
                _ => Ok(()),
            };
            errors.extend(
                done.err().map(|error| format!("{}:{}: {error}", self.document.name, block.line)),
            );
        }
        if let Some(below) = below {
            errors.extend(self.start_block(below, 0).err());
        }
        let blocks_below = block.marks.iter().find_map(|mark| match mark {
            Mark::BesideBlocksBelow(blocks) => Some(*blocks),
            _ => None,
        });
        match blocks_below {
            Some(blocks) => errors.extend(self.start_block(block, blocks).err()),
            None => {
                for command in commands(block, output) {
                    if !self.session.is_over() {
                        errors.extend(self.command(block, &command).err());
                    }
                }
            }
        }
        errors.extend(self.end_besides());
        errors
    }

    fn first(&mut self, command: &str) -> Result<(), String> {
        let failed = self.session.run(command)?.failed;
        if failed.is_empty() { Ok(()) } else { Err(format!("{command}: {}", failed.join("; "))) }
    }

    fn start_block(&mut self, block: &Block, blocks: usize) -> Result<(), String> {
        commands(block, &[])
            .into_iter()
            .try_for_each(|command| self.start_beside(block, command.text, command.prints, blocks))
    }

    fn start_beside(
        &mut self,
        block: &Block,
        text: String,
        prints: Vec<String>,
        blocks: usize,
    ) -> Result<(), String> {
        let beside = self.session.start_beside(&text)?;
        let command = Command { line: block.line + 1, text, prints };
        let comparison = comparison(block, &command.text);
        self.besides.push(Running { command, beside, comparison, blocks });
        Ok(())
    }

    /// Ends what has no block left to run beside, and compares what it printed.
    fn end_besides(&mut self) -> Vec<String> {
        let (over, rest) = std::mem::take(&mut self.besides)
            .into_iter()
            .partition::<Vec<_>, _>(|running| running.blocks == 0);
        self.besides = rest;
        for running in &mut self.besides {
            running.blocks -= 1;
        }
        over.iter().filter_map(|running| self.end(running).err()).collect()
    }

    fn end(&mut self, running: &Running) -> Result<(), String> {
        let printed = self.session.end(&running.beside);
        let printed = printed.map_err(|error| self.error(&running.command, &error))?;
        self.compare(&running.command, running.comparison, &printed)
    }

    fn command(&mut self, block: &Block, command: &Command) -> Result<(), String> {
        let ran = self.session.run(&command.text).map_err(|error| self.error(command, &error))?;
        let differs = block.marks.iter().any(|mark| matches!(mark, Mark::OutputDiffers(_)));
        let is_wrong = |failed: &&String| {
            let status = failed.split(' ').next().unwrap_or_default();
            let is_wrong = status == WRONG && !failed.contains(" wait ");
            NOT_RUN.contains(&status) || (is_wrong && command.prints.is_empty() && !differs)
        };
        if let Some(failed) = ran.failed.iter().find(is_wrong) {
            return Err(
                self.error(command, &format!("exit status {failed}\n{}", shown(&ran.printed)))
            );
        }
        if differs {
            return Ok(());
        }
        let comparison = comparison(block, &command.text);
        let mut printed = ran.printed;
        if command.text.ends_with('&') {
            std::thread::sleep(TYPING_TIME);
        }
        let begin = Instant::now();
        // What runs on in the background may print it soon.
        while command.text.ends_with('&')
            && comparison.first_missing(&command.prints, &printed).is_some()
            && begin.elapsed() < READY_TIME
        {
            std::thread::sleep(Duration::from_millis(10));
            printed = session::text(&ran.file);
        }
        self.compare(command, comparison, &printed)
    }

    fn compare(
        &self,
        command: &Command,
        comparison: Comparison,
        printed: &str,
    ) -> Result<(), String> {
        let Some(missing) = comparison.first_missing(&command.prints, printed) else {
            return Ok(());
        };
        let line = &command.prints[missing];
        let (masked, shown) = (comparison.mask.apply(line), shown(printed));
        let error = format!("is not printed: {line}\n  compared as: {masked}\n{shown}");
        Err(self.error(command, &error))
    }

    fn error(&self, command: &Command, error: &str) -> String {
        let text = command.text.replace('\n', "\n    ");
        format!("{}:{}: $ {text}\n  {error}", self.document.name, command.line)
    }
}

/// The commands of a block, with those lines of their output that are compared.
fn commands(block: &Block, output: &[String]) -> Vec<Command> {
    let not_compared = |line: &String| {
        block.marks.iter().any(|mark| match mark {
            Mark::NotCompared(words) => words.iter().any(|word| line.contains(word)),
            _ => false,
        })
    };
    let mut commands = all_commands(block, output);
    for command in &mut commands {
        command.prints.retain(|line| !not_compared(line));
    }
    commands
}

/// Those of a block of `sh` are one, for they may be one `if` or loop.
fn all_commands(block: &Block, output: &[String]) -> Vec<Command> {
    match block.language.as_str() {
        "console" if block.has(&Mark::Typed) => block.commands().into_iter().map(typed).collect(),
        "console" => block.commands(),
        _ => {
            let (line, text) = (block.line + 1, block.lines.join("\n"));
            vec![Command { line, text, prints: output.to_owned() }]
        }
    }
}

/// A command that gets on its standard input what the document shows behind a prompt.
fn typed(command: Command) -> Command {
    let is_prompt = |line: &String| line.starts_with("> ") || line.starts_with(". ");
    let (input, prints): (Vec<String>, _) = command.prints.into_iter().partition(is_prompt);
    let input: String = input.iter().map(|line| format!("{}\n", &line[2..])).collect();
    Command { text: format!("{} << 'TYPED'\n{input}TYPED", command.text), prints, ..command }
}

/// What the block before these prints, if the document says it.
fn output_of(below: &[Block]) -> &[String] {
    let is_command = |block: &&Block| matches!(block.language.as_str(), "sh" | "console");
    let mut until_next = below.iter().take_while(|block| !is_command(block));
    let output = until_next.find(|block| block.language == "text");
    let output = output.filter(|block| {
        block.has(&Mark::OutputOfTheBlockAbove) || (block.follows && block.line == below[0].line)
    });
    output.map_or(&[], |block| &block.lines)
}

fn comparison(block: &Block, command: &str) -> Comparison {
    let mask = if block.has(&Mark::NumbersDiffer) { Mask::Numbers } else { Mask::of(command) };
    Comparison { mask, is_ordered: !block.has(&Mark::AnyOrder) }
}

fn shown(printed: &str) -> String {
    let mut lines: Vec<String> =
        printed.lines().take(SHOWN_LINES).map(|line| format!("  | {line}\n")).collect();
    if printed.lines().count() > SHOWN_LINES {
        lines.push("  | and more\n".to_owned());
    }
    lines.concat()
}
