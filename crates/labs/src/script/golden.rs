//! Scripts as files, through `goldenscript`.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use goldenscript::{Argument, ArgumentConsumer, Command, Runner};

use super::stage::Stage;
use crate::process::{Process, ProcessId};
use crate::verdict::Property;

/// The most processes of a script, which people read.
const PROCESSES_MAX: u32 = 64;

/// What the first command of a script asks for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Opening {
    /// How many processes.
    pub processes: u32,
    /// The lab's own arguments, `key=value`.
    pub arguments: BTreeMap<String, String>,
}

/// The processes of a script and what is required of them, or why its arguments do not fit.
pub type Cast<P> = Result<(Vec<P>, Vec<Property>), String>;

/// Runs all scripts in a folder.
///
/// `build` makes the processes that a script starts with, and says what is required of them. `requests` are all
/// requests that scripts may name: a name is a request's `Debug` form.
///
/// # Errors
///
/// If the folder cannot be read or is empty, or a command of a script fails; the error names the script and the
/// line.
///
/// # Panics
///
/// If a script leads to something else than what stands in it, with the difference. With
/// `UPDATE_GOLDENFILES=1` in the environment the script is rewritten instead.
pub fn run_dir<P: Process>(
    folder: impl AsRef<Path>,
    requests: &[P::Request],
    build: impl Fn(&Opening) -> Cast<P>,
) -> Result<(), Box<dyn Error>> {
    let folder = folder.as_ref();
    let in_folder = |error: &dyn std::fmt::Display| format!("{}: {error}", folder.display());
    let mut scripts = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| in_folder(&error))? {
        scripts.push(entry.map_err(|error| in_folder(&error))?.path());
    }
    if scripts.is_empty() {
        return Err(in_folder(&"no scripts").into());
    }
    scripts.sort();
    scripts.iter().try_for_each(|script| run::<P>(script, requests, &build))
}

fn run<P: Process>(
    script: &PathBuf,
    requests: &[P::Request],
    build: &dyn Fn(&Opening) -> Cast<P>,
) -> Result<(), Box<dyn Error>> {
    let mut director = Director { requests, build, stage: None };
    goldenscript::run(&mut director, script)
        .map_err(|error| format!("{}: {error}", script.display()).into())
}

/// Carries out the commands.
pub(super) struct Director<'a, P: Process> {
    pub(super) requests: &'a [P::Request],
    pub(super) build: &'a dyn Fn(&Opening) -> Cast<P>,
    pub(super) stage: Option<Stage<P>>,
}

impl<P: Process> Runner for Director<'_, P> {
    fn run(&mut self, command: &Command) -> Result<String, Box<dyn Error>> {
        let arguments = &mut command.consume_args();
        if command.name == "start" {
            self.start(arguments)?;
        }
        let requests = self.requests;
        let stage = self.stage.as_mut().ok_or("nothing has started: begin with `start 3`")?;
        match command.name.as_str() {
            "start" => {}
            "request" => {
                let process = process(arguments)?;
                stage.request(process, named(requests, text(arguments, "request")?)?)?;
            }
            "deliver" => {
                stage.deliver(process(arguments)?, process(arguments)?, place(arguments)?)?
            }
            "double" => {
                stage.double(process(arguments)?, process(arguments)?, place(arguments)?)?
            }
            "lose" => stage.lose(process(arguments)?, process(arguments)?, place(arguments)?)?,
            "timeout" => {
                let process = process(arguments)?;
                let name = arguments.next_pos().map(|argument| argument.value.as_str());
                stage.time_out(process, name)?;
            }
            "crash" => stage.crash(process(arguments)?)?,
            "run" => stage.run()?,
            "choose" => {
                let choices = arguments.rest_pos();
                let choices = choices.into_iter().map(Argument::parse);
                stage.choose(choices.collect::<Result<_, _>>()?);
            }
            "show" => {
                let only = match arguments.next_pos() {
                    Some(argument) => Some(rank(&argument.value)?),
                    None => None,
                };
                return Ok(stage.show(only)?);
            }
            "verdicts" => return Ok(verdicts(stage)),
            other => return Err(format!("there is no command {other}").into()),
        }
        arguments.reject_rest()?;
        Ok(stage.seen())
    }
}

impl<P: Process> Director<'_, P> {
    fn start(&mut self, arguments: &mut ArgumentConsumer<'_>) -> Result<(), Box<dyn Error>> {
        let processes = arguments.next_pos().ok_or("how many processes? `start 3`")?.parse()?;
        if !(1..=PROCESSES_MAX).contains(&processes) {
            return Err(format!("a script has 1 to {PROCESSES_MAX} processes").into());
        }
        let pairs = arguments.rest_key().into_iter();
        let pairs = pairs.map(|pair| (pair.name().to_owned(), pair.value.clone()));
        let opening = Opening { processes, arguments: pairs.collect() };
        arguments.reject_rest()?;
        let (processes, properties) = (self.build)(&opening)?;
        self.stage = Some(Stage::new(processes, &properties));
        Ok(())
    }
}

fn text<'a>(arguments: &mut ArgumentConsumer<'a>, what: &str) -> Result<&'a str, String> {
    arguments
        .next_pos()
        .map(|argument| argument.value.as_str())
        .ok_or_else(|| format!("which {what}?"))
}

fn process(arguments: &mut ArgumentConsumer<'_>) -> Result<ProcessId, String> {
    rank(text(arguments, "process")?)
}

fn rank(text: &str) -> Result<ProcessId, String> {
    text.strip_prefix('p')
        .and_then(|rank| rank.parse().ok())
        .map(ProcessId)
        .ok_or_else(|| format!("{text} is no process; one looks like p0"))
}

fn place(arguments: &mut ArgumentConsumer<'_>) -> Result<usize, Box<dyn Error>> {
    arguments.next_pos().map_or(Ok(1), Argument::parse)
}

fn named<R: Clone + std::fmt::Debug>(all: &[R], name: &str) -> Result<R, String> {
    all.iter()
        .find(|one| format!("{one:?}") == name)
        .cloned()
        .ok_or_else(|| format!("there is no request {name}; there are {all:?}"))
}

fn verdicts<P: Process>(stage: &Stage<P>) -> String {
    let line = |verdict: &crate::verdict::Verdict| {
        let holds = match verdict.holds() {
            Some(true) => "holds",
            Some(false) => "is violated",
            None => "is open",
        };
        format!("{} {holds}: {}", verdict.name, verdict.detail())
    };
    stage.verdicts().iter().map(line).collect::<Vec<_>>().join("\n")
}
