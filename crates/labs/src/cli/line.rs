//! A command line, and the options that come with it unasked: those that the lab usually simulates with, its usual
//! faults, and those without which a mistake does not show. An option that is typed is never replaced.

use std::ffi::OsString;

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::command;
use crate::lab::{Verb, World};
use crate::planned::Course;
use crate::report::Brought;

/// The option that says what goes wrong.
pub(super) const FAULTS: &str = "--faults";

/// The options of `simulate` that say what goes wrong, or how messages travel.
const SAY_WHAT_GOES_WRONG: [&str; 9] = [
    FAULTS,
    "--crash",
    "--duplication",
    "--latency",
    "--loss",
    "--network",
    "--reordering",
    "--slow",
    "--unordered",
];

/// A command line that was read.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) matches: ArgMatches,
    pub(super) brought: Vec<Brought>,
}

/// The words of all options that came unasked.
pub(super) fn words(brought: &[Brought]) -> impl Iterator<Item = String> + '_ {
    brought.iter().flat_map(|brought| brought.words.iter().cloned())
}

/// Reads command lines of a lab, one after the other.
pub(super) struct Reader<'a> {
    lab: &'a dyn Course,
    command: clap::Command,
}

impl<'a> Reader<'a> {
    pub(super) fn new(lab: &'a dyn Course) -> Self {
        Self { lab, command: command(lab) }
    }

    /// Reads the words after the name of the program.
    ///
    /// # Errors
    ///
    /// As clap's.
    pub(super) fn read(&mut self, words: &[OsString]) -> Result<Line, clap::Error> {
        let line = self.read_as_it_stands(words)?;
        let brought = brought(self.lab, &self.command, &line.matches);
        let line = self.read_with(words, line, brought)?;
        let Some(faults) = usual_faults(self.lab, &self.command, &line.matches) else {
            return Ok(line);
        };
        let mut brought = line.brought.clone();
        add(&mut brought, self.lab.about().name, &[FAULTS, &faults]);
        self.read_with(words, line, brought)
    }

    /// Reads words to which nothing is added: a trace names all options with which it was made.
    ///
    /// # Errors
    ///
    /// As clap's.
    pub(super) fn read_as_it_stands(&mut self, words: &[OsString]) -> Result<Line, clap::Error> {
        Ok(Line { matches: self.matches(words.iter().cloned())?, brought: Vec::new() })
    }

    /// Reads the line again, with these options behind its words, if there are any.
    fn read_with(
        &mut self,
        words: &[OsString],
        line: Line,
        brought: Vec<Brought>,
    ) -> Result<Line, clap::Error> {
        if brought.is_empty() {
            return Ok(line);
        }
        let more = self::words(&brought).map(OsString::from);
        Ok(Line { matches: self.matches(words.iter().cloned().chain(more))?, brought })
    }

    fn matches(
        &mut self,
        words: impl Iterator<Item = OsString>,
    ) -> Result<ArgMatches, clap::Error> {
        let program = OsString::from(self.lab.about().name);
        self.command.try_get_matches_from_mut([program].into_iter().chain(words))
    }
}

/// What comes with these options unasked.
fn brought(lab: &dyn Course, command: &clap::Command, matches: &ArgMatches) -> Vec<Brought> {
    let Some((verb, matches)) = matches.subcommand() else { return Vec::new() };
    let Some(command) = command.find_subcommand(verb) else { return Vec::new() };
    let mistake = lab.needs(matches);
    let of_mistake = mistake.as_ref().map_or(&[][..], |(_, needs)| match verb {
        "run" => needs.run,
        "simulate" => needs.simulate,
        "check" => needs.check,
        _ => &[],
    });
    let usual = if verb == Verb::Simulate.name() { lab.about().usual } else { &[] };
    let by_mistake = mistake.map(|(name, _)| format!("--broken {name}")).unwrap_or_default();
    let pairs = of_mistake.chunks(2).map(|words| (by_mistake.as_str(), words));
    let pairs = pairs.chain(usual.chunks(2).map(|words| (lab.about().name, words)));
    let mut all: Vec<Brought> = Vec::new();
    for (by, words) in pairs {
        let is_brought =
            |brought: &Brought| brought.by != by && brought.words.iter().any(|w| w == words[0]);
        if all.iter().any(is_brought) || is_given(command, matches, words[0]) {
            continue;
        }
        add(&mut all, by, words);
    }
    all
}

/// Adds options to those that the same one brings.
fn add(all: &mut Vec<Brought>, by: &str, words: &[&str]) {
    let words = words.iter().map(|word| (*word).to_owned());
    match all.iter_mut().find(|brought| brought.by == by) {
        Some(brought) => brought.words.extend(words),
        None => all.push(Brought { by: by.to_owned(), words: words.collect() }),
    }
}

/// The plan of faults that the lab brings to `simulate`. Nothing where the line says what goes wrong, or how
/// messages travel: a student who sets the network wants to see what the network does.
fn usual_faults(lab: &dyn Course, command: &clap::Command, matches: &ArgMatches) -> Option<String> {
    let (verb, matches) = matches.subcommand()?;
    let command = command.find_subcommand(verb)?;
    let is_said = || SAY_WHAT_GOES_WRONG.iter().any(|option| is_given(command, matches, option));
    if verb != Verb::Simulate.name() || is_said() {
        return None;
    }
    let processes = matches.try_get_one("processes").ok().flatten().copied();
    let seed = matches.try_get_one("seed").ok().flatten().copied().unwrap_or(1);
    let world = World { verb: Verb::Simulate, processes, seed };
    // Options that mean nothing are refused by whoever plans next.
    let planned = lab.plan(matches, &world).ok()?;
    let is_one_run = planned.study().is_none();
    Some(planned.usual_faults()).filter(|faults| is_one_run && !faults.is_empty())
}

/// Whether an option stands on the command line.
fn is_given(command: &clap::Command, matches: &ArgMatches, option: &str) -> bool {
    let name = option.trim_start_matches('-');
    let argument = command.get_arguments().find(|argument| argument.get_long() == Some(name));
    argument.is_some_and(|argument| {
        matches.value_source(argument.get_id().as_str()) == Some(ValueSource::CommandLine)
    })
}
